/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bf16 and int8 against the model's own kernels in fp32.  On a processor that lacks one of them
 * the refusal is what is tested.
 */
#include "engine/group.h"
#include "model/prefix.h"
#include "random_graph.h"

#define ROWS 3

/* Whether the device computes in that precision; if not, it says why in one line. */
static bool can(struct nx_engine *e, const char *precision, struct nx_graph *g)
{
	struct nx_model model = { .name = nx_strdup("m"), .graph = g };
	const struct nx_load_opts opts = { .max_batch = 1, .precision = precision };
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;
	int rc = nx_engine_load(e, &model, &opts, &l, &err);

	if (rc) {
		ck_assert_int_eq(rc, -NX_EUNSUPP);
		ck_assert_ptr_nonnull(strstr(err.msg, "processor has no"));
		ck_assert_ptr_null(strchr(err.msg, '\n'));
	}
	nx_loaded_free(&l);
	free(model.name);
	return rc == 0;
}

/* Within 2 % of the largest number; a few in a thousand may suffer from an activation that is
 * steep where numbers are large. */
static void compare_bf16(const char *what, const struct answer *a)
{
	float largest = 1e-6f;
	size_t near = 0;

	for (size_t i = 0; i < a->n; i++)
		largest = fmaxf(largest, fabsf(a->want[i]));
	for (size_t i = 0; i < a->n; i++)
		near += fabsf(a->got[i] - a->want[i]) <= 2e-2f * largest;
	compare(what, a->got, a->want, a->n, 5e-2f, 0);
	ck_assert_msg((double)near >= 0.998 * (double)a->n, "%s: only %zu of %zu within 2 %%", what,
		near, a->n);
}

START_TEST(random_graphs_in_bf16)
{
	struct nx_engine *e = open_cpu("cpu");

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct nx_graph *g = random_graph(seed, 10);
		struct answer a;
		if (can(e, "bf16", g)) {
			char *what = nx_asprintf("bf16, seed %d", (int)seed);
			ask(e, what, g, ROWS, ROWS, "bf16", &a);
			ck_assert_str_eq(a.precision, "bf16");
			compare_bf16(what, &a);
			answer_release(&a);
			free(what);
		}
		nx_graph_free(&g);
	}
	nx_engine_close(&e);
}
END_TEST

/* A chain stays in bf16: the picture becomes it, and the answer comes from it. */
START_TEST(bf16_is_not_converted_between_steps)
{
	struct nx_engine *e = open_cpu("cpu");
	struct nx_graph *g = graph(SHAPE(1, 16, 12, 12));
	int y = g->in[0];
	struct answer a;

	for (int i = 0; i < 4; i++) {
		y = NODE(g, "Conv", y, weights(g, SHAPE(16, 16, 3, 3)));
		y = NODE(g, "Relu", y);
	}
	y = NODE(g, "MaxPool", y);
	attr_ints(g, "kernel_shape", SHAPE(2, 2));
	y = NODE(g, "GlobalAveragePool", y);
	output(g, NODE(g, "Gemm", NODE(g, "Flatten", y), weights(g, SHAPE(16, 7))));
	if (can(e, "bf16", g)) {
		ask(e, "chain", g, 1, 1, "bf16", &a);
		ck_assert_uint_le(a.reorders, 2);
		ck_assert_uint_eq(a.steps - a.reorders, 7);
		answer_release(&a);
	}
	nx_graph_free(&g);
	nx_engine_close(&e);
}
END_TEST

/* Elements by how many steps of 'scale' they differ from what is wanted: none or one, more. */
static void compare_codes(
	const char *what, const struct answer *a, float scale, double share, float most)
{
	size_t near = 0;

	for (size_t i = 0; i < a->n; i++) {
		float steps = fabsf(a->got[i] - a->want[i]) / scale;
		near += steps <= 1.01f;
		ck_assert_msg(steps <= most + 0.01f, "%s: element %zu is %g, not %g: %g steps",
			what, i, (double)a->got[i], (double)a->want[i], (double)steps);
	}
	ck_assert_msg((double)near >= share * (double)a->n,
		"%s: only %zu of %zu elements are within one step", what, near, a->n);
}

/* One step is for what lies on the edge of two codes: one element in a hundred, or just one. */
static void compare_most(const char *what, const struct answer *a, float scale)
{
	size_t same = 0;

	for (size_t i = 0; i < a->n; i++)
		same += fabsf(a->got[i] - a->want[i]) <= 0.01f * scale;
	ck_assert_msg(same + 1 + a->n / 100 >= a->n, "%s: only %zu of %zu codes are the same", what,
		same, a->n);
}

static void check_quantised(
	const char *what, struct nx_graph *g, int y, float scale, const char *kernel)
{
	struct nx_engine *e = open_cpu("cpu");
	struct answer a;

	output(g, y);
	ask(e, what, g, ROWS, ROWS, "fp32", &a);
	ck_assert_str_eq(a.precision, "fp32");
	compare_codes(what, &a, scale, 0.999, 1);
	compare_most(what, &a, scale);
	answer_release(&a);
	if (can(e, "int8", g)) {
		ask(e, what, g, ROWS, ROWS, NULL, &a);
		ck_assert_str_eq(a.precision, "int8");
		compare_codes(what, &a, scale, 0.999, 1);
		compare_most(what, &a, scale);
		ck_assert_msg(!kernel || strstr(a.kernels, kernel), "%s: no %s in %s", what, kernel,
			a.kernels);
		answer_release(&a);
	}
	nx_graph_free(&g);
	nx_engine_close(&e);
}

static int coded_conv(struct nx_graph *g, int x, bool channels, int64_t out, int64_t in, int64_t k)
{
	int w = coded_weights(g, channels, SHAPE(out, in, k, k));
	int y = NODE(g, "Conv", x, w, weights(g, SHAPE(out)));

	attr_ints(g, "pads", SHAPE(k / 2, k / 2, k / 2, k / 2));
	return y;
}

static const struct {
	enum nx_dtype type;
	float scale;
	int zero;
} inputs[] = {
	{ NX_U8, 1.0f / 127, 128 },
	{ NX_U8, 1.0f / 255, 0 },
	{ NX_I8, 1.0f / 127, 0 },
	{ NX_I8, 1.0f / 100, 9 },
};

START_TEST(convolutions_of_codes)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(inputs); i++)
		for (int kernel = 1; kernel <= 3; kernel += 2)
			for (int out = 0; out < 3; out++) {
				struct nx_graph *g = graph(SHAPE(1, 16, 9, 9));
				int y = through_codes(g, g->in[0], inputs[i].type, inputs[i].scale,
					inputs[i].zero);
				y = coded_conv(g, y, out, 20, 16, kernel);
				y = out == 1 ? NODE(g, "Relu", y) : y;
				y = out == 2 ? NODE(g, "Clip", y, scalar(g, 0), scalar(g, 6)) : y;
				y = out == 0 ? through_codes(g, y, NX_I8, 0.1f, -5)
					     : through_codes(g, y, NX_U8, 0.04f, 3);
				check_quantised("conv", g, y, out == 0 ? 0.1f : 0.04f, " Conv/");
			}
}
END_TEST

START_TEST(convolutions_with_more_behind)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 9, 9));
	int x = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 120);
	int y = coded_conv(g, x, true, 16, 16, 3);
	y = through_codes(g, NODE(g, "Mul", y, NODE(g, "Sigmoid", y)), NX_U8, 0.05f, 6);
	check_quantised("swish", g, y, 0.05f, NULL);

	for (int relu = 0; relu < 2; relu++) {
		g = graph(SHAPE(1, 16, 9, 9));
		x = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 120);
		y = NODE(g, "Add", coded_conv(g, x, true, 16, 16, 1), x);
		y = through_codes(g, relu ? NODE(g, "Relu", y) : y, NX_U8, 0.03f, relu ? 0 : 128);
		check_quantised("sum behind", g, y, 0.03f, " Conv/");
	}

	g = graph(SHAPE(1, 16, 9, 9));
	x = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 120);
	y = through_codes(g, coded_conv(g, x, true, 16, 16, 1), NX_I8, 0.05f, 3);
	y = NODE(g, "Relu", NODE(g, "Add", x, y));
	check_quantised("sum of codes", g, through_codes(g, y, NX_U8, 0.03f, 10), 0.03f, " Add/");

	g = graph(SHAPE(1, 16, 9, 9));
	x = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 120);
	int w = coded_weights(g, true, SHAPE(16, 1, 3, 3));
	y = NODE(g, "Conv", x, w);
	attr_int(g, "group", 16);
	attr_ints(g, "pads", SHAPE(1, 1, 1, 1));
	attr_ints(g, "strides", SHAPE(2, 2));
	check_quantised("depthwise", g, through_codes(g, y, NX_U8, 0.02f, 100), 0.02f, " Conv/");
}
END_TEST

START_TEST(products_of_codes)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(inputs); i++) {
		struct nx_graph *g = graph(SHAPE(1, 64));
		int y = through_codes(g, g->in[0], inputs[i].type, inputs[i].scale, inputs[i].zero);
		y = NODE(
			g, "Gemm", y, coded_weights(g, true, SHAPE(10, 64)), weights(g, SHAPE(10)));
		attr_int(g, "transB", 1);
		y = through_codes(g, NODE(g, "Relu", y), NX_U8, 0.05f, 7);
		check_quantised("gemm", g, y, 0.05f, " Gemm/");
	}

	/* A map, flattened: pools, too, stay in codes. */
	struct nx_graph *g = graph(SHAPE(1, 8, 8, 8));
	int y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);
	y = through_codes(g, coded_conv(g, y, true, 16, 8, 3), NX_U8, 0.05f, 128);
	y = NODE(g, "MaxPool", y);
	attr_ints(g, "kernel_shape", SHAPE(2, 2));
	attr_ints(g, "strides", SHAPE(2, 2));
	y = NODE(g, "Gemm", NODE(g, "Flatten", through_codes(g, y, NX_U8, 0.05f, 128)),
		coded_weights(g, false, SHAPE(10, 256)), weights(g, SHAPE(10)));
	attr_int(g, "transB", 1);
	check_quantised("flattened", g, through_codes(g, y, NX_I8, 0.2f, 0), 0.2f, " MaxPool/");
}
END_TEST

START_TEST(other_operators_on_codes)
{
	static const char *const ops[] = { "Sigmoid", "LeakyRelu", "Relu", "Tanh", "HardSwish" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++) {
		struct nx_graph *g = graph(SHAPE(1, 8, 6, 6));
		int y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);
		y = through_codes(g, NODE(g, ops[i], y), NX_I8, 1.0f / 99, -4);
		check_quantised(ops[i], g, y, 1.0f / 99, "/table");
	}

	/* x sigmoid(x), with codes between: one table, and again on what it makes. */
	struct nx_graph *g = graph(SHAPE(1, 8, 6, 6));
	int y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);
	for (int i = 0; i < 2; i++) {
		int gate = through_codes(g, NODE(g, "Sigmoid", y), NX_U8, 1.0f / 255, 0);
		y = through_codes(g, NODE(g, "Mul", gate, y), NX_U8, 1.0f / 150, 50);
	}
	check_quantised("swish of codes", g, y, 1.0f / 150, " Mul/table");

	g = graph(SHAPE(1, 8, 6, 6));
	y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);
	y = through_codes(g, coded_conv(g, y, true, 16, 8, 1), NX_U8, 0.02f, 128);
	y = through_codes(g, NODE(g, "GlobalAveragePool", y), NX_U8, 0.004f, 99);
	check_quantised("mean", g, y, 0.004f, "/mean");

	for (int include = 0; include < 2; include++) {
		g = graph(SHAPE(1, 8, 7, 6));
		y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);
		y = through_codes(g, coded_conv(g, y, true, 16, 8, 1), NX_I8, 0.02f, 12);
		y = NODE(g, "AveragePool", y);
		attr_ints(g, "kernel_shape", SHAPE(3, 3));
		attr_ints(g, "pads", SHAPE(1, 1, 1, 0));
		attr_ints(g, "strides", SHAPE(2, 1));
		attr_int(g, "count_include_pad", include);
		y = through_codes(g, y, NX_U8, 0.011f, 99);
		check_quantised("windows", g, y, 0.011f, "/mean");
	}

	g = graph(SHAPE(1, 8, 6, 6));
	y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);
	int a = through_codes(g, coded_conv(g, y, true, 16, 8, 1), NX_U8, 0.02f, 128);
	int b = through_codes(g, coded_conv(g, y, true, 16, 8, 1), NX_U8, 0.03f, 120);
	y = NODE(g, "Concat", a, y, b);
	attr_int(g, "axis", 1);
	check_quantised("concat", g, through_codes(g, y, NX_U8, 0.03f, 120), 0.03f, NULL);
}
END_TEST

/* Differences of one step are passed on and add up a little; no element is far off. */
START_TEST(random_graphs_of_codes)
{
	struct nx_engine *e = open_cpu("cpu");
	int tried = 0, convs = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		float scale;
		struct nx_graph *g = random_quantised(seed, 8, &scale);
		char *what = nx_asprintf("codes, seed %d", (int)seed);
		struct answer a;
		for (int integers = 0; integers < 2 && scale > 0; integers++) {
			if (integers && !can(e, "int8", g))
				break;
			ask(e, what, g, ROWS, ROWS, integers ? "int8" : "fp32", &a);
			compare_codes(what, &a, scale, 0.99, 2);
			tried += integers;
			convs += integers && strstr(a.kernels, " Conv/");
			answer_release(&a);
		}
		free(what);
		nx_graph_free(&g);
	}
	/* Graphs without a convolution would prove little. */
	ck_assert_int_ge(convs * 2, tried);
	nx_engine_close(&e);
}
END_TEST

START_TEST(saturation_is_at_the_ends)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 5, 5));
	int y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);

	y = through_codes(g, coded_conv(g, y, true, 16, 16, 3), NX_I8, 0.001f, 20);
	check_quantised("saturates", g, y, 0.001f, " Conv/");
}
END_TEST

/* Forms that only the model's own kernels know, between ones that integers do. */
START_TEST(odd_codes_are_left_to_the_kernels)
{
	static const float tiny[] = { 0, 1e-44f, 1e30f };
	const uint8_t zeros[16] = { 0, 9, 200, 128, 100, 3 };
	struct nx_engine *e = open_cpu("cpu");
	struct answer a;

	/* One scale a channel for a tensor that is computed. */
	struct nx_graph *g = graph(SHAPE(1, 16, 6, 6));
	int s = constant(g, 0.01, 0.02, SHAPE(16)), z = codes(g, NX_U8, zeros, SHAPE(16));
	int y = NODE(g, "QuantizeLinear", g->in[0], s, z);
	y = NODE(g, "DequantizeLinear", y, s, z);
	y = through_codes(g, coded_conv(g, y, true, 8, 16, 3), NX_U8, 0.05f, 128);
	check_quantised("a scale a channel", g, y, 0.05f, NULL);

	/* 16 bits. */
	g = graph(SHAPE(1, 16, 6, 6));
	s = scalar(g, 1e-4f), z = codes(g, NX_U16, &(uint16_t){ 30000 }, 0, NULL);
	y = NODE(g, "DequantizeLinear", NODE(g, "QuantizeLinear", g->in[0], s, z), s, z);
	y = through_codes(g, coded_conv(g, y, false, 8, 16, 1), NX_U8, 0.05f, 128);
	check_quantised("16 bits", g, y, 0.05f, NULL);

	/* Scales that are no use: the same as the kernels make of them, or nothing bad. */
	for (size_t i = 0; i < NX_ARRAY_LEN(tiny); i++) {
		g = graph(SHAPE(1, 16, 6, 6));
		y = through_codes(g, g->in[0], NX_U8, tiny[i], 128);
		y = coded_conv(g, y, true, 8, 16, 3);
		output(g, through_codes(g, NODE(g, "Relu", y), NX_U8, tiny[i], 3));
		ask(e, "odd scale", g, ROWS, ROWS, NULL, &a);
		answer_release(&a);
		nx_graph_free(&g);
	}
	nx_engine_close(&e);
}
END_TEST

static struct nx_model coded_member(const char *name, int64_t kernel)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 6, 6));
	int y = through_codes(g, g->in[0], NX_U8, 1.0f / 127, 128);

	y = through_codes(g, coded_conv(g, y, true, 16, 8, 3), NX_U8, 0.05f, 128);
	y = NODE(g, "Conv", y, weights(g, SHAPE(8, 16, 3, 3)));
	output(g, NODE(g, "Conv", y, weights(g, SHAPE(4, 8, kernel, kernel))));
	struct nx_model m = { .name = nx_strdup(name), .graph = g };
	snprintf(m.digest, sizeof m.digest, "sha256:%s", name);
	return m;
}

/* What differs has no codes: it is no model, and not refused. */
START_TEST(suffixes_without_codes)
{
	struct nx_engine *e = open_cpu("cpu");
	struct nx_model m[] = { coded_member("a", 1), coded_member("b", 3) };
	const struct nx_group_opts opts = { { .max_batch = 4, .precision = "int8" }, false };
	struct nx_group_member member[] = { { &m[0], 2, NULL, 0 }, { &m[1], 2, NULL, 0 } };
	struct nx_cuts cuts[2] = { 0 };
	struct nx_group *group = NULL;
	struct nx_err err = NX_ERR_INIT;
	const char *prefix = NULL;

	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(nx_prefix_cuts(m[i].graph, &cuts[i], &err), 0);
	for (size_t c = 0; c < cuts[0].n; c++)
		if (nx_cuts_find(&cuts[1], cuts[0].cut[c].digest))
			prefix = cuts[0].cut[c].digest;
	ck_assert_ptr_nonnull(prefix);
	if (can(e, "int8", m[0].graph))
		ck_assert_msg(nx_engine_load_group(e, prefix, member, 2, &opts, &group, &err) == 0,
			"%s", err.msg);
	nx_group_free(&group);
	for (size_t i = 0; i < 2; i++) {
		nx_cuts_release(&cuts[i]);
		nx_graph_free(&m[i].graph);
		free(m[i].name);
	}
	nx_engine_close(&e);
}
END_TEST

static void check_refused(const char *precision, int code, const char *says)
{
	struct nx_engine *e = open_cpu("cpu");
	struct nx_graph *g = graph(SHAPE(1, 4));
	struct nx_model model = { .name = nx_strdup("plain"), .graph = g };
	const struct nx_load_opts opts = { .max_batch = 1, .precision = precision };
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;

	output(g, NODE(g, "Relu", g->in[0]));
	ck_assert_int_eq(nx_engine_load(e, &model, &opts, &l, &err), code);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);
	nx_graph_free(&g);
	free(model.name);
	nx_engine_close(&e);
}

START_TEST(what_cannot_be_is_refused)
{
	struct nx_engine *e = open_cpu("cpu");
	float scale;
	struct nx_graph *g = random_quantised(1, 2, &scale);
	bool int8 = can(e, "int8", g);

	check_refused("fp8", -NX_EUSAGE, "fp32, bf16 or int8");
	check_refused("int8", -NX_EUNSUPP, int8 ? "--calibrate" : "processor");
	nx_graph_free(&g);
	nx_engine_close(&e);
}
END_TEST

UNIT_MAIN("engine/precision", random_graphs_in_bf16, bf16_is_not_converted_between_steps,
	convolutions_of_codes, convolutions_with_more_behind, products_of_codes,
	other_operators_on_codes, random_graphs_of_codes, saturation_is_at_the_ends,
	odd_codes_are_left_to_the_kernels, suffixes_without_codes, what_cannot_be_is_refused)
