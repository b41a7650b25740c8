/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_PLUGINS_CPU_LINEAR_H
#define NX_PLUGINS_CPU_LINEAR_H

#include "plugins/cpu/build.h"

/* Constant weights and bias of a group, and where the output channels are in them. */
struct cpu_linear {
	const struct nx_group *group;
	int weights, bias;         /* values; the bias may be left out */
	float scale;               /* of the weights */
	dnnl_data_type_t type;     /* of source and weights while computing */
	int64_t channels;          /* of the output */
	dnnl_memory_desc_t stored; /* the weights as oneDNN sees what the model stores */
	/* Element e belongs to output channel e / inner % per_group, plus per_group for every
	 * group_span elements before it (0: one group). */
	size_t inner, per_group, group_span;
};

/* The weights in a layout that oneDNN may choose, in the type that is computed in. */
void cpu_linear_weights_md(const struct cpu_linear *l, dnnl_memory_desc_t *md);
bool cpu_linear_has_bias(const struct cpu_linear *l);
void cpu_linear_bias_md(const struct cpu_linear *l, dnnl_memory_desc_t *md);

/* Appends the step of 'pd' (consumed) with packed weights, from buffer src to buffer dst. */
int cpu_linear_step(struct cpu_build *b, const struct cpu_linear *l, dnnl_primitive_desc_t pd,
	int src, int dst, struct nx_err *err);

#endif
