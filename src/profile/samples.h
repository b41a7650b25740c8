/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies of one batch size. */
#ifndef NX_PROFILE_SAMPLES_H
#define NX_PROFILE_SAMPLES_H

#include "formats/profile.h"

#include <stddef.h>

struct nx_samples {
	double *ms;
	size_t n, cap;
	double mean, m2; /* Welford's running mean and sum of squared differences */
};

void nx_samples_add(struct nx_samples *s, double ms);
void nx_samples_clear(struct nx_samples *s);
void nx_samples_release(struct nx_samples *s);

/* Standard deviation of a sample (n - 1 in the denominator); 0 for less than two. */
double nx_samples_std(const struct nx_samples *s);

/* Half the 95 % confidence interval of the mean over the mean (Student's t); infinite for less
 * than two samples, 0 where all are zero. */
double nx_samples_rel_error(const struct nx_samples *s);

/* Fills mean, std, p99 (nearest rank) and the count; sorts the samples. */
void nx_samples_summary(struct nx_samples *s, struct nx_latency_point *p);

#endif
