/* SPDX-License-Identifier: Apache-2.0 */
/* How long, and for what, the planner may look. */
#ifndef NX_SCHED_WORK_H
#define NX_SCHED_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct nx_work {
	bool paper;    /* the paper's algorithm and nothing else */
	bool divide;   /* sessions' rests may go to two devices, half each */
	uint64_t seed; /* of the random choices of the search */
	/* The part of the time limit that is left, 1 to 0.  NULL: no limit but a fixed amount of
	 * work, the same on every machine. */
	double (*left)(void *arg);
	void *arg;
	double share; /* of what is left: for the packing at hand */
	/* The fixed amount: looks at items, for each that is to be packed; 0: no search. */
	double looks_an_item;
};

/* A fixed amount of work for a problem of n sessions: 'looks_an_item'. */
double nx_work_usual(uint64_t n);

#endif
