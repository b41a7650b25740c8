/* SPDX-License-Identifier: Apache-2.0 */
/* Curves and items for the tests of nodes and packing. */
#ifndef NX_TESTS_SCHED_ITEMS_H
#define NX_TESTS_SCHED_ITEMS_H

#include "sched/node.h"

static inline struct nx_curve curve_of(
	const struct nx_latency_point *point, size_t n, bool interpolate)
{
	struct nx_latency l = { n, (struct nx_latency_point *)point, interpolate };
	struct nx_curve c;

	nx_curve_init(&c, &l);
	return c;
}

static inline struct nx_curve affine_curve(double alpha, double beta, int64_t max)
{
	struct nx_latency_point p[] = { { .batch = 1, .mean_ms = alpha + beta },
		{ .batch = max, .mean_ms = alpha * (double)max + beta } };

	return curve_of(p, 2, true);
}

static inline struct nx_item item_of(const struct nx_curve *c, double slo_ms, double rate)
{
	struct nx_item it = { .curve = c, .slo_ms = slo_ms, .rate = rate };

	it.max_batch = nx_curve_max_batch(c, slo_ms);
	it.floor = it.value = nx_curve_floor(c, it.max_batch, slo_ms, rate);
	return it;
}

#endif
