/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/histogram.h"

#include <math.h>
#include <string.h>

/* Below 64 a bucket a value; above, the six bits behind the leading one. */
static size_t index_of(uint64_t value)
{
	if (value < NX_HIST_SUB)
		return (size_t)value;
	int power = 63 - __builtin_clzll(value) - 6;
	size_t i = (size_t)(power + 1) * NX_HIST_SUB + (size_t)((value >> power) - NX_HIST_SUB);
	return i < NX_HIST_BUCKETS ? i : NX_HIST_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t top_of(size_t i)
{
	if (i < NX_HIST_SUB)
		return i;
	size_t power = i / NX_HIST_SUB - 1;
	return (((uint64_t)(i % NX_HIST_SUB) + NX_HIST_SUB + 1) << power) - 1;
}

void nx_histogram_add(struct nx_histogram *h, uint64_t value)
{
	h->bucket[index_of(value)]++;
	h->count++;
	h->sum += (double)value;
	if (value > h->max)
		h->max = value;
}

void nx_histogram_merge(struct nx_histogram *to, const struct nx_histogram *from)
{
	for (size_t i = 0; i < NX_HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
	to->count += from->count;
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
}

void nx_histogram_clear(struct nx_histogram *h)
{
	memset(h, 0, sizeof *h);
}

uint64_t nx_histogram_quantile(const struct nx_histogram *h, double q)
{
	uint64_t want = (uint64_t)ceil(q * (double)h->count), seen = 0;

	if (h->count == 0)
		return 0;
	if (want == 0)
		want = 1;
	for (size_t i = 0; i < NX_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want)
			return top_of(i) < h->max ? top_of(i) : h->max;
	}
	return h->max;
}

uint64_t nx_histogram_count_to(const struct nx_histogram *h, uint64_t value)
{
	uint64_t n = 0;
	size_t last = index_of(value);

	for (size_t i = 0; i <= last; i++)
		n += h->bucket[i];
	return n;
}
