/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: which device runs what in which batches, so that every SLO holds with few devices.
 *
 * Pure functions of their arguments: no files, no clock, no globals; the same input gives the
 * same plan, byte for byte.  The algorithm is squishy bin packing of the Nexus paper (SOSP'19)
 * with an exact feasibility test; src/sched/README.md tells the whole of it.
 */
#ifndef NX_SCHED_SCHED_H
#define NX_SCHED_SCHED_H

#include "core/err.h"
#include "formats/plan.h"
#include "formats/profile.h"
#include "formats/stats.h"
#include "formats/workload.h"
#include "sched/work.h"

struct nx_sched_request {
	const struct nx_workload *workload;
	const struct nx_profiles *profiles;
	const struct nx_plan *previous; /* or NULL */
	const char *source;             /* of the workload, for messages */
	const char *created;            /* RFC 3339, goes into the plan */
	int64_t epoch;                  /* < 0: the previous plan's plus 1, or 1 */
	bool paper;                     /* the paper's algorithm instead of ours */
	uint64_t seed;                  /* of the search */
	double (*left)(void *arg);      /* see struct nx_work; or NULL */
	void *arg;
};

/* Makes a plan for all that can be served; what cannot is in plan->unserved with a reason, which
 * is no error here.  NX_EDATA with all mistakes for a model or a device type without a profile.
 * *plan is the caller's to release. */
int nx_sched_plan(const struct nx_sched_request *request, struct nx_plan *plan, struct nx_err *err);

/* Replaces the rates of sessions and queries and the gammas of edges by observed ones.  A query
 * arrives at the rate of its root stage's session.  What was not observed stays. */
void nx_sched_observe(struct nx_workload *workload, const struct nx_stats *observed);

#endif
