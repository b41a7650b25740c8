/* SPDX-License-Identifier: Apache-2.0 */
/* Without a plan: measure each model for a moment and batch so that its SLO holds. */
#include "serve/lineup.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <math.h>
#include <stdlib.h>

#define BATCH_TOP   64                    /* no batch is larger */
#define TIME_CAP_NS (1500 * NX_NS_PER_MS) /* for measuring one model */
#define RUNS        3

/* A request that just missed its batch waits for that one, for a turn of each other model, and
 * then for its own: with one model two batches, with n models n + 1. */
static double turn_ms(const struct nx_alone *a)
{
	return a->slo_ms / (double)(a->n_models + 1);
}

/* The median of a few runs, after one that warms up; fewer when time is short. */
static int measure(
	struct nx_loaded *l, uint32_t rows, uint64_t until, double *ms, struct nx_err *err)
{
	double run[RUNS];
	int n = 0;

	if (nx_cost_run(l, rows, ms, err))
		return -err->code;
	do {
		if (nx_cost_run(l, rows, &run[n], err))
			return -err->code;
		n++;
	} while (n < RUNS && nx_now_ns() < until);
	*ms = run[0];
	if (n == RUNS)
		*ms = fmax(fmin(run[0], run[1]), fmin(fmax(run[0], run[1]), run[2]));
	return 0;
}

/* Doubles the batch until it is too long for a turn or the time is up. */
static int measure_curve(
	struct nx_loaded *l, double longest_ms, struct nx_latency *curve, struct nx_err *err)
{
	uint64_t until = nx_now_ns() + TIME_CAP_NS;

	for (uint32_t b = 1; b <= BATCH_TOP; b *= 2) {
		struct nx_latency_point *p = &curve->point[curve->n];
		*p = (struct nx_latency_point){ b, 0, -1, -1, RUNS };
		if (measure(l, b, until, &p->mean_ms, err))
			return -err->code;
		curve->n++;
		if (p->mean_ms > longest_ms || nx_now_ns() > until)
			break;
	}
	return 0;
}

int nx_alone_batch(const struct nx_alone *a, const struct nx_latency *curve, const char *model,
	uint32_t *batch, struct nx_err *err)
{
	int64_t top = nx_latency_max_batch(curve), b = 1;

	if (nx_latency_at(curve, 1) > a->slo_ms)
		return nx_err_set(err, NX_ENO,
			"model '%s' takes %.3g ms for one request, more than the SLO of %g ms",
			model, nx_latency_at(curve, 1), a->slo_ms);
	while (b < top && b < BATCH_TOP && nx_latency_at(curve, b + 1) <= turn_ms(a))
		b++;
	*batch = (uint32_t)b;
	return 0;
}

/* Fills m->cost_ms for batches up to 'batch'. */
static void draw(struct nx_served_model *m, const struct nx_latency *curve, uint32_t batch)
{
	m->max_batch = batch;
	m->cost_ms = nx_alloc(batch, sizeof *m->cost_ms);
	for (uint32_t b = 1; b <= batch; b++)
		m->cost_ms[b - 1] = nx_latency_at(curve, b);
}

static int load_profiled(struct nx_engine *engine, const struct nx_alone *a,
	const struct nx_profile *p, struct nx_served_model *m, uint32_t *batch, struct nx_err *err)
{
	if (nx_alone_batch(a, &p->latency, m->name, batch, err))
		return -err->code;
	draw(m, &p->latency, *batch);
	const struct nx_load_opts opts = {
		.max_batch = (int)*batch, .cost_ms = m->cost_ms, .n_cost = *batch
	};
	return nx_engine_load(engine, m->model, &opts, &m->loaded, err);
}

int nx_alone_load(struct nx_engine *engine, const struct nx_alone *a, struct nx_served_model *m,
	uint32_t *batch, struct nx_err *err)
{
	const struct nx_profile *p =
		nx_profiles_find(a->profiles, m->name, nx_engine_info(engine)->name, NULL, 0);
	const struct nx_load_opts opts = { .max_batch = BATCH_TOP };
	struct nx_latency_point points[16];
	struct nx_latency curve = { 0, points, true };

	if (p)
		return load_profiled(engine, a, p, m, batch, err);
	if (nx_engine_load(engine, m->model, &opts, &m->loaded, err))
		return -err->code;
	if (measure_curve(m->loaded, turn_ms(a), &curve, err))
		return nx_err_wrap(err, "model '%s'", m->name);
	if (nx_alone_batch(a, &curve, m->name, batch, err))
		return -err->code;
	draw(m, &curve, *batch);
	return 0;
}
