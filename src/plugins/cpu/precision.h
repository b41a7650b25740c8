/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_PLUGINS_CPU_PRECISION_H
#define NX_PLUGINS_CPU_PRECISION_H

#include "plugins/cpu/dnn.h"

enum cpu_precision { CPU_FP32, CPU_BF16, CPU_INT8 };

/* The precision of that name; NULL: INT8 for a graph that says how its tensors are coded, where
 * the processor has it, else FP32.  NX_EUSAGE for a name that is not known, NX_EUNSUPP in one
 * line where processor or graph (unless it is a part of one) cannot do it. */
int cpu_precision_choose(const char *asked, const struct nx_graph *g, bool part,
	enum cpu_precision *out, struct nx_err *err);
const char *cpu_precision_name(enum cpu_precision p);

#endif
