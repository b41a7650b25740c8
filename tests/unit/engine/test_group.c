/* SPDX-License-Identifier: Apache-2.0 */
/* Trunk and suffixes against the models by themselves, on the cpu and the simulated device. */
#include "core/clock.h"
#include "engine/group.h"
#include "engine_dir.h"
#include "graphs.h"
#include "model/prefix.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>

#define MEMBERS 3
#define ROW_IN  (3 * 16 * 16)

static int conv(struct nx_graph *g, int x, int64_t out, int64_t in)
{
	int y = NODE(g, "Conv", x, weights(g, SHAPE(out, in, 3, 3)), weights(g, SHAPE(out)));

	attr_ints(g, "pads", 4, (const int64_t[]){ 1, 1, 1, 1 });
	return y;
}

/* A residual block: conv, norm, relu, conv, plus what came in, relu. */
static int block(struct nx_graph *g, int x)
{
	int y = conv(g, x, 16, 16);

	y = NODE(g, "BatchNormalization", y, constant(g, 0.1, 0.2, SHAPE(16)),
		weights(g, SHAPE(16)), weights(g, SHAPE(16)), constant(g, 0.5, 1, SHAPE(16)));
	y = conv(g, NODE(g, "Relu", y), 16, 16);
	return NODE(g, "Relu", NODE(g, "Add", y, x));
}

/* Stem, two blocks, classifier; from 'part' on (0: the last block, 1: the classifier, 2: nowhere)
 * the weights are those of 'seed'. */
static struct nx_model network(const char *name, int part, uint64_t seed)
{
	struct nx_model m = { .name = (char *)name };
	struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 3, 16, 16));

	nx_rng_init(&rng, 5);
	int x = block(g, NODE(g, "Relu", conv(g, g->in[0], 16, 3)));
	if (part == 0)
		nx_rng_init(&rng, seed);
	x = NODE(g, "MaxPool", block(g, x));
	attr_ints(g, "kernel_shape", 2, (const int64_t[]){ 4, 4 });
	attr_ints(g, "strides", 2, (const int64_t[]){ 4, 4 });
	x = NODE(g, "Flatten", x);
	if (part == 1)
		nx_rng_init(&rng, seed);
	/* Of a size at which one row is multiplied by another kernel than several. */
	x = NODE(g, "Gemm", x, constant(g, -0.05, 0.05, SHAPE(256, 10)), weights(g, SHAPE(10)));
	output(g, NODE(g, "Softmax", x));
	snprintf(m.digest, sizeof m.digest, "sha256:%s", name);
	m.graph = g;
	return m;
}

/* The deepest cut that all have. */
static void shared_cut(const struct nx_model *m, size_t n, char digest[NX_DIGEST_SIZE])
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_cuts cuts[MEMBERS] = { 0 };

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(nx_prefix_cuts(m[i].graph, &cuts[i], &err), 0);
	for (size_t c = 0; c < cuts[0].n; c++) {
		size_t have = 1;
		while (have < n && nx_cuts_find(&cuts[have], cuts[0].cut[c].digest))
			have++;
		if (have == n)
			memcpy(digest, cuts[0].cut[c].digest, NX_DIGEST_SIZE);
	}
	for (size_t i = 0; i < n; i++)
		nx_cuts_release(&cuts[i]);
}

static struct nx_engine *open_device(const char *spec)
{
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();

	ck_assert_msg(nx_engine_open(spec, dir, &e, &err) == 0, "%s", err.msg);
	free(dir);
	return e;
}

static struct nx_loaded *load(struct nx_engine *e, const struct nx_model *m, int max_batch)
{
	const struct nx_load_opts opts = { .max_batch = max_batch };
	struct nx_err err = NX_ERR_INIT;
	struct nx_loaded *l = NULL;

	ck_assert_msg(nx_engine_load(e, m, &opts, &l, &err) == 0, "%s", err.msg);
	return l;
}

static float *random_rows(size_t n)
{
	float *x = nx_alloc(n * ROW_IN, sizeof *x);

	nx_rng_init(&rng, 11);
	for (size_t i = 0; i < n * ROW_IN; i++)
		x[i] = (float)(2 * nx_rng_uniform(&rng) - 1);
	return x;
}

static int order[MEMBERS], n_answered;

static void note(void *arg, size_t member)
{
	ck_assert_ptr_eq(arg, order);
	order[n_answered++] = (int)member;
}

/* Whether the rows of member i are those of its model in this batch; all of them that close. */
static bool same_rows(struct nx_engine *e, const struct nx_model *m, size_t batch, const float *x,
	const float *got, size_t skip, size_t rows)
{
	struct nx_loaded *l = load(e, m, (int)batch);
	struct nx_err err = NX_ERR_INIT;
	float *alone = nx_alloc(batch * 10, sizeof *alone);

	ck_assert_int_eq(
		nx_loaded_run(l, batch, (const void *[]){ x }, (void *[]){ alone }, &err), 0);
	bool same = memcmp(got, alone + skip * 10, rows * 10 * sizeof *got) == 0;
	for (size_t k = 0; k < rows * 10; k++)
		ck_assert_float_le(fabsf(got[k] - alone[skip * 10 + k]), 1e-5f);
	nx_loaded_free(&l);
	free(alone);
	return same;
}

/* Runs the group with these rows and compares with each model in a batch of all rows, bit for bit
 * if the group is exact, and in one of its own. */
static void check_rows(struct nx_engine *e, struct nx_group *g, bool exact,
	const struct nx_model *m, const size_t rows[MEMBERS])
{
	size_t total = rows[0] + rows[1] + rows[2], first = 0;
	struct nx_err err = NX_ERR_INIT;
	float *x = random_rows(total), *y = nx_alloc(total * 10, sizeof *y);
	void *out[MEMBERS][1];
	void *const *outs[MEMBERS];

	for (size_t i = 0; i < MEMBERS; first += rows[i++]) {
		out[i][0] = y + first * 10;
		outs[i] = out[i];
	}
	n_answered = 0;
	ck_assert_msg(nx_group_run(g, rows, (const void *[]){ x }, outs, note, order, &err) == 0,
		"%s", err.msg);
	first = 0;
	for (size_t i = 0, n = 0; i < MEMBERS; first += rows[i++]) {
		if (rows[i] == 0)
			continue;
		ck_assert_int_eq(order[n++], (int)i);
		const float *got = y + first * 10;
		bool same = same_rows(e, &m[i], total, x, got, first, rows[i]);
		ck_assert_msg(
			same || !exact, "member %zu of %zu,%zu,%zu", i, rows[0], rows[1], rows[2]);
		same_rows(e, &m[i], rows[i], x + first * ROW_IN, got, 0, rows[i]);
	}
	free(x);
	free(y);
}

static int try_group(struct nx_engine *e, const char *prefix, const struct nx_model *m, bool exact,
	int max_batch, struct nx_group **g, struct nx_err *err)
{
	const struct nx_group_opts opts = { { .max_batch = max_batch }, exact };
	struct nx_group_member member[MEMBERS];

	for (size_t i = 0; i < MEMBERS; i++)
		member[i] = (struct nx_group_member){ &m[i], max_batch - 2, NULL, 0 };
	return nx_engine_load_group(e, prefix, member, MEMBERS, &opts, g, err);
}

static struct nx_group *load_group(
	struct nx_engine *e, const char *prefix, const struct nx_model *m, bool exact)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_group *g = NULL;

	ck_assert_msg(try_group(e, prefix, m, exact, 40, &g, &err) == 0, "%s", err.msg);
	return g;
}

/* Three models that differ from 'part' on; returns the prefix they share. */
static void family(int part, struct nx_model m[MEMBERS], char prefix[NX_DIGEST_SIZE])
{
	static const char *const names[MEMBERS] = { "a", "b", "c" };

	for (size_t i = 0; i < MEMBERS; i++)
		m[i] = network(part == 2 ? "a" : names[i], part, 20 + i);
	if (part == 2)
		memcpy(prefix, m[0].digest, NX_DIGEST_SIZE);
	else
		shared_cut(m, MEMBERS, prefix);
}

static void forget(struct nx_model m[MEMBERS])
{
	for (size_t i = 0; i < MEMBERS; i++)
		nx_graph_free(&m[i].graph);
}

static void check_family(const char *device, int part)
{
	static const size_t rows[][MEMBERS] = { { 1, 1, 1 }, { 3, 5, 2 }, { 7, 0, 1 }, { 0, 10, 0 },
		{ 11, 12, 13 } };
	struct nx_engine *e = open_device(device);
	struct nx_model m[MEMBERS];
	char prefix[NX_DIGEST_SIZE];

	family(part, m, prefix);
	for (int exact = 0; exact < 2; exact++) {
		struct nx_group *g = load_group(e, prefix, m, exact);
		for (size_t i = 0; i < NX_ARRAY_LEN(rows); i++)
			check_rows(e, g, exact, m, rows[i]);
		nx_group_free(&g);
	}
	nx_engine_close(&e);
	forget(m);
}

START_TEST(the_last_block_differs)
{
	check_family("cpu", 0);
}
END_TEST

START_TEST(the_last_layer_differs)
{
	check_family("cpu", 1);
}
END_TEST

START_TEST(nothing_differs_but_the_slo)
{
	check_family("cpu", 2);
}
END_TEST

START_TEST(two_workers_share_the_pieces)
{
	struct nx_engine *e = open_device("cpu");
	bool two = nx_engine_info(e)->threads_max > 1;

	nx_engine_close(&e);
	if (two)
		check_family("cpu:threads=2", 0);
}
END_TEST

/* One member ends where the others go on: it takes the trunk's answers as they are. */
START_TEST(a_member_may_end_at_the_cut)
{
	static const size_t rows[MEMBERS] = { 2, 3, 1 };
	struct nx_engine *e = open_device("cpu");
	struct nx_model m[MEMBERS], end = network("end", 0, 20);
	struct nx_err err = NX_ERR_INIT;
	struct nx_group *g = NULL;
	char prefix[NX_DIGEST_SIZE];
	const struct nx_io *io;

	family(0, m, prefix);
	struct nx_cuts cuts;
	ck_assert_int_eq(nx_prefix_cuts(end.graph, &cuts, &err), 0);
	end.graph->out[0] = nx_cuts_find(&cuts, prefix)->value;
	nx_cuts_release(&cuts);
	struct nx_graph *whole = m[1].graph;
	m[1] = end;
	g = load_group(e, prefix, m, false);
	ck_assert_uint_eq(nx_group_outputs(g, 1, &io), 1);
	size_t n = io->row_bytes / sizeof(float);
	ck_assert_int_eq((int)io->shape.dim[1], 16);
	float *x = random_rows(6), *y = nx_alloc(3 * n, sizeof *y);
	float *alone = nx_alloc(6 * n, sizeof *alone), other[6 * 10];
	void *const *outs[] = { (void *[]){ other }, (void *[]){ y }, (void *[]){ other + 50 } };
	ck_assert_int_eq(nx_group_run(g, rows, (const void *[]){ x }, outs, NULL, NULL, &err), 0);
	struct nx_loaded *l = load(e, &end, 6);
	ck_assert_int_eq(nx_loaded_run(l, 6, (const void *[]){ x }, (void *[]){ alone }, &err), 0);
	ck_assert_int_eq(memcmp(y, alone + 2 * n, 3 * n * sizeof *y), 0);
	same_rows(e, &m[0], 2, x, other, 0, 2);
	free(x);
	free(y);
	free(alone);
	nx_loaded_free(&l);
	nx_group_free(&g);
	nx_engine_close(&e);
	nx_graph_free(&whole);
	forget(m);
}
END_TEST

/* The trunk's weights are held once, the classifiers' each. */
START_TEST(memory_is_that_of_one_trunk)
{
	struct nx_engine *e = open_device("cpu");
	struct nx_loaded_memory one, group;
	struct nx_model m[MEMBERS];
	char prefix[NX_DIGEST_SIZE];

	family(1, m, prefix);
	struct nx_group *g = load_group(e, prefix, m, false);
	struct nx_loaded *l = load(e, &m[0], 40);
	nx_group_memory(g, &group);
	nx_loaded_memory(l, &one);
	ck_assert_uint_ge(group.weights_bytes, one.weights_bytes + 2 * 256 * 10 * 4);
	/* oneDNN may want them packed in one way for one row and in another for many. */
	ck_assert_uint_le(group.weights_bytes, one.weights_bytes + 2 * 2 * 256 * 10 * 4 + 4096);
	nx_group_free(&g);
	nx_loaded_free(&l);
	nx_engine_close(&e);
	forget(m);
}
END_TEST

START_TEST(what_is_no_group_is_refused)
{
	struct nx_engine *e = open_device("cpu");
	struct nx_model m[MEMBERS];
	struct nx_group *g = NULL;
	struct nx_err err = NX_ERR_INIT;
	char prefix[NX_DIGEST_SIZE];
	float x = 0;
	void *y[] = { &x };

	family(0, m, prefix);
	ck_assert_int_eq(try_group(e, "sha256:a", m, false, 8, &g, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "model 'b'"));
	ck_assert_int_eq(try_group(e, prefix, m, false, 0, &g, &err), -NX_EUSAGE);
	ck_assert_int_eq(try_group(e, prefix, m, false, 2, &g, &err), -NX_EUSAGE);
	ck_assert_ptr_null(g);
	g = load_group(e, prefix, m, false);
	for (size_t i = 0; i < 3; i++) {
		const size_t rows[][MEMBERS] = { { 0, 0, 0 }, { 39, 0, 0 }, { 30, 30, 0 } };
		ck_assert_int_eq(nx_group_run(g, rows[i], (const void *[]){ &x },
					 (void *const *[]){ y, y, y }, NULL, NULL, &err),
			-NX_EDATA);
	}
	nx_group_free(&g);
	nx_engine_close(&e);
	forget(m);
}
END_TEST

/* A simulated device without models: costs of trunk and suffixes add up, rows stay what they
 * are, and a member without a cost has no suffix. */
START_TEST(a_simulated_group_takes_its_time)
{
	const double trunk_ms[] = { 10, 11, 12, 13 }, suffix_ms[] = { 20, 21 };
	const struct nx_group_opts opts = { { .max_batch = 4, .cost_ms = trunk_ms, .n_cost = 4 },
		false };
	const struct nx_group_member member[2] = { { NULL, 2, suffix_ms, 2 },
		{ NULL, 3, NULL, 0 } };
	struct nx_engine *e = open_device("sim:alpha=0,beta=0");
	struct nx_err err = NX_ERR_INIT;
	struct nx_group *g = NULL;
	float x[3] = { 1, 2, 3 }, y[3] = { 0 };
	const struct nx_io *io;

	ck_assert_msg(nx_engine_load_group(e, "p", member, 2, &opts, &g, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(nx_group_outputs(g, 1, &io), 1);
	uint64_t start = nx_now_ns();
	n_answered = 0;
	ck_assert_int_eq(nx_group_run(g, (const size_t[]){ 2, 1 }, (const void *[]){ x },
				 (void *const *[]){ (void *[]){ y }, (void *[]){ y + 2 } }, note,
				 order, &err),
		0);
	ck_assert_double_ge(nx_ns_to_ms(nx_now_ns() - start), 12 + 21);
	ck_assert_int_eq(n_answered, 2);
	ck_assert_double_ge(nx_group_trunk_ms(g), 12);
	ck_assert_double_ge(nx_group_suffix_ms(g, 0), 21);
	ck_assert_double_eq(nx_group_suffix_ms(g, 1), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_float_eq(y[i], x[i]);
	nx_group_free(&g);
	nx_engine_close(&e);
}
END_TEST

UNIT_MAIN("engine/group", the_last_block_differs, the_last_layer_differs,
	nothing_differs_but_the_slo, a_member_may_end_at_the_cut, two_workers_share_the_pieces,
	memory_is_that_of_one_trunk, what_is_no_group_is_refused, a_simulated_group_takes_its_time)
