/* SPDX-License-Identifier: Apache-2.0 */
/* From a placement to the plan that is printed. */
#ifndef NX_SCHED_EMIT_H
#define NX_SCHED_EMIT_H

#include "sched/place.h"

/* Fills backends, routes, queries and unserved of *plan (zeroed before).  Orders the slots. */
void nx_emit(const struct nx_problem *p, struct nx_placement *pl, struct nx_plan *plan);

/* The (session, backend) pairs of 'plan' that 'previous' does not have. */
int64_t nx_emit_moved(const struct nx_plan *plan, const struct nx_plan *previous);

#endif
