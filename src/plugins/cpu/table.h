/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one tensor of codes: a table of what each of the 256 codes becomes. */
#ifndef NX_PLUGINS_CPU_TABLE_H
#define NX_PLUGINS_CPU_TABLE_H

#include "plugins/cpu/build.h"

/* The code of a real number of that type (u8 or s8), as its byte: rounded half to even and
 * saturated; a NaN becomes the lowest. */
uint8_t cpu_code_of(dnnl_data_type_t type, float x, const struct cpu_codes *codes);
/* What a byte stands for. */
float cpu_real_of(dnnl_data_type_t type, uint8_t byte, const struct cpu_codes *codes);

/* From one kind of codes to another. */
void cpu_table_recode(struct cpu_table *t, const struct cpu_rep *from, const struct cpu_rep *to);
/* Whether nothing changes. */
bool cpu_table_is_identity(const struct cpu_table *t);

/* Appends the step that fills buffer 'to' from 'from', 'bytes' of them, for 'node' (or NULL). */
void cpu_emit_table(struct cpu_build *b, const struct nx_node *node, const struct cpu_table *t,
	int from, int to, size_t bytes);

#endif
