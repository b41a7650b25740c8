/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After the dynamic programme.
 *
 * The programme adds up what each stage costs alone; packed, stages with duty cycles that go
 * together cost less, and a stage may be given time that saves nothing.  So the splits are walked
 * downhill: a stage gives some of its time to all stages right after it or takes it from them, which
 * leaves the sum along every path as it is, and the whole is packed again, quickly.  What counts is
 * the cost of the devices, then the sum of the floors: of plans with as many devices the one whose
 * devices have most to spare.
 */
#include "sched/resplit.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

#define MOST_SESSIONS 400
#define MOST_TRIES    600
#define TRY_ITEMS     30000 /* tries times sessions, at most */

struct resplit {
	struct nx_problem *p;
	long tries; /* still allowed */
	double cost, floors;
};

/* Packs quickly; cost INFINITY if something cannot be served. */
static void evaluate(struct resplit *r, double *cost, double *floors)
{
	struct nx_placement pl;
	struct nx_work work = r->p->work;

	*cost = *floors = 0;
	r->p->work.looks_an_item = 0;
	r->p->work.left = NULL;
	nx_place(r->p, &pl);
	r->p->work = work;
	for (size_t i = 0; i < pl.n; i++) {
		const struct nx_slot *s = &pl.slot[i];

		*cost += r->p->type[s->type].cost;
		for (size_t j = 0; j < s->n; j++) {
			const struct nx_demand *d = &r->p->demand[s->part[j].demand];
			const struct nx_option *o = nx_demand_option(d, s->type);

			*floors += nx_option_devices(o, d->slo_ms, s->part[j].rate);
		}
	}
	for (size_t i = 0; i < r->p->n_demands; i++)
		if (pl.left[i] > 0)
			*cost = INFINITY;
	nx_placement_release(&pl);
}

/* Gives stage v of query q 'more' time (or less, if negative) at the expense of those right after
 * it; false, and some may have no options, if there is not so much. */
static bool shift(struct nx_problem *p, const struct nx_squery *q, size_t v, double more)
{
	bool served = true;

	for (size_t i = 0; i < q->wl->n_stages; i++) {
		struct nx_demand *d = &p->demand[q->first + i];
		double change = i == v ? more : q->wl->stage[i].parent == (int)v ? -more : 0;

		if (change == 0)
			continue;
		/* rounded down, so that the sum of the printed numbers keeps the SLO */
		double slo = floor((d->slo_ms + change) * 1e6) / 1e6;
		if (slo <= 0)
			return false;
		nx_demand_set_slo(p, d, slo);
		served = served && d->n_options > 0;
	}
	return served;
}

static bool try_shift(struct resplit *r, const struct nx_squery *q, size_t v, double more)
{
	size_t n = q->wl->n_stages;
	double *slo = nx_alloc(n, sizeof *slo), cost, floors;
	bool better = false;

	r->tries--;
	for (size_t i = 0; i < n; i++)
		slo[i] = r->p->demand[q->first + i].slo_ms;
	if (shift(r->p, q, v, more)) {
		evaluate(r, &cost, &floors);
		better = cost < r->cost - NX_SCHED_EPS ||
			 (cost <= r->cost + NX_SCHED_EPS && floors < r->floors - 1e-6);
	}
	if (better) {
		r->cost = cost;
		r->floors = floors;
	}
	for (size_t i = 0; i < n && !better; i++) {
		struct nx_demand *d = &r->p->demand[q->first + i];

		if (d->slo_ms != slo[i])
			nx_demand_set_slo(r->p, d, slo[i]);
	}
	free(slo);
	return better;
}

static bool has_next(const struct nx_squery *q, size_t v)
{
	for (size_t i = v + 1; i < q->wl->n_stages; i++)
		if (q->wl->stage[i].parent == (int)v)
			return true;
	return false;
}

/* One round over all stages of all queries with steps of a part of their SLOs. */
static bool walk(struct resplit *r, double part)
{
	bool moved = false;

	for (size_t i = 0; i < r->p->n_queries; i++) {
		const struct nx_squery *q = &r->p->query[i];
		double step = q->wl->slo_ms * part;

		for (size_t v = 0; v < q->wl->n_stages && !q->reason; v++) {
			if (!has_next(q, v) || r->tries <= 0)
				continue;
			if (try_shift(r, q, v, step) || try_shift(r, q, v, -step))
				moved = true;
		}
	}
	return moved;
}

bool nx_resplit(struct nx_problem *p)
{
	struct resplit r = { .p = p, .tries = MOST_TRIES };
	bool moved = false;

	if (p->n_queries == 0 || p->n_demands > MOST_SESSIONS)
		return false;
	if (r.tries > TRY_ITEMS / (long)(p->n_demands + 1))
		r.tries = TRY_ITEMS / (long)(p->n_demands + 1);
	evaluate(&r, &r.cost, &r.floors);
	if (r.cost == INFINITY)
		return false;
	for (double part = 1.0 / 8; part > 1.0 / 100; part /= 2)
		while (r.tries > 0 && walk(&r, part))
			moved = true;
	return moved;
}
