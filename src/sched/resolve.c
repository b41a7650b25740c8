/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Demands: one for each session of the workload and each stage of its queries.
 *
 * A query is split here, before packing: its stages become sessions of their own whose SLOs are
 * their shares of the query's.  The options of the split are all batches on all device types, at
 * the cost of the devices they keep busy, so a stage may be given the time that a slower but
 * cheaper device type needs.
 */
#include "sched/resolve.h"
#include "sched/split.h"

#include "core/alloc.h"
#include "core/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RATE          1e12 /* as all figures of the formats */
#define OCCUPANCY_BATCHES 64   /* looked at for a stage */

void nx_resolve_fail(struct nx_resolve *r, int line, const char *fmt, ...)
{
	static const size_t room =
		sizeof((struct nx_err *)0)->msg - sizeof "\nand 18446744073709551615 more";
	size_t before = r->text.len;
	char what[300];
	va_list ap;

	r->mistakes++;
	if (r->hidden++)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	nx_buf_addf(&r->text, "%s%s:%d: %s", before ? "\n" : "", r->source, line, what);
	if (before && r->text.len > room) {
		r->text.len = before;
		r->text.data[before] = '\0';
	} else {
		r->hidden = 0;
	}
}

int nx_resolve_finish(struct nx_resolve *r, struct nx_err *err)
{
	int rc = 0;

	if (r->hidden)
		nx_buf_addf(&r->text, "\nand %zu more", r->hidden);
	if (r->mistakes)
		rc = nx_err_set(err, NX_EDATA, "%s", r->text.data);
	nx_buf_release(&r->text);
	return rc;
}

/* ---- models -------------------------------------------------------------------------------- */

static const char *closest_model(const struct nx_problem *p, const char *model)
{
	const char **word = nx_alloc(p->models.n + 1, sizeof *word);

	for (size_t i = 0; i < p->models.n; i++)
		word[i] = p->models.entry[i].name;
	const char *closest = nx_text_closest(model, word, p->models.n);
	free(word);
	return closest;
}

/* Whether some profile serves the demand; notes the mistake, at 'path', if not. */
static bool check_model(struct nx_resolve *r, const struct nx_demand *d, const char *path, int line)
{
	const struct nx_problem *p = r->problem;
	size_t first = nx_index_find(&p->models, d->model);

	if (first == NX_INDEX_NONE) {
		const char *closest = closest_model(p, d->model);

		if (closest)
			nx_resolve_fail(r, line,
				"%s: no profile of model '%s' (did you mean '%s'?)", path, d->model,
				closest);
		else
			nx_resolve_fail(r, line, "%s: no profile of model '%s'", path, d->model);
		return false;
	}
	for (size_t t = 0; t < p->n_types; t++) {
		size_t at = first;

		if (nx_problem_match(p, d, t, &at))
			return true;
	}
	if (p->n_types == 0)
		return false; /* said of the devices already */
	struct nx_buf wanted = NX_BUF_INIT;
	if (d->precision)
		nx_buf_addf(&wanted, ", precision %s", d->precision);
	if (d->threads)
		nx_buf_addf(&wanted, ", threads %lld", (long long)d->threads);
	nx_resolve_fail(r, line, "%s: no profile of model '%s'%s for any device type in use", path,
		d->model, wanted.data ? wanted.data : "");
	nx_buf_release(&wanted);
	return false;
}

static struct nx_demand *add_demand(struct nx_resolve *r, struct nx_demand d)
{
	struct nx_problem *p = r->problem;

	p->demand = nx_grow(p->demand, &r->cap, p->n_demands + 1, sizeof *p->demand);
	p->demand[p->n_demands] = d;
	return &p->demand[p->n_demands++];
}

/* ---- options ------------------------------------------------------------------------------- */

struct ranked {
	struct nx_option option;
	double price; /* cost of the devices it keeps busy */
};

static int cheaper_option(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->price != y->price)
		return x->price < y->price ? -1 : 1;
	return x->option.type < y->option.type ? -1 : x->option.type > y->option.type;
}

/* Why no profile on no type serves the demand: the least that is missing. */
static char *explain_none(const struct nx_demand *d, const struct nx_option *closest, double memory)
{
	if (closest->device_ms > d->slo_ms * (1 + NX_SCHED_EPS))
		return nx_asprintf("2*l(1) = %.6g ms > slo %.6g ms", closest->device_ms, d->slo_ms);
	return nx_asprintf("memory for a batch of %lld = %.0f bytes > %.0f bytes of the device",
		(long long)closest->curve->row[0].run,
		closest->weights_bytes + (double)closest->curve->row[0].run * closest->row_bytes,
		memory);
}

/* What a demand costs under an option at least; of no rate: what a request a second costs. */
static double option_price(
	const struct nx_problem *p, const struct nx_demand *d, const struct nx_option *o)
{
	double cost = p->type[o->type].cost;

	return d->rate > 0 ? cost * nx_option_devices(o, d->slo_ms, d->rate) : cost / o->max_rate;
}

/* The options of a demand, the cheapest first; or the reason for none. */
static void make_options(struct nx_problem *p, struct nx_demand *d)
{
	struct ranked *rank = nx_alloc(p->n_types, sizeof *rank);
	struct nx_option closest = { .device_ms = INFINITY };
	size_t first = nx_index_find(&p->models, d->model), n = 0;

	for (size_t t = 0; t < p->n_types; t++) {
		struct nx_option best = { 0 };
		const struct nx_profile *profile;

		for (size_t at = first; (profile = nx_problem_match(p, d, t, &at)) != NULL;) {
			struct nx_option o = nx_problem_option(p, profile, t, d->slo_ms);

			if (o.device_ms < closest.device_ms)
				closest = o;
			if (o.max_rate > best.max_rate)
				best = o;
		}
		if (best.max_batch > 0)
			rank[n++] = (struct ranked){ best, option_price(p, d, &best) };
	}
	qsort(rank, n, sizeof *rank, cheaper_option);
	d->option = nx_alloc(n + 1, sizeof *d->option);
	for (size_t i = 0; i < n; i++)
		d->option[i] = rank[i].option;
	d->n_options = n;
	if (n == 0)
		d->reason = explain_none(d, &closest, p->type[closest.type].memory_bytes);
	free(rank);
}

void nx_demand_set_slo(struct nx_problem *p, struct nx_demand *d, double slo_ms)
{
	free(d->option);
	free(d->reason);
	d->reason = NULL;
	d->slo_ms = slo_ms;
	make_options(p, d);
}

/* ---- queries ------------------------------------------------------------------------------- */

/* The options of a stage under construction. */
struct stage_options {
	struct nx_split_stage *stage;
	size_t cap;
};

static void add_option(struct stage_options *s, double time_ms, double cost, int64_t batch)
{
	s->stage->option =
		nx_grow(s->stage->option, &s->cap, s->stage->n + 1, sizeof *s->stage->option);
	s->stage->option[s->stage->n++] = (struct nx_split_option){ time_ms, cost, batch };
}

/* Every batch that is the best of those up to it, at what it costs to run only such. */
static void add_throughputs(struct stage_options *s, const struct nx_option *o, double price)
{
	for (int64_t b = 1; b <= o->max_batch; b++) {
		double ms = nx_curve_ms(o->curve, b);

		if (o->curve->row[b - 1].best == b)
			add_option(s, 2 * ms, price * ms / (1000 * (double)b), b);
	}
}

/* Budgets at which the occupancy of a rate stops falling: 2 l(b), from where b fills a device,
 * and l(b) + b / rate, from where b rows have time to arrive; of the whole rate or of what whole
 * devices leave.  A waiting request costs time but no device, so low rates want more than 2 l(b).
 */
static void add_occupancies(struct nx_problem *p, struct stage_options *s,
	const struct nx_option *o, double rate, double cost)
{
	int64_t step = (o->max_batch + OCCUPANCY_BATCHES - 1) / OCCUPANCY_BATCHES;

	for (int64_t b = 1; b <= o->max_batch; b += step) {
		double ms = nx_curve_ms(o->curve, b), rest;

		nx_whole_devices(rate, 1000 * (double)b / ms, &rest);
		const double budget[] = { 2 * ms, ms + 1000 * (double)b / rate,
			ms + 1000 * (double)b / rest, 3 * ms, 5 * ms };
		for (size_t i = 0; i < NX_ARRAY_LEN(budget); i++) {
			if (!(budget[i] >= 2 * ms && budget[i] < INFINITY))
				continue;
			struct nx_option at = nx_problem_option(p, o->profile, o->type, budget[i]);

			add_option(s, budget[i], cost * nx_option_devices(&at, budget[i], rate), b);
		}
	}
}

/* Every useful budget of a stage, by every profile on every type. */
static void stage_options(struct nx_problem *p, const struct nx_demand *d, bool with_cost,
	enum nx_split_aim aim, struct nx_split_stage *stage)
{
	size_t first = nx_index_find(&p->models, d->model);
	struct stage_options s = { stage, 0 };
	const struct nx_profile *profile;

	for (size_t t = 0; t < p->n_types; t++) {
		for (size_t at = first; (profile = nx_problem_match(p, d, t, &at)) != NULL;) {
			struct nx_option o = nx_problem_option(p, profile, t, INFINITY);
			double cost = with_cost ? p->type[t].cost : 1;

			if (aim == NX_SPLIT_THROUGHPUT || d->rate <= 0)
				add_throughputs(&s, &o, cost * d->rate);
			else
				add_occupancies(p, &s, &o, d->rate, cost);
		}
	}
}

/* What a stage's budget is at most: the query's SLO less the least that the longest path through
 * the stage spends elsewhere. */
static double widest_budget(const struct nx_split_stage *stage, size_t n, size_t v, double slo_ms)
{
	double *below = nx_alloc(n, sizeof *below);
	double above = 0;

	for (size_t i = n; i-- > v + 1;) {
		double path = below[i] + stage[i].option[0].time_ms;

		if (stage[i].parent >= 0 && path > below[stage[i].parent])
			below[stage[i].parent] = path;
	}
	for (int i = stage[v].parent; i >= 0; i = stage[i].parent)
		above += stage[i].option[0].time_ms;
	double widest = slo_ms - above - below[v];
	free(below);
	return widest;
}

static char *name_longest(const struct nx_wl_query *q, double least_ms)
{
	if (least_ms == INFINITY)
		return nx_strdup("memory of the device is too small for one of its stages");
	return nx_asprintf(
		"2*l(1) along its longest path = %.6g ms > slo %.6g ms", least_ms, q->slo_ms);
}

/* A lower bound for the devices of the query, whatever its split. */
static void bound_query(struct nx_squery *q, struct nx_split_stage *stage, size_t *choice)
{
	struct nx_split_result best = { .choice = choice };

	q->exact = nx_split(stage, q->wl->n_stages, q->wl->slo_ms, &best) == 0 && best.exact;
	q->devices = best.cost;
}

/* Splits the query; its stages become demands, or it gets a reason. */
static void split_query(struct nx_resolve *r, struct nx_squery *q, struct nx_demand *d)
{
	size_t n = q->wl->n_stages;
	struct nx_split_stage *stage = nx_alloc(n, sizeof *stage);
	struct nx_split_stage *bound = nx_alloc(n, sizeof *bound);
	double *time = nx_alloc(2 * n, sizeof *time), *budget = time + n;
	int *parent = nx_alloc(n, sizeof *parent);
	struct nx_split_result best = { .choice = nx_alloc(n, sizeof *best.choice) };

	for (size_t i = 0; i < n; i++) {
		stage[i].parent = bound[i].parent = parent[i] = q->wl->stage[i].parent;
		stage_options(r->problem, &d[i], true, r->aim, &stage[i]);
		if (r->aim == NX_SPLIT_THROUGHPUT)
			stage_options(r->problem, &d[i], false, r->aim, &bound[i]);
	}
	if (nx_split(stage, n, q->wl->slo_ms, &best) < 0) {
		q->reason = name_longest(q->wl, best.least_ms);
	} else {
		for (size_t i = 0; i < n; i++)
			time[i] = stage[i].option[best.choice[i]].time_ms;
		nx_split_stretch(parent, time, n, q->wl->slo_ms, budget);
		if (r->aim == NX_SPLIT_THROUGHPUT)
			bound_query(q, bound, best.choice);
	}
	q->first = r->problem->n_demands;
	for (size_t i = 0; i < n; i++) {
		if (q->reason) {
			free(d[i].session);
		} else {
			d[i].slo_ms = budget[i];
			d[i].widest_slo_ms = widest_budget(stage, n, i, q->wl->slo_ms);
			make_options(r->problem, add_demand(r, d[i]));
		}
	}
	for (size_t i = 0; i < n; i++) {
		free(stage[i].option);
		free(bound[i].option);
	}
	free(best.choice);
	free(parent);
	free(time);
	free(bound);
	free(stage);
}

static void add_query(struct nx_resolve *r, size_t index)
{
	struct nx_squery *q = &r->problem->query[index];
	const struct nx_wl_query *wl = &r->problem->workload->query[index];
	struct nx_demand *d = nx_alloc(wl->n_stages, sizeof *d);
	bool known = true;

	q->wl = wl;
	for (size_t i = 0; i < wl->n_stages; i++) {
		const struct nx_wl_stage *s = &wl->stage[i];
		char path[80];

		d[i] = (struct nx_demand){ .session = nx_asprintf("%s/%s", wl->query, s->stage),
			.model = s->model,
			.precision = s->precision,
			.threads = s->threads,
			.query = index,
			.stage = i,
			.rate = s->parent < 0 ? wl->rate : d[s->parent].rate * s->gamma };
		snprintf(path, sizeof path, ".queries[%d].stages[%d].model", wl->index, s->index);
		known = check_model(r, &d[i], path, s->line) && known;
		if (!(d[i].rate <= MAX_RATE)) {
			nx_resolve_fail(r, s->line,
				".queries[%d].stages[%d].gamma: the stage's rate is above 1e12 (%g)",
				wl->index, s->index, d[i].rate);
			known = false;
		}
	}
	if (known) {
		split_query(r, q, d);
	} else {
		for (size_t i = 0; i < wl->n_stages; i++)
			free(d[i].session);
	}
	free(d);
}

void nx_resolve_demands(struct nx_resolve *r)
{
	struct nx_problem *p = r->problem;
	const struct nx_workload *w = p->workload;

	for (size_t i = 0; i < w->n_sessions; i++) {
		const struct nx_wl_session *s = &w->session[i];
		char path[40];
		struct nx_demand d = { .model = s->model,
			.precision = s->precision,
			.threads = s->threads,
			.slo_ms = s->slo_ms,
			.widest_slo_ms = s->slo_ms,
			.rate = s->rate,
			.query = NX_INDEX_NONE,
			.stage = NX_INDEX_NONE };

		snprintf(path, sizeof path, ".sessions[%d].model", s->index);
		if (!check_model(r, &d, path, s->line))
			continue;
		d.session = nx_strdup(s->session);
		make_options(p, add_demand(r, d));
	}
	p->query = nx_alloc(w->n_queries + 1, sizeof *p->query);
	p->n_queries = w->n_queries;
	for (size_t i = 0; i < w->n_queries; i++)
		add_query(r, i);
}
