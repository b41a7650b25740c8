/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/sched.h"
#include "sched/bound.h"
#include "sched/emit.h"
#include "sched/place.h"
#include "sched/problem.h"

#include "core/alloc.h"

#include <math.h>

int nx_sched_plan(const struct nx_sched_request *request, struct nx_plan *plan,
	struct nx_sched_report *report, struct nx_err *err)
{
	const struct nx_plan *previous = request->previous;
	struct nx_problem problem;
	struct nx_placement placement;

	*plan = (struct nx_plan){ 0 };
	if (nx_problem_init(&problem, request->workload, request->profiles, request->source, err) <
		0)
		return -err->code;
	nx_place(&problem, &placement);
	nx_place_number(&problem, &placement);
	if (previous)
		nx_place_stick(&problem, previous, &placement);
	plan->epoch = request->epoch >= 0 ? request->epoch : previous ? previous->epoch + 1 : 1;
	plan->created = nx_strdup(request->created);
	nx_emit(&problem, &placement, plan);
	plan->moved = previous ? nx_emit_moved(plan, previous) : 0;

	struct nx_bound bound = nx_bound_of(&problem, placement.left);
	double least = ceil(bound.devices);
	plan->lower_bound = bound.devices;
	plan->gap = least > 0 ? (double)plan->n_backends / least - 1 : 0;
	report->bound = bound.kind;
	nx_placement_release(&placement);
	nx_problem_release(&problem);
	return 0;
}
