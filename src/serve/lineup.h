/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lineup: the models and sessions a device serves under one plan (or one command line).  It is
 * built whole, beside the one that runs, and never changes afterwards but for its queues; on a
 * reload the old one is emptied and freed.
 */
#ifndef NX_SERVE_LINEUP_H
#define NX_SERVE_LINEUP_H

#include "core/err.h"
#include "dispatch/dispatch.h"
#include "engine/engine.h"
#include "formats/plan.h"
#include "formats/profile.h"
#include "model/model.h"
#include "net/oip.h"
#include "serve/serve.h"
#include "stats/tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A model on the device; sessions of different SLOs may share it. */
struct nx_served_model {
	char *name, *precision; /* precision NULL: the device's */
	struct nx_model *model; /* NULL: simulated, without a file */
	struct nx_loaded *loaded;
	const struct nx_io *in, *out; /* borrowed from loaded */
	size_t n_in, n_out;
	struct nx_oip_io *oip_in, *oip_out; /* the same for metadata */
	uint32_t max_batch;
	double *cost_ms; /* [max_batch], expected latency */
	bool pictures;   /* its one input is an image */
};

struct nx_served {
	char *name;
	struct nx_served_model *model;
	double slo_ms, exec_ms; /* exec_ms: as planned, at 'batch' */
	uint32_t batch;
	uint32_t queue_rows;            /* that may wait */
	uint32_t decoding;              /* rows that the decoders have */
	size_t number;                  /* in the lineup's dispatch */
	struct nx_tally_session *tally; /* set by the server */
	/* Batches of the planned size seen so far: is the plan's exec_ms still true? */
	double seen_ms;
	uint64_t n_seen;
	bool warned;
};

struct nx_lineup {
	int64_t epoch;
	char *address; /* where the plan says to listen; NULL without a plan */
	struct nx_served *session;
	size_t n;
	struct nx_served_model **model;
	size_t n_models;
	struct nx_dispatch *dispatch;
	size_t refs;            /* requests under way */
	struct nx_lineup *next; /* the one that came after it */
};

/* Loads what 'cfg' asks for onto the device; may run beside another lineup's batches.  Errors:
 * NX_ENOINPUT/NX_ENOTFOUND a file or model is missing, NX_EDATA the plan or a model is damaged
 * or they do not fit together, NX_ENO a model is slower than its SLO. */
int nx_lineup_load(const struct nx_serve_config *cfg, struct nx_engine *engine,
	struct nx_lineup **out, struct nx_err *err);
void nx_lineup_free(struct nx_lineup **l);

/* A session by its name, else the first of a model of that name, else NULL. */
struct nx_served *nx_lineup_find(const struct nx_lineup *l, const char *name);

/* ---- between lineup.c, cost.c and alone.c ----------------------------------------------------- */

/* The expected latency of batches 1..max_batch of a session of a plan, before the model is
 * loaded: from a profile, else (simulated devices without alpha or beta of their own) from what
 * the plan says of that model.  1 and cost_ms[] filled, 0 if only the device can tell. */
int nx_cost_planned(const struct nx_serve_config *cfg, const struct nx_profiles *profiles,
	const struct nx_engine *engine, const struct nx_plan *plan,
	const struct nx_plan_backend *backend, const struct nx_plan_session *s, uint32_t max_batch,
	double *cost_ms, struct nx_err *err);
/* The line through the smallest and the largest batch of a model on this type of device in the
 * plan; through one point alone half of the time is taken to be fixed. */
void nx_cost_from_plan(const struct nx_plan *plan, const struct nx_plan_backend *backend,
	const struct nx_plan_session *of, uint32_t max_batch, double *cost_ms);
/* Runs the model at 1 and at 'batch' rows and draws the line, planned_ms being right at 'batch'
 * if it is not 0. */
int nx_cost_measured(
	struct nx_served_model *m, uint32_t batch, double planned_ms, struct nx_err *err);
/* Runs one batch of 'rows' zeros and says how long it took. */
int nx_cost_run(struct nx_loaded *l, uint32_t rows, double *ms, struct nx_err *err);

/* Models served without a plan, all under one SLO. */
struct nx_alone {
	const struct nx_profiles *profiles;
	double slo_ms;
	size_t n_models; /* that share the device */
};
/* Loads one, measures it for a second or two (unless it has a profile) and chooses its batch; fills
 * m->loaded, max_batch and cost_ms. */
int nx_alone_load(struct nx_engine *engine, const struct nx_alone *a, struct nx_served_model *m,
	uint32_t *batch, struct nx_err *err);
/* The largest batch b with (n_models + 1) l(b) <= slo_ms, at least 1; NX_ENO when even l(1) is
 * above slo_ms. */
int nx_alone_batch(const struct nx_alone *a, const struct nx_latency *curve, const char *model,
	uint32_t *batch, struct nx_err *err);

#endif
