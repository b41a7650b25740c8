/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model on a device: a ladder of executables for every worker, made before the first run so
 * that running allocates nothing.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "engine/internal.h"
#include "engine/ladder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct io_list {
	size_t n;
	struct nx_io *io;
	void **stage; /* a batch of the largest rung each; only where batches are padded */
};

struct nx_loaded {
	struct nx_engine *engine;
	size_t max_batch, workers;
	struct io_list in, out;
	struct nx_ladder ladder;
	struct nx_graph **graph;      /* of each rung; they outlive the executables */
	struct nx_plugin_exec **exec; /* [worker * ladder.n + rung] */
	double load_ms;

	/* The batch that is running. */
	struct nx_piece *pieces;
	size_t n_pieces;
	const void *const *batch_in;
	void *const *batch_out;
	const void **piece_in; /* [worker * in.n + i] */
	void **piece_out;
	atomic_size_t next;
	atomic_bool failed;
	struct nx_err err;
};

/* The shape of any number of rows, from that of one. */
static struct nx_shape row_shape(const struct nx_shape *one)
{
	struct nx_shape s = *one;

	if (s.rank == 0 || (s.dim[0] != 1 && s.rank < NX_MAX_DIMS)) {
		memmove(s.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
		s.rank++;
	}
	s.dim[0] = NX_DIM_OPEN;
	return s;
}

static int describe(const struct nx_graph *g, const int *values, size_t n, struct io_list *list,
	struct nx_err *err)
{
	list->n = n;
	list->io = nx_alloc(n, sizeof *list->io);
	for (size_t i = 0; i < n; i++) {
		const struct nx_value *v = &g->values[values[i]];
		int64_t count = nx_shape_count(&v->shape);
		size_t size = nx_dtype_size(v->dtype);
		if (count <= 0 || size == 0 || (uint64_t)count > NX_TENSOR_CAP / size)
			return nx_err_set(err, NX_EUNSUPP,
				"tensor '%s' has a type or size that cannot be served", v->name);
		list->io[i] = (struct nx_io){ v->name, v->dtype, row_shape(&v->shape),
			(size_t)count * size };
	}
	return 0;
}

/* What a simulated device without a model takes and gives. */
static void describe_nothing(struct nx_loaded *l)
{
	static const struct nx_shape shape = { 2, { NX_DIM_OPEN, 1 } };

	l->in.n = l->out.n = 1;
	l->in.io = nx_alloc(1, sizeof *l->in.io);
	l->out.io = nx_alloc(1, sizeof *l->out.io);
	l->in.io[0] = (struct nx_io){ "input", NX_F32, shape, sizeof(float) };
	l->out.io[0] = (struct nx_io){ "output", NX_F32, shape, sizeof(float) };
}

static bool rows_match(
	const struct nx_graph *g, const int *values, const struct io_list *list, size_t rows)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct nx_value *v = &g->values[values[i]];
		int64_t count = nx_shape_count(&v->shape);
		if (count < 0 ||
			(size_t)count * nx_dtype_size(v->dtype) != rows * list->io[i].row_bytes)
			return false;
	}
	return true;
}

/* Makes the graphs of rungs 1…; a model that cannot run in batches keeps the first rung alone. */
static int specialize_rungs(struct nx_loaded *l, const struct nx_model *model, struct nx_err *err)
{
	for (size_t i = 1; i < l->ladder.n; i++) {
		size_t rows = l->ladder.rows[i];
		struct nx_err why = NX_ERR_INIT;
		int rc = nx_graph_specialize(model->graph, (int64_t)rows, &l->graph[i], &why);
		if (rc && rc != -NX_EUNSUPP && rc != -NX_EDATA) {
			*err = why;
			return rc;
		}
		if (rc == 0 && rows_match(l->graph[i], l->graph[i]->in, &l->in, rows) &&
			rows_match(l->graph[i], l->graph[i]->out, &l->out, rows))
			continue;
		for (size_t k = 1; k <= i; k++)
			nx_graph_free(&l->graph[k]);
		nx_ladder_single(&l->ladder);
	}
	return 0;
}

static void make_ladder(struct nx_loaded *l, const struct nx_graph *one_row)
{
	const struct nx_engine *e = l->engine;
	int micro = e->info.micro_batch;

	if (e->info.simulated) {
		nx_ladder_init(&l->ladder, NX_LADDER_DENSE, l->max_batch);
		return;
	}
	if (micro > 0 && e->lib.ops->micro_batch)
		micro = e->lib.ops->micro_batch(e->dev, one_row);
	if (micro > 0)
		nx_ladder_init(&l->ladder, NX_LADDER_CUT,
			(size_t)micro < l->max_batch ? (size_t)micro : l->max_batch);
	else
		nx_ladder_init(&l->ladder, NX_LADDER_PAD, l->max_batch);
}

static int make_graphs(struct nx_loaded *l, const struct nx_model *model, struct nx_err *err)
{
	struct nx_graph *one = NULL;

	if (!model) {
		describe_nothing(l);
		make_ladder(l, NULL);
		l->graph = nx_alloc(l->ladder.n, sizeof *l->graph);
		return 0;
	}
	if (nx_graph_specialize(model->graph, 1, &one, err))
		return -err->code;
	make_ladder(l, one);
	l->graph = nx_alloc(l->ladder.n, sizeof *l->graph);
	l->graph[0] = one;
	if (describe(one, one->in, one->n_in, &l->in, err) ||
		describe(one, one->out, one->n_out, &l->out, err))
		return -err->code;
	return l->engine->info.simulated ? 0 : specialize_rungs(l, model, err);
}

static int compile_all(struct nx_loaded *l, const struct nx_model *model,
	const struct nx_load_opts *opts, struct nx_err *err)
{
	struct nx_engine *e = l->engine;
	const struct nx_compile_opts copts = {
		.size = sizeof copts,
		.precision = opts->precision,
		.model = model ? model->name : NULL,
		.digest = model ? model->digest : NULL,
		.cost_ms = opts->cost_ms,
		.n_cost = opts->n_cost,
	};
	int rc = 0;

	l->exec = nx_alloc(l->workers * l->ladder.n, sizeof *l->exec);
	pthread_mutex_lock(&e->compiling);
	for (size_t i = 0; i < l->workers * l->ladder.n && rc == 0; i++) {
		size_t rung = i % l->ladder.n;
		const struct nx_graph *g = l->graph[e->info.simulated ? 0 : rung];
		rc = e->lib.ops->compile(
			e->dev, g, (int64_t)l->ladder.rows[rung], &copts, &l->exec[i], err);
	}
	pthread_mutex_unlock(&e->compiling);
	return rc;
}

static int make_stage(struct io_list *list, size_t rows, struct nx_err *err)
{
	list->stage = nx_alloc(list->n, sizeof *list->stage);
	for (size_t i = 0; i < list->n; i++) {
		list->stage[i] = nx_try_alloc(rows, list->io[i].row_bytes);
		if (!list->stage[i])
			return nx_err_set(err, NX_EOS, "no memory for %zu rows of '%s'", rows,
				list->io[i].name);
	}
	return 0;
}

static int make_scratch(struct nx_loaded *l, struct nx_err *err)
{
	size_t top = l->ladder.rows[l->ladder.n - 1];

	l->pieces = nx_alloc(l->max_batch, sizeof *l->pieces);
	l->piece_in = nx_alloc(l->workers * l->in.n, sizeof *l->piece_in);
	l->piece_out = nx_alloc(l->workers * l->out.n, sizeof *l->piece_out);
	if (l->ladder.kind == NX_LADDER_PAD &&
		(make_stage(&l->in, top, err) || make_stage(&l->out, top, err)))
		return -err->code;
	return 0;
}

int nx_engine_load(struct nx_engine *e, const struct nx_model *model,
	const struct nx_load_opts *opts, struct nx_loaded **out, struct nx_err *err)
{
	uint64_t start = nx_now_ns();

	if (opts->max_batch < 1 || opts->max_batch > NX_ENGINE_BATCH_CAP)
		return nx_err_set(err, NX_EUSAGE, "batch must be from 1 to %d (got %d)",
			NX_ENGINE_BATCH_CAP, opts->max_batch);
	if (!model && !e->info.simulated)
		return nx_err_set(err, NX_EUSAGE, "device '%s' needs a model", e->lib.ops->name);

	struct nx_loaded *l = nx_alloc(1, sizeof *l);
	l->engine = e;
	l->max_batch = (size_t)opts->max_batch;
	l->workers = (size_t)nx_workers_count(e->workers);
	if (l->workers > l->max_batch)
		l->workers = l->max_batch;
	if (make_graphs(l, model, err) || compile_all(l, model, opts, err) ||
		make_scratch(l, err)) {
		nx_loaded_free(&l);
		return model ? nx_err_wrap(err, "model '%s'", model->name) : -err->code;
	}
	l->load_ms = nx_ns_to_ms(nx_now_ns() - start);
	*out = l;
	return 0;
}

static void io_release(struct io_list *list)
{
	for (size_t i = 0; list->stage && i < list->n; i++)
		free(list->stage[i]);
	free(list->stage);
	free(list->io);
}

void nx_loaded_free(struct nx_loaded **pl)
{
	struct nx_loaded *l = *pl;

	if (!l)
		return;
	pthread_mutex_lock(&l->engine->compiling);
	for (size_t i = 0; l->exec && i < l->workers * l->ladder.n; i++)
		if (l->exec[i])
			l->engine->lib.ops->exec_free(&l->exec[i]);
	pthread_mutex_unlock(&l->engine->compiling);
	for (size_t i = 0; l->graph && i < l->ladder.n; i++)
		nx_graph_free(&l->graph[i]);
	free(l->exec);
	free(l->graph);
	free(l->pieces);
	free(l->piece_in);
	free(l->piece_out);
	io_release(&l->in);
	io_release(&l->out);
	nx_ladder_release(&l->ladder);
	free(l);
	*pl = NULL;
}

size_t nx_loaded_inputs(const struct nx_loaded *l, const struct nx_io **io)
{
	*io = l->in.io;
	return l->in.n;
}

size_t nx_loaded_outputs(const struct nx_loaded *l, const struct nx_io **io)
{
	*io = l->out.io;
	return l->out.n;
}

/* Runs a piece on a rung with more rows: the rest is zero, and its answers are thrown away. */
static int run_padded(struct nx_loaded *l, const struct nx_piece *p, struct nx_plugin_exec *exec,
	struct nx_err *err)
{
	size_t rung_rows = l->ladder.rows[p->rung];

	for (size_t i = 0; i < l->in.n; i++) {
		size_t row = l->in.io[i].row_bytes;
		char *to = l->in.stage[i];
		memcpy(to, (const char *)l->batch_in[i] + p->first * row, p->rows * row);
		memset(to + p->rows * row, 0, (rung_rows - p->rows) * row);
	}
	int rc = l->engine->lib.ops->run(exec, (const void *const *)l->in.stage, l->out.stage, err);
	for (size_t i = 0; i < l->out.n && rc == 0; i++) {
		size_t row = l->out.io[i].row_bytes;
		memcpy((char *)l->batch_out[i] + p->first * row, l->out.stage[i], p->rows * row);
	}
	return rc;
}

static int run_piece(
	struct nx_loaded *l, const struct nx_piece *p, size_t worker, struct nx_err *err)
{
	struct nx_plugin_exec *exec = l->exec[worker * l->ladder.n + p->rung];
	const void **in = l->piece_in + worker * l->in.n;
	void **out = l->piece_out + worker * l->out.n;

	if (p->rows < l->ladder.rows[p->rung])
		return run_padded(l, p, exec, err);
	for (size_t i = 0; i < l->in.n; i++)
		in[i] = (const char *)l->batch_in[i] + p->first * l->in.io[i].row_bytes;
	for (size_t i = 0; i < l->out.n; i++)
		out[i] = (char *)l->batch_out[i] + p->first * l->out.io[i].row_bytes;
	return l->engine->lib.ops->run(exec, in, out, err);
}

static void run_share(void *arg, int worker)
{
	struct nx_loaded *l = arg;
	struct nx_err err = NX_ERR_INIT;

	while (!atomic_load(&l->failed)) {
		size_t i = atomic_fetch_add(&l->next, 1);
		if (i >= l->n_pieces)
			return;
		/* The first failure is the one that is reported. */
		if (run_piece(l, &l->pieces[i], (size_t)worker, &err) &&
			!atomic_exchange(&l->failed, true))
			l->err = err;
	}
}

int nx_loaded_run(struct nx_loaded *l, size_t rows, const void *const *in, void *const *out,
	struct nx_err *err)
{
	struct nx_engine *e = l->engine;

	if (rows < 1 || rows > l->max_batch)
		return nx_err_set(err, NX_EDATA, "a batch may have 1 to %zu rows (got %zu)",
			l->max_batch, rows);
	pthread_mutex_lock(&e->running);
	l->n_pieces = nx_ladder_cut(&l->ladder, rows, l->workers, l->pieces);
	l->batch_in = in;
	l->batch_out = out;
	atomic_store(&l->next, 0);
	atomic_store(&l->failed, false);
	size_t workers = l->n_pieces < l->workers ? l->n_pieces : l->workers;
	nx_workers_run(e->workers, (int)workers, run_share, l);
	bool failed = atomic_load(&l->failed);
	if (failed)
		*err = l->err;
	pthread_mutex_unlock(&e->running);
	return failed ? -err->code : 0;
}

void nx_loaded_memory(const struct nx_loaded *l, struct nx_loaded_memory *mem)
{
	memset(mem, 0, sizeof *mem);
	for (size_t i = 0; i < l->ladder.n; i++) {
		struct nx_plugin_memory m;
		l->engine->lib.ops->memory(l->exec[i], &m);
		uint64_t rows = l->ladder.rows[i];
		uint64_t per_row = (m.activations_bytes + rows - 1) / rows;
		if (per_row > mem->activations_bytes)
			mem->activations_bytes = per_row;
		if (m.weights_bytes > mem->weights_bytes)
			mem->weights_bytes = m.weights_bytes;
	}
}

double nx_loaded_load_ms(const struct nx_loaded *l)
{
	return l->load_ms;
}
