/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/prefix.h"

#include "core/alloc.h"
#include "profile/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP    1.25 /* of work, between cuts that are chosen without being known */
#define SHALLOW 0.05 /* of the model's work: not worth a group */

#define BUDGET_SHARE  0.2 /* of the time that the model itself took */
#define BUDGET_MIN_MS 200 /* small models are measured in no time */

/* ---- which cuts ----------------------------------------------------------------------------- */

static bool is_known(const struct nx_cut *cut, const char *const *known, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(cut->digest, known[i]) == 0)
			return true;
	}
	return false;
}

static int step_of(const struct nx_cut *cut)
{
	return cut->work > 1 ? (int)(log(cut->work) / log(STEP)) : 0;
}

struct choice {
	const struct nx_cuts *cuts;
	bool *taken;
	size_t n, max;
};

static void take(struct choice *c, size_t i)
{
	if (c->n < c->max && !c->taken[i]) {
		c->taken[i] = true;
		c->n++;
	}
}

/* The first cut of each step of work, from the deepest on; the deepest of all first. */
static void take_steps(struct choice *c)
{
	const struct nx_cut *cut = c->cuts->cut;
	size_t n = c->cuts->n;

	while (n && cut[n - 1].work >= c->cuts->work)
		n--;
	for (size_t i = n; i-- > 0 && cut[i].work >= SHALLOW * c->cuts->work;) {
		bool first = i == 0 || step_of(&cut[i - 1]) != step_of(&cut[i]);
		if (first || i + 1 == n)
			take(c, i);
	}
}

size_t nx_prefix_choose(const struct nx_cuts *cuts, const char *const *known, size_t n_known,
	size_t max, size_t *chosen)
{
	struct choice c = { .cuts = cuts, .taken = nx_alloc(cuts->n, sizeof *c.taken), .max = max };
	size_t n = 0;

	for (size_t i = cuts->n; i-- > 0;) {
		if (cuts->cut[i].work >= SHALLOW * cuts->work &&
			is_known(&cuts->cut[i], known, n_known))
			take(&c, i);
	}
	take_steps(&c);
	for (size_t i = 0; i < cuts->n; i++) {
		if (c.taken[i])
			chosen[n++] = i;
	}
	free(c.taken);
	return n;
}

/* ---- what one costs ------------------------------------------------------------------------- */

static void add_point(struct nx_latency *l, int64_t batch, struct nx_samples *s)
{
	l->point = nx_realloc(l->point, l->n + 1, sizeof *l->point);
	struct nx_latency_point *p = &l->point[l->n++];
	*p = (struct nx_latency_point){ .batch = batch };
	nx_samples_summary(s, p);
	if (s->n < NX_SPLIT_SAMPLES)
		p->p99_ms = -1;
	if (s->n < 2)
		p->std_ms = -1;
}

static void add_part(struct nx_latency *l, int64_t batch, double ms)
{
	if (ms <= 0)
		return;
	l->point = nx_realloc(l->point, l->n + 1, sizeof *l->point);
	l->point[l->n++] = (struct nx_latency_point){ batch, ms, -1, -1, 0 };
}

static struct nx_profile_prefix *append(struct nx_profile *p, const struct nx_cut *cut)
{
	p->prefix = nx_realloc(p->prefix, p->n_prefix + 1, sizeof *p->prefix);
	struct nx_profile_prefix *x = &p->prefix[p->n_prefix++];

	*x = (struct nx_profile_prefix){ .digest = nx_strdup(cut->digest),
		.node = *cut->node ? nx_strdup(cut->node) : NULL,
		.weights_bytes = cut->weights_bytes < p->weights_bytes ? cut->weights_bytes
								       : p->weights_bytes };
	x->latency.interpolate = x->suffix.interpolate = p->latency.interpolate;
	return x;
}

/* The smallest, a middle and the largest; returns how many differ. */
static size_t some_batches(const struct nx_measure_opts *opts, int batch[3])
{
	const size_t at[3] = { 0, opts->n_batches / 2, opts->n_batches - 1 };
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		if (n == 0 || batch[n - 1] < opts->batch[at[i]])
			batch[n++] = opts->batch[at[i]];
	}
	return n;
}

static int measure_cut(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_cut *cut, const struct nx_measure_opts *opts, double budget_ms,
	struct nx_profile_prefix *x, struct nx_err *err)
{
	int batch[3] = { 0 };
	size_t n = some_batches(opts, batch);
	const struct nx_load_opts load_opts = { .max_batch = batch[n - 1],
		.precision = opts->precision,
		.tuning = opts->tune == NX_TUNE_OFF ? "" : NULL };
	struct nx_split b;
	int rc = nx_split_init(&b, engine, cut->digest, &model, 1, &load_opts, err);

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = nx_split_sample(
			&b, 0, (size_t)batch[i], budget_ms / (double)n, opts->rel_error, err);
		if (rc)
			break;
		add_point(&x->latency, batch[i], &b.trunk);
		if (b.suffix.mean > 0)
			add_point(&x->suffix, batch[i], &b.suffix);
	}
	nx_split_release(&b);
	return rc ? nx_err_wrap(err, "prefix '%s'", cut->node) : 0;
}

/* A device that runs nothing gives each part its share of what the whole takes. */
static void divide_cut(const struct nx_cut *cut, double work, const struct nx_latency *whole,
	struct nx_profile_prefix *x)
{
	for (size_t i = 0; i < whole->n; i++) {
		double trunk = whole->point[i].mean_ms * cut->work / work;
		add_part(&x->latency, whole->point[i].batch, trunk);
		add_part(&x->suffix, whole->point[i].batch, whole->point[i].mean_ms - trunk);
	}
}

static double budget(const struct nx_latency *whole)
{
	double spent_ms = 0;

	for (size_t i = 0; i < whole->n; i++)
		spent_ms += whole->point[i].mean_ms * (double)whole->point[i].samples;
	return fmax(BUDGET_SHARE * spent_ms, BUDGET_MIN_MS);
}

int nx_prefix_measure(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_cuts *cuts, const size_t *chosen, size_t n,
	const struct nx_measure_opts *opts, struct nx_profile *out, struct nx_err *err)
{
	double budget_ms = budget(&out->latency);
	bool simulated = nx_engine_info(engine)->simulated;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct nx_cut *cut = &cuts->cut[chosen[i]];
		struct nx_profile_prefix *x = append(out, cut);
		if (simulated)
			divide_cut(cut, cuts->work, &out->latency, x);
		else
			rc = measure_cut(engine, model, cut, opts, budget_ms / (double)n, x, err);
	}
	return rc;
}
