/* SPDX-License-Identifier: Apache-2.0 */
/* How few devices any plan could need. */
#ifndef NX_SCHED_BOUND_H
#define NX_SCHED_BOUND_H

#include "formats/plan.h"
#include "sched/problem.h"

/* The bounds for what is served: of demand i its rate less left[i].  They hold for every plan that
 * fills whole devices of a session first and leaves the rest of its rate in one piece or in two
 * equal ones, as all of this tool do, whatever it does with the rests and however it splits the
 * queries. */
void nx_bound_of(struct nx_problem *p, const double *left, struct nx_plan_bounds *out);

/* The bound to print: the occupancy floor or the fractional bound, or one of the others if that
 * proves another device.  *kind is static. */
double nx_bound_best(const struct nx_plan_bounds *b, const char **kind);

#endif
