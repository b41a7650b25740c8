/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of cut points: what they hold on to and what they do not see; cutting. */
#include "../engine/graphs.h"
#include "model/prefix.h"

/* Ways of writing the same network, and changes that make it another. */
struct style {
	bool newer;     /* opset 18 instead of 9: parameters that became inputs */
	bool spelled;   /* defaults and what follows from shapes are written out */
	bool same_pads; /* auto_pad instead of pads */
	bool swapped;   /* operands of Add the other way round, nodes in another order */
	bool negative;  /* axes from the end */
	bool fixed;     /* a batch of one instead of an open one */
	bool summed;    /* Sum instead of Add, Relu and Clip instead of one Clip */
	bool kept;      /* ReduceMean keeps its axes, Flatten instead of Reshape */
	bool renamed;   /* other names */
	int changed;    /* 1 … CHANGES: a different weight, attribute or operator; 0: none */
};
#define CHANGES 9

static void flip(struct nx_graph *g, int v, size_t i)
{
	((float *)g->values[v].constant->data)[i] += 0.5f;
}

static int scalar(struct nx_graph *g, float x)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_shape s = { 0 };
	struct nx_tensor t;
	int v = nx_graph_add_value(g, "s");

	ck_assert_int_eq(nx_tensor_init(&t, NX_F32, &s, &err), 0);
	*(float *)t.data = x;
	nx_graph_set_constant(g, v, &t);
	return v;
}

static int conv(
	struct nx_graph *g, const struct style *s, int x, int64_t out, int64_t in, int change)
{
	int w = weights(g, SHAPE(out, in, 3, 3)), b = weights(g, SHAPE(out));

	if (change && s->changed == change)
		flip(g, w, 5);
	int y = NODE(g, "Conv", x, w, b);
	if (s->same_pads)
		attr_str(g, "auto_pad", s->newer ? "SAME_UPPER" : "SAME_LOWER");
	else
		attr_ints(g, "pads", 4, (const int64_t[]){ 1, 1, 1, 1 });
	if (s->spelled) {
		attr_ints(g, "kernel_shape", 2, (const int64_t[]){ 3, 3 });
		attr_ints(g, "strides", 2, (const int64_t[]){ 1, 1 });
		attr_ints(g, "dilations", 2, (const int64_t[]){ 1, 1 });
		attr_int(g, "group", 1);
	}
	return y;
}

static int norm(struct nx_graph *g, const struct style *s, int x)
{
	int y = NODE(g, "BatchNormalization", x, constant(g, 0.5, 1, SHAPE(8)),
		weights(g, SHAPE(8)), weights(g, SHAPE(8)), constant(g, 0.5, 1, SHAPE(8)));

	if (s->spelled)
		attr_float(g, "momentum", 0.9f);
	if (s->spelled || s->changed == 2)
		attr_float(g, "epsilon", s->changed == 2 ? 1e-3f : 1e-5f);
	return y;
}

static int clip(struct nx_graph *g, const struct style *s, int x)
{
	float hi = s->changed == 3 ? 7 : 6;

	if (s->summed) {
		x = NODE(g, "Relu", x);
		if (s->newer)
			return NODE(g, "Clip", x, NX_NO_VALUE, scalar(g, hi));
		x = NODE(g, "Clip", x);
		attr_float(g, "max", hi);
		return x;
	}

	if (s->newer)
		return NODE(g, "Clip", x, scalar(g, 0), scalar(g, hi));
	int y = NODE(g, "Clip", x);
	attr_float(g, "min", 0);
	attr_float(g, "max", hi);
	return y;
}

static int pool(struct nx_graph *g, const struct style *s, int x)
{
	int y = NODE(g, s->changed == 4 ? "AveragePool" : "MaxPool", x);

	attr_ints(g, "kernel_shape", 2, (const int64_t[]){ 2, 2 });
	attr_ints(g, "strides", 2, (const int64_t[]){ 2, 2 });
	if (s->spelled)
		attr_int(g, "ceil_mode", s->changed != 4);
	return y;
}

static int add(struct nx_graph *g, const struct style *s, int a, int b)
{
	return NODE(g,
		s->summed         ? "Sum"
		: s->changed == 5 ? "Mul"
				  : "Add",
		s->swapped ? b : a, s->swapped ? a : b);
}

static int flat_mean(struct nx_graph *g, const struct style *s, int x)
{
	const int64_t axes[2] = { s->negative ? -2 : 2, s->negative ? -1 : 3 };
	const int64_t target[2] = { s->spelled ? 1 : 0, -1 };
	int y = s->newer ? NODE(g, "ReduceMean", x, indices(g, 2, axes)) : NODE(g, "ReduceMean", x);

	if (!s->newer)
		attr_ints(g, "axes", 2, axes);
	if (!s->kept) {
		attr_int(g, "keepdims", 0);
		return y;
	}
	if (s->newer)
		return NODE(g, "Reshape", y, indices(g, 2, target));
	y = NODE(g, "Flatten", y);
	if (s->spelled)
		attr_int(g, "axis", 1);
	return y;
}

static int softmax(struct nx_graph *g, const struct style *s, int x)
{
	int y = NODE(g, s->changed == 9 ? "LogSoftmax" : "Softmax", x);

	if (s->spelled)
		attr_int(g, "axis", s->negative && s->newer ? -1 : 1);
	return y;
}

static void rename_all(struct nx_graph *g)
{
	for (size_t i = 0; i < g->n_values; i++) {
		free(g->values[i].name);
		g->values[i].name = nx_asprintf("v%zu", 1000 - i);
	}
	for (size_t i = 0; i < g->n_nodes; i++) {
		free(g->nodes[i].name);
		g->nodes[i].name = nx_asprintf("n%zu", 1000 - i);
	}
}

/* conv, norm, clip | pool | two convolutions side by side, sum, relu | mean | gemm | softmax */
static struct nx_graph *network(struct style s)
{
	struct nx_graph *g =
		graph(SHAPE(s.fixed ? 1 : NX_DIM_OPEN, 3, 16, s.changed == 8 ? 32 : 16));

	nx_rng_init(&rng, 7);
	g->opset = s.newer ? 18 : 9;
	int x = clip(g, &s, norm(g, &s, conv(g, &s, g->in[0], 8, 3, 1)));
	x = pool(g, &s, x);
	int a = conv(g, &s, x, 8, 8, 6), b = conv(g, &s, x, 8, 8, 0);
	if (s.swapped) {
		struct nx_node n = g->nodes[g->n_nodes - 1];
		g->nodes[g->n_nodes - 1] = g->nodes[g->n_nodes - 2];
		g->nodes[g->n_nodes - 2] = n;
	}
	x = flat_mean(g, &s, NODE(g, "Relu", add(g, &s, a, b)));
	int w = weights(g, SHAPE(5, 8));
	if (s.changed == 7)
		flip(g, w, 0);
	x = NODE(g, "Gemm", x, w, weights(g, SHAPE(5)));
	attr_int(g, "transB", 1);
	if (s.spelled) {
		attr_float(g, "alpha", 1);
		attr_int(g, "transA", 0);
	}
	output(g, softmax(g, &s, x));
	if (s.renamed)
		rename_all(g);
	return g;
}

static struct nx_cuts cuts_of(struct nx_graph *g)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_cuts cuts;

	ck_assert_msg(nx_prefix_cuts(g, &cuts, &err) == 0, "%s", err.msg);
	nx_graph_free(&g);
	return cuts;
}

/* The first cut in which the two differ. */
static size_t differ_from(const struct nx_cuts *a, const struct nx_cuts *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && strcmp(a->cut[i].digest, b->cut[i].digest) == 0)
		i++;
	return i;
}

#define CUTS 6 /* clip, pool, relu, mean, gemm, softmax */

START_TEST(cuts_are_where_nothing_is_torn)
{
	static const char *const nodes[CUTS] = { "Clip", "MaxPool", "Relu", "ReduceMean", "Gemm",
		"Softmax" };
	struct nx_cuts cuts = cuts_of(network((struct style){ 0 }));

	ck_assert_uint_eq(cuts.n, CUTS);
	for (size_t i = 0; i < CUTS; i++) {
		ck_assert_str_eq(cuts.cut[i].node, nodes[i]);
		ck_assert_int_eq(strncmp(cuts.cut[i].digest, "sha256:", 7), 0);
		ck_assert(i == 0 || cuts.cut[i].work > cuts.cut[i - 1].work);
		ck_assert(i == 0 || cuts.cut[i].weights_bytes >= cuts.cut[i - 1].weights_bytes);
	}
	ck_assert_double_eq(cuts.cut[CUTS - 1].work, cuts.work);
	/* The first convolution, and three numbers for each of what it makes. */
	ck_assert_double_eq(cuts.cut[0].work, 8 * 256 * (27 + 2));
	/* conv's 8 * 27 + 8 numbers and four lists of 8. */
	ck_assert_uint_eq(cuts.cut[0].weights_bytes, 4 * (8 * 27 + 8 + 32));
	ck_assert_uint_eq(cuts.cut[1].weights_bytes, cuts.cut[0].weights_bytes);
	nx_cuts_release(&cuts);
}
END_TEST

/* All 2^9 ways of writing it at once. */
START_TEST(the_same_network_has_the_same_digests)
{
	struct nx_cuts plain = cuts_of(network((struct style){ 0 }));

	for (int i = 0; i < 512; i++) {
		struct style s = { i & 1, i & 2, i & 4, i & 8, i & 16, i & 32, i & 64, i & 128,
			i & 256, 0 };
		struct nx_cuts cuts = cuts_of(network(s));
		size_t n = differ_from(&plain, &cuts);
		/* Where the axes are kept, what is cut there has another shape. */
		ck_assert_msg(n == CUTS || (s.kept && n == 3), "style %d differs at cut %zu", i, n);
		ck_assert_str_eq(cuts.cut[cuts.n - 1].digest, plain.cut[CUTS - 1].digest);
		nx_cuts_release(&cuts);
	}
	nx_cuts_release(&plain);
}
END_TEST

START_TEST(a_change_shows_from_there_on)
{
	/* The first cut that sees each change. */
	static const size_t from[CHANGES] = { 0, 0, 0, 1, 2, 2, 4, 0, 5 };
	struct nx_cuts plain = cuts_of(network((struct style){ 0 }));

	for (int change = 1; change <= CHANGES; change++) {
		struct nx_cuts cuts = cuts_of(network((struct style){ .changed = change }));
		ck_assert_uint_eq(cuts.n, CUTS);
		for (size_t i = 0; i < CUTS; i++)
			ck_assert_msg((strcmp(cuts.cut[i].digest, plain.cut[i].digest) != 0) ==
					      (i >= from[change - 1]),
				"change %d, cut %zu", change, i);
		nx_cuts_release(&cuts);
	}
	nx_cuts_release(&plain);
}
END_TEST

/* A network of one operator that moves elements, before a convolution that makes it a cut. */
static struct nx_cuts moved(int (*op)(struct nx_graph *g, int x), int64_t opset)
{
	struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 4, 6, 6));

	nx_rng_init(&rng, 7);
	g->opset = opset;
	output(g, NODE(g, "GlobalAveragePool", op(g, g->in[0])));
	return cuts_of(g);
}

static int half_by_attributes(struct nx_graph *g, int x)
{
	int y = NODE(g, "Slice", x);

	attr_ints(g, "axes", 1, (const int64_t[]){ 1 });
	attr_ints(g, "starts", 1, (const int64_t[]){ 0 });
	attr_ints(g, "ends", 1, (const int64_t[]){ 2 });
	return y;
}

static int half_by_inputs(struct nx_graph *g, int x)
{
	return NODE(g, "Slice", x, indices(g, 1, (const int64_t[]){ 0 }),
		indices(g, 1, (const int64_t[]){ -2 }), indices(g, 1, (const int64_t[]){ -3 }));
}

static int half_gathered(struct nx_graph *g, int x)
{
	int y = NODE(g, "Gather", x, indices(g, 2, (const int64_t[]){ 0, 1 }));

	attr_int(g, "axis", 1);
	return y;
}

static int other_half(struct nx_graph *g, int x)
{
	int y = NODE(g, "Gather", x, indices(g, 2, (const int64_t[]){ 2, 3 }));

	attr_int(g, "axis", 1);
	return y;
}

static int half_split(struct nx_graph *g, int x)
{
	int y = NODE(g, "Split", x), rest = nx_graph_add_value(g, "rest");
	struct nx_node *n = &g->nodes[g->n_nodes - 1];

	attr_int(g, "axis", 1);
	n->out = nx_realloc(n->out, 2, sizeof *n->out);
	n->out[n->n_out++] = rest;
	return y;
}

START_TEST(moves_are_told_by_where_elements_go)
{
	int (*const same[])(struct nx_graph *, int) = { half_by_attributes, half_by_inputs,
		half_gathered, half_split };
	static const int64_t opset[] = { 9, 13, 13, 13 };
	struct nx_cuts first = moved(same[0], opset[0]), other = moved(other_half, 13);

	ck_assert_uint_eq(first.n, 2);
	for (size_t i = 1; i < NX_ARRAY_LEN(same); i++) {
		struct nx_cuts cuts = moved(same[i], opset[i]);
		ck_assert_msg(differ_from(&first, &cuts) == 2, "form %zu", i);
		nx_cuts_release(&cuts);
	}
	ck_assert_uint_eq(differ_from(&first, &other), 0);
	nx_cuts_release(&first);
	nx_cuts_release(&other);
}
END_TEST

/* An attribute with a default, and another value. */
struct spelling {
	const char *op;
	int inputs; /* lists of weights; 1: a kernel of 3x3; -1: what comes in, twice */
	const char *attr;
	enum nx_attr_kind kind;
	double dflt, other;
	int n; /* of a list; 0: a single number */
};

/* The last cut of a network of one such node; 'how': 0 left out, 1 the default, 2 the other. */
static struct nx_cuts spelled(const struct spelling *s, int how)
{
	struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 4, 6, 6));
	double v = how == 2 ? s->other : s->dflt;
	int x = g->in[0];

	nx_rng_init(&rng, 7);
	if (s->inputs == 1)
		x = NODE(g, s->op, x, weights(g, SHAPE(4, 4, 3, 3)));
	else if (s->inputs == 4)
		x = NODE(g, s->op, x, weights(g, SHAPE(4)), weights(g, SHAPE(4)),
			weights(g, SHAPE(4)), constant(g, 0.5, 1, SHAPE(4)));
	else if (s->inputs == -1)
		x = NODE(g, s->op, x, x);
	else
		x = NODE(g, s->op, x);
	if (strstr(s->op, "Pool"))
		attr_ints(g, "kernel_shape", 2, (const int64_t[]){ 3, 3 });
	if (strcmp(s->op, "LRN") == 0 && strcmp(s->attr, "size") != 0)
		attr_int(g, "size", 3);
	const int64_t list[4] = { (int64_t)v, (int64_t)v, (int64_t)v, (int64_t)v };
	if (how && s->n)
		attr_ints(g, s->attr, s->n, list);
	else if (how && s->kind == NX_ATTR_INT)
		attr_int(g, s->attr, (int64_t)v);
	else if (how)
		attr_float(g, s->attr, (float)v);
	output(g, NODE(g, "GlobalMaxPool", NODE(g, "GlobalAveragePool", x)));
	return cuts_of(g);
}

START_TEST(defaults_are_nothing_and_all_else_counts)
{
	static const struct spelling all[] = {
		{ "Conv", 1, "strides", NX_ATTR_INTS, 1, 2, 2 },
		{ "Conv", 1, "dilations", NX_ATTR_INTS, 1, 2, 2 },
		{ "Conv", 1, "pads", NX_ATTR_INTS, 0, 1, 4 },
		{ "ConvTranspose", 1, "strides", NX_ATTR_INTS, 1, 2, 2 },
		{ "ConvTranspose", 1, "pads", NX_ATTR_INTS, 0, 1, 4 },
		{ "ConvTranspose", 1, "dilations", NX_ATTR_INTS, 1, 2, 2 },
		{ "MaxPool", 0, "strides", NX_ATTR_INTS, 1, 2, 2 },
		{ "MaxPool", 0, "dilations", NX_ATTR_INTS, 1, 2, 2 },
		{ "AveragePool", 0, "pads", NX_ATTR_INTS, 0, 1, 4 },
		{ "BatchNormalization", 4, "epsilon", NX_ATTR_FLOAT, 1e-5, 1e-3, 0 },
		{ "LRN", 0, "alpha", NX_ATTR_FLOAT, 1e-4, 1e-3, 0 },
		{ "LRN", 0, "beta", NX_ATTR_FLOAT, 0.75, 0.5, 0 },
		{ "LRN", 0, "bias", NX_ATTR_FLOAT, 1, 2, 0 },
		{ "LeakyRelu", 0, "alpha", NX_ATTR_FLOAT, 0.01, 0.1, 0 },
		{ "Elu", 0, "alpha", NX_ATTR_FLOAT, 1, 2, 0 },
		{ "HardSigmoid", 0, "alpha", NX_ATTR_FLOAT, 0.2, 0.25, 0 },
		{ "HardSigmoid", 0, "beta", NX_ATTR_FLOAT, 0.5, 0.25, 0 },
		{ "Softmax", 0, "axis", NX_ATTR_INT, -1, 1, 0 },
		{ "Softmax", 0, "axis", NX_ATTR_INT, 3, 2, 0 },
		{ "Concat", -1, "axis", NX_ATTR_INT, 1, 2, 0 },
		{ "Concat", -1, "axis", NX_ATTR_INT, -3, -1, 0 },
	};

	for (size_t i = 0; i < NX_ARRAY_LEN(all); i++) {
		struct nx_cuts cuts[3];
		for (int how = 0; how < 3; how++)
			cuts[how] = spelled(&all[i], how);
		size_t last = cuts[0].n - 1;
		ck_assert_msg(strcmp(cuts[0].cut[last].digest, cuts[1].cut[last].digest) == 0,
			"%s: %s at its default", all[i].op, all[i].attr);
		ck_assert_msg(
			strcmp(cuts[0].cut[last].digest, cuts[2].cut[cuts[2].n - 1].digest) != 0,
			"%s: %s changed", all[i].op, all[i].attr);
		for (int how = 0; how < 3; how++)
			nx_cuts_release(&cuts[how]);
	}
}
END_TEST

/* The same amount of padding, at the other side: only the digest tells. */
START_TEST(pads_have_a_side)
{
	struct nx_cuts cuts[2];

	for (int side = 0; side < 2; side++) {
		struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 4, 6, 6));
		int x = NODE(g, "Conv", g->in[0], weights(g, SHAPE(4, 4, 3, 3)));
		attr_ints(g, "pads", 4, (const int64_t[]){ side, side, !side, !side });
		output(g, NODE(g, "GlobalAveragePool", x));
		cuts[side] = cuts_of(g);
	}
	ck_assert_uint_eq(differ_from(&cuts[0], &cuts[1]), 0);
	nx_cuts_release(&cuts[0]);
	nx_cuts_release(&cuts[1]);
}
END_TEST

START_TEST(steps_that_are_never_taken_say_nothing)
{
	struct nx_cuts cuts[2];

	for (int how = 0; how < 2; how++) {
		struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 4, 6, 6));
		int x = NODE(g, "Conv", g->in[0], weights(g, SHAPE(4, 4, 1, 1)));
		attr_ints(g, "dilations", 2, (const int64_t[]){ 1 + how, 1 + how });
		x = NODE(g, "Conv", x, weights(g, SHAPE(4, 4, 6, 6)));
		attr_ints(g, "strides", 2, (const int64_t[]){ 1 + how, 1 + how });
		output(g, NODE(g, "GlobalAveragePool", x));
		cuts[how] = cuts_of(g);
		ck_assert_uint_ge(cuts[how].n, 2);
	}
	ck_assert_uint_eq(differ_from(&cuts[0], &cuts[1]), cuts[0].n);
	nx_cuts_release(&cuts[0]);
	nx_cuts_release(&cuts[1]);
}
END_TEST

START_TEST(what_has_no_rule_is_taken_as_written)
{
	struct nx_cuts cuts[3];

	for (int i = 0; i < 3; i++) {
		struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 4, 6, 6));
		g->opset = i == 2 ? 12 : 13;
		int x = NODE(g, "Relu", NODE(g, "GlobalAveragePool", g->in[0]));
		attr_int(g, "unheard_of", i == 1);
		output(g, NODE(g, "GlobalMaxPool", x));
		cuts[i] = cuts_of(g);
		ck_assert_uint_eq(cuts[i].n, 2);
	}
	ck_assert_uint_eq(differ_from(&cuts[0], &cuts[1]), 0);
	ck_assert_uint_eq(differ_from(&cuts[0], &cuts[2]), 2);
	for (int i = 0; i < 3; i++)
		nx_cuts_release(&cuts[i]);
}
END_TEST

/* x * sigmoid(x) and a normalisation before the convolution: cut only around them; a block that
 * is left by its shortcut too is one piece. */
START_TEST(shortcuts_and_gates_are_no_cuts)
{
	struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 8, 6, 6));

	nx_rng_init(&rng, 7);
	g->opset = 13;
	int x = NODE(g, "Conv", g->in[0], weights(g, SHAPE(8, 8, 1, 1)));
	x = NODE(g, "Mul", x, NODE(g, "Sigmoid", x));
	int y = NODE(g, "Conv", NODE(g, "Relu", x), weights(g, SHAPE(8, 8, 1, 1)));
	x = NODE(g, "Add", x, y);
	x = NODE(g, "Pad", x, indices(g, 8, (const int64_t[]){ 0, 0, 1, 1, 0, 0, 1, 1 }));
	output(g, NODE(g, "Conv", x, weights(g, SHAPE(8, 8, 3, 3))));
	output(g, NODE(g, "GlobalMaxPool", x));
	struct nx_cuts cuts = cuts_of(g);
	ck_assert_uint_eq(cuts.n, 2);
	ck_assert_str_eq(cuts.cut[0].node, "Mul");
	ck_assert_str_eq(cuts.cut[1].node, "Add");
	nx_cuts_release(&cuts);
}
END_TEST

START_TEST(rows_on_another_axis_are_no_cut)
{
	static const int64_t swap[] = { 1, 0, 2, 3 };
	struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 8, 4, 4));

	g->opset = 13;
	int x = NODE(g, "GlobalMaxPool", g->in[0]);
	x = NODE(g, "Transpose", x);
	attr_ints(g, "perm", 4, swap);
	x = NODE(g, "Transpose", NODE(g, "Softmax", x));
	attr_ints(g, "perm", 4, swap);
	output(g, x);
	struct nx_cuts cuts = cuts_of(g);
	ck_assert_uint_eq(cuts.n, 2);
	ck_assert_str_eq(cuts.cut[0].node, "GlobalMaxPool");
	ck_assert_str_eq(cuts.cut[1].node, "Transpose");
	nx_cuts_release(&cuts);
}
END_TEST

START_TEST(halves_make_the_whole)
{
	struct nx_graph *g = network((struct style){ 0 }), *closed = NULL;
	struct nx_err err = NX_ERR_INIT;
	struct nx_cuts cuts;

	ck_assert_int_eq(nx_prefix_cuts(g, &cuts, &err), 0);
	for (int64_t batch = 1; batch <= 4; batch *= 4) {
		ck_assert_int_eq(nx_graph_specialize(g, batch, &closed, &err), 0);
		for (size_t i = 0; i < cuts.n; i++) {
			struct nx_graph *trunk = NULL, *suffix = NULL;
			int v = cuts.cut[i].value;
			ck_assert_int_eq(nx_graph_cut(closed, v, &trunk, &suffix, &err), 0);
			ck_assert_int_eq(trunk->out[0], v);
			ck_assert_int_eq(suffix->in[0], v);
			ck_assert_int_eq((int)suffix->values[v].shape.dim[0], (int)batch);
			int w = closed->nodes[0].in[1];
			ck_assert_ptr_nonnull(trunk->values[w].constant);
			ck_assert_ptr_eq(trunk->values[w].constant, closed->values[w].constant);
			/* The last cut's suffix only passes its input on. */
			ck_assert_uint_eq(trunk->n_nodes + suffix->n_nodes,
				closed->n_nodes + (i + 1 == cuts.n));
			ck_assert_uint_eq(nx_graph_weights_bytes(trunk), cuts.cut[i].weights_bytes);
			nx_graph_free(&trunk);
			nx_graph_free(&suffix);
		}
		nx_graph_free(&closed);
	}
	nx_cuts_release(&cuts);
	nx_graph_free(&g);
}
END_TEST

START_TEST(only_cut_points_cut)
{
	struct nx_graph *g = network((struct style){ 0 }), *closed = NULL, *trunk = NULL;
	struct nx_err err = NX_ERR_INIT;
	int refused = 0;

	ck_assert_int_eq(nx_graph_specialize(g, 1, &closed, &err), 0);
	for (int v = -1; v <= (int)closed->n_values; v++) {
		if (nx_graph_cut(closed, v, &trunk, NULL, &err) == 0)
			nx_graph_free(&trunk);
		else
			refused += err.code == NX_EDATA;
	}
	/* All nodes but the two parallel convolutions. */
	ck_assert_int_eq((int)closed->n_values + 2 - refused, (int)closed->n_nodes - 2);
	nx_graph_free(&closed);
	nx_graph_free(&g);
}
END_TEST

UNIT_MAIN("model/prefix", cuts_are_where_nothing_is_torn, the_same_network_has_the_same_digests,
	a_change_shows_from_there_on, moves_are_told_by_where_elements_go,
	defaults_are_nothing_and_all_else_counts, pads_have_a_side,
	steps_that_are_never_taken_say_nothing, what_has_no_rule_is_taken_as_written,
	shortcuts_and_gates_are_no_cuts, rows_on_another_axis_are_no_cut, halves_make_the_whole,
	only_cut_points_cut)
