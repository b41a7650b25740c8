/* SPDX-License-Identifier: Apache-2.0 */
/* How few devices any plan could need. */
#ifndef NX_SCHED_BOUND_H
#define NX_SCHED_BOUND_H

#include "sched/problem.h"

struct nx_bound {
	double devices;   /* a lower bound; its ceiling is one too */
	const char *kind; /* "occupancy floor" or "fractional" */
};

/* The bound for what is served: of demand i its rate less left[i].  It holds for every plan that
 * fills whole devices of a session first and leaves the rest of its rate in one piece, as all of
 * this tool do, whatever it does with the rests and however it splits the queries. */
struct nx_bound nx_bound_of(struct nx_problem *p, const double *left);

#endif
