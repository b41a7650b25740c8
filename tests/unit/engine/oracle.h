/* SPDX-License-Identifier: Apache-2.0 */
/* The model's own kernels as the oracle of a device. */
#ifndef NX_TESTS_ENGINE_ORACLE_H
#define NX_TESTS_ENGINE_ORACLE_H

#include "engine/engine.h"
#include "engine_dir.h"
#include "graphs.h"
#include "model/ops.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>

/* What models are loaded with. */
static const char *tuning = "";

static inline struct nx_tensor *reference_tensors(const struct nx_graph *g, const float *x)
{
	struct nx_tensor *t = nx_alloc(g->n_values, sizeof *t);
	struct nx_err err = NX_ERR_INIT;

	for (size_t i = 0; i < g->n_values; i++) {
		const struct nx_value *v = &g->values[i];
		if (v->constant)
			t[i] = *v->constant;
		else if (v->known)
			ck_assert_int_eq(nx_tensor_init(&t[i], v->dtype, &v->shape, &err), 0);
	}
	memcpy(t[g->in[0]].data, x, t[g->in[0]].bytes);
	return t;
}

/* Runs the graph node by node with the reference kernels. */
static inline struct nx_tensor *reference(const struct nx_graph *g, const float *x)
{
	struct nx_tensor *t = reference_tensors(g, x);
	struct nx_err err = NX_ERR_INIT;

	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *n = &g->nodes[i];
		const struct nx_tensor *in[8];
		struct nx_tensor *out[8];
		for (size_t k = 0; k < n->n_in; k++)
			in[k] = n->in[k] == NX_NO_VALUE ? NULL : &t[n->in[k]];
		for (size_t k = 0; k < n->n_out; k++)
			out[k] = n->out[k] == NX_NO_VALUE ? NULL : &t[n->out[k]];
		ck_assert_msg(
			nx_op_eval(g->opset, n, in, out, &err) == 0, "%s: %s", n->op, err.msg);
	}
	return t;
}

static inline void release(const struct nx_graph *g, struct nx_tensor *t)
{
	for (size_t i = 0; i < g->n_values; i++)
		if (!g->values[i].constant)
			nx_tensor_release(&t[i]);
	free(t);
}

/* Within 'whole' of the largest number, and 'own' of each. */
static inline void compare(
	const char *what, const float *got, const float *want, size_t n, float whole, float own)
{
	float largest = 1e-6f;

	for (size_t i = 0; i < n; i++)
		largest = fmaxf(largest, fabsf(want[i]));
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(fabsf(got[i] - want[i]) <= whole * largest + own * fabsf(want[i]),
			"%s: element %zu is %g, not %g", what, i, (double)got[i], (double)want[i]);
}

static inline struct nx_engine *open_cpu(const char *spec)
{
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();

	ck_assert_msg(nx_engine_open(spec, dir, &e, &err) == 0, "%s", err.msg);
	free(dir);
	return e;
}

/* What a device and the oracle say of the first output of some rows. */
struct answer {
	size_t n;
	float *got, *want;
	size_t steps, reorders; /* of one row */
	char kernels[4096];     /* their names, a space in front and behind each */
	char precision[16];
};

static inline void count_step(void *arg, const struct nx_plugin_step *step)
{
	struct answer *a = arg;
	size_t len = strlen(a->kernels);

	a->steps++;
	a->reorders += *step->node == '\0';
	snprintf(a->kernels + len, sizeof a->kernels - len, " %s/%s ", step->op, step->kernel);
}

static inline void answer_release(struct answer *a)
{
	free(a->got);
	free(a->want);
}

/* Loads and runs 'rows' rows of random numbers through graph g; frees nothing of g. */
static inline void ask(struct nx_engine *e, const char *what, struct nx_graph *g, size_t rows,
	int max_batch, const char *precision, struct answer *a)
{
	struct nx_model model = { .name = nx_strdup(what), .graph = g };
	const struct nx_load_opts opts = {
		.max_batch = max_batch,
		.precision = precision,
		.tuning = tuning,
	};
	struct nx_loaded *l = NULL;
	struct nx_graph *closed = NULL;
	struct nx_err err = NX_ERR_INIT;
	const struct nx_io *in, *out;

	memset(a, 0, sizeof *a);
	ck_assert_msg(nx_engine_load(e, &model, &opts, &l, &err) == 0, "%s: %s", what, err.msg);
	nx_loaded_steps(l, count_step, a);
	snprintf(a->precision, sizeof a->precision, "%s", nx_loaded_precision(l));
	nx_loaded_inputs(l, &in);
	nx_loaded_outputs(l, &out);
	a->n = rows * out[0].row_bytes / sizeof(float);
	float *x = nx_alloc(rows, in[0].row_bytes);
	a->got = nx_alloc(rows, out[0].row_bytes);
	a->want = nx_alloc(rows, out[0].row_bytes);
	for (size_t i = 0; i < rows * in[0].row_bytes / sizeof *x; i++)
		x[i] = (float)(2 * nx_rng_uniform(&rng) - 1);
	const void *ins[] = { x };
	void *outs[] = { a->got };
	/* Twice: what a run leaves behind must not matter. */
	for (int again = 0; again < 2; again++)
		ck_assert_msg(
			nx_loaded_run(l, rows, ins, outs, &err) == 0, "%s: %s", what, err.msg);

	ck_assert_msg(
		nx_graph_specialize(g, (int64_t)rows, &closed, &err) == 0, "%s: %s", what, err.msg);
	struct nx_tensor *t = reference(closed, x);
	memcpy(a->want, t[closed->out[0]].data, a->n * sizeof(float));
	release(closed, t);
	nx_graph_free(&closed);
	nx_loaded_free(&l);
	free(model.name);
	free(x);
}

#endif
