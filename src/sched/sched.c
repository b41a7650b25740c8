/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/sched.h"
#include "sched/bound.h"
#include "sched/emit.h"
#include "sched/place.h"
#include "sched/problem.h"

#include "core/alloc.h"

#include <math.h>

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
	nx_place(&s->problem, &s->placement);
	nx_place_number(&s->problem, &s->placement);
	for (size_t i = 0; i < s->placement.n; i++)
		s->cost += s->problem.type[s->placement.slot[i].type].cost;
	for (size_t i = 0; i < s->problem.n_demands; i++)
		if (s->placement.left[i] > 0)
			s->cost = INFINITY;
	return 0;
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
