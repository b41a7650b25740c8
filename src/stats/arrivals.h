/* SPDX-License-Identifier: Apache-2.0 */
/* Arrival processes: when requests are due.  Seeded: the same seed gives the same times. */
#ifndef NX_STATS_ARRIVALS_H
#define NX_STATS_ARRIVALS_H

#include "core/rng.h"

#include <stdint.h>

enum nx_arrival_kind { NX_ARRIVE_UNIFORM, NX_ARRIVE_POISSON };

struct nx_arrivals {
	enum nx_arrival_kind kind;
	double interval_ns; /* mean; infinite at rate 0 */
	double at_ns;       /* of the arrival last given, from the start */
	struct nx_rng rng;
};

/* 'rate' per second.  Uniform arrivals are evenly spaced behind a random phase, so that streams
 * of one rate do not coincide. */
void nx_arrivals_init(struct nx_arrivals *a, enum nx_arrival_kind kind, double rate, uint64_t seed);

/* The next arrival, nanoseconds from the start; UINT64_MAX at rate 0. */
uint64_t nx_arrivals_next(struct nx_arrivals *a);

#endif
