/* SPDX-License-Identifier: Apache-2.0 */
/* From the workload's sessions and queries to the demands of a problem; used by problem.c. */
#ifndef NX_SCHED_RESOLVE_H
#define NX_SCHED_RESOLVE_H

#include "core/buf.h"
#include "sched/problem.h"

struct nx_resolve {
	struct nx_problem *problem;
	enum nx_split_aim aim;
	const char *source; /* of the workload, for messages */
	struct nx_buf text; /* the mistakes, a line each */
	size_t mistakes;
	size_t hidden; /* of them, for want of room */
	size_t cap;    /* of problem->demand */
};

/* Notes a mistake at a line of the workload. */
void nx_resolve_fail(struct nx_resolve *r, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Fills problem->demand and problem->query. */
void nx_resolve_demands(struct nx_resolve *r);

/* 0, or NX_EDATA with all mistakes; frees the text. */
int nx_resolve_finish(struct nx_resolve *r, struct nx_err *err);

#endif
