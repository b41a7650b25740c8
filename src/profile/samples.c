/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/samples.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

void nx_samples_add(struct nx_samples *s, double ms)
{
	s->ms = nx_grow(s->ms, &s->cap, s->n + 1, sizeof *s->ms);
	s->ms[s->n++] = ms;
	/* Welford, 1962: no cancellation where the spread is small against the mean. */
	double delta = ms - s->mean;
	s->mean += delta / (double)s->n;
	s->m2 += delta * (ms - s->mean);
}

void nx_samples_clear(struct nx_samples *s)
{
	s->n = 0;
	s->mean = s->m2 = 0;
}

void nx_samples_release(struct nx_samples *s)
{
	free(s->ms);
	*s = (struct nx_samples){ 0 };
}

double nx_samples_std(const struct nx_samples *s)
{
	return s->n < 2 ? 0 : sqrt(s->m2 / (double)(s->n - 1));
}

/* The 97.5 % quantile of Student's t with 'df' degrees of freedom, by the first terms of its
 * expansion around the normal quantile (Abramowitz and Stegun 26.7.5); within 1 % from 4 on. */
static double student(double df)
{
	const double z = 1.959964;
	double z3 = z * z * z, z5 = z3 * z * z;

	return z + (z3 + z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * z) / (96 * df * df);
}

double nx_samples_rel_error(const struct nx_samples *s)
{
	if (s->n < 2)
		return INFINITY;
	double half = student((double)s->n - 1) * nx_samples_std(s) / sqrt((double)s->n);
	if (half == 0)
		return 0;
	return s->mean > 0 ? half / s->mean : INFINITY;
}

static int ascending(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

void nx_samples_summary(struct nx_samples *s, struct nx_latency_point *p)
{
	p->mean_ms = s->mean;
	p->std_ms = nx_samples_std(s);
	p->samples = (int64_t)s->n;
	p->p99_ms = -1;
	if (s->n == 0)
		return;
	qsort(s->ms, s->n, sizeof *s->ms, ascending);
	p->p99_ms = s->ms[(size_t)ceil(0.99 * (double)s->n) - 1];
}
