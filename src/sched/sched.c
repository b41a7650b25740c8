/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/sched.h"
#include "sched/bound.h"
#include "sched/emit.h"
#include "sched/place.h"
#include "sched/problem.h"
#include "sched/resplit.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

/* Of a type: with more of them one of each type that is only partly used is nothing. */
#define FEW_DEVICES 8

/* A problem and the fresh placement of it. */
struct solution {
	struct nx_problem problem;
	struct nx_placement placement;
	double cost; /* of its devices, what is not served counting as infinitely dear */
};

static void solution_release(struct solution *s)
{
	nx_placement_release(&s->placement);
	nx_problem_release(&s->problem);
}

/* Places all of s->problem. */
static void place(struct solution *s)
{
	nx_place(&s->problem, &s->placement);
	nx_place_number(&s->problem, &s->placement);
	s->cost = 0;
	for (size_t i = 0; i < s->placement.n; i++)
		s->cost += s->problem.type[s->placement.slot[i].type].cost;
	for (size_t i = 0; i < s->problem.n_demands; i++)
		if (s->placement.left[i] > 0)
			s->cost = INFINITY;
}

/* Moves an option of a demand from one place of its list to another. */
static void move_option(struct nx_demand *d, size_t from, size_t to)
{
	struct nx_option moved = d->option[from];

	for (; from > to; from--)
		d->option[from] = d->option[from - 1];
	for (; from < to; from++)
		d->option[from] = d->option[from + 1];
	d->option[to] = moved;
}

/* What is left of sessions takes a device of every type that is cheapest for some: of a few devices
 * that is many.  So tries what all sessions would cost that prefer one type. */
static void try_types(struct solution *s)
{
	struct nx_problem *p = &s->problem;
	size_t *was = nx_alloc(p->n_demands + 1, sizeof *was);

	for (size_t t = 0; t < p->n_types && s->placement.n <= FEW_DEVICES * p->n_types; t++) {
		struct nx_placement before = s->placement;
		double cost = s->cost;

		for (size_t i = 0; i < p->n_demands; i++) {
			struct nx_demand *d = &p->demand[i];

			was[i] = 0;
			while (was[i] < d->n_options && d->option[was[i]].type != t)
				was[i]++;
			if (was[i] < d->n_options)
				move_option(d, was[i], 0);
		}
		place(s);
		if (s->cost < cost) {
			nx_placement_release(&before);
			continue;
		}
		nx_placement_release(&s->placement);
		s->placement = before;
		s->cost = cost;
		for (size_t i = 0; i < p->n_demands; i++)
			if (was[i] < p->demand[i].n_options)
				move_option(&p->demand[i], 0, was[i]);
	}
	free(was);
}

static int solve(const struct nx_sched_request *request, enum nx_split_aim aim, struct solution *s,
	struct nx_err *err)
{
	*s = (struct solution){ 0 };
	if (nx_problem_init(&s->problem, request->workload, request->profiles, aim, request->source,
		    err) < 0)
		return -err->code;
	s->problem.work = (struct nx_work){ .paper = request->paper,
		.divide = !request->paper,
		.seed = request->seed,
		.left = request->left,
		.arg = request->arg,
		.share = aim == NX_SPLIT_THROUGHPUT && s->problem.n_queries ? 0.5 : 0.95,
		.looks_an_item = nx_work_usual(s->problem.n_demands) };
	s->problem.one_type = !request->previous;
	for (size_t t = 0; t < s->problem.n_types; t++)
		if (s->problem.type[t].count >= 0)
			s->problem.one_type = false;
	if (s->problem.n_types > 1)
		s->problem.work.share /= 2;
	place(s);
	if (s->problem.n_types > 1 && !request->paper)
		try_types(s);
	return 0;
}

/* Splits the queries again for the devices that are used; what is there stays if it is cheaper. */
static void resplit(struct solution *s)
{
	struct nx_placement before = s->placement;
	double cost = s->cost, *slo = nx_alloc(s->problem.n_demands + 1, sizeof *slo);

	for (size_t i = 0; i < s->problem.n_demands; i++)
		slo[i] = s->problem.demand[i].slo_ms;
	if (cost < INFINITY && nx_resplit(&s->problem)) {
		place(s);
		if (s->cost <= cost) {
			nx_placement_release(&before);
			free(slo);
			return;
		}
		nx_placement_release(&s->placement);
		for (size_t i = 0; i < s->problem.n_demands; i++)
			if (s->problem.demand[i].slo_ms != slo[i])
				nx_demand_set_slo(&s->problem, &s->problem.demand[i], slo[i]);
	}
	s->placement = before;
	s->cost = cost;
	free(slo);
}

/* The better of both ways to split queries; the paper's if they need the same. */
static int solve_best(
	const struct nx_sched_request *request, struct solution *best, struct nx_err *err)
{
	struct solution other;

	if (solve(request, NX_SPLIT_THROUGHPUT, best, err) < 0)
		return -err->code;
	if (best->problem.n_queries == 0 || request->paper)
		return 0;
	if (solve(request, NX_SPLIT_OCCUPANCY, &other, err) < 0) {
		solution_release(best);
		return -err->code;
	}
	for (size_t i = 0; i < best->problem.n_queries; i++) {
		other.problem.query[i].devices = best->problem.query[i].devices;
		other.problem.query[i].exact = best->problem.query[i].exact;
	}
	if (other.cost < best->cost) {
		struct solution worse = *best;

		*best = other;
		other = worse;
	}
	solution_release(&other);
	resplit(best);
	return 0;
}

/* What no plan can beat.  'searched': devices of the fresh placement, which may be proved fewest. */
static void add_bounds(struct solution *s, size_t searched, struct nx_plan *plan)
{
	const char *kind;

	nx_bound_of(&s->problem, s->placement.left, &plan->bounds);
	for (size_t i = 0; i < s->problem.n_demands; i++)
		if (s->placement.left[i] > 0)
			searched = 0;
	if (searched && s->problem.n_queries == 0)
		plan->bounds.search = (double)searched;
	plan->lower_bound = nx_bound_best(&plan->bounds, &kind);
	plan->bound = nx_strdup(kind);

	plan->cost = -1;
	for (size_t t = 1; t < s->problem.n_types; t++)
		if (s->problem.type[t].cost != s->problem.type[0].cost)
			plan->cost = 0;
	for (size_t i = 0; plan->cost >= 0 && i < s->placement.n; i++)
		plan->cost += s->problem.type[s->placement.slot[i].type].cost;

	double least = ceil(plan->lower_bound);
	plan->gap = least > 0 ? (double)plan->n_backends / least - 1 : 0;
}

int nx_sched_plan(const struct nx_sched_request *request, struct nx_plan *plan, struct nx_err *err)
{
	const struct nx_plan *previous = request->previous;
	struct solution s;

	*plan = (struct nx_plan){ 0 };
	if (solve_best(request, &s, err) < 0)
		return -err->code;
	size_t searched = s.placement.proved ? s.placement.n : 0;
	if (previous)
		nx_place_stick(&s.problem, previous, &s.placement);
	plan->epoch = request->epoch >= 0 ? request->epoch : previous ? previous->epoch + 1 : 1;
	plan->created = nx_strdup(request->created);
	nx_emit(&s.problem, &s.placement, plan);
	plan->moved = previous ? nx_emit_moved(plan, previous) : 0;
	add_bounds(&s, searched, plan);
	solution_release(&s);
	return 0;
}
