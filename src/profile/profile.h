/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring what a model costs on a device: the source of every nexus-profile/1. */
#ifndef NX_PROFILE_PROFILE_H
#define NX_PROFILE_PROFILE_H

#include "engine/engine.h"
#include "formats/profile.h"

enum nx_tune_mode {
	NX_TUNE_OFF,   /* as the device does by itself */
	NX_TUNE_AUTO,  /* what is kept on disk, or measured and kept */
	NX_TUNE_FORCE, /* measured and kept, whatever is there */
};

struct nx_measure_opts {
	const int *batch; /* ascending, each at least 1 */
	size_t n_batches;
	const char *precision; /* NULL: the device's default */
	double rel_error;      /* half the 95 % confidence interval of a mean, over the mean */
	double time_cap_ms;    /* for one batch size, warm-up included */
	uint64_t seed;         /* of the input data */
	enum nx_tune_mode tune;
	double tune_cap_ms; /* for tuning */
};

/* What is known of a batch size so far. */
struct nx_measure_progress {
	size_t index, n_batches;
	int batch;
	int64_t samples;
	double mean_ms, rel_error;
};
typedef void nx_measure_fn(void *arg, const struct nx_measure_progress *p);

/* The default batch sizes: 1, 2, 4, 8, 16, 32. */
extern const int nx_measure_default_batches[];
#define NX_MEASURE_DEFAULT_BATCHES 6

/*
 * Loads 'model' on 'engine' and runs each batch size, after a warm-up, until its mean is known to
 * rel_error or the time is up; the numbers are as measured, also where a larger batch came out
 * faster.  'progress' may be NULL.  *out is released by nx_profile_release().  Errors are those
 * of loading and running.
 */
int nx_profile_measure(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_measure_opts *opts, nx_measure_fn *progress, void *arg,
	struct nx_profile *out, struct nx_err *err);

/* Parses "1,2,4", "1..32", "1..8,16,32" into a new ascending array of *n batch sizes without
 * doubles.  NX_EUSAGE. */
int nx_measure_parse_batches(const char *text, int **batches, size_t *n, struct nx_err *err);

#endif
