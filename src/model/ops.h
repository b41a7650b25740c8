/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operators: one table from name to shape inference and to a reference kernel in plain C.
 *
 * A call is a node with its tensors.  While shapes are inferred, tensors that are not constant
 * have data == NULL; inference fills dtype and shape of the outputs.  A kernel finds all data in
 * place, outputs allocated, and neither allocates nor keeps state, so that it serves for
 * constant folding, for device plugins and as the oracle of their tests.
 */
#ifndef NX_MODEL_OPS_H
#define NX_MODEL_OPS_H

#include "model/graph.h"

#include <stdbool.h>

struct nx_op;

struct nx_op_call {
	const struct nx_op *op;
	const struct nx_node *node;
	int64_t opset;
	size_t n_in, n_out;
	const struct nx_tensor *const *in; /* NULL where left out */
	struct nx_tensor *const *out;      /* NULL where left out */
};

/* What becomes of the rows of a batch; see rows.c. */
enum nx_rows {
	NX_ROWS_ELEMENTWISE, /* broadcasting: all inputs carry rows on the same axis */
	NX_ROWS_FIRST,       /* axis 0 of the first input is axis 0 of the outputs; rest constant */
	NX_ROWS_MATMUL,
	NX_ROWS_RESHAPE, /* same elements in the same order */
	NX_ROWS_TRANSPOSE,
	NX_ROWS_CONCAT,
	NX_ROWS_AXES,   /* the axis of the rows is untouched and keeps its place */
	NX_ROWS_REDUCE, /* may lose axes before that of the rows */
	NX_ROWS_GATHER,
	NX_ROWS_EXPAND,
	NX_ROWS_SHAPE, /* a constant of the shape */
	NX_ROWS_MIXED  /* no rule: one row at a time */
};

#define NX_OP_HEAVY 1u /* time not linear in its tensors: never folded */
#define NX_OP_KEEP  2u /* folded only along one axis: devices want codes as they are */

struct nx_op {
	const char *name;
	size_t in_min, in_max, out_max;
	unsigned flags;
	enum nx_rows rows;
	int kind; /* which of its family */
	int (*infer)(const struct nx_op_call *c, struct nx_err *err);
	int (*eval)(const struct nx_op_call *c, struct nx_err *err);
};

/* NULL if not known; 'domain' must be "" or "ai.onnx". */
const struct nx_op *nx_op_find(const char *domain, const char *name);

/*
 * Infers dtype and shape of the outputs.  in[k]->data is set where the input is constant; out[k]
 * are filled in (data stays NULL).  Sizes are within NX_TENSOR_CAP after success.  NX_EDATA if
 * node and inputs contradict, NX_EUNSUPP for a form that no kernel here has.
 */
int nx_op_infer(int64_t opset, const struct nx_node *n, const struct nx_tensor *const *in,
	struct nx_tensor *const *out, struct nx_err *err);

/* Computes the outputs, whose dtype and shape are as inferred and whose data is allocated; may
 * not overlap the inputs.  Allocates nothing. NX_EUNSUPP for a datatype without a kernel. */
int nx_op_eval(int64_t opset, const struct nx_node *n, const struct nx_tensor *const *in,
	struct nx_tensor *const *out, struct nx_err *err);

/* Up to four neighbours on one axis and their weights. */
struct nx_taps {
	int n;
	int64_t at[4];
	double w[4];
};

/*
 * Of which places along 'axis' each output position of a Resize or Upsample is made; 'taps' has
 * room for the output's length.  in[] as for nx_op_infer().  NX_EUNSUPP where positions may lie
 * outside the input (tf_crop_and_resize) or be made of more places (antialias).
 */
int nx_op_resize_taps(int64_t opset, const struct nx_node *n, const struct nx_tensor *const *in,
	int axis, struct nx_taps *taps, struct nx_err *err);

/* IEEE half and bfloat16 in bits, round to nearest even. */
float nx_half_to_float(uint16_t h);
uint16_t nx_float_to_half(float f);
float nx_bf16_to_float(uint16_t h);
uint16_t nx_float_to_bf16(float f);

#endif
