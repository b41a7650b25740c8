/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operators and the checks that all of them share. */
#include "model/ops/kernels.h"

#include <stdlib.h>
#include <string.h>

#define MANY 100000 /* inputs or outputs of variadic operators */

#define ROW(name, in_min, in_max, outs, flags, rows, kind, family)                                 \
	{                                                                                          \
		name, in_min, in_max, outs, flags, rows, kind, nx_infer_##family, nx_eval_##family \
	}
#define UNARY(name, kind)   ROW(name, 1, 1, 1, 0, NX_ROWS_ELEMENTWISE, kind, unary)
#define BINARY(name, kind)  ROW(name, 2, 2, 1, 0, NX_ROWS_ELEMENTWISE, kind, binary)
#define COMPARE(name, kind) ROW(name, 2, 2, 1, 0, NX_ROWS_ELEMENTWISE, kind, compare)
#define REDUCE(name, kind)  ROW(name, 1, 2, 1, 0, NX_ROWS_REDUCE, kind, reduce)

/* Sorted by name (strcmp), for the binary search; a test checks the order. */
static const struct nx_op table[] = {
	UNARY("Abs", NX_U_ABS),
	UNARY("Acos", NX_U_ACOS),
	UNARY("Acosh", NX_U_ACOSH),
	BINARY("Add", NX_B_ADD),
	COMPARE("And", NX_C_AND),
	ROW("ArgMax", 1, 1, 1, 0, NX_ROWS_REDUCE, 1, argmax),
	ROW("ArgMin", 1, 1, 1, 0, NX_ROWS_REDUCE, 0, argmax),
	UNARY("Asin", NX_U_ASIN),
	UNARY("Asinh", NX_U_ASINH),
	UNARY("Atan", NX_U_ATAN),
	UNARY("Atanh", NX_U_ATANH),
	ROW("AveragePool", 1, 1, 1, NX_OP_HEAVY, NX_ROWS_FIRST, NX_P_AVERAGE, pool),
	ROW("BatchNormalization", 5, 5, 5, 0, NX_ROWS_FIRST, 0, batch_norm),
	ROW("Cast", 1, 1, 1, 0, NX_ROWS_ELEMENTWISE, 0, cast),
	ROW("CastLike", 2, 2, 1, 0, NX_ROWS_ELEMENTWISE, 0, cast),
	UNARY("Ceil", NX_U_CEIL),
	UNARY("Celu", NX_U_CELU),
	ROW("Clip", 1, 3, 1, 0, NX_ROWS_ELEMENTWISE, 0, clip),
	ROW("Concat", 1, MANY, 1, 0, NX_ROWS_CONCAT, 0, concat),
	ROW("ConstantOfShape", 1, 1, 1, 0, NX_ROWS_SHAPE, 0, constant_of_shape),
	ROW("Conv", 2, 3, 1, NX_OP_HEAVY, NX_ROWS_FIRST, 0, conv),
	ROW("ConvTranspose", 2, 3, 1, NX_OP_HEAVY, NX_ROWS_FIRST, 0, conv_transpose),
	UNARY("Cos", NX_U_COS),
	UNARY("Cosh", NX_U_COSH),
	ROW("CumSum", 2, 2, 1, 0, NX_ROWS_MIXED, 0, cumsum),
	ROW("DepthToSpace", 1, 1, 1, 0, NX_ROWS_FIRST, 0, depth_to_space),
	ROW("DequantizeLinear", 2, 3, 1, NX_OP_KEEP, NX_ROWS_AXES, 0, dequantize),
	BINARY("Div", NX_B_DIV),
	ROW("Dropout", 1, 3, 2, 0, NX_ROWS_ELEMENTWISE, 0, identity),
	ROW("DynamicQuantizeLinear", 1, 1, 3, 0, NX_ROWS_MIXED, 0, dynamic_quantize),
	UNARY("Elu", NX_U_ELU),
	COMPARE("Equal", NX_C_EQUAL),
	UNARY("Erf", NX_U_ERF),
	UNARY("Exp", NX_U_EXP),
	ROW("Expand", 2, 2, 1, 0, NX_ROWS_EXPAND, 0, expand),
	ROW("Flatten", 1, 1, 1, 0, NX_ROWS_RESHAPE, 0, flatten),
	UNARY("Floor", NX_U_FLOOR),
	ROW("Gather", 2, 2, 1, 0, NX_ROWS_GATHER, 0, gather),
	ROW("GatherElements", 2, 2, 1, 0, NX_ROWS_MIXED, 0, gather_elements),
	ROW("GatherND", 2, 2, 1, 0, NX_ROWS_MIXED, 0, gather_nd),
	UNARY("Gelu", NX_U_GELU),
	ROW("Gemm", 2, 3, 1, NX_OP_HEAVY, NX_ROWS_MATMUL, 0, gemm),
	ROW("GlobalAveragePool", 1, 1, 1, 0, NX_ROWS_FIRST, NX_P_AVERAGE, global_pool),
	ROW("GlobalLpPool", 1, 1, 1, 0, NX_ROWS_FIRST, NX_P_LP, global_pool),
	ROW("GlobalMaxPool", 1, 1, 1, 0, NX_ROWS_FIRST, NX_P_MAX, global_pool),
	COMPARE("Greater", NX_C_GREATER),
	COMPARE("GreaterOrEqual", NX_C_GREATER_EQUAL),
	ROW("GridSample", 2, 2, 1, NX_OP_HEAVY, NX_ROWS_MIXED, 0, grid_sample),
	ROW("GroupNormalization", 3, 3, 1, 0, NX_ROWS_FIRST, 0, group_norm),
	UNARY("HardSigmoid", NX_U_HARDSIGMOID),
	UNARY("HardSwish", NX_U_HARDSWISH),
	ROW("Hardmax", 1, 1, 1, 0, NX_ROWS_AXES, 0, hardmax),
	ROW("Identity", 1, 1, 1, 0, NX_ROWS_ELEMENTWISE, 0, identity),
	ROW("InstanceNormalization", 3, 3, 1, 0, NX_ROWS_FIRST, 0, instance_norm),
	ROW("IsInf", 1, 1, 1, 0, NX_ROWS_ELEMENTWISE, 1, is_special),
	ROW("IsNaN", 1, 1, 1, 0, NX_ROWS_ELEMENTWISE, 0, is_special),
	ROW("LRN", 1, 1, 1, NX_OP_HEAVY, NX_ROWS_FIRST, 0, lrn),
	ROW("LayerNormalization", 2, 3, 3, 0, NX_ROWS_AXES, 0, layer_norm),
	UNARY("LeakyRelu", NX_U_LEAKYRELU),
	COMPARE("Less", NX_C_LESS),
	COMPARE("LessOrEqual", NX_C_LESS_EQUAL),
	UNARY("Log", NX_U_LOG),
	ROW("LogSoftmax", 1, 1, 1, 0, NX_ROWS_AXES, 1, softmax),
	ROW("LpNormalization", 1, 1, 1, 0, NX_ROWS_AXES, 0, lp_normalization),
	ROW("LpPool", 1, 1, 1, NX_OP_HEAVY, NX_ROWS_FIRST, NX_P_LP, pool),
	ROW("MatMul", 2, 2, 1, NX_OP_HEAVY, NX_ROWS_MATMUL, 0, matmul),
	ROW("Max", 1, MANY, 1, 0, NX_ROWS_ELEMENTWISE, NX_B_MAX, variadic),
	ROW("MaxPool", 1, 1, 2, NX_OP_HEAVY, NX_ROWS_FIRST, NX_P_MAX, pool),
	ROW("Mean", 1, MANY, 1, 0, NX_ROWS_ELEMENTWISE, NX_B_MEAN, variadic),
	ROW("Min", 1, MANY, 1, 0, NX_ROWS_ELEMENTWISE, NX_B_MIN, variadic),
	UNARY("Mish", NX_U_MISH),
	BINARY("Mod", NX_B_MOD),
	BINARY("Mul", NX_B_MUL),
	UNARY("Neg", NX_U_NEG),
	ROW("NonMaxSuppression", 2, 5, 1, 0, NX_ROWS_MIXED, 0, nms),
	ROW("NonZero", 1, 1, 1, 0, NX_ROWS_MIXED, 0, nonzero),
	ROW("Not", 1, 1, 1, 0, NX_ROWS_ELEMENTWISE, 0, not ),
	ROW("OneHot", 3, 3, 1, 0, NX_ROWS_MIXED, 0, one_hot),
	COMPARE("Or", NX_C_OR),
	BINARY("PRelu", NX_B_PRELU),
	ROW("Pad", 1, 4, 1, 0, NX_ROWS_AXES, 0, pad),
	BINARY("Pow", NX_B_POW),
	ROW("QuantizeLinear", 2, 3, 1, 0, NX_ROWS_AXES, 0, quantize),
	ROW("RMSNormalization", 2, 2, 1, 0, NX_ROWS_AXES, 0, rms_norm),
	ROW("Range", 3, 3, 1, 0, NX_ROWS_SHAPE, 0, range),
	UNARY("Reciprocal", NX_U_RECIPROCAL),
	REDUCE("ReduceL1", NX_R_L1),
	REDUCE("ReduceL2", NX_R_L2),
	REDUCE("ReduceLogSum", NX_R_LOG_SUM),
	REDUCE("ReduceLogSumExp", NX_R_LOG_SUM_EXP),
	REDUCE("ReduceMax", NX_R_MAX),
	REDUCE("ReduceMean", NX_R_MEAN),
	REDUCE("ReduceMin", NX_R_MIN),
	REDUCE("ReduceProd", NX_R_PROD),
	REDUCE("ReduceSum", NX_R_SUM),
	REDUCE("ReduceSumSquare", NX_R_SUM_SQUARE),
	UNARY("Relu", NX_U_RELU),
	ROW("Reshape", 1, 2, 1, 0, NX_ROWS_RESHAPE, 0, reshape),
	ROW("Resize", 1, 4, 1, 0, NX_ROWS_AXES, 1, resize),
	UNARY("Round", NX_U_ROUND),
	ROW("Scatter", 3, 3, 1, 0, NX_ROWS_MIXED, 0, scatter_elements),
	ROW("ScatterElements", 3, 3, 1, 0, NX_ROWS_MIXED, 0, scatter_elements),
	ROW("ScatterND", 3, 3, 1, 0, NX_ROWS_MIXED, 0, scatter_nd),
	UNARY("Selu", NX_U_SELU),
	ROW("Shape", 1, 1, 1, 0, NX_ROWS_SHAPE, 0, shape),
	UNARY("Shrink", NX_U_SHRINK),
	UNARY("Sigmoid", NX_U_SIGMOID),
	UNARY("Sign", NX_U_SIGN),
	UNARY("Sin", NX_U_SIN),
	UNARY("Sinh", NX_U_SINH),
	ROW("Size", 1, 1, 1, 0, NX_ROWS_SHAPE, 0, size),
	ROW("Slice", 1, 5, 1, 0, NX_ROWS_AXES, 0, slice),
	ROW("Softmax", 1, 1, 1, 0, NX_ROWS_AXES, 0, softmax),
	UNARY("Softplus", NX_U_SOFTPLUS),
	UNARY("Softsign", NX_U_SOFTSIGN),
	ROW("SpaceToDepth", 1, 1, 1, 0, NX_ROWS_FIRST, 0, space_to_depth),
	ROW("Split", 1, 2, MANY, 0, NX_ROWS_AXES, 0, split),
	UNARY("Sqrt", NX_U_SQRT),
	ROW("Squeeze", 1, 2, 1, 0, NX_ROWS_RESHAPE, 0, squeeze),
	BINARY("Sub", NX_B_SUB),
	ROW("Sum", 1, MANY, 1, 0, NX_ROWS_ELEMENTWISE, NX_B_ADD, variadic),
	UNARY("Swish", NX_U_SWISH),
	UNARY("Tan", NX_U_TAN),
	UNARY("Tanh", NX_U_TANH),
	UNARY("ThresholdedRelu", NX_U_THRESHOLDED),
	ROW("Tile", 2, 2, 1, 0, NX_ROWS_AXES, 0, tile),
	ROW("TopK", 1, 2, 2, NX_OP_HEAVY, NX_ROWS_AXES, 0, topk),
	ROW("Transpose", 1, 1, 1, 0, NX_ROWS_TRANSPOSE, 0, transpose),
	ROW("Trilu", 1, 2, 1, 0, NX_ROWS_MIXED, 0, trilu),
	ROW("Unsqueeze", 1, 3, 1, 0, NX_ROWS_RESHAPE, 0, unsqueeze),
	ROW("Upsample", 1, 2, 1, 0, NX_ROWS_AXES, 0, resize),
	ROW("Where", 3, 3, 1, 0, NX_ROWS_ELEMENTWISE, 0, where),
	COMPARE("Xor", NX_C_XOR),
};

static int by_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct nx_op *)row)->name);
}

const struct nx_op *nx_op_find(const char *domain, const char *name)
{
	if (*domain && strcmp(domain, "ai.onnx") != 0)
		return NULL;
	return bsearch(name, table, sizeof table / sizeof *table, sizeof *table, by_name);
}

/* Puts the node in front of the message. */
static int at_node(const struct nx_node *n, struct nx_err *err)
{
	return nx_err_wrap(err, "node '%.120s' (%.60s)", n->name, n->op);
}

static int begin(struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_node *n = c->node;

	c->op = nx_op_find(n->domain, n->op);
	if (!c->op)
		return nx_err_set(err, NX_EUNSUPP, "the operator is not supported");
	if (n->n_in < c->op->in_min || n->n_in > c->op->in_max)
		return nx_err_set(err, NX_EDATA, "%zu inputs", n->n_in);
	if (n->n_out < 1 || n->n_out > c->op->out_max)
		return nx_err_set(err, NX_EDATA, "%zu outputs", n->n_out);
	for (size_t i = 0; i < c->op->in_min; i++) {
		if (!c->in[i])
			return nx_err_set(err, NX_EDATA, "input %zu is left out", i);
	}
	return 0;
}

/* No operator may make what nx_tensor_init() would refuse. */
static int check_outputs(const struct nx_op_call *c, struct nx_err *err)
{
	char text[128];

	for (size_t i = 0; i < c->n_out; i++) {
		const struct nx_tensor *t = c->out[i];
		if (!t)
			continue;
		size_t size = nx_dtype_size(t->dtype);
		int64_t count = nx_shape_count(&t->shape);
		bool fits = size > 0 && count >= 0 && (uint64_t)count <= NX_TENSOR_CAP / size;
		for (int d = 0; fits && d < t->shape.rank; d++)
			fits = (uint64_t)t->shape.dim[d] <= NX_TENSOR_CAP;
		if (!fits)
			return nx_err_set(err, NX_EDATA, "output %zu of shape %s is not possible",
				i, nx_shape_format(&t->shape, text, sizeof text));
	}
	return 0;
}

int nx_op_infer(int64_t opset, const struct nx_node *n, const struct nx_tensor *const *in,
	struct nx_tensor *const *out, struct nx_err *err)
{
	struct nx_op_call c = { NULL, n, opset, n->n_in, n->n_out, in, out };
	int rc = begin(&c, err);

	if (rc == 0)
		rc = c.op->infer(&c, err);
	if (rc == 0)
		rc = check_outputs(&c, err);
	return rc ? at_node(n, err) : 0;
}

int nx_op_eval(int64_t opset, const struct nx_node *n, const struct nx_tensor *const *in,
	struct nx_tensor *const *out, struct nx_err *err)
{
	struct nx_op_call c = { NULL, n, opset, n->n_in, n->n_out, in, out };
	int rc = begin(&c, err);

	if (rc == 0)
		rc = c.op->eval(&c, err);
	return rc ? at_node(n, err) : 0;
}
