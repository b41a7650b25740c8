/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models that begin alike, run together: the trunk they share is on the device once, takes one
 * batch of the rows of all of them, and each model's suffix goes on with its own rows.
 */
#ifndef NX_ENGINE_GROUP_H
#define NX_ENGINE_GROUP_H

#include "engine/engine.h"

struct nx_group;

struct nx_group_opts {
	struct nx_load_opts trunk; /* max_batch: rows of all members together */
	/*
	 * Answers that are the same bits as those of the model by itself in a batch of as many
	 * rows.  What a kernel computes for a row may depend, in the last bits, on how many rows
	 * it is given; so a suffix runs the very pieces that the trunk's batch was cut into, and
	 * where a piece belongs to two members, both run all of it and drop what is the other's:
	 * up to a piece less one row at either end on a CPU, up to the whole batch on a device
	 * that runs batches whole.  Without it such pieces are cut smaller, which costs nothing,
	 * and only their rows may be rounded otherwise.
	 */
	bool exact;
};

struct nx_group_member {
	const struct nx_model *model; /* one may be a member several times, with different SLOs */
	int max_batch;                /* rows of this member in a batch, at most */
	/* Simulated devices: the latency of the suffix at batch 1..n_cost, NULL for the spec's
	 * line. */
	const double *cost_ms;
	size_t n_cost;
};

/*
 * Loads n >= 1 models that share a prefix: the digest of a cut point that all of them have
 * (nx_prefix_cuts), or the digest or "model:NAME" of the one model that all of them are; then the
 * trunk is the model and nobody has a suffix.  opts->max_batch is for the rows of all members
 * together, opts->cost_ms for the trunk.  The models need not outlive the call.
 *
 * On simulated devices the models may be NULL, all or none: a suffix is then where a cost is
 * given.  Rows keep their identity through trunk and suffix, as they do in a model of its own.
 *
 * NX_EDATA if a model has no such cut point; otherwise as nx_engine_load().
 */
int nx_engine_load_group(struct nx_engine *e, const char *prefix,
	const struct nx_group_member *members, size_t n, const struct nx_group_opts *opts,
	struct nx_group **out, struct nx_err *err);
void nx_group_free(struct nx_group **g);

/* Inputs, which all members have in common, and the outputs of one. */
size_t nx_group_inputs(const struct nx_group *g, const struct nx_io **io);
size_t nx_group_outputs(const struct nx_group *g, size_t member, const struct nx_io **io);

/* Says that a member's answers are in their place, while those behind it still run. */
typedef void nx_group_answered_fn(void *arg, size_t member);

/*
 * Runs one batch: in[i] holds the rows of all members, member by member, rows[m] of member m
 * (0 … its max_batch, together 1 … opts->trunk.max_batch); out[m][k] receives output k of its rows and
 * may be NULL where rows[m] is 0.  The suffixes run in the order of the members; 'answered' (may
 * be NULL) is called for each that had rows, on the calling thread.  Allocates nothing; what it
 * fails with, it fails for all.
 *
 * The answers are those of the models by themselves, but for rounding; see nx_group_opts.exact.
 */
int nx_group_run(struct nx_group *g, const size_t *rows, const void *const *in,
	void *const *const *out, nx_group_answered_fn *answered, void *arg, struct nx_err *err);

/* How long the last batch was in the trunk and in each member's suffix (0 without rows or
 * suffix), in milliseconds; not while one runs. */
double nx_group_trunk_ms(const struct nx_group *g);
double nx_group_suffix_ms(const struct nx_group *g, size_t member);

/* Weights of the trunk once and of each different suffix; activations of a row all the way. */
void nx_group_memory(const struct nx_group *g, struct nx_loaded_memory *mem);
double nx_group_load_ms(const struct nx_group *g);

#endif
