/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of the cuda plugin, run on the host, against the model's reference kernels: the graphs
 * of the cpu device's tests and those below, in every precision and at two batch sizes.
 */
#include "emulate.h"
#include "plugins/cuda/lower.h"

struct nx_graph;
static void check(const char *what, struct nx_graph *g, int value);

#define NX_CASES_ONLY
#include "../engine/test_cpu.c"

static double largest(const struct nx_tensor *t)
{
	double most = 1e-6;

	for (int64_t i = 0; i < nx_shape_count(&t->shape); i++)
		most = fmax(most, fabs(nx_tensor_real(t, i)));
	return most;
}

/* The largest difference over the largest number. */
static double distance(const struct nx_tensor *got, const struct nx_tensor *want)
{
	int64_t n = nx_shape_count(&want->shape);
	double whole = largest(want), most = 0;

	for (int64_t i = 0; i < n; i++) {
		double d = fabs(nx_tensor_real(got, i) - nx_tensor_real(want, i));
		if (!(d <= 1e30)) /* NaN, too */
			return INFINITY;
		most = fmax(most, d / whole);
	}
	return most;
}

#ifdef NX_RUN_PROGRAM
/* Who includes this file runs the programs elsewhere. */
static void run_program(const char *what, const struct nx_graph *g, const struct nx_tensor *t,
	int type, double limit);
#else
#define NX_LIMIT_FP32 2e-5
/* Half of the time the device says that it fuses an activation. */
static bool fuses(void *arg, const struct cu_conv *conv)
{
	(void)conv;
	return (*(unsigned *)arg)++ % 2;
}

static struct cu_program *lower(const struct nx_graph *closed, int type, const char *what)
{
	static unsigned asked;
	const struct cu_lower_opts opts = { .type = type, .fuses = fuses, .arg = &asked };
	struct cu_program *p = NULL;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_msg(cu_lower(closed, &opts, &p, &err) == 0, "%s: %s", what, err.msg);
	return p;
}

static void run_program(const char *what, const struct nx_graph *g, const struct nx_tensor *t,
	int type, double limit)
{
	struct cu_program *p = lower(g, type, what);
	struct nx_tensor out[8];
	const void *ins[4];
	void *outs[8];
	struct nx_err err = NX_ERR_INIT;
	struct emulator e;

	emulator_init(&e, p);
	for (size_t i = 0; i < g->n_in; i++)
		ins[i] = t[g->in[i]].data;
	for (size_t i = 0; i < g->n_out; i++) {
		const struct nx_tensor *want = &t[g->out[i]];
		ck_assert_int_eq(nx_tensor_init(&out[i], want->dtype, &want->shape, &err), 0);
		memset(out[i].data, 0xff, out[i].bytes);
		outs[i] = out[i].data;
	}
	for (int again = 0; again < 2; again++)
		emulator_run(&e, ins, outs);
	for (size_t i = 0; i < g->n_out; i++) {
		double d = distance(&out[i], &t[g->out[i]]);
		ck_assert_msg(
			d <= limit, "%s (type %d): output %zu is off by %g", what, type, i, d);
		nx_tensor_release(&out[i]);
	}
	emulator_release(&e);
	cu_program_free(&p);
}

#endif

/* Checks a graph that is open in its batch, or of one row, and frees it. */
static void check(const char *what, struct nx_graph *g, int value)
{
	struct nx_err err = NX_ERR_INIT;

	output(g, value);
	for (int rows = 1; rows <= 3; rows += 2) {
		struct nx_graph *closed = NULL;
		ck_assert_msg(
			nx_graph_specialize(g, rows, &closed, &err) == 0, "%s: %s", what, err.msg);
		size_t n = (size_t)nx_shape_count(&closed->values[closed->in[0]].shape);
		float *x = nx_alloc(n, sizeof *x);
		/* Numbers that bf16 holds, so that precisions differ by what is computed alone. */
		for (size_t i = 0; i < n; i++)
			x[i] = nx_bf16_to_float(
				nx_float_to_bf16((float)(2 * nx_rng_uniform(&rng) - 1)));
		struct nx_tensor *t = reference(closed, x);
		run_program(what, closed, t, CU_F32, NX_LIMIT_FP32);
		if (largest(&t[closed->out[0]]) < 65504) /* what fp16 can hold */
			run_program(what, closed, t, CU_F16, 8e-3);
		run_program(what, closed, t, CU_BF16, 6e-2);
		release(closed, t);
		free(x);
		nx_graph_free(&closed);
	}
	nx_graph_free(&g);
}

/* ---- more cases ------------------------------------------------------------------------------ */

START_TEST(functions_of_elements)
{
	static const char *const ops[] = { "Abs", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp",
		"Floor", "HardSigmoid", "HardSwish", "LeakyRelu", "Neg", "Relu", "Selu", "Sigmoid",
		"Sign", "Sin", "Softplus", "Softsign", "Tanh", "ThresholdedRelu" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++) {
		struct nx_graph *g = graph(SHAPE(1, 5, 3, 3));
		/* Behind a pool it is a map, before it plain. */
		int y = NODE(g, ops[i], g->in[0]);
		check(ops[i], g, y);
		g = graph(SHAPE(1, 5, 3, 3));
		y = NODE(g, "MaxPool", g->in[0]);
		attr_ints(g, "kernel_shape", SHAPE(1, 1));
		check(ops[i], g, NODE(g, ops[i], y));
	}
	struct nx_graph *g = graph(SHAPE(1, 7));
	int y = NODE(g, "Sqrt", NODE(g, "Abs", g->in[0]));
	check("chain", g, NODE(g, "Log", NODE(g, "Reciprocal", NODE(g, "Exp", y))));
}
END_TEST

static int pool1(struct nx_graph *g, int x)
{
	int y = NODE(g, "MaxPool", x);

	attr_ints(g, "kernel_shape", SHAPE(1, 1));
	return y;
}

START_TEST(chains)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 5, 5));
	int x = pool1(g, g->in[0]), c = weights(g, SHAPE(8, 1, 1));
	int y = NODE(g, "Add", NODE(g, "Mul", NODE(g, "Sigmoid", x), c), x);
	check("map, constants, itself", g, NODE(g, "Tanh", y));

	g = graph(SHAPE(1, 6, 5, 5));
	x = pool1(g, g->in[0]);
	y = NODE(g, "Mul", x, NODE(g, "HardSigmoid", NODE(g, "GlobalAveragePool", x)));
	check("squeeze and excite", g, y);

	g = graph(SHAPE(1, 4, 6));
	y = NODE(g, "Sub", constant(g, 1, 2, SHAPE(6)), g->in[0]);
	y = NODE(g, "Div", constant(g, 1, 2, SHAPE(4, 1)), NODE(g, "Exp", y));
	check("constants in front", g,
		NODE(g, "Pow", NODE(g, "Abs", y), constant(g, 2, 2, SHAPE(1))));

	g = graph(SHAPE(1, 4, 6));
	int above = NODE(g, "Greater", g->in[0], constant(g, 0, 0, 0, NULL));
	check("where", g,
		NODE(g, "Where", above, NODE(g, "Exp", g->in[0]), constant(g, -1, -1, SHAPE(1))));

	g = graph(SHAPE(1, 4, 6));
	y = NODE(g, "PRelu", g->in[0], weights(g, SHAPE(4, 1)));
	check("prelu", g, NODE(g, "Max", y, NODE(g, "Neg", y), constant(g, 0.1, 0.1, SHAPE(1))));

	g = graph(SHAPE(1, 4, 6));
	y = NODE(g, "Cast", NODE(g, "Mul", g->in[0], constant(g, 9, 9, SHAPE(1))));
	attr_int(g, "to", NX_I64);
	y = NODE(g, "Cast", y);
	attr_int(g, "to", NX_F32);
	check("cut to whole numbers", g, NODE(g, "Add", y, g->in[0]));
}
END_TEST

START_TEST(rows_of_values)
{
	static const char *const ops[] = { "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean",
		"ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++) {
		struct nx_graph *g = graph(SHAPE(1, 5, 300));
		g->opset = 11;
		int y = NODE(g, ops[i], NODE(g, "Abs", g->in[0]));
		attr_ints(g, "axes", SHAPE(1));
		check(ops[i], g, y);
		g = graph(SHAPE(1, 5, 4, 3));
		g->opset = 11;
		y = NODE(g, ops[i], pool1(g, g->in[0]));
		attr_ints(g, "axes", SHAPE(2, 3));
		check(ops[i], g, y);
	}
	for (int axis = 1; axis < 3; axis++) {
		struct nx_graph *g = graph(SHAPE(1, 300, 4));
		int y = NODE(g, axis == 1 ? "Softmax" : "LogSoftmax", g->in[0]);
		attr_int(g, "axis", axis);
		check("softmax", g, y);
		g = graph(SHAPE(1, 300, 4));
		y = NODE(g, axis == 1 ? "ArgMax" : "ArgMin", g->in[0]);
		attr_int(g, "axis", axis);
		check("argmax", g, y);
	}
	struct nx_graph *g = graph(SHAPE(1, 6, 5, 7));
	check("instance norm", g,
		NODE(g, "InstanceNormalization", g->in[0], weights(g, SHAPE(6)),
			weights(g, SHAPE(6))));
	g = graph(SHAPE(1, 3, 200));
	check("layer norm", g,
		NODE(g, "LayerNormalization", g->in[0], weights(g, SHAPE(200)),
			weights(g, SHAPE(200))));
}
END_TEST

START_TEST(top_of_rows)
{
	for (int largest = 0; largest < 2; largest++) {
		struct nx_graph *g = graph(SHAPE(1, 200, 3));
		int k = indices(g, 1, (const int64_t[]){ 5 }), rank = nx_graph_add_value(g, "rank");
		int y = NODE(g, "TopK", g->in[0], k);
		struct nx_node *n = &g->nodes[g->n_nodes - 1];
		n->out = nx_realloc(n->out, 2, sizeof *n->out);
		n->out[1] = rank;
		n->n_out = 2;
		attr_int(g, "axis", 1);
		attr_int(g, "largest", largest);
		output(g, y);
		check("top 5", g, rank);
	}
}
END_TEST

START_TEST(moves)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 6, 6));
	int x = pool1(g, g->in[0]);
	int y = NODE(g, "Slice", x, indices(g, 2, (const int64_t[]){ 0, -1 }),
		indices(g, 2, (const int64_t[]){ 9, -9 }), indices(g, 2, (const int64_t[]){ 2, 3 }),
		indices(g, 2, (const int64_t[]){ 2, -1 }));
	check("slice of a map", g, NODE(g, "Relu", y));

	g = graph(SHAPE(1, 9, 4, 6));
	x = pool1(g, g->in[0]);
	y = NODE(g, "DepthToSpace", x);
	attr_int(g, "blocksize", 3);
	check("depth to space", g, y);
	for (int crd = 0; crd < 2; crd++) {
		g = graph(SHAPE(1, 32, 4, 6));
		y = NODE(g, "DepthToSpace", pool1(g, g->in[0]));
		attr_int(g, "blocksize", 2);
		attr_str(g, "mode", crd ? "CRD" : "DCR");
		check("depth to space, a map", g, y);
	}
	g = graph(SHAPE(1, 3, 4, 6));
	y = NODE(g, "SpaceToDepth", pool1(g, g->in[0]));
	attr_int(g, "blocksize", 2);
	check("space to depth", g, y);

	static const char *const modes[] = { "constant", "reflect", "edge" };
	for (size_t i = 0; i < NX_ARRAY_LEN(modes); i++)
		for (int map = 0; map < 2; map++) {
			g = graph(SHAPE(1, 3, 5, 6));
			y = NODE(g, "Pad", map ? pool1(g, g->in[0]) : g->in[0],
				indices(g, 8, (const int64_t[]){ 0, 0, 2, 1, 0, 0, 1, 3 }));
			attr_str(g, "mode", modes[i]);
			check(modes[i], g, y);
		}
	g = graph(SHAPE(1, 3, 5));
	check("tile", g, NODE(g, "Tile", g->in[0], indices(g, 3, (const int64_t[]){ 1, 2, 3 })));
	g = graph(SHAPE(1, 3, 1));
	check("expand", g, NODE(g, "Expand", g->in[0], indices(g, 2, (const int64_t[]){ 3, 4 })));
	g = graph(SHAPE(1, 6, 4));
	y = NODE(g, "Gather", g->in[0], indices(g, 3, (const int64_t[]){ 4, -1, 0 }));
	attr_int(g, "axis", 1);
	check("gather", g, y);
}
END_TEST

START_TEST(odd_concats)
{
	struct nx_graph *g = graph(SHAPE(1, 3, 5, 5));
	int a = pool1(g, g->in[0]), b = conv(g, a, 7, 3, 3, true);
	int y = NODE(g, "Concat", a, b, g->in[0]);
	attr_int(g, "axis", 1);
	check("channels that fill no vector", g, NODE(g, "Exp", y));

	g = graph(SHAPE(1, 3, 5, 5));
	a = pool1(g, g->in[0]);
	y = NODE(g, "Concat", a, g->in[0]);
	attr_int(g, "axis", 2);
	check("rows of such maps", g, conv(g, y, 4, 3, 1, false));

	/* 1 / 0 in the padding would become no number in the convolution. */
	g = graph(SHAPE(1, 5, 6, 6));
	y = NODE(g, "Add", NODE(g, "Abs", pool1(g, g->in[0])), constant(g, 1, 1, SHAPE(5, 1, 1)));
	y = NODE(g, "Reciprocal", y);
	check("padding stays finite", g, conv(g, y, 4, 5, 3, true));

	g = graph(SHAPE(1, 3, 5, 5));
	y = NODE(g, "Concat", NODE(g, "Exp", g->in[0]), weights(g, SHAPE(1, 2, 5, 5)));
	attr_int(g, "axis", 1);
	output(g, y);
	struct nx_graph *closed = NULL;
	struct nx_err err = NX_ERR_INIT;
	ck_assert_int_eq(nx_graph_specialize(g, 1, &closed, &err), 0);
	float x[75];
	for (int i = 0; i < 75; i++)
		x[i] = (float)i / 75;
	struct nx_tensor *t = reference(closed, x);
	run_program("a constant part", closed, t, CU_F16, 8e-3);
	release(closed, t);
	nx_graph_free(&closed);
	nx_graph_free(&g);
}
END_TEST

START_TEST(resizes)
{
	static const char *const ways[] = { "half_pixel", "asymmetric", "align_corners",
		"pytorch_half_pixel" };
	static const char *const modes[] = { "nearest", "linear", "cubic" };

	for (size_t w = 0; w < NX_ARRAY_LEN(ways); w++)
		for (size_t m = 0; m < NX_ARRAY_LEN(modes); m++) {
			struct nx_graph *g = graph(SHAPE(1, 3, 5, 6));
			int scales = constant(g, 1, 1, SHAPE(4));
			float *s = g->values[scales].constant->data;
			s[2] = 2;
			s[3] = 1.5f;
			int y = NODE(g, "Resize", g->in[0], NX_NO_VALUE, scales);
			attr_str(g, "mode", modes[m]);
			attr_str(g, "coordinate_transformation_mode", ways[w]);
			check(modes[m], g, y);
		}
}
END_TEST

START_TEST(what_cannot_run_is_named)
{
	struct nx_graph *g = graph(SHAPE(1, 2, 4, 4, 4)), *closed = NULL;
	const struct cu_lower_opts opts = { .type = CU_F16 };
	struct cu_program *p = NULL;
	struct nx_err err = NX_ERR_INIT;
	int y = NODE(g, "Conv", g->in[0], weights(g, SHAPE(2, 2, 3, 3, 3)));

	y = NODE(g, "Cast", NODE(g, "Relu", y));
	attr_int(g, "to", NX_F64);
	y = NODE(g, "Cast", y);
	attr_int(g, "to", NX_F32);
	output(g, y);
	ck_assert_int_eq(nx_graph_specialize(g, 1, &closed, &err), 0);
	ck_assert_int_eq(cu_lower(closed, &opts, &p, &err), -NX_EUNSUPP);
	ck_assert_ptr_nonnull(strstr(err.msg, "Conv (node 'Conv')"));
	ck_assert_ptr_nonnull(strstr(err.msg, "Cast (node 'Cast')"));
	ck_assert_ptr_null(strstr(err.msg, "Relu"));
	ck_assert_ptr_null(p);
	nx_graph_free(&closed);
	nx_graph_free(&g);
}
END_TEST

#ifndef NX_RUN_PROGRAM
UNIT_MAIN("cuda/lower", convolutions, deconvolutions, activations_behind_convolutions,
	residual_sums, pools_and_norms, matrices, layouts, arithmetic_broadcasts,
	constants_are_told_apart, functions_of_elements, chains, rows_of_values, top_of_rows, moves,
	odd_concats, resizes, what_cannot_run_is_named)
#endif
