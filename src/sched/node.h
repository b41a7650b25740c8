/* SPDX-License-Identifier: Apache-2.0 */
/* One device and the sessions that take turns on it: does it work, and in which cycle. */
#ifndef NX_SCHED_NODE_H
#define NX_SCHED_NODE_H

#include "sched/curve.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A share of a session that is served by one device. */
struct nx_item {
	const struct nx_curve *curve;
	double slo_ms, rate;
	int64_t max_batch; /* see nx_curve_max_batch; less where memory says so */
	double floor;      /* see nx_curve_floor */
	double weights_bytes, row_bytes;
	size_t weights_id; /* items with the same id share their weights */
	size_t demand;     /* whose rate this is (see sched/problem.h) */
	double value;      /* what placing it is worth: the floor, half of the whole's for a half */
	const struct nx_item *half;  /* each of the two that it may be divided into, or NULL */
	const struct nx_item *whole; /* of a half; or NULL */
};

/* Rows that arrive in one cycle; a hair above a whole number counts as that number. */
static inline double nx_item_rows(const struct nx_item *it, double duty_ms)
{
	double rows = it->rate * duty_ms / 1000;

	rows -= NX_SCHED_EPS * (rows > 1 ? rows : 1);
	if (rows <= 1)
		return 1;
	if (!(rows < 1e15))
		return rows;
	double b = (double)(int64_t)rows; /* quicker than ceil() */
	return b < rows ? b + 1 : b;
}

/* How a node runs: every duty_ms each item runs one batch. */
struct nx_cycle {
	double duty_ms, busy_ms; /* busy: the batches' latencies added up */
	double memory_bytes;
	int64_t *batch; /* an item each: the room needed; run[] of the curve is what runs */
};

/* Whether one device with memory_bytes (0: not limited) can serve all n items.  Exact: it is true
 * if and only if some duty cycle satisfies throughput, capacity, latency and memory.  Whatever
 * subset of a feasible node is feasible too. */
bool nx_node_fits(const struct nx_item *const *item, size_t n, double memory_bytes);

/* The cycle of a node that fits with the lowest occupancy busy_ms / duty_ms; of equals the one
 * with the shorter duty cycle.  batch[n] is the caller's.  False if the node does not fit. */
bool nx_node_cycle(
	const struct nx_item *const *item, size_t n, double memory_bytes, struct nx_cycle *cycle);

/* The paper's rule: whether the items fit in a cycle of duty_ms; *busy_ms is set if so. */
bool nx_node_fits_at(const struct nx_item *const *item, size_t n, double memory_bytes,
	double duty_ms, double *busy_ms);

#endif
