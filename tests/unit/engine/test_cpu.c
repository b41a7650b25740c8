/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cpu device against the reference kernels: small graphs that together use every fusion,
 * every change of layout and every batch size a ladder cuts.
 */
#include "oracle.h"

#define ROWS 5

/* Who includes this file runs the same graphs in another way: check() is theirs. */
#ifndef NX_CASES_ONLY
static void check_rows(struct nx_engine *e, const char *what, struct nx_graph *g, size_t rows)
{
	struct answer a;

	ask(e, what, g, rows, ROWS, NULL, &a);
	compare(what, a.got, a.want, a.n, 1e-5f, 1e-4f);
	answer_release(&a);
}

/* Checks a graph whose last value is its output, and frees it. */
static void check(const char *what, struct nx_graph *g, int value)
{
	struct nx_engine *e = open_cpu("cpu");

	output(g, value);
	check_rows(e, what, g, 1);
	check_rows(e, what, g, ROWS);
	nx_graph_free(&g);
	nx_engine_close(&e);
}

#endif

/* ---- cases ----------------------------------------------------------------------------------- */

static int conv(struct nx_graph *g, int x, int64_t out, int64_t in, int64_t kernel, bool same)
{
	int w = weights(g, SHAPE(out, in, kernel, kernel));
	int b = weights(g, SHAPE(out));
	int y = NODE(g, "Conv", x, w, b);

	if (same)
		attr_ints(g, "pads", SHAPE(kernel / 2, kernel / 2, kernel / 2, kernel / 2));
	return y;
}

static int batch_norm(struct nx_graph *g, int x, int64_t channels)
{
	return NODE(g, "BatchNormalization", x, constant(g, 0.5, 2, SHAPE(channels)),
		weights(g, SHAPE(channels)), weights(g, SHAPE(channels)),
		constant(g, 0.1, 2, SHAPE(channels)));
}

START_TEST(convolutions)
{
	struct nx_graph *g = graph(SHAPE(1, 3, 17, 13));
	int y = NODE(g, "Conv", g->in[0], weights(g, SHAPE(20, 3, 3, 5)));
	attr_ints(g, "strides", SHAPE(2, 1));
	attr_ints(g, "pads", SHAPE(1, 0, 2, 3));
	check("asymmetric pads", g, y);

	g = graph(SHAPE(1, 8, 16, 16));
	y = NODE(g, "Conv", g->in[0], weights(g, SHAPE(8, 1, 3, 3)), weights(g, SHAPE(8)));
	attr_int(g, "group", 8);
	attr_str(g, "auto_pad", "SAME_UPPER");
	attr_ints(g, "strides", SHAPE(2, 2));
	check("depthwise, same", g, y);

	g = graph(SHAPE(1, 12, 9, 9));
	y = NODE(g, "Conv", g->in[0], weights(g, SHAPE(6, 4, 3, 3)));
	attr_int(g, "group", 3);
	attr_ints(g, "dilations", SHAPE(2, 2));
	check("groups, dilated", g, y);

	g = graph(SHAPE(1, 12, 9, 8));
	y = NODE(g, "Pad", NODE(g, "Relu", g->in[0]),
		indices(g, 8, (const int64_t[]){ 0, 0, 1, 0, 0, 0, 2, 1 }));
	y = NODE(g, "Conv", y, weights(g, SHAPE(6, 12, 3, 3)));
	attr_ints(g, "pads", SHAPE(0, 1, 0, 1));
	check("padded in front", g, y);

	g = graph(SHAPE(1, 16, 8, 8));
	y = NODE(g, "Pad", g->in[0], indices(g, 8, (const int64_t[]){ 0, 0, 0, 0, 0, 0, 1, 1 }));
	y = NODE(g, "Conv", y, weights(g, SHAPE(16, 1, 3, 3)));
	attr_str(g, "auto_pad", "VALID");
	attr_int(g, "group", 16);
	attr_ints(g, "strides", SHAPE(2, 2));
	check("padded in front, valid", g, y);

	g = graph(SHAPE(1, 4, 33));
	y = NODE(g, "Conv", g->in[0], weights(g, SHAPE(6, 4, 5)));
	check("one axis", g, y);
}
END_TEST

START_TEST(deconvolutions)
{
	struct nx_graph *g = graph(SHAPE(1, 6, 7, 5));
	int y = NODE(
		g, "ConvTranspose", g->in[0], weights(g, SHAPE(6, 4, 3, 3)), weights(g, SHAPE(4)));
	attr_ints(g, "strides", SHAPE(2, 2));
	attr_ints(g, "pads", SHAPE(1, 1, 1, 1));
	attr_ints(g, "output_padding", SHAPE(1, 1));
	check("deconvolution", g, NODE(g, "Relu", batch_norm(g, y, 4)));

	g = graph(SHAPE(1, 6, 7, 5));
	y = NODE(g, "ConvTranspose", g->in[0], weights(g, SHAPE(6, 2, 2, 2)));
	attr_ints(g, "strides", SHAPE(2, 2));
	attr_int(g, "group", 2);
	check("deconvolution in groups", g, batch_norm(g, y, 4));
}
END_TEST

static int gate(struct nx_graph *g, int x, const char *op)
{
	int s = NODE(g, op, x);

	if (strcmp(op, "HardSigmoid") == 0) {
		attr_float(g, "alpha", 1.0f / 6);
		attr_float(g, "beta", 0.5f);
	}
	return NODE(g, "Mul", x, s);
}

START_TEST(activations_behind_convolutions)
{
	static const char *const plain[] = { "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu",
		"Softplus", "Exp", "Abs" };

	for (size_t i = 0; i < NX_ARRAY_LEN(plain); i++) {
		struct nx_graph *g = graph(SHAPE(1, 3, 8, 8));
		int y = batch_norm(g, conv(g, g->in[0], 16, 3, 3, true), 16);
		check(plain[i], g, NODE(g, plain[i], y));
	}

	struct nx_graph *g = graph(SHAPE(1, 3, 8, 8));
	check("SiLU", g, gate(g, conv(g, g->in[0], 16, 3, 3, true), "Sigmoid"));
	g = graph(SHAPE(1, 3, 8, 8));
	check("hard-swish", g, gate(g, conv(g, g->in[0], 16, 3, 3, true), "HardSigmoid"));
	g = graph(SHAPE(1, 3, 8, 8));
	int y = conv(g, g->in[0], 16, 3, 3, true);
	check("relu6", g,
		NODE(g, "Clip", y, constant(g, 0, 0, 0, NULL), constant(g, 6, 6, 0, NULL)));
	g = graph(SHAPE(1, 3, 8, 8));
	y = conv(g, g->in[0], 16, 3, 3, true);
	y = NODE(g, "Add", NODE(g, "Mul", y, weights(g, SHAPE(16, 1, 1))),
		weights(g, SHAPE(1, 16, 1, 1)));
	check("scale and shift", g, NODE(g, "Relu", y));
	g = graph(SHAPE(1, 3, 8, 8));
	y = NODE(g, "Add", conv(g, g->in[0], 16, 3, 3, true), weights(g, SHAPE(16, 1, 1)));
	y = NODE(g, "Mul", constant(g, 2, 3, SHAPE(1)), y);
	check("shift and scale", g, batch_norm(g, y, 16));
}
END_TEST

START_TEST(residual_sums)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 8, 8));
	int a = NODE(g, "Relu", conv(g, g->in[0], 32, 16, 3, true));
	int b = conv(g, NODE(g, "Relu", conv(g, a, 32, 32, 3, true)), 32, 32, 3, true);
	int y = NODE(g, "Relu", NODE(g, "Add", batch_norm(g, b, 32), a));
	check("identity shortcut", g, conv(g, y, 16, 32, 1, true));

	/* The shortcut is needed again, and it is also what the convolution reads. */
	g = graph(SHAPE(1, 16, 8, 8));
	a = conv(g, g->in[0], 16, 16, 3, true);
	b = NODE(g, "Add", conv(g, a, 16, 16, 3, true), a);
	check("shortcut used twice", g, NODE(g, "Mul", b, a));

	/* Both sides are convolutions, and the sum is an output's neighbour. */
	g = graph(SHAPE(1, 16, 8, 8));
	a = conv(g, g->in[0], 24, 16, 3, true);
	b = conv(g, g->in[0], 24, 16, 1, true);
	check("projected shortcut", g, NODE(g, "Relu", NODE(g, "Add", a, b)));

	/* The input itself must not be overwritten. */
	g = graph(SHAPE(1, 16, 8, 8));
	a = conv(g, g->in[0], 16, 16, 3, true);
	check("input as shortcut", g, NODE(g, "Add", g->in[0], a));

	/* A view of the shortcut is read after the sum. */
	g = graph(SHAPE(1, 16, 8, 8));
	a = NODE(g, "Relu", conv(g, g->in[0], 16, 16, 3, true));
	int flat = NODE(g, "Flatten", a);
	b = NODE(g, "Flatten", NODE(g, "Add", conv(g, g->in[0], 16, 16, 3, true), a));
	check("view of the shortcut", g, NODE(g, "Sub", flat, b));
}
END_TEST

START_TEST(pools_and_norms)
{
	struct nx_graph *g = graph(SHAPE(1, 5, 15, 14));
	int y = NODE(g, "MaxPool", g->in[0]);
	attr_ints(g, "kernel_shape", SHAPE(3, 3));
	attr_ints(g, "strides", SHAPE(2, 2));
	attr_int(g, "ceil_mode", 1);
	check("max, ceil", g, y);

	for (int include = 0; include < 2; include++) {
		g = graph(SHAPE(1, 32, 15, 14));
		y = NODE(g, "AveragePool", conv(g, g->in[0], 32, 32, 1, true));
		attr_ints(g, "kernel_shape", SHAPE(3, 3));
		attr_ints(g, "pads", SHAPE(1, 1, 0, 1));
		attr_ints(g, "strides", SHAPE(2, 1));
		attr_int(g, "count_include_pad", include);
		check("average", g, y);
	}
	g = graph(SHAPE(1, 32, 7, 7));
	y = NODE(g, "GlobalAveragePool", conv(g, g->in[0], 48, 32, 3, false));
	check("global average", g, NODE(g, "Flatten", y));
	for (int size = 4; size <= 5; size++) {
		g = graph(SHAPE(1, 32, 7, 7));
		y = NODE(g, "LRN", g->in[0]);
		attr_int(g, "size", size);
		attr_float(g, "alpha", 0.9f);
		check("lrn", g, y);
	}
	g = graph(SHAPE(1, 32, 7, 7));
	y = NODE(g, "Relu", batch_norm(g, g->in[0], 32));
	check("norm in front", g, conv(g, y, 8, 32, 3, true));
	g = graph(SHAPE(1, 32, 7, 7));
	check("norm alone", g, NODE(g, "Sigmoid", batch_norm(g, g->in[0], 32)));
}
END_TEST

START_TEST(matrices)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 10, 10));
	int y = NODE(g, "Relu", conv(g, g->in[0], 16, 8, 3, false));
	y = NODE(g, "MaxPool", y);
	attr_ints(g, "kernel_shape", SHAPE(2, 2));
	attr_ints(g, "strides", SHAPE(2, 2));
	y = NODE(g, "Gemm", NODE(g, "Flatten", y), weights(g, SHAPE(32, 256)),
		weights(g, SHAPE(32)));
	attr_int(g, "transB", 1);
	y = NODE(g, "MatMul", NODE(g, "Relu", y), weights(g, SHAPE(32, 10)));
	check("flattened map", g, NODE(g, "Softmax", NODE(g, "Add", y, weights(g, SHAPE(10)))));

	g = graph(SHAPE(1, 24));
	y = NODE(g, "Gemm", g->in[0], weights(g, SHAPE(24, 7)), weights(g, SHAPE(1, 7)));
	attr_float(g, "alpha", 0.5f);
	check("scaled", g, y);

	g = graph(SHAPE(1, 6, 24));
	check("rows of rows", g, NODE(g, "MatMul", g->in[0], weights(g, SHAPE(24, 7))));
	g = graph(SHAPE(1, 6, 24));
	y = NODE(g, "Transpose", g->in[0]);
	attr_ints(g, "perm", SHAPE(0, 2, 1));
	check("both computed", g, NODE(g, "MatMul", g->in[0], y));
}
END_TEST

START_TEST(layouts)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 6, 6));
	int a = conv(g, g->in[0], 16, 16, 3, true), b = conv(g, g->in[0], 24, 16, 1, true);
	int y = NODE(g, "Concat", a, b);
	attr_int(g, "axis", 1);
	check("concat channels", g, NODE(g, "Relu", conv(g, y, 8, 40, 1, true)));

	g = graph(SHAPE(1, 16, 6, 6));
	a = conv(g, g->in[0], 16, 16, 3, true);
	y = NODE(g, "Concat", a, g->in[0], a);
	attr_int(g, "axis", -2);
	check("concat rows", g, y);

	g = graph(SHAPE(1, 16, 6, 5));
	y = NODE(g, "Transpose", conv(g, g->in[0], 12, 16, 3, true));
	attr_ints(g, "perm", SHAPE(0, 2, 3, 1));
	int shape[] = { indices(g, 3, (const int64_t[]){ 0, -1, 4 }) };
	y = NODE(g, "Reshape", y, shape[0]);
	check("detector head", g, NODE(g, "Sigmoid", y));

	g = graph(SHAPE(1, 5, 6, 7));
	y = NODE(g, "Transpose", g->in[0]);
	attr_ints(g, "perm", SHAPE(0, 3, 1, 2));
	check("transposed input", g, conv(g, y, 8, 7, 3, true));

	g = graph(SHAPE(1, 8, 6, 6));
	y = conv(g, g->in[0], 8, 8, 3, true);
	int begin = indices(g, 2, (const int64_t[]){ 0, 2 }),
	    end = indices(g, 2, (const int64_t[]){ 3, 4 });
	int axes = indices(g, 2, (const int64_t[]){ 1, 3 });
	y = NODE(g, "Slice", y, begin, end, axes);
	check("reference kernel between", g, conv(g, y, 4, 3, 1, true));

	g = graph(SHAPE(1, 8, 6, 6));
	check("input to output", g, NODE(g, "Identity", g->in[0]));
}
END_TEST

START_TEST(arithmetic_broadcasts)
{
	static const char *const ops[] = { "Add", "Sub", "Mul", "Div", "Max", "Min" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++) {
		struct nx_graph *g = graph(SHAPE(1, 8, 6, 5));
		int x = conv(g, g->in[0], 8, 8, 3, true), pool = NODE(g, "GlobalAveragePool", x);
		check(ops[i], g, NODE(g, ops[i], x, NODE(g, "Exp", pool)));
		g = graph(SHAPE(1, 8, 6, 5));
		int c = constant(g, 1, 2, SHAPE(6, 1));
		check(ops[i], g, NODE(g, ops[i], c, NODE(g, "Exp", g->in[0])));
		g = graph(SHAPE(1, 8, 6, 5));
		c = constant(g, 1, 2, SHAPE(5));
		check(ops[i], g, NODE(g, ops[i], NODE(g, "Abs", g->in[0]), c));
	}
}
END_TEST

/* The same weights in another role: packed copies must not be mixed up. */
START_TEST(constants_are_told_apart)
{
	struct nx_graph *g = graph(SHAPE(1, 4, 6, 6));
	int w = weights(g, SHAPE(4, 4, 3, 3)), c = constant(g, 1, 2, SHAPE(4, 1, 1));
	int a = NODE(g, "Mul", NODE(g, "Conv", g->in[0], w), c);
	int b = NODE(g, "Add", NODE(g, "Conv", g->in[0], w), c);
	int d = NODE(g, "Conv", g->in[0], w);
	check("shared constants", g, NODE(g, "Add", NODE(g, "Sub", a, b), NODE(g, "Exp", d)));

	g = graph(SHAPE(1, 16));
	w = weights(g, SHAPE(16, 16));
	a = NODE(g, "MatMul", g->in[0], w);
	b = NODE(g, "Gemm", g->in[0], w);
	attr_int(g, "transB", 1);
	check("a square matrix and its transpose", g, NODE(g, "Sub", a, NODE(g, "Exp", b)));
}
END_TEST

#ifndef NX_CASES_ONLY
/* Within 'own' of each number, however small it is. */
static void check_each(const char *what, struct nx_graph *g, int value, float own)
{
	struct nx_engine *e = open_cpu("cpu");
	struct answer a;

	output(g, value);
	ask(e, what, g, 1, 1, NULL, &a);
	compare(what, a.got, a.want, a.n, 0, own);
	answer_release(&a);
	nx_graph_free(&g);
	nx_engine_close(&e);
}

START_TEST(functions_are_right_where_they_are_small)
{
	static const char *const ops[] = { "Sigmoid", "Tanh", "Elu", "Softplus", "Exp",
		"HardSwish" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++) {
		struct nx_graph *g = graph(SHAPE(1, 5, 40, 40));
		int x = NODE(g, "Mul", g->in[0], constant(g, 20, 20, 0, NULL));
		check_each(ops[i], g, NODE(g, ops[i], x), 1e-4f);
	}
	struct nx_graph *g = graph(SHAPE(1, 5, 40, 40));
	int x = NODE(g, "Mul", g->in[0], constant(g, 20, 20, 0, NULL));
	check_each("SiLU", g, gate(g, x, "Sigmoid"), 1e-4f);
	g = graph(SHAPE(1, 5, 40, 40));
	x = NODE(g, "Mul", g->in[0], constant(g, 20, 20, 0, NULL));
	check_each("Mish", g, NODE(g, "Mul", x, NODE(g, "Tanh", NODE(g, "Softplus", x))), 1e-4f);

	/* Behind convolutions, in blocks that channels fill or do not fill. */
	for (int64_t channels = 16; channels <= 20; channels += 4) {
		g = graph(SHAPE(1, 8, 12, 12));
		x = NODE(g, "Conv", g->in[0], constant(g, -6, 6, SHAPE(channels, 8, 1, 1)));
		x = NODE(g, "Softplus", x);
		check_each("softplus", g, conv(g, x, 8, channels, 3, true), 1e-2f);
		g = graph(SHAPE(1, 8, 12, 12));
		x = NODE(g, "Conv", g->in[0], constant(g, -6, 6, SHAPE(channels, 8, 1, 1)));
		check_each("softplus", g, NODE(g, "Softplus", x), 1e-4f);
	}
}
END_TEST

START_TEST(threads_agree)
{
	struct nx_engine *one = open_cpu("cpu");
	bool two = nx_engine_info(one)->threads_max >= 2;
	struct nx_engine *e = open_cpu(two ? "cpu:threads=2" : "cpu:threads=1");
	struct nx_graph *g = graph(SHAPE(1, 3, 16, 16));
	int y = NODE(g, "Relu", conv(g, g->in[0], 16, 3, 3, true));

	output(g, conv(g, y, 8, 16, 3, true));
	for (size_t rows = 1; rows <= ROWS; rows++)
		check_rows(e, "threads", g, rows);
	nx_graph_free(&g);
	nx_engine_close(&e);
	nx_engine_close(&one);
}
END_TEST

/* A softmax over the rows: a batch would mix them, so each row runs alone and is all ones. */
START_TEST(rows_that_would_mix_run_alone)
{
	struct nx_engine *e = open_cpu("cpu");
	struct nx_graph *g = graph(SHAPE(1, 4));
	struct nx_model model = { .name = nx_strdup("mixing"), .graph = g };
	const struct nx_load_opts opts = { .max_batch = ROWS };
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;
	float x[ROWS * 4], y[ROWS * 4] = { 0 };
	const void *ins[] = { x };
	void *outs[] = { y };

	output(g, NODE(g, "Softmax", g->in[0]));
	attr_int(g, "axis", 0);
	for (int i = 0; i < ROWS * 4; i++)
		x[i] = (float)i;
	ck_assert_msg(nx_engine_load(e, &model, &opts, &l, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(nx_loaded_run(l, ROWS, ins, outs, &err), 0);
	for (int i = 0; i < ROWS * 4; i++)
		ck_assert_float_eq_tol(y[i], 1, 1e-6f);
	nx_loaded_free(&l);
	nx_graph_free(&g);
	free(model.name);
	nx_engine_close(&e);
}
END_TEST

START_TEST(bad_specs_are_named)
{
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();

	ck_assert_int_eq(nx_engine_open("cpu:threads=0", dir, &e, &err), -NX_EUSAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "threads"));
	ck_assert_int_eq(nx_engine_open("cpu:cores=1", dir, &e, &err), -NX_EUSAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "cores"));
	free(dir);
}
END_TEST

UNIT_MAIN("engine/cpu", convolutions, deconvolutions, activations_behind_convolutions,
	residual_sums, pools_and_norms, matrices, layouts, arithmetic_broadcasts,
	constants_are_told_apart, functions_are_right_where_they_are_small, threads_agree,
	rows_that_would_mix_run_alone, bad_specs_are_named)
#endif
