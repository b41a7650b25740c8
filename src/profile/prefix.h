/* SPDX-License-Identifier: Apache-2.0 */
/* What the prefixes of models cost, and which of them models share. */
#ifndef NX_PROFILE_PREFIX_H
#define NX_PROFILE_PREFIX_H

#include "json/json.h"
#include "model/prefix.h"
#include "profile/profile.h"

/*
 * Chooses at most 'max' cut points that are worth measuring, as ascending indices into cuts->cut;
 * returns how many.  First those that are known to be shared ('known' digests), deepest first;
 * then the deepest that leaves a suffix; then, from the deepest on, the first cut after each
 * quarter more of work.  Steps are counted in multiplications and not in fractions of the
 * model, so that models of one trunk choose the same cuts in it whatever they
 * end with.  A trunk of less than a twentieth of the work is never chosen, and an empty suffix
 * only if known.
 */
size_t nx_prefix_choose(const struct nx_cuts *cuts, const char *const *known, size_t n_known,
	size_t max, size_t *chosen);

/*
 * Measures the chosen cuts, trunk and suffix each by itself, at the smallest, a middle and the
 * largest batch of opts, and appends them to out->prefix; opts and progress are those of
 * nx_profile_measure(), which has filled *out.  All together take about a fifth of the time that
 * out->latency took, beside the loading, and measure every figure at least once.  On a simulated
 * device nothing is run: the cost of the model is divided by work.
 */
int nx_prefix_measure(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_cuts *cuts, const size_t *chosen, size_t n,
	const struct nx_measure_opts *opts, struct nx_profile *out, struct nx_err *err);

/* A trunk that some of several models have in common. */
struct nx_shared {
	size_t n_models;
	size_t *model;     /* which of them, ascending */
	struct nx_cut cut; /* as the first of them has it; borrowed from its cuts */
	double trunk_ms;   /* for one row */
	double *suffix_ms; /* of each model, for one row */
};

struct nx_shared_list {
	size_t n, cap;
	struct nx_shared *item;
};

/* For every set of models that have cut points in common with one another and with no other
 * model, the deepest such cut; the largest trunks first.  cuts[i] are those of model i; times
 * are 0. */
void nx_shared_find(const struct nx_cuts *cuts, size_t n_models, struct nx_shared_list *out);
/* Loads the models of s as a group and measures the times, for about budget_ms a model.
 * NX_EUSAGE on a simulated device, which cannot tell. */
int nx_shared_measure(struct nx_engine *engine, const struct nx_model *const *models,
	struct nx_shared *s, const char *precision, double budget_ms, struct nx_err *err);
/* The trunk's part of the time of the i-th of these models, 0..1. */
double nx_shared_fraction(const struct nx_shared *s, size_t i);
/* {"models", "node", "digest", "batch", "trunk_ms", "suffix_ms", "time_fraction",
 * "weights_bytes", "saved_bytes"}. */
void nx_shared_format(
	const struct nx_shared *s, const struct nx_model *const *models, struct nx_jw *w);
void nx_shared_release(struct nx_shared_list *list);

#endif
