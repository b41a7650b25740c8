/* SPDX-License-Identifier: Apache-2.0 */
/* Types, functions of elements and kinds of steps, by number; C and CUDA C++. */
#ifndef NX_PLUGINS_CUDA_NUMBERS_H
#define NX_PLUGINS_CUDA_NUMBERS_H

enum cu_type {
	CU_F32 = 1,
	CU_U8 = 2,
	CU_I8 = 3,
	CU_I32 = 6,
	CU_I64 = 7,
	CU_BOOL = 9,
	CU_F16 = 10,
	CU_BF16 = 16,
};

/* Functions of an element: of v alone, of v and operand x, or of v, x and y. */
enum cu_op {
	CU_OP_NONE,
	CU_OP_ABS,
	CU_OP_AFFINE, /* v * alpha + beta */
	CU_OP_CEIL,
	CU_OP_CELU,
	CU_OP_CLIP,
	CU_OP_COS,
	CU_OP_ELU,
	CU_OP_ERF,
	CU_OP_EXP,
	CU_OP_FLOOR,
	CU_OP_GELU,
	CU_OP_HARDSIGMOID,
	CU_OP_HARDSWISH,
	CU_OP_LEAKY, /* alpha: the slope below 0 */
	CU_OP_LOG,
	CU_OP_MISH,
	CU_OP_NOT,
	CU_OP_RECIPROCAL,
	CU_OP_ROUND,
	CU_OP_SELU,
	CU_OP_SIGMOID,
	CU_OP_SIGN,
	CU_OP_SIN,
	CU_OP_SOFTPLUS,
	CU_OP_SOFTSIGN,
	CU_OP_SQRT,
	CU_OP_SWISH,
	CU_OP_TANH,
	CU_OP_THRESHOLDED,
	CU_OP_BINARY, /* from here on with operand x */
	CU_OP_ADD = CU_OP_BINARY,
	CU_OP_SUB,
	CU_OP_RSUB, /* x - v */
	CU_OP_MUL,
	CU_OP_DIV,
	CU_OP_RDIV,
	CU_OP_POW,
	CU_OP_RPOW,
	CU_OP_FMOD,
	CU_OP_MAX,
	CU_OP_MIN,
	CU_OP_PRELU,
	CU_OP_EQUAL,
	CU_OP_GREATER,
	CU_OP_GREATER_EQUAL,
	CU_OP_LESS,
	CU_OP_LESS_EQUAL,
	CU_OP_AND,
	CU_OP_OR,
	CU_OP_XOR,
	CU_OP_WHERE, /* v ? x : y; y is the operand after x */
};

/* The steps of a program; all but the first two are kernels, whose structs begin with p[]. */
enum cu_step_kind {
	CU_STEP_CONV, /* buffers: y, x, weights, bias, residual */
	CU_STEP_GEMM, /* y, a, b, bias */
	CU_STEP_COPY,
	CU_STEP_MAP,
	CU_STEP_POOL,
	CU_STEP_DEPTHWISE,
	CU_STEP_DIRECT,
	CU_STEP_GLOBAL,
	CU_STEP_ROWS,
	CU_STEP_LRN,
	CU_STEP_RESIZE,
	CU_STEP_GATHER,
	CU_STEP_PREPROCESS /* in front of a program */
};

struct cu_act {
	int op;
	float alpha, beta;
};

#endif
