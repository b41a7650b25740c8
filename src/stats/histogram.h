/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latency histogram: log-linear buckets as in HdrHistogram (hdrhistogram.org), 64 to a power of
 * two, so that any value is known to 1/64 from nanoseconds to hours in fixed memory (21 KB).
 */
#ifndef NX_STATS_HISTOGRAM_H
#define NX_STATS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define NX_HIST_SUB     64 /* buckets of a power of two */
#define NX_HIST_POWERS  42 /* values up to 2^47 ns, 39 hours; larger ones count as that */
#define NX_HIST_BUCKETS (NX_HIST_SUB * NX_HIST_POWERS)

struct nx_histogram {
	uint64_t count, max;
	double sum;
	uint64_t bucket[NX_HIST_BUCKETS];
};

void nx_histogram_add(struct nx_histogram *h, uint64_t value);
void nx_histogram_merge(struct nx_histogram *to, const struct nx_histogram *from);
void nx_histogram_clear(struct nx_histogram *h);
/* The value at quantile q in [0, 1]: at least that share of all values is at most it; exact to
 * 1/64, never above the largest value seen.  0 when empty. */
uint64_t nx_histogram_quantile(const struct nx_histogram *h, double q);
/* How many values are at most 'value' (to the bucket). */
uint64_t nx_histogram_count_to(const struct nx_histogram *h, uint64_t value);

#endif
