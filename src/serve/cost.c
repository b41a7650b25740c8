/* SPDX-License-Identifier: Apache-2.0 */
/* How long a batch will take: what the dispatcher predicts with and a simulated device does. */
#include "serve/lineup.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A profile says what may run: a batch above its last point is a plan made from another one. */
static int from_profile(const struct nx_profile *p, const struct nx_plan_session *s,
	uint32_t max_batch, double *cost_ms, struct nx_err *err)
{
	for (uint32_t b = 1; b <= max_batch; b++) {
		cost_ms[b - 1] = nx_latency_at(&p->latency, b);
		if (cost_ms[b - 1] < 0)
			return nx_err_set(err, NX_EDATA,
				"session '%s': batch %u is above the last of the profile of '%s' (%lld)",
				s->session, max_batch, s->model,
				(long long)nx_latency_max_batch(&p->latency));
	}
	return 1;
}

void nx_cost_from_plan(const struct nx_plan *plan, const struct nx_plan_backend *backend,
	const struct nx_plan_session *of, uint32_t max_batch, double *cost_ms)
{
	const struct nx_plan_session *lo = of, *hi = of;

	for (size_t i = 0; i < plan->n_backends; i++) {
		const struct nx_plan_backend *b = &plan->backend[i];
		for (size_t k = 0; k < b->n_sessions && !strcmp(b->device, backend->device); k++) {
			const struct nx_plan_session *s = &b->session[k];
			if (strcmp(s->model, of->model) != 0)
				continue;
			lo = s->batch < lo->batch ? s : lo;
			hi = s->batch > hi->batch ? s : hi;
		}
	}
	double alpha = hi->exec_ms / (2 * (double)hi->batch);
	if (hi->batch > lo->batch)
		alpha = (hi->exec_ms - lo->exec_ms) / (double)(hi->batch - lo->batch);
	alpha = fmin(fmax(alpha, 0), hi->exec_ms / (double)hi->batch);
	double beta = hi->exec_ms - alpha * (double)hi->batch;
	for (uint32_t b = 1; b <= max_batch; b++)
		cost_ms[b - 1] = alpha * b + beta;
}

int nx_cost_planned(const struct nx_serve_config *cfg, const struct nx_profiles *profiles,
	const struct nx_engine *engine, const struct nx_plan *plan,
	const struct nx_plan_backend *backend, const struct nx_plan_session *s, uint32_t max_batch,
	double *cost_ms, struct nx_err *err)
{
	const struct nx_profile *p =
		nx_profiles_find(profiles, s->model, backend->device, s->precision, s->threads);
	bool has_line = strstr(cfg->device, "alpha=") || strstr(cfg->device, "beta=");

	if (p)
		return from_profile(p, s, max_batch, cost_ms, err);
	if (!nx_engine_info(engine)->simulated || has_line)
		return 0;
	nx_cost_from_plan(plan, backend, s, max_batch, cost_ms);
	return 1;
}

/* One buffer of zeros (or of room) for each tensor; NULL when there is no memory. */
static void **make_rows(const struct nx_io *io, size_t n, uint32_t rows)
{
	void **p = nx_alloc(n, sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = nx_try_alloc(rows, io[i].row_bytes);
	return p;
}

static bool all_there(void *const *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i])
			return false;
	return true;
}

static void free_rows(void **p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(p[i]);
	free(p);
}

int nx_cost_run(struct nx_loaded *l, uint32_t rows, double *ms, struct nx_err *err)
{
	const struct nx_io *in_io, *out_io;
	size_t n_in = nx_loaded_inputs(l, &in_io), n_out = nx_loaded_outputs(l, &out_io);
	void **in = make_rows(in_io, n_in, rows), **out = make_rows(out_io, n_out, rows);
	int rc;

	if (!all_there(in, n_in) || !all_there(out, n_out)) {
		rc = nx_err_set(err, NX_EOS, "no memory for a batch of %u", rows);
	} else {
		uint64_t start = nx_now_ns();
		rc = nx_loaded_run(l, rows, (const void *const *)in, out, err);
		*ms = nx_ns_to_ms(nx_now_ns() - start);
	}
	free_rows(in, n_in);
	free_rows(out, n_out);
	return rc;
}

/* The faster of two runs, after one that warms up. */
static int best_run(struct nx_served_model *m, uint32_t rows, double *best, struct nx_err *err)
{
	double ms = 0;

	for (int i = 0; i < 3; i++) {
		if (nx_cost_run(m->loaded, rows, &ms, err))
			return nx_err_wrap(err, "model '%s'", m->name);
		if (i == 1 || (i == 2 && ms < *best))
			*best = ms;
	}
	return 0;
}

/* Nobody has said what smaller batches cost, and taking them for as long as the planned one would
 * refuse requests that are easily in time. */
int nx_cost_measured(
	struct nx_served_model *m, uint32_t batch, double planned_ms, struct nx_err *err)
{
	double one = 0, full = 0;

	if (best_run(m, 1, &one, err) || best_run(m, batch, &full, err))
		return -err->code;
	if (planned_ms > 0)
		full = planned_ms;
	one = fmin(one, full);
	double alpha = batch > 1 ? (full - one) / (batch - 1) : 0;
	for (uint32_t b = 1; b <= m->max_batch; b++)
		m->cost_ms[b - 1] = one + alpha * (b - 1);
	return 0;
}
