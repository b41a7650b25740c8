/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges of activations: smallest and largest first, then how values lie between. */
#ifndef NX_PROFILE_RANGES_H
#define NX_PROFILE_RANGES_H

#include "core/err.h"
#include "model/quantise.h"

#include <stddef.h>
#include <stdint.h>

#define NX_RANGES_BINS 2048

struct nx_observed {
	struct nx_range all; /* 0 is always in it */
	uint64_t *bin;       /* NX_RANGES_BINS over 'all'; NULL until nx_observed_bin() */
};

/* First pass.  -1 for a value that is not finite. */
int nx_observed_add(struct nx_observed *o, const float *x, size_t n);
/* Second pass over the same values. */
void nx_observed_bin(struct nx_observed *o, const float *x, size_t n);
void nx_observed_release(struct nx_observed *o);

/* The range to quantise to 256 steps: the one with the least squared error of rounding inside and
 * of clipping outside, among 'all' shrunk towards 0 step by step. */
struct nx_range nx_observed_range(const struct nx_observed *o);

#endif
