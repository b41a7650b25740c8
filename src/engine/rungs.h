/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rungs: one family of closed graphs (a model's, or that of a part of it, for each batch size)
 * compiled for a ladder of batch sizes on every worker, and batches run through them in pieces.
 * All that knows of ladders, padding and micro-batches is here.
 */
#ifndef NX_ENGINE_RUNGS_H
#define NX_ENGINE_RUNGS_H

#include "engine/engine.h"
#include "engine/ladder.h"

struct nx_rungs;

/* Where the graphs of a family come from. */
struct nx_rungs_source {
	/* Makes the closed graph of 'batch' rows; that of one row is asked for first.  A larger
	 * batch that fails with NX_EUNSUPP or NX_EDATA leaves one row at a time.  NULL: there is no
	 * graph at all, for simulated devices: one FP32 [-1,1] in and out. */
	int (*close)(const void *arg, int64_t batch, struct nx_graph **graph, struct nx_err *err);
	const void *arg;
	/* Of a part of a model: the model's graph of one row, which decides on the sizes of pieces
	 * in place of the part's own, and rungs whose pieces it has to run.  Each may be NULL. */
	const struct nx_graph *whole;
	const struct nx_rungs *like;
	const char *model, *digest; /* passed on to the plugin; may be NULL */
};

/* Those of a whole model. */
struct nx_rungs_source nx_rungs_model(const struct nx_model *model);

/* Compiles everything, so that running allocates nothing; keeps nothing of the source or of
 * 'opts'.  Errors are those of the source and of the plugin. */
int nx_rungs_new(struct nx_engine *e, const struct nx_rungs_source *source,
	const struct nx_load_opts *opts, struct nx_rungs **out, struct nx_err *err);
/* Has the plugin tune the family for batches of up to opts->max_batch rows; appends its text. */
int nx_rungs_tune(struct nx_engine *e, const struct nx_rungs_source *source,
	const struct nx_load_opts *opts, double time_cap_ms, struct nx_buf *text,
	struct nx_err *err);
void nx_rungs_free(struct nx_rungs **r);

/* Inputs and outputs, as of nx_loaded_inputs(); they live as long as the rungs. */
size_t nx_rungs_inputs(const struct nx_rungs *r, const struct nx_io **io);
size_t nx_rungs_outputs(const struct nx_rungs *r, const struct nx_io **io);

/* Runs 1 … opts->max_batch rows on all workers, as nx_loaded_run() does.  The caller holds the
 * engine's 'running' lock. */
int nx_rungs_run(struct nx_rungs *r, size_t rows, const void *const *in, void *const *out,
	struct nx_err *err);

/* The two halves of it: how a batch is cut, for which 'pieces' has room for 'rows'; and running
 * pieces, whose rows count from in[] and out[], by the same rule of locking. */
size_t nx_rungs_cut(const struct nx_rungs *r, size_t rows, struct nx_piece *pieces);
/* The same for one worker, however many there are. */
size_t nx_rungs_cut_one(const struct nx_rungs *r, size_t rows, struct nx_piece *pieces);
/* Whether b can run whatever pieces a is cut into. */
bool nx_rungs_in_step(const struct nx_rungs *a, const struct nx_rungs *b);
int nx_rungs_run_pieces(struct nx_rungs *r, const struct nx_piece *pieces, size_t n,
	const void *const *in, void *const *out, struct nx_err *err);

/* Of all parts together, what they share once. */
void nx_rungs_memory(const struct nx_rungs *const *part, size_t n, struct nx_loaded_memory *mem);
/* What they compute in. */
const char *nx_rungs_precision(const struct nx_rungs *r);
/* The steps of the executable of one row, as of nx_loaded_steps(). */
void nx_rungs_steps(const struct nx_rungs *r, nx_plugin_step_fn *fn, void *arg);

#endif
