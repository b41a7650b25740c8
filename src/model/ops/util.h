/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator families share: parameters, axes, and one walk over strided tensors. */
#ifndef NX_MODEL_OPS_UTIL_H
#define NX_MODEL_OPS_UTIL_H

#include "model/ops.h"

#include <stddef.h>

/* Attributes beyond this are nonsense and would only overflow sums. */
#define NX_ATTR_LIMIT ((int64_t)1 << 31)

/* Input i, or NULL where it is left out. */
const struct nx_tensor *nx_ops_in(const struct nx_op_call *c, size_t i);

/* Sets dtype and shape of output k, if it is wanted. */
void nx_ops_out(
	const struct nx_op_call *c, size_t k, enum nx_dtype dtype, const struct nx_shape *shape);

/* A short list of integers that is an attribute in some opsets and an input in others. */
#define NX_INTS_MAX (2 * NX_MAX_DIMS)
struct nx_ints {
	bool there;
	size_t n;
	int64_t v[NX_INTS_MAX];
};
#define NX_NO_INPUT SIZE_MAX
/* From constant input 'input' if there, else from attribute 'attr' (INTS or INT; may be NULL). */
int nx_ops_ints(const struct nx_op_call *c, size_t input, const char *attr, struct nx_ints *out,
	struct nx_err *err);
/* Element i of an integer tensor. */
int64_t nx_ops_int_at(const struct nx_tensor *t, int64_t i);

/* A negative axis counts from the end; must be within [-rank, rank). */
int nx_ops_axis(int64_t axis, int rank, int *out, struct nx_err *err);
/* A set of axes as a mask; twice the same is an error. */
int nx_ops_axes(const struct nx_ints *axes, int rank, unsigned *mask, struct nx_err *err);

/* The shape a and b broadcast to (NumPy's rule). */
int nx_ops_broadcast(const struct nx_shape *a, const struct nx_shape *b, struct nx_shape *out,
	struct nx_err *err);

/* A tensor as [outer, n, inner] around an axis. */
struct nx_lanes {
	int64_t outer, n, inner;
};
struct nx_lanes nx_ops_lanes(const struct nx_shape *s, int axis);

/* A walk over up to four tensors at once: operand k starts at p[k] and moves by step[k][d] bytes
 * along dimension d (0 broadcasts). */
struct nx_walk {
	int rank, n;
	int64_t dim[NX_MAX_DIMS];
	char *p[4];
	int64_t step[4][NX_MAX_DIMS];
};
/* Called for rows along the innermost dimension: n elements, step[k] bytes apart. */
typedef void nx_row_fn(const void *ctx, char *const *p, const int64_t *step, int64_t n);
/* Neighbouring dimensions that all operands cross evenly are joined first. */
void nx_walk_run(struct nx_walk *w, nx_row_fn *fn, const void *ctx);
/* Adds tensor t as the next operand, broadcast to the walk's shape. */
void nx_walk_add(struct nx_walk *w, const struct nx_tensor *t);
/* Row-major steps of a shape in bytes. */
void nx_ops_steps(const struct nx_shape *s, size_t size, int64_t step[NX_MAX_DIMS]);
/* Copies operand 1 to operand 0, elements of 'size' bytes. */
void nx_walk_copy(struct nx_walk *w, size_t size);

#endif
