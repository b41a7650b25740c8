/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch costs, ready for the planner: a profile as a table over batch sizes. */
#ifndef NX_SCHED_CURVE_H
#define NX_SCHED_CURVE_H

#include "formats/profile.h"

#include <stddef.h>
#include <stdint.h>

/* Equalities of the planner hold up to this relative error: an exact fit must not flip on the
 * last bit of a floating-point sum. */
#define NX_SCHED_EPS 1e-9

/* Larger batches are not considered: they bound the table, no network gains from them. */
#define NX_CURVE_MAX_BATCH 4096

/* Row b - 1 is about b requests, b in 1..max. */
struct nx_curve {
	int64_t max;
	struct nx_curve_row {
		double ms;    /* the least latency of any batch with room for b; never falls in b */
		int64_t run;  /* the batch to run for that: b, or the next one that is cheaper */
		int64_t best; /* the b' <= b of the highest throughput b' / ms */
	} * row;
};

void nx_curve_init(struct nx_curve *c, const struct nx_latency *l);
void nx_curve_release(struct nx_curve *c);

static inline double nx_curve_ms(const struct nx_curve *c, int64_t b)
{
	return c->row[b - 1].ms;
}

/* The largest b with 2 * ms(b) <= slo_ms (a request that just missed a batch waits for one and is
 * in the next), 0 if there is none. O(log max). */
int64_t nx_curve_max_batch(const struct nx_curve *c, double slo_ms);

/* Requests per second of a device that runs nothing else, in batches of at most b. */
double nx_curve_max_rate(const struct nx_curve *c, int64_t b);

/* The least share of a device on which 'rate' requests per second can be served in batches of at
 * most max_batch: min over b of l(b) / min(b / rate, slo - l(b)).  More than 1: one device is not
 * enough.  No node that holds the session, whatever else it holds, gives it less: its duty cycle
 * is at most that minimum.  O(max_batch). */
double nx_curve_floor(const struct nx_curve *c, int64_t max_batch, double slo_ms, double rate);

#endif
