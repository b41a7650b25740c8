/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: a device opened through its plugin, models loaded on it, batches run.  Everything
 * above (profile, serve) sees rows in and rows out and nothing of micro-batches, ladders,
 * padding or plugins.
 */
#ifndef NX_ENGINE_ENGINE_H
#define NX_ENGINE_ENGINE_H

#include "core/buf.h"
#include "core/err.h"
#include "model/model.h"
#include "plugins/plugin.h"

#include <stdbool.h>
#include <stddef.h>

/* One open device; run calls of different loaded models may come from different threads but are
 * executed one after another. */
struct nx_engine;
/* A model ready to run on an engine. */
struct nx_loaded;

/* Opens a device by its spec: "cpu", "cpu:threads=2", "cuda:0", "sim:alpha=1.05,beta=5,noise=0.02,seed=1".
 * plugin_dir NULL: $NEXUS_PLUGIN_PATH (ignored if setuid), then the folder beside the program.
 * NX_EUNAVAIL in one line when the plugin or device is not there, NX_EUSAGE for a bad spec. */
int nx_engine_open(
	const char *spec, const char *plugin_dir, struct nx_engine **out, struct nx_err *err);
void nx_engine_close(struct nx_engine **e);
const struct nx_device_info *nx_engine_info(const struct nx_engine *e);
const char *nx_engine_plugin(const struct nx_engine *e); /* "cpu", "sim" */
int nx_engine_threads(const struct nx_engine *e);

/* Devices of every plugin in the folder; calls fn for each; plugins that cannot be loaded are
 * reported through fn with info NULL and why set.  Returns the number of devices. */
int nx_engine_list(const char *plugin_dir,
	void (*fn)(
		void *arg, const char *plugin, const struct nx_device_info *info, const char *why),
	void *arg, struct nx_err *err);

#define NX_ENGINE_BATCH_CAP 65536 /* no batch is larger */

struct nx_load_opts {
	int max_batch;         /* executables are made for batches up to this; at least 1 */
	const char *precision; /* NULL: device default */
	/* Simulated devices: the latency at batch 1..n_cost, NULL for the spec's line. */
	const double *cost_ms;
	size_t n_cost;
	/* What nx_engine_tune() gave; NULL: what is kept on disk, if anything; "": nothing. */
	const char *tuning;
};

struct nx_tune_opts {
	int max_batch;         /* batches to come, at most */
	const char *precision; /* NULL: device default */
	double time_cap_ms;
	bool again; /* measure, whatever is kept on disk */
};

/*
 * Finds out by measuring how a model runs fastest, and keeps it on disk, where nx_engine_load()
 * finds it; what is there already is taken, unless it is of smaller batches.  Appends the text
 * to *tuning; nothing where the device has nothing to tune.  That it could not be kept is only a
 * warning.  Errors are those of loading.
 */
int nx_engine_tune(struct nx_engine *e, const struct nx_model *model,
	const struct nx_tune_opts *opts, struct nx_buf *tuning, struct nx_err *err);

/* Loads a model: compiles its executables (all before returning, so that a run allocates
 * nothing).  Nothing of 'model' is needed afterwards.  For the sim device 'model' may be NULL: one input "input"
 * FP32 [-1,1] and one output "output" FP32 [-1,1]. */
int nx_engine_load(struct nx_engine *e, const struct nx_model *model,
	const struct nx_load_opts *opts, struct nx_loaded **out, struct nx_err *err);
void nx_loaded_free(struct nx_loaded **l);

/* Inputs and outputs: name, type and the shape of ONE ROW with a leading -1 for the batch. */
struct nx_io {
	const char *name;
	enum nx_dtype dtype;
	struct nx_shape shape;
	size_t row_bytes;
};
size_t nx_loaded_inputs(const struct nx_loaded *l, const struct nx_io **io);
size_t nx_loaded_outputs(const struct nx_loaded *l, const struct nx_io **io);

/* Runs 'rows' rows (1 … max_batch): in[i] holds rows * row_bytes bytes of input i, out[i]
 * receives those of output i.  Blocks until done.  The answers of a row do not depend on the
 * rows beside it (but for rounding). */
int nx_loaded_run(struct nx_loaded *l, size_t rows, const void *const *in, void *const *out,
	struct nx_err *err);

/* Compiles a closed graph (nx_graph_close), runs it once and forgets it: for checks, where
 * nothing is asked about batches.  in[i] and out[i] are dense tensors of the graph's inputs and
 * outputs; precision NULL: the device's default.  NX_EUSAGE on a simulated device. */
int nx_engine_run_graph(struct nx_engine *e, const struct nx_graph *g, const char *precision,
	const void *const *in, void *const *out, struct nx_err *err);

struct nx_loaded_memory {
	uint64_t weights_bytes;
	uint64_t activations_bytes; /* per row of a batch, at most */
	/* Weights and the working memory of all workers: what stays while it is loaded, but for
	 * what other models of the device share. */
	uint64_t total_bytes;
};
void nx_loaded_memory(const struct nx_loaded *l, struct nx_loaded_memory *mem);
/* What the model is computed in: what was asked for, or what the device chose for it. */
const char *nx_loaded_precision(const struct nx_loaded *l);
/* Calls fn for each step that one row goes through, in order; never for simulated devices. */
void nx_loaded_steps(const struct nx_loaded *l, nx_plugin_step_fn *fn, void *arg);
double nx_loaded_load_ms(const struct nx_loaded *l); /* time nx_engine_load took */

#endif
