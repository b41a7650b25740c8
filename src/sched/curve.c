/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latency tables.
 *
 * Measured profiles are not monotone: a batch of 8 may be faster than one of 7, and where only
 * some batches run, smaller ones are padded up.  Both are the same thing to the planner: to serve
 * b requests it may run any batch of at least b, so the table holds the cheapest of those.  That
 * makes the cost a non-decreasing function of b, on which every later argument (least fixed
 * points, hereditary feasibility) stands.
 */
#include "sched/curve.h"

#include "core/alloc.h"

#include <stdlib.h>

/* Latencies below this (a nanosecond) are measuring noise and would make rates infinite. */
#define LEAST_MS 1e-6

/* The batch that really runs for b rows: the next listed one where smaller ones are padded. */
static int64_t padded_batch(const struct nx_latency *l, int64_t b)
{
	if (l->interpolate && b >= l->point[0].batch)
		return b;
	for (size_t i = 0; i < l->n; i++)
		if (l->point[i].batch >= b)
			return l->point[i].batch;
	return b;
}

void nx_curve_init(struct nx_curve *c, const struct nx_latency *l)
{
	c->max = l->n ? nx_latency_max_batch(l) : 0;
	if (c->max > NX_CURVE_MAX_BATCH)
		c->max = NX_CURVE_MAX_BATCH;
	c->row = c->max > 0 ? nx_alloc((size_t)c->max, sizeof *c->row) : NULL;
	for (int64_t b = c->max; b > 0; b--) {
		struct nx_curve_row *row = &c->row[b - 1];

		row->ms = nx_latency_at(l, b);
		if (row->ms < LEAST_MS)
			row->ms = LEAST_MS;
		row->run = padded_batch(l, b);
		if (b < c->max && row[1].ms < row->ms) {
			row->ms = row[1].ms;
			row->run = row[1].run;
		}
	}
	int64_t best = 1;
	for (int64_t b = 1; b <= c->max; b++) {
		if ((double)b * nx_curve_ms(c, best) > (double)best * nx_curve_ms(c, b))
			best = b;
		c->row[b - 1].best = best;
	}
}

void nx_curve_release(struct nx_curve *c)
{
	free(c->row);
	c->row = NULL;
	c->max = 0;
}

int64_t nx_curve_max_batch(const struct nx_curve *c, double slo_ms)
{
	int64_t low = 0, high = c->max;

	while (low < high) {
		int64_t mid = low + (high - low + 1) / 2;

		if (2 * nx_curve_ms(c, mid) <= slo_ms * (1 + NX_SCHED_EPS))
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

double nx_curve_max_rate(const struct nx_curve *c, int64_t b)
{
	if (b < 1)
		return 0;
	int64_t best = c->row[b - 1].best;

	return 1000 * (double)best / nx_curve_ms(c, best);
}

double nx_curve_floor(const struct nx_curve *c, int64_t max_batch, double slo_ms, double rate)
{
	double floor = 2;

	if (rate <= 0)
		return 0;
	for (int64_t b = 1; b <= max_batch; b++) {
		double ms = nx_curve_ms(c, b);
		double duty_ms = 1000 * (double)b / rate;

		if (duty_ms > slo_ms - ms)
			duty_ms = slo_ms - ms;
		if (ms <= duty_ms * (1 + NX_SCHED_EPS) && ms / duty_ms < floor)
			floor = ms / duty_ms;
	}
	return floor;
}
