/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes: which of them the models of one call share. */
#ifndef NX_NEXUS_PROFILE_PREFIXES_H
#define NX_NEXUS_PROFILE_PREFIXES_H

#include "nexus-profile/run.h"
#include "profile/prefix.h"

/* The operands with their cut points. */
struct nx_model_set {
	size_t n;
	struct nx_model **model; /* NULL where only the cut points were asked for */
	struct nx_cuts *cuts;
	struct nx_shared_list shared;
};

/* Loads all models and finds their cut points; with 'keep' the models stay, else their memory
 * goes at once.  Released either way. */
int nx_model_set_init(
	struct nx_model_set *set, const struct nx_operands *models, bool keep, struct nx_err *err);
void nx_model_set_release(struct nx_model_set *set);

#endif
