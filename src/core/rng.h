/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers: the same seed gives the same numbers on every machine. */
#ifndef NX_CORE_RNG_H
#define NX_CORE_RNG_H

#include <stdint.h>

struct nx_rng {
	uint64_t s[4];
};

/* xoshiro256** by Blackman and Vigna, seeded by splitmix64 (prng.di.unimi.it). */
void nx_rng_init(struct nx_rng *r, uint64_t seed);
uint64_t nx_rng_u64(struct nx_rng *r);
double nx_rng_uniform(struct nx_rng *r);             /* in [0, 1) */
uint64_t nx_rng_below(struct nx_rng *r, uint64_t n); /* in [0, n), n > 0 */
double nx_rng_exp(struct nx_rng *r);                 /* exponential of mean 1 */
double nx_rng_normal(struct nx_rng *r);              /* standard normal (Box-Muller) */

#endif
