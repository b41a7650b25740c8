/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every pass over the graph on and off: the same answers, and with the pass on there is less to
 * do.
 */
#include "random_graph.h"

static int conv(struct nx_graph *g, int x, int64_t out, int64_t in, int64_t kernel)
{
	int y = NODE(
		g, "Conv", x, weights(g, SHAPE(out, in, kernel, kernel)), weights(g, SHAPE(out)));

	attr_ints(g, "pads", SHAPE(kernel / 2, kernel / 2, kernel / 2, kernel / 2));
	return y;
}

static struct nx_graph *with_affine(void)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 10, 10));
	int y = conv(g, g->in[0], 16, 8, 3);

	y = NODE(g, "BatchNormalization", y, constant(g, 0.5, 2, SHAPE(16)), weights(g, SHAPE(16)),
		weights(g, SHAPE(16)), constant(g, 0.5, 2, SHAPE(16)));
	y = NODE(g, "Mul", y, weights(g, SHAPE(16, 1, 1)));
	output(g, NODE(g, "Add", y, weights(g, SHAPE(16, 1, 1))));
	return g;
}

static struct nx_graph *with_residual(void)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 10, 10));
	int a = NODE(g, "Relu", conv(g, g->in[0], 16, 16, 3));

	output(g, NODE(g, "Relu", NODE(g, "Add", conv(g, a, 16, 16, 3), a)));
	return g;
}

static struct nx_graph *with_gate(void)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 10, 10));
	int y = conv(g, g->in[0], 16, 8, 3);

	y = NODE(g, "Mul", y, NODE(g, "Sigmoid", y));
	y = conv(g, y, 16, 16, 1);
	int gate = NODE(g, "HardSigmoid", y);
	attr_float(g, "alpha", 1.0f / 6);
	attr_float(g, "beta", 0.5f);
	output(g, NODE(g, "Mul", gate, y));
	return g;
}

static struct nx_graph *with_activation(void)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 10, 10));
	int y = NODE(g, "Tanh", conv(g, g->in[0], 16, 8, 3));

	y = NODE(g, "Flatten", NODE(g, "Clip", y, scalar(g, 0), scalar(g, 6)));
	output(g, NODE(g, "Relu", NODE(g, "MatMul", y, weights(g, SHAPE(1600, 5)))));
	return g;
}

static struct nx_graph *with_pad(void)
{
	struct nx_graph *g = graph(SHAPE(1, 8, 10, 10));
	int y = NODE(g, "Pad", NODE(g, "Relu", g->in[0]),
		indices(g, 8, (const int64_t[]){ 0, 0, 1, 1, 0, 0, 2, 0 }));

	output(g, NODE(g, "Conv", y, weights(g, SHAPE(16, 8, 3, 3))));
	return g;
}

static struct nx_graph *with_layout(void)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 12, 12));
	int y = conv(g, conv(g, g->in[0], 32, 16, 3), 32, 32, 3);

	y = NODE(g, "MaxPool", y);
	attr_ints(g, "kernel_shape", SHAPE(2, 2));
	output(g, conv(g, y, 16, 32, 3));
	return g;
}

static struct nx_graph *with_view(void)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 6, 6));
	int y = NODE(g, "Transpose", conv(g, g->in[0], 12, 16, 3));

	attr_ints(g, "perm", SHAPE(0, 2, 3, 1));
	y = NODE(g, "Reshape", y, indices(g, 3, (const int64_t[]){ 0, -1, 4 }));
	output(g, NODE(g, "Sigmoid", y));
	return g;
}

static struct nx_graph *with_projection(void)
{
	struct nx_graph *g = graph(SHAPE(1, 16, 10, 10));
	int a = conv(g, g->in[0], 32, 16, 3), b = conv(g, g->in[0], 32, 16, 1);

	output(g, NODE(g, "Relu", NODE(g, "Add", a, b)));
	return g;
}

static const struct {
	const char *pass;
	struct nx_graph *(*make)(void);
	bool reorders; /* what the pass saves are changes of layout alone */
} passes[] = {
	{ "affine", with_affine, false },
	{ "residual", with_residual, false },
	{ "gate", with_gate, false },
	{ "activation", with_activation, false },
	{ "pad", with_pad, false },
	{ "layout", with_layout, true },
	{ "view", with_view, false },
	{ "inplace", with_projection, true },
};

static void check_pass(size_t i)
{
	char *spec = nx_asprintf("cpu:off=%s", passes[i].pass);
	struct nx_engine *on = open_cpu("cpu"), *off = open_cpu(spec);
	struct nx_graph *g = passes[i].make();
	struct answer a, b;

	for (size_t rows = 1; rows <= 3; rows += 2) {
		struct nx_rng before = rng;
		ask(on, passes[i].pass, g, rows, 3, NULL, &a);
		rng = before;
		ask(off, passes[i].pass, g, rows, 3, NULL, &b);
		compare(passes[i].pass, a.got, a.want, a.n, 1e-5f, 1e-4f);
		compare(passes[i].pass, b.got, a.got, a.n, 1e-5f, 1e-4f);
		ck_assert_msg(a.steps < b.steps, "%s: %zu steps with, %zu without", spec, a.steps,
			b.steps);
		if (passes[i].reorders)
			ck_assert_uint_lt(a.reorders, b.reorders);
		answer_release(&a);
		answer_release(&b);
	}
	nx_graph_free(&g);
	nx_engine_close(&on);
	nx_engine_close(&off);
	free(spec);
}

START_TEST(each_pass_saves_steps_and_changes_nothing)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(passes); i++)
		check_pass(i);
}
END_TEST

static void check_random(const char *spec)
{
	struct nx_engine *e = open_cpu(spec);
	size_t steps = 0;

	for (uint64_t seed = 1; seed <= 25; seed++) {
		struct nx_graph *g = random_graph(seed, 12);
		char *what = nx_asprintf("%s, seed %d", spec, (int)seed);
		struct answer a;
		ask(e, what, g, 2, 2, NULL, &a);
		compare(what, a.got, a.want, a.n, 2e-5f, 1e-4f);
		steps += a.steps;
		answer_release(&a);
		free(what);
		nx_graph_free(&g);
	}
	ck_assert_uint_gt(steps, 0);
	nx_engine_close(&e);
}

START_TEST(random_graphs_agree_whatever_is_off)
{
	static const char *const specs[] = { "cpu", "cpu:off=affine", "cpu:off=residual",
		"cpu:off=gate", "cpu:off=activation", "cpu:off=layout", "cpu:off=view",
		"cpu:off=inplace",
		"cpu:off=affine+residual+gate+activation+pad+layout+view+inplace" };

	for (size_t i = 0; i < NX_ARRAY_LEN(specs); i++)
		check_random(specs[i]);
}
END_TEST

/* Constants are computed once, and what nobody reads not at all. */
START_TEST(constants_fold_and_the_dead_go)
{
	struct nx_engine *e = open_cpu("cpu");
	struct nx_graph *g = graph(SHAPE(1, 4, 6, 6)), *plain = graph(SHAPE(1, 4, 6, 6));
	struct answer a, b;

	NODE(g, "Sqrt", NODE(g, "Abs", conv(g, g->in[0], 8, 4, 3)));
	int c = constant(g, 0.25, 0.25, SHAPE(4, 1, 1));
	int twice = NODE(g, "Add", c, c);
	output(g, NODE(g, "Sub", NODE(g, "Sigmoid", g->in[0]), NODE(g, "Sqrt", twice)));
	float root = sqrtf(0.5f);
	output(plain, NODE(plain, "Sub", NODE(plain, "Sigmoid", plain->in[0]),
			      constant(plain, root, root, SHAPE(4, 1, 1))));
	nx_rng_init(&rng, 7);
	ask(e, "to fold", g, 2, 2, NULL, &a);
	nx_rng_init(&rng, 7);
	ask(e, "folded", plain, 2, 2, NULL, &b);
	compare("folded by hand", a.got, b.got, a.n, 1e-6f, 1e-6f);
	ck_assert_uint_eq(a.steps, b.steps);
	ck_assert_ptr_null(strstr(a.kernels, " Sqrt"));
	ck_assert_ptr_null(strstr(a.kernels, " Conv"));
	answer_release(&a);
	answer_release(&b);
	nx_graph_free(&g);
	nx_graph_free(&plain);
	nx_engine_close(&e);
}
END_TEST

START_TEST(unknown_passes_are_refused_with_the_known_ones)
{
	static const char *const bad[] = { "cpu:off=gates", "cpu:off=gate+",
		"cpu:off=", "cpu:off=gate+residuals" };
	char *dir = plugin_dir();

	for (size_t i = 0; i < NX_ARRAY_LEN(bad); i++) {
		struct nx_engine *e = NULL;
		struct nx_err err = NX_ERR_INIT;
		ck_assert_int_eq(nx_engine_open(bad[i], dir, &e, &err), -NX_EUSAGE);
		for (size_t k = 0; k < NX_ARRAY_LEN(passes); k++)
			ck_assert_ptr_nonnull(strstr(err.msg, passes[k].pass));
	}
	free(dir);
}
END_TEST

UNIT_MAIN("engine/passes", each_pass_saves_steps_and_changes_nothing,
	random_graphs_agree_whatever_is_off, constants_fold_and_the_dead_go,
	unknown_passes_are_refused_with_the_known_ones)
