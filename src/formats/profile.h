/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-profile/1: what one model costs on one device (see nexus-formats(5)). */
#ifndef NX_FORMATS_PROFILE_H
#define NX_FORMATS_PROFILE_H

#include "core/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nx_latency_point {
	int64_t batch;
	double mean_ms;
	double std_ms, p99_ms; /* < 0: not given */
	int64_t samples;       /* 0: not given */
};

struct nx_latency {
	size_t n;
	struct nx_latency_point *point; /* ascending in batch */
	bool interpolate; /* false: only the listed batches run, smaller ones padded */
};

/* Latency in ms of a batch of b rows: linear between points, the first point's cost below it;
 * with interpolate off the cost of the next listed batch.  A negative number if b is above the
 * last point (such a batch may not run). */
double nx_latency_at(const struct nx_latency *l, int64_t b);
int64_t nx_latency_max_batch(const struct nx_latency *l);

struct nx_profile_prefix {
	char *digest, *node;
	uint64_t weights_bytes;
	struct nx_latency latency;
	struct nx_latency suffix; /* n == 0: not measured */
};

struct nx_profile {
	char *model;
	char *digest;                                  /* or NULL */
	char *device;                                  /* device type */
	char *plugin;                                  /* or NULL */
	char *precision;                               /* or NULL */
	int64_t threads;                               /* 0: not given */
	uint64_t weights_bytes, activations_bytes;     /* activations per row; 0: not given */
	double load_ms, preprocess_ms, postprocess_ms; /* < 0: not given */
	struct nx_latency latency;
	struct nx_profile_prefix *prefix;
	size_t n_prefix;
};

struct nx_profiles {
	struct nx_profile *item;
	size_t n, cap;
};

/* Parses one document; appends to *set.  All mistakes at once, NX_EDATA. A latency that falls
 * as the batch grows is accepted with a warning. */
int nx_profile_parse(const struct nx_jdoc *doc, struct nx_profiles *set, struct nx_err *err);
/* Reads a file or "-" holding any number of them.  Also NX_ENOINPUT. */
int nx_profiles_load(const char *path, struct nx_profiles *set, struct nx_err *err);
void nx_profile_release(struct nx_profile *p);
void nx_profiles_release(struct nx_profiles *set);
void nx_profile_format(const struct nx_profile *p, struct nx_jw *w);

/* The profile of 'model' on device type 'device' (NULL: any); precision NULL and threads 0 mean
 * the fastest (highest batch/latency).  NULL if there is none. */
const struct nx_profile *nx_profiles_find(const struct nx_profiles *set, const char *model,
	const char *device, const char *precision, int64_t threads);

#endif
