/* SPDX-License-Identifier: Apache-2.0 */
/* What a loaded model holds, shares and gives back; and that it needs nothing it was made from. */
#include "engine/engine.h"
#include "engine_dir.h"
#include "graphs.h"
#include "model/ops.h"
#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ROWS 16
#define MIB  ((size_t)1 << 20)

static struct nx_engine *open_cpu(void)
{
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();

	ck_assert_msg(nx_engine_open("cpu", dir, &e, &err) == 0, "%s", err.msg);
	free(dir);
	return e;
}

/* Loads g and frees it. */
static struct nx_loaded *load(struct nx_engine *e, struct nx_graph *g)
{
	struct nx_model model = { .name = nx_strdup("m"), .graph = g };
	const struct nx_load_opts opts = { .max_batch = ROWS };
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_msg(nx_engine_load(e, &model, &opts, &l, &err) == 0, "%s", err.msg);
	nx_graph_free(&model.graph);
	free(model.name);
	return l;
}

static void run(struct nx_loaded *l, size_t rows, const float *x, float *y)
{
	struct nx_err err = NX_ERR_INIT;

	ck_assert_msg(nx_loaded_run(l, rows, (const void *[]){ x }, (void *[]){ y }, &err) == 0,
		"%s", err.msg);
}

/* x [1,n] -> k times (Gemm n by n, Tanh), with the same weights each time it is called. */
static struct nx_graph *layers(int64_t n, int k)
{
	struct nx_graph *g = graph(SHAPE(1, n));
	int y = g->in[0];

	for (int i = 0; i < k; i++)
		y = NODE(g, "Tanh", NODE(g, "MatMul", y, weights(g, SHAPE(n, n))));
	output(g, y);
	return g;
}

/* A constant read as it is, an attribute read by a reference kernel, a constant that is folded:
 * all of it is asked for after graph and model are gone. */
START_TEST(a_loaded_model_needs_no_graph)
{
	static const int64_t order[3] = { 2, 0, 1 };
	struct nx_engine *e = open_cpu();
	struct nx_graph *g = graph(SHAPE(1, 6));
	float x[ROWS * 6], y[ROWS * 3], want[ROWS * 3];
	int c = constant(g, 1, 2, SHAPE(6)), pick = indices(g, 3, order);
	const float *add = g->values[c].constant->data;

	for (int i = 0; i < ROWS * 6; i++)
		x[i] = (float)nx_rng_uniform(&rng);
	for (int r = 0; r < ROWS; r++)
		for (int i = 0; i < 3; i++)
			want[r * 3 + i] = x[r * 6 + order[i]] + add[order[i]];
	int sum = NODE(g, "Add", g->in[0], c);
	int y0 = NODE(g, "Gather", sum, pick);
	attr_int(g, "axis", 1);
	output(g, y0);
	struct nx_loaded *l = load(e, g);
	for (size_t rows = 1; rows <= ROWS; rows++) {
		memset(y, 0, sizeof y);
		run(l, rows, x, y);
		for (size_t i = 0; i < rows * 3; i++)
			ck_assert_float_eq_tol(y[i], want[i], 1e-6f);
	}
	nx_loaded_free(&l);
	nx_engine_close(&e);
}
END_TEST

START_TEST(batch_sizes_share_one_arena)
{
	struct nx_engine *e = open_cpu();
	struct nx_loaded *l = load(e, layers(64, 3));
	struct nx_loaded_memory m;

	nx_loaded_memory(l, &m);
	ck_assert_uint_ge(m.weights_bytes, 3 * 64 * 64 * 4);
	ck_assert_uint_gt(m.total_bytes, m.weights_bytes);
	/* Not that of 1 + 2 + 4 + 8 + 16 rows. */
	ck_assert_uint_le(m.total_bytes - m.weights_bytes, m.activations_bytes * ROWS + 64);
	nx_loaded_free(&l);
	nx_engine_close(&e);
}
END_TEST

/* Convolutions one after another: what lives at one time is what one reads and what it makes. */
START_TEST(activations_are_little_more_than_what_lives)
{
	enum { CHANNELS = 32, SIDE = 64, LAYERS = 6 };
	const size_t made = CHANNELS * SIDE * SIDE * sizeof(float);
	struct nx_engine *e = open_cpu();
	struct nx_graph *g = graph(SHAPE(1, CHANNELS, SIDE, SIDE));
	struct nx_loaded_memory m;
	int y = g->in[0];

	for (int i = 0; i < LAYERS; i++) {
		y = NODE(g, "Conv", y, weights(g, SHAPE(CHANNELS, CHANNELS, 3, 3)));
		attr_ints(g, "pads", SHAPE(1, 1, 1, 1));
		y = NODE(g, "Relu", y);
	}
	output(g, y);
	struct nx_loaded *l = load(e, g);
	nx_loaded_memory(l, &m);
	ck_assert_uint_ge(m.activations_bytes, made);
	ck_assert_uint_le(m.activations_bytes, 2 * made * 13 / 10);
	nx_loaded_free(&l);
	nx_engine_close(&e);
}
END_TEST

/* ---- while something runs ---------------------------------------------------------------------- */

struct runner {
	struct nx_loaded *l;
	const float *x, *want;
	atomic_bool stop;
	size_t runs;
};

static void *keep_running(void *arg)
{
	struct runner *r = arg;
	float y[64];

	while (!atomic_load(&r->stop) || r->runs == 0) {
		run(r->l, 1, r->x, y);
		for (int i = 0; i < 64; i++)
			ck_assert_msg(y[i] == r->want[i], "run %zu: %g, not %g", r->runs,
				(double)y[i], (double)r->want[i]);
		r->runs++;
	}
	return NULL;
}

/* Larger models come and go: the memory that all of them work in moves. */
START_TEST(others_may_be_loaded_while_one_runs)
{
	struct nx_engine *e = open_cpu();
	float x[64], want[64];
	struct runner r = { .x = x, .want = want };
	pthread_t thread;

	r.l = load(e, layers(64, 3));
	for (int i = 0; i < 64; i++)
		x[i] = (float)i / 64;
	run(r.l, 1, x, want);
	ck_assert_int_eq(pthread_create(&thread, NULL, keep_running, &r), 0);
	for (int64_t n = 128; n <= 512; n += 128) {
		struct nx_loaded *l = load(e, layers(n, 4));
		float *in = nx_alloc((size_t)n * ROWS, 4), *out = nx_alloc((size_t)n * ROWS, 4);
		run(l, ROWS, in, out);
		free(in);
		free(out);
		nx_loaded_free(&l);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	nx_loaded_free(&r.l);
	nx_engine_close(&e);
}
END_TEST

/* ---- what the system says ---------------------------------------------------------------------- */

#ifndef NX_SANITIZE
static size_t anonymous_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	size_t kib = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kib = strtoul(line + 8, NULL, 10);
	fclose(f);
	return kib << 10;
}

static size_t grown(size_t from)
{
	size_t now = anonymous_bytes();

	return now > from ? now - from : 0;
}

/* 32 MiB of weights in eight layers: packed they stay once, however often the model is loaded. */
START_TEST(weights_are_held_once_and_given_back)
{
	struct nx_engine *e = open_cpu();
	struct nx_loaded *warm = load(e, layers(64, 1)), *l[3];
	struct nx_loaded_memory m;
	size_t before = anonymous_bytes();

	for (size_t i = 0; i < NX_ARRAY_LEN(l); i++) {
		l[i] = load(e, layers(1024, 8));
		ck_assert_uint_ge(grown(before), 30 * MIB);
		/* oneDNN packs them in one way for one row and in another for many. */
		ck_assert_uint_le(grown(before), (2 * 32 + 16) * MIB);
	}
	nx_loaded_memory(l[0], &m);
	ck_assert_uint_ge(m.total_bytes, 32 * MIB);
	ck_assert_uint_le(m.total_bytes, (2 * 32 + 4) * MIB);
	for (size_t i = 0; i < NX_ARRAY_LEN(l); i++)
		nx_loaded_free(&l[i]);
	ck_assert_uint_le(grown(before), 8 * MIB);
	nx_loaded_free(&warm);
	nx_engine_close(&e);
}
END_TEST
#define OF_THE_SYSTEM , weights_are_held_once_and_given_back
#else
#define OF_THE_SYSTEM /* a sanitizer's allocator keeps what is freed */
#endif

UNIT_MAIN("engine/memory", a_loaded_model_needs_no_graph, batch_sizes_share_one_arena,
	activations_are_little_more_than_what_lives,
	others_may_be_loaded_while_one_runs OF_THE_SYSTEM)
