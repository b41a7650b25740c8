/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/arrivals.h"

#include <math.h>

void nx_arrivals_init(struct nx_arrivals *a, enum nx_arrival_kind kind, double rate, uint64_t seed)
{
	a->kind = kind;
	a->interval_ns = rate > 0 ? 1e9 / rate : INFINITY;
	nx_rng_init(&a->rng, seed);
	a->at_ns = kind == NX_ARRIVE_UNIFORM ? (nx_rng_uniform(&a->rng) - 1) * a->interval_ns : 0;
}

uint64_t nx_arrivals_next(struct nx_arrivals *a)
{
	a->at_ns += a->interval_ns * (a->kind == NX_ARRIVE_UNIFORM ? 1 : nx_rng_exp(&a->rng));
	/* NaN (an infinite phase and an infinite step) compares false. */
	return a->at_ns < 0x1p63 ? (uint64_t)a->at_ns : UINT64_MAX;
}
