/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/ranges.h"

#include "core/alloc.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define STEPS   255
#define SHRINKS 60   /* candidates */
#define LEAST   0.4f /* of the whole range */

int nx_observed_add(struct nx_observed *o, const float *x, size_t n)
{
	float lo = o->all.min, hi = o->all.max, bad = 0;

	for (size_t i = 0; i < n; i++) {
		lo = x[i] < lo ? x[i] : lo;
		hi = x[i] > hi ? x[i] : hi;
		bad += x[i] * 0; /* NaN for NaN and infinities */
	}
	o->all.min = lo;
	o->all.max = hi;
	return isfinite(bad) ? 0 : -1;
}

void nx_observed_bin(struct nx_observed *o, const float *x, size_t n)
{
	float width = (o->all.max - o->all.min) / NX_RANGES_BINS;

	if (!o->bin)
		o->bin = nx_alloc(NX_RANGES_BINS, sizeof *o->bin);
	if (!(width > FLT_MIN))
		return;
	for (size_t i = 0; i < n; i++) {
		size_t b = (size_t)((x[i] - o->all.min) / width);
		o->bin[b < NX_RANGES_BINS ? b : NX_RANGES_BINS - 1]++;
	}
}

void nx_observed_release(struct nx_observed *o)
{
	free(o->bin);
	o->bin = NULL;
}

static double squared_error(const struct nx_observed *o, struct nx_range r)
{
	double width = ((double)o->all.max - o->all.min) / NX_RANGES_BINS, sum = 0;
	double step = ((double)r.max - r.min) / STEPS;

	for (size_t b = 0; b < NX_RANGES_BINS; b++) {
		double x = o->all.min + ((double)b + 0.5) * width;
		double off = x > r.max ? x - r.max : x < r.min ? r.min - x : 0;
		sum += (double)o->bin[b] * (off * off + step * step / 12);
	}
	return sum;
}

struct nx_range nx_observed_range(const struct nx_observed *o)
{
	struct nx_range best = o->all;
	double least = DBL_MAX;

	if (!o->bin || !(o->all.max - o->all.min > FLT_MIN * NX_RANGES_BINS))
		return best;
	for (int i = 0; i <= SHRINKS; i++) {
		float f = 1 - (1 - LEAST) * (float)i / SHRINKS;
		struct nx_range r = { o->all.min * f, o->all.max * f };
		double e = squared_error(o, r);
		if (e < least) {
			least = e;
			best = r;
		}
	}
	return best;
}
