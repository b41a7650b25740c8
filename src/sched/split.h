/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting a query's latency over its stages by dynamic programming on the tree. */
#ifndef NX_SCHED_SPLIT_H
#define NX_SCHED_SPLIT_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One way to run a stage. */
struct nx_split_option {
	double time_ms; /* what it takes from the budget: 2 l(b) in a plan */
	double cost;    /* what is minimised in sum: rate * l(b) / b devices in a plan */
	int64_t tag;    /* the caller's */
};

struct nx_split_stage {
	int parent; /* index of the stage before; -1 for the root; parents come first */
	struct nx_split_option *option;
	size_t n;
};

struct nx_split_result {
	size_t *choice;  /* an option's index per stage; the caller's array */
	double cost;     /* sum of the chosen options' */
	double least_ms; /* the longest path when every stage takes its quickest option */
	bool exact;      /* false: there were too many combinations, and some were left out */
};

/* Chooses an option for each stage so that along every path from the root their times add up to
 * at most limit_ms and the costs of all are least.  Sorts each stage's options and cuts them to
 * the useful ones.  Returns 0, or -NX_ENO (without message) when even the quickest options take
 * longer; least_ms is set in both cases. */
int nx_split(struct nx_split_stage *stage, size_t n, double limit_ms, struct nx_split_result *out);

/* Gives the time that is left over to the stages: every path is stretched to limit_ms, each stage
 * in proportion to its share of the longest path below it.  budget[n] adds up to at most limit_ms
 * along every path and budget[i] >= time[i]. */
void nx_split_stretch(
	const int *parent, const double *time, size_t n, double limit_ms, double *budget);

#endif
