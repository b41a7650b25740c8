/* SPDX-License-Identifier: Apache-2.0 */
/* The families of operators, for the table alone.  infer and eval as in struct nx_op. */
#ifndef NX_MODEL_OPS_KERNELS_H
#define NX_MODEL_OPS_KERNELS_H

#include "model/ops/util.h"

#define NX_OP_DECLARE(family)                                                  \
	int nx_infer_##family(const struct nx_op_call *c, struct nx_err *err); \
	int nx_eval_##family(const struct nx_op_call *c, struct nx_err *err)

/* unary.c: y = f(x), the shape stays */
enum {
	NX_U_ABS,
	NX_U_ACOS,
	NX_U_ACOSH,
	NX_U_ASIN,
	NX_U_ASINH,
	NX_U_ATAN,
	NX_U_ATANH,
	NX_U_CEIL,
	NX_U_CELU,
	NX_U_COS,
	NX_U_COSH,
	NX_U_ELU,
	NX_U_ERF,
	NX_U_EXP,
	NX_U_FLOOR,
	NX_U_GELU,
	NX_U_GELU_TANH, /* approximate="tanh" */
	NX_U_HARDSIGMOID,
	NX_U_HARDSWISH,
	NX_U_LEAKYRELU,
	NX_U_LOG,
	NX_U_MISH,
	NX_U_NEG,
	NX_U_RECIPROCAL,
	NX_U_RELU,
	NX_U_ROUND,
	NX_U_SELU,
	NX_U_SHRINK,
	NX_U_SIGMOID,
	NX_U_SIGN,
	NX_U_SIN,
	NX_U_SINH,
	NX_U_SOFTPLUS,
	NX_U_SOFTSIGN,
	NX_U_SQRT,
	NX_U_SWISH,
	NX_U_TAN,
	NX_U_TANH,
	NX_U_THRESHOLDED
};
NX_OP_DECLARE(unary);
NX_OP_DECLARE(not );
NX_OP_DECLARE(is_special); /* kind: 1 for IsInf, 0 for IsNaN */
NX_OP_DECLARE(clip);
NX_OP_DECLARE(identity); /* and Dropout */
NX_OP_DECLARE(cast);     /* and CastLike */

/* binary.c: broadcasting arithmetic of two or any number of inputs */
enum {
	NX_B_ADD,
	NX_B_SUB,
	NX_B_MUL,
	NX_B_DIV,
	NX_B_POW,
	NX_B_MOD,
	NX_B_PRELU,
	NX_B_MIN,
	NX_B_MAX,
	NX_B_MEAN
};
NX_OP_DECLARE(binary);
NX_OP_DECLARE(variadic);

/* compare.c: results that are BOOL, and Where */
enum {
	NX_C_EQUAL,
	NX_C_GREATER,
	NX_C_LESS,
	NX_C_GREATER_EQUAL,
	NX_C_LESS_EQUAL,
	NX_C_AND,
	NX_C_OR,
	NX_C_XOR
};
NX_OP_DECLARE(compare);
NX_OP_DECLARE(where);

/* reduce.c */
enum {
	NX_R_SUM,
	NX_R_MEAN,
	NX_R_MAX,
	NX_R_MIN,
	NX_R_PROD,
	NX_R_L1,
	NX_R_L2,
	NX_R_SUM_SQUARE,
	NX_R_LOG_SUM, /* this and the next: real types only */
	NX_R_LOG_SUM_EXP
};
NX_OP_DECLARE(reduce);
NX_OP_DECLARE(argmax);  /* kind: 1 for ArgMax, 0 for ArgMin */
NX_OP_DECLARE(softmax); /* kind: 1 for LogSoftmax */
NX_OP_DECLARE(hardmax);
NX_OP_DECLARE(cumsum);
NX_OP_DECLARE(lp_normalization);

/* reshape.c: the same elements in the same order */
NX_OP_DECLARE(reshape);
NX_OP_DECLARE(flatten);
NX_OP_DECLARE(squeeze);
NX_OP_DECLARE(unsqueeze);

/* create.c: tensors out of shapes and attributes, and triangles of matrices */
NX_OP_DECLARE(shape);
NX_OP_DECLARE(size);
NX_OP_DECLARE(constant_of_shape);
NX_OP_DECLARE(range);
NX_OP_DECLARE(nonzero);
NX_OP_DECLARE(trilu);

/* move.c: elements go to other places */
NX_OP_DECLARE(transpose);
NX_OP_DECLARE(slice);
NX_OP_DECLARE(concat);
NX_OP_DECLARE(split);
NX_OP_DECLARE(expand);
NX_OP_DECLARE(tile);
NX_OP_DECLARE(depth_to_space);
NX_OP_DECLARE(space_to_depth);

/* gather.c, pad.c, resize.c, nms.c */
NX_OP_DECLARE(gather);
NX_OP_DECLARE(pad);
NX_OP_DECLARE(resize); /* and Upsample */
NX_OP_DECLARE(topk);
NX_OP_DECLARE(nms);
NX_OP_DECLARE(grid_sample); /* grid.c */

/* scatter.c */
NX_OP_DECLARE(gather_elements);
NX_OP_DECLARE(gather_nd);
NX_OP_DECLARE(scatter_elements);
NX_OP_DECLARE(scatter_nd);
NX_OP_DECLARE(one_hot);

/* quantize.c: integers of 8, 16 and 32 bits with scales and zero points */
NX_OP_DECLARE(quantize);
NX_OP_DECLARE(dequantize);
NX_OP_DECLARE(dynamic_quantize);

/* conv.c, pool.c, norm.c, matmul.c */
NX_OP_DECLARE(conv);
NX_OP_DECLARE(conv_transpose);
enum { NX_P_MAX, NX_P_AVERAGE, NX_P_LP };
NX_OP_DECLARE(pool);
NX_OP_DECLARE(global_pool);
NX_OP_DECLARE(batch_norm);
NX_OP_DECLARE(instance_norm);
NX_OP_DECLARE(layer_norm);
NX_OP_DECLARE(rms_norm);
NX_OP_DECLARE(group_norm);
NX_OP_DECLARE(lrn);
NX_OP_DECLARE(gemm);
NX_OP_DECLARE(matmul);

#endif
