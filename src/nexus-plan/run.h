/* SPDX-License-Identifier: Apache-2.0 */
/* One planning: files in, plan out. */
#ifndef NX_NEXUS_PLAN_RUN_H
#define NX_NEXUS_PLAN_RUN_H

#include "cli/cli.h"
#include "core/err.h"

struct nx_plan_config {
	struct nx_opt_list profiles;
	const char *stats, *previous, *output, *models, *filter;
	const char *workload;
	bool explain, force;
	bool table;   /* not JSON */
	int arrivals; /* only uniform ones yet */
	int format, algorithm;
	bool paper; /* the paper's algorithm, not the best */
	int64_t seed;
	double time_limit_ms; /* 0: a fixed amount of work */
	int64_t epoch;        /* -1: not given */
};

/* Reads, plans and prints.  1 if all of the workload is served, 0 if not, or -NX_E…. */
int nx_plan_run(const struct nx_plan_config *config, struct nx_err *err);

#endif
