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

/* Doubles the batch until two of it no longer fit into the SLO or the time is up. */
static int measure_curve(
	struct nx_loaded *l, double slo_ms, struct nx_latency *curve, struct nx_err *err)
{
	uint64_t until = nx_now_ns() + TIME_CAP_NS;

	for (uint32_t b = 1; b <= BATCH_TOP; b *= 2) {
		struct nx_latency_point *p = &curve->point[curve->n];
		*p = (struct nx_latency_point){ b, 0, -1, -1, RUNS };
		if (measure(l, b, until, &p->mean_ms, err))
			return -err->code;
		curve->n++;
		if (2 * p->mean_ms > slo_ms || nx_now_ns() > until)
			break;
	}
	return 0;
}

int nx_alone_batch(const struct nx_latency *curve, const char *model, double slo_ms,
	uint32_t *batch, struct nx_err *err)
{
	int64_t top = nx_latency_max_batch(curve), b = 1;

	if (nx_latency_at(curve, 1) > slo_ms)
		return nx_err_set(err, NX_ENO,
			"model '%s' takes %.3g ms for one request, more than the SLO of %g ms",
			model, nx_latency_at(curve, 1), slo_ms);
	/* A request that just missed a batch waits for it and then for its own. */
	while (b < top && b < BATCH_TOP && 2 * nx_latency_at(curve, b + 1) <= slo_ms)
		b++;
	*batch = (uint32_t)b;
	return 0;
}

int nx_alone_load(struct nx_engine *engine, const struct nx_profiles *profiles, double slo_ms,
	struct nx_served_model *m, uint32_t *batch, struct nx_err *err)
{
	const struct nx_profile *p =
		nx_profiles_find(profiles, m->name, nx_engine_info(engine)->name, m->precision, 0);
	struct nx_latency_point points[16];
	struct nx_latency curve = { 0, points, true };
	struct nx_load_opts opts = { .max_batch = BATCH_TOP };

	if (p) {
		curve = p->latency;
		if (nx_alone_batch(&curve, m->name, slo_ms, batch, err))
			return -err->code;
		opts.max_batch = (int)*batch;
	}
	m->max_batch = (uint32_t)opts.max_batch;
	m->cost_ms = nx_alloc(m->max_batch, sizeof *m->cost_ms);
	for (uint32_t b = 1; p && b <= m->max_batch; b++)
		m->cost_ms[b - 1] = nx_latency_at(&curve, b);
	if (p && nx_engine_info(engine)->simulated) {
		opts.cost_ms = m->cost_ms;
		opts.n_cost = m->max_batch;
	}
	if (nx_engine_load(engine, m->model, &opts, &m->loaded, err) || p)
		return -err->code;
	if (measure_curve(m->loaded, slo_ms, &curve, err))
		return nx_err_wrap(err, "model '%s'", m->name);
	if (nx_alone_batch(&curve, m->name, slo_ms, batch, err))
		return -err->code;
	for (uint32_t b = 1; b <= *batch; b++)
		m->cost_ms[b - 1] = nx_latency_at(&curve, b);
	return 0;
}
