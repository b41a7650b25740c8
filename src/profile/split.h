/* SPDX-License-Identifier: Apache-2.0 */
/* Trunk and suffixes of a group, measured one member at a time. */
#ifndef NX_PROFILE_SPLIT_H
#define NX_PROFILE_SPLIT_H

#include "engine/group.h"
#include "profile/feed.h"
#include "profile/samples.h"

#define NX_SPLIT_SAMPLES 10 /* with fewer a mean does not count as known, nor a p99 as one */

struct nx_split {
	struct nx_group *group;
	size_t n;
	struct nx_feed *rows; /* of each member */
	struct nx_samples trunk, suffix;
};

/* Loads the models as a group; errors are those of loading.  Released either way. */
int nx_split_init(struct nx_split *b, struct nx_engine *engine, const char *digest,
	const struct nx_model *const *models, size_t n, const struct nx_load_opts *opts,
	struct nx_err *err);
void nx_split_release(struct nx_split *b);

/* Runs 'batch' rows of one member until the time is up or both means are known to rel_error, and
 * leaves the times of trunk and suffix in b.  The first run is not counted, unless it alone takes
 * the time. */
int nx_split_sample(struct nx_split *b, size_t member, size_t batch, double budget_ms,
	double rel_error, struct nx_err *err);

#endif
