/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantised networks.  DequantizeLinear makes no step: its output is a value held as codes, and
 * whoever cannot use codes asks for the value in fp32.  A value that only QuantizeLinear reads has
 * a wish: whoever makes it may make those codes at once.  So integer arithmetic comes about where
 * both sides agree, and all the rest runs as the model says.
 */
#ifndef NX_PLUGINS_CPU_CODES_H
#define NX_PLUGINS_CPU_CODES_H

#include "plugins/cpu/build.h"

/* Notes constants that are kept as codes and, where integers are computed with, wishes. */
void cpu_codes_plan(struct cpu_build *b);

/* Emitters, as cpu_emit_node: QuantizeLinear and DequantizeLinear of one scale; operators on a
 * tensor of codes. */
int cpu_emit_quantize(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_dequantize(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_coded(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);

/* The averages of windows of codes; windows lie over planes of up to two axes. */
struct cpu_window {
	int64_t kernel[2], stride[2], pad[2]; /* pad: in front */
	bool include_pad;                     /* what is padded counts */
};
int cpu_emit_mean(struct cpu_build *b, const struct nx_node *n, const struct cpu_window *w,
	struct nx_err *err);

/* A constant fp32 tensor, or one kept as codes: borrowed, or computed into *own, which the caller
 * frees.  NULL and a count of 0 where it is neither. */
const float *cpu_const_real(const struct cpu_build *b, int value, int64_t *count, float **own);
/* Whether that gives anything but an empty tensor. */
bool cpu_is_const_real(const struct cpu_build *b, int value);

/* A constant kept as codes of INT8 around 0 (or UINT8 around 128, shifted into *own, which the
 * caller frees) with one scale, or one for each position of 'axis'. */
struct cpu_coded {
	const int8_t *codes;
	int8_t *own;
	int64_t count;
	const float *scale;
	int64_t n_scales;
};
bool cpu_const_codes(const struct cpu_build *b, int value, int64_t axis, struct cpu_coded *out);

#endif
