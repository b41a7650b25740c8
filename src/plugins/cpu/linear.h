/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_PLUGINS_CPU_LINEAR_H
#define NX_PLUGINS_CPU_LINEAR_H

#include "plugins/cpu/codes.h"

/* Constant weights and bias of a group, where the output channels are in them, and what is
 * computed in. */
struct cpu_linear {
	const struct nx_group *group;
	int weights, bias;         /* values; the bias may be left out */
	float scale;               /* of the weights */
	int64_t channels;          /* of the output */
	int axis;                  /* of the channels in the weights */
	dnnl_memory_desc_t stored; /* the weights as oneDNN sees what the model stores */
	/* Element e belongs to output channel e / inner % per_group, plus per_group for every
	 * group_span elements before it (0: one group). */
	size_t inner, per_group, group_span;

	bool coded;                /* source and weights are codes */
	dnnl_data_type_t type;     /* of the source, and of weights that are no codes */
	dnnl_data_type_t dst_type; /* of the result */
	struct cpu_codes src, dst; /* what they stand for; a scale of 0: no codes */
	bool shift;       /* the bias makes up for the source's code of zero (needs no padding) */
	bool zero_behind; /* the result's code of zero is added by a post-op */
	bool act_behind;  /* the activation is a step of its own */
};

/* Computes on codes if the source is some, the weights are and dst wishes or suffers it; false
 * where that cannot be.  Otherwise, or afterwards, on reals. */
bool cpu_linear_take_codes(
	struct cpu_build *b, struct cpu_linear *l, const struct cpu_rep *src, int dst);
void cpu_linear_take_reals(struct cpu_build *b, struct cpu_linear *l, int dst);

/* What is fused behind: residual sum (or NULL), activation, scales of codes. */
struct cpu_extras {
	struct dnn_attr attr;
	dnnl_post_ops_t ops;
	float *scales;
};
int cpu_extras_init(struct cpu_extras *x, const struct cpu_build *b, const struct cpu_linear *l,
	const struct cpu_rep *residual, struct nx_err *err);
/* Whether the activation is one that is faster behind a convolution than in it, and its step over
 * the floats of a buffer. */
bool cpu_swish_behind(const struct cpu_linear *l);
void cpu_emit_swish(struct cpu_build *b, const struct nx_node *n, int buf, size_t floats);
void cpu_extras_release(struct cpu_extras *x);

/* The weights in a layout that oneDNN may choose, in the type that is computed in. */
void cpu_linear_weights_md(const struct cpu_linear *l, dnnl_memory_desc_t *md);
bool cpu_linear_has_bias(const struct cpu_linear *l);
void cpu_linear_bias_md(const struct cpu_linear *l, dnnl_memory_desc_t *md);

/* Appends the step of 'pd' (consumed) with packed weights, from buffer src to buffer dst. */
int cpu_linear_step(struct cpu_build *b, const struct cpu_linear *l, dnnl_primitive_desc_t pd,
	int src, int dst, struct nx_err *err);

/* Weights and bias as 'md' wants them; shared by all executables of the device. */
int cpu_pack_weights(struct cpu_build *b, const struct cpu_linear *l, const dnnl_memory_desc_t *md,
	dnnl_memory_t *out, struct nx_err *err);
int cpu_pack_bias(struct cpu_build *b, const struct cpu_linear *l, const dnnl_memory_desc_t *md,
	dnnl_memory_t *out, struct nx_err *err);

#endif
