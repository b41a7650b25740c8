/* SPDX-License-Identifier: Apache-2.0 */
/* A whole model on a device. */
#include "core/alloc.h"
#include "core/clock.h"
#include "engine/internal.h"
#include "engine/rungs.h"
#include "engine/tuned.h"

#include <stdlib.h>

struct nx_loaded {
	struct nx_engine *engine;
	struct nx_rungs *rungs;
	size_t max_batch;
	double load_ms;
};

static int close_model(const void *arg, int64_t batch, struct nx_graph **graph, struct nx_err *err)
{
	const struct nx_model *model = arg;

	return nx_graph_specialize(model->graph, batch, graph, err);
}

struct nx_rungs_source nx_rungs_model(const struct nx_model *model)
{
	return (struct nx_rungs_source){
		.close = close_model,
		.arg = model,
		.model = model->name,
		.digest = model->digest,
	};
}

static int check_batch(int batch, struct nx_err *err)
{
	if (batch >= 1 && batch <= NX_ENGINE_BATCH_CAP)
		return 0;
	return nx_err_set(
		err, NX_EUSAGE, "batch must be from 1 to %d (got %d)", NX_ENGINE_BATCH_CAP, batch);
}

static int load_rungs(struct nx_engine *e, const struct nx_model *model,
	const struct nx_load_opts *opts, struct nx_rungs **out, struct nx_err *err)
{
	struct nx_rungs_source source = { 0 };
	struct nx_load_opts with = *opts;
	struct nx_buf tuning = NX_BUF_INIT;

	if (model)
		source = nx_rungs_model(model);
	if (!opts->tuning && nx_tuned_find(e, model, opts->precision, &tuning))
		with.tuning = tuning.data;
	int rc = nx_rungs_new(e, &source, &with, out, err);
	nx_buf_release(&tuning);
	return rc && model ? nx_err_wrap(err, "model '%s'", model->name) : rc;
}

int nx_engine_load(struct nx_engine *e, const struct nx_model *model,
	const struct nx_load_opts *opts, struct nx_loaded **out, struct nx_err *err)
{
	uint64_t start = nx_now_ns();
	struct nx_rungs *rungs;

	if (check_batch(opts->max_batch, err))
		return -err->code;
	if (!model && !e->info.simulated)
		return nx_err_set(err, NX_EUSAGE, "device '%s' needs a model", e->lib.ops->name);
	if (load_rungs(e, model, opts, &rungs, err))
		return -err->code;

	struct nx_loaded *l = nx_alloc(1, sizeof *l);
	l->engine = e;
	l->rungs = rungs;
	l->max_batch = (size_t)opts->max_batch;
	l->load_ms = nx_ns_to_ms(nx_now_ns() - start);
	*out = l;
	return 0;
}

void nx_loaded_free(struct nx_loaded **pl)
{
	struct nx_loaded *l = *pl;

	if (!l)
		return;
	nx_rungs_free(&l->rungs);
	free(l);
	*pl = NULL;
}

size_t nx_loaded_inputs(const struct nx_loaded *l, const struct nx_io **io)
{
	return nx_rungs_inputs(l->rungs, io);
}

size_t nx_loaded_outputs(const struct nx_loaded *l, const struct nx_io **io)
{
	return nx_rungs_outputs(l->rungs, io);
}

int nx_loaded_run(struct nx_loaded *l, size_t rows, const void *const *in, void *const *out,
	struct nx_err *err)
{
	if (rows < 1 || rows > l->max_batch)
		return nx_err_set(err, NX_EDATA, "a batch may have 1 to %zu rows (got %zu)",
			l->max_batch, rows);
	pthread_mutex_lock(&l->engine->running);
	int rc = nx_rungs_run(l->rungs, rows, in, out, err);
	pthread_mutex_unlock(&l->engine->running);
	return rc;
}

void nx_loaded_memory(const struct nx_loaded *l, struct nx_loaded_memory *mem)
{
	nx_rungs_memory((const struct nx_rungs *const *)&l->rungs, 1, mem);
}

const char *nx_loaded_precision(const struct nx_loaded *l)
{
	return nx_rungs_precision(l->rungs);
}

void nx_loaded_steps(const struct nx_loaded *l, nx_plugin_step_fn *fn, void *arg)
{
	nx_rungs_steps(l->rungs, fn, arg);
}

double nx_loaded_load_ms(const struct nx_loaded *l)
{
	return l->load_ms;
}
