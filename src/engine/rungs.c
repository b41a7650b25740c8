/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rungs.h"

#include "core/alloc.h"
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

struct nx_rungs {
	struct nx_engine *engine;
	size_t max_batch, workers;
	struct io_list in, out;
	struct nx_ladder ladder;
	struct nx_graph **graph;      /* of each rung, until they are compiled */
	struct nx_plugin_exec **exec; /* [worker * ladder.n + rung] */

	/* The batch that is running. */
	struct nx_piece *own; /* room for the pieces of a batch */
	const struct nx_piece *pieces;
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
		list->io[i] = (struct nx_io){ nx_strdup(v->name), v->dtype, row_shape(&v->shape),
			(size_t)count * size };
	}
	return 0;
}

/* What a simulated device without a model takes and gives. */
static void describe_nothing(struct nx_rungs *r)
{
	static const struct nx_shape shape = { 2, { NX_DIM_OPEN, 1 } };

	r->in.n = r->out.n = 1;
	r->in.io = nx_alloc(1, sizeof *r->in.io);
	r->out.io = nx_alloc(1, sizeof *r->out.io);
	r->in.io[0] = (struct nx_io){ nx_strdup("input"), NX_F32, shape, sizeof(float) };
	r->out.io[0] = (struct nx_io){ nx_strdup("output"), NX_F32, shape, sizeof(float) };
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

/* Makes the graphs of rungs 1…; what cannot run in batches keeps the first rung alone. */
static int close_rungs(struct nx_rungs *r, const struct nx_rungs_source *source, struct nx_err *err)
{
	for (size_t i = 1; i < r->ladder.n; i++) {
		size_t rows = r->ladder.rows[i];
		struct nx_err why = NX_ERR_INIT;
		int rc = source->close(source->arg, (int64_t)rows, &r->graph[i], &why);
		if (rc && rc != -NX_EUNSUPP && rc != -NX_EDATA) {
			*err = why;
			return rc;
		}
		if (rc == 0 && rows_match(r->graph[i], r->graph[i]->in, &r->in, rows) &&
			rows_match(r->graph[i], r->graph[i]->out, &r->out, rows))
			continue;
		for (size_t k = 1; k <= i; k++)
			nx_graph_free(&r->graph[k]);
		nx_ladder_single(&r->ladder);
	}
	return 0;
}

/* Without 'copts' it has every size that might be a good one. */
static void make_ladder(
	struct nx_rungs *r, const struct nx_graph *one_row, const struct nx_compile_opts *copts)
{
	const struct nx_engine *e = r->engine;
	int micro = e->info.micro_batch;

	if (e->info.simulated) {
		nx_ladder_init(&r->ladder, NX_LADDER_DENSE, r->max_batch);
		return;
	}
	if (micro > 0 && e->lib.ops->micro_batch && copts)
		micro = e->lib.ops->micro_batch(e->dev, one_row, copts);
	if (micro > 0)
		nx_ladder_init(&r->ladder, NX_LADDER_CUT,
			(size_t)micro < r->max_batch ? (size_t)micro : r->max_batch);
	else
		nx_ladder_init(&r->ladder, NX_LADDER_PAD, r->max_batch);
}

static int make_graphs(struct nx_rungs *r, const struct nx_rungs_source *source,
	const struct nx_compile_opts *copts, struct nx_err *err)
{
	struct nx_graph *one = NULL;

	if (!source->close) {
		describe_nothing(r);
		make_ladder(r, NULL, copts);
		r->graph = nx_alloc(r->ladder.n, sizeof *r->graph);
		return 0;
	}
	if (source->close(source->arg, 1, &one, err))
		return -err->code;
	if (source->like && !r->engine->info.simulated)
		nx_ladder_copy(&r->ladder, &source->like->ladder);
	else
		make_ladder(r, source->whole ? source->whole : one, copts);
	r->graph = nx_alloc(r->ladder.n, sizeof *r->graph);
	r->graph[0] = one;
	if (describe(one, one->in, one->n_in, &r->in, err) ||
		describe(one, one->out, one->n_out, &r->out, err))
		return -err->code;
	return r->engine->info.simulated ? 0 : close_rungs(r, source, err);
}

static struct nx_compile_opts compile_opts(
	const struct nx_rungs_source *source, const struct nx_load_opts *opts)
{
	return (struct nx_compile_opts){
		.size = sizeof(struct nx_compile_opts),
		.precision = opts->precision,
		.part = source->whole != NULL,
		.model = source->model,
		.digest = source->digest,
		.cost_ms = opts->cost_ms,
		.n_cost = opts->n_cost,
		.tuning = opts->tuning,
	};
}

static int compile_all(struct nx_rungs *r, const struct nx_compile_opts *opts, struct nx_err *err)
{
	struct nx_engine *e = r->engine;
	struct nx_compile_opts copts = *opts;
	int rc = 0;

	r->exec = nx_alloc(r->workers * r->ladder.n, sizeof *r->exec);
	pthread_mutex_lock(&e->compiling);
	for (size_t i = 0; i < r->workers * r->ladder.n && rc == 0; i++) {
		size_t rung = i % r->ladder.n;
		const struct nx_graph *g = r->graph[e->info.simulated ? 0 : rung];
		copts.worker = (int)(i / r->ladder.n);
		rc = e->lib.ops->compile(
			e->dev, g, (int64_t)r->ladder.rows[rung], &copts, &r->exec[i], err);
	}
	pthread_mutex_unlock(&e->compiling);
	return rc;
}

static void free_graphs(struct nx_rungs *r)
{
	for (size_t i = 0; r->graph && i < r->ladder.n; i++)
		nx_graph_free(&r->graph[i]);
	free(r->graph);
	r->graph = NULL;
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

static int make_scratch(struct nx_rungs *r, struct nx_err *err)
{
	size_t top = r->ladder.rows[r->ladder.n - 1];

	r->own = nx_alloc(r->max_batch, sizeof *r->own);
	r->piece_in = nx_alloc(r->workers * r->in.n, sizeof *r->piece_in);
	r->piece_out = nx_alloc(r->workers * r->out.n, sizeof *r->piece_out);
	if (r->ladder.kind == NX_LADDER_PAD &&
		(make_stage(&r->in, top, err) || make_stage(&r->out, top, err)))
		return -err->code;
	return 0;
}

int nx_rungs_new(struct nx_engine *e, const struct nx_rungs_source *source,
	const struct nx_load_opts *opts, struct nx_rungs **out, struct nx_err *err)
{
	const struct nx_compile_opts copts = compile_opts(source, opts);
	struct nx_rungs *r = nx_alloc(1, sizeof *r);

	r->engine = e;
	r->max_batch = (size_t)opts->max_batch;
	r->workers = (size_t)nx_workers_count(e->workers);
	if (r->workers > r->max_batch)
		r->workers = r->max_batch;
	if (make_graphs(r, source, &copts, err) || compile_all(r, &copts, err) ||
		make_scratch(r, err)) {
		nx_rungs_free(&r);
		return -err->code;
	}
	free_graphs(r);
	*out = r;
	return 0;
}

static void put_text(void *arg, const char *text)
{
	nx_buf_adds(arg, text);
}

static int tune_graphs(struct nx_rungs *r, const struct nx_compile_opts *copts, double time_cap_ms,
	struct nx_buf *text, struct nx_err *err)
{
	struct nx_engine *e = r->engine;
	int64_t *rows = nx_alloc(r->ladder.n, sizeof *rows);
	const struct nx_tune_job job = {
		.size = sizeof job,
		.n = r->ladder.n,
		.graph = (const struct nx_graph *const *)r->graph,
		.rows = rows,
		.time_cap_ms = time_cap_ms,
		.put = put_text,
		.arg = text,
	};

	for (size_t i = 0; i < r->ladder.n; i++)
		rows[i] = (int64_t)r->ladder.rows[i];
	pthread_mutex_lock(&e->compiling);
	pthread_mutex_lock(&e->running);
	int rc = e->lib.ops->tune(e->dev, &job, copts, err);
	pthread_mutex_unlock(&e->running);
	pthread_mutex_unlock(&e->compiling);
	free(rows);
	return rc;
}

int nx_rungs_tune(struct nx_engine *e, const struct nx_rungs_source *source,
	const struct nx_load_opts *opts, double time_cap_ms, struct nx_buf *text,
	struct nx_err *err)
{
	const struct nx_compile_opts copts = compile_opts(source, opts);
	struct nx_rungs *r = nx_alloc(1, sizeof *r);

	r->engine = e;
	r->max_batch = (size_t)opts->max_batch;
	int rc = make_graphs(r, source, NULL, err);
	if (rc == 0)
		rc = tune_graphs(r, &copts, time_cap_ms, text, err);
	nx_rungs_free(&r);
	return rc;
}

static void io_release(struct io_list *list)
{
	for (size_t i = 0; list->stage && i < list->n; i++)
		free(list->stage[i]);
	for (size_t i = 0; list->io && i < list->n; i++)
		free((char *)list->io[i].name);
	free(list->stage);
	free(list->io);
}

void nx_rungs_free(struct nx_rungs **pr)
{
	struct nx_rungs *r = *pr;

	if (!r)
		return;
	pthread_mutex_lock(&r->engine->compiling);
	for (size_t i = 0; r->exec && i < r->workers * r->ladder.n; i++)
		if (r->exec[i])
			r->engine->lib.ops->exec_free(&r->exec[i]);
	pthread_mutex_unlock(&r->engine->compiling);
	free_graphs(r);
	free(r->exec);
	free(r->own);
	free(r->piece_in);
	free(r->piece_out);
	io_release(&r->in);
	io_release(&r->out);
	nx_ladder_release(&r->ladder);
	free(r);
	*pr = NULL;
}

size_t nx_rungs_inputs(const struct nx_rungs *r, const struct nx_io **io)
{
	*io = r->in.io;
	return r->in.n;
}

size_t nx_rungs_outputs(const struct nx_rungs *r, const struct nx_io **io)
{
	*io = r->out.io;
	return r->out.n;
}

/* Runs a piece on a rung with more rows: the rest is zero, and its answers are thrown away. */
static int run_padded(struct nx_rungs *r, const struct nx_piece *p, struct nx_plugin_exec *exec,
	struct nx_err *err)
{
	size_t rung_rows = r->ladder.rows[p->rung];

	for (size_t i = 0; i < r->in.n; i++) {
		size_t row = r->in.io[i].row_bytes;
		char *to = r->in.stage[i];
		memcpy(to, (const char *)r->batch_in[i] + p->first * row, p->rows * row);
		memset(to + p->rows * row, 0, (rung_rows - p->rows) * row);
	}
	int rc = r->engine->lib.ops->run(exec, (const void *const *)r->in.stage, r->out.stage, err);
	for (size_t i = 0; i < r->out.n && rc == 0; i++) {
		size_t row = r->out.io[i].row_bytes;
		memcpy((char *)r->batch_out[i] + p->first * row, r->out.stage[i], p->rows * row);
	}
	return rc;
}

static int run_piece(
	struct nx_rungs *r, const struct nx_piece *p, size_t worker, struct nx_err *err)
{
	struct nx_plugin_exec *exec = r->exec[worker * r->ladder.n + p->rung];
	const void **in = r->piece_in + worker * r->in.n;
	void **out = r->piece_out + worker * r->out.n;

	if (p->rows < r->ladder.rows[p->rung])
		return run_padded(r, p, exec, err);
	for (size_t i = 0; i < r->in.n; i++)
		in[i] = (const char *)r->batch_in[i] + p->first * r->in.io[i].row_bytes;
	for (size_t i = 0; i < r->out.n; i++)
		out[i] = (char *)r->batch_out[i] + p->first * r->out.io[i].row_bytes;
	return r->engine->lib.ops->run(exec, in, out, err);
}

static void run_share(void *arg, int worker)
{
	struct nx_rungs *r = arg;
	struct nx_err err = NX_ERR_INIT;

	while (!atomic_load(&r->failed)) {
		size_t i = atomic_fetch_add(&r->next, 1);
		if (i >= r->n_pieces)
			return;
		/* The first failure is the one that is reported. */
		if (run_piece(r, &r->pieces[i], (size_t)worker, &err) &&
			!atomic_exchange(&r->failed, true))
			r->err = err;
	}
}

size_t nx_rungs_cut(const struct nx_rungs *r, size_t rows, struct nx_piece *pieces)
{
	return nx_ladder_cut(&r->ladder, rows, r->workers, pieces);
}

size_t nx_rungs_cut_one(const struct nx_rungs *r, size_t rows, struct nx_piece *pieces)
{
	return nx_ladder_cut(&r->ladder, rows, 1, pieces);
}

bool nx_rungs_in_step(const struct nx_rungs *a, const struct nx_rungs *b)
{
	return a->ladder.kind == b->ladder.kind && a->ladder.n == b->ladder.n &&
	       memcmp(a->ladder.rows, b->ladder.rows, a->ladder.n * sizeof *a->ladder.rows) == 0;
}

int nx_rungs_run(struct nx_rungs *r, size_t rows, const void *const *in, void *const *out,
	struct nx_err *err)
{
	return nx_rungs_run_pieces(r, r->own, nx_rungs_cut(r, rows, r->own), in, out, err);
}

int nx_rungs_run_pieces(struct nx_rungs *r, const struct nx_piece *pieces, size_t n,
	const void *const *in, void *const *out, struct nx_err *err)
{
	r->pieces = pieces;
	r->n_pieces = n;
	r->batch_in = in;
	r->batch_out = out;
	atomic_store(&r->next, 0);
	atomic_store(&r->failed, false);
	size_t workers = r->n_pieces < r->workers ? r->n_pieces : r->workers;
	nx_workers_run(r->engine->workers, (int)workers, run_share, r);
	if (!atomic_load(&r->failed))
		return 0;
	*err = r->err;
	return -err->code;
}

static uint64_t most_per_row(const struct nx_rungs *r)
{
	uint64_t most = 0;

	for (size_t i = 0; i < r->ladder.n; i++) {
		struct nx_plugin_memory m;
		r->engine->lib.ops->memory(
			(const struct nx_plugin_exec *const *)r->exec + i, 1, &m);
		uint64_t rows = r->ladder.rows[i];
		uint64_t per_row = (m.activations_bytes + rows - 1) / rows;
		most = per_row > most ? per_row : most;
	}
	return most;
}

void nx_rungs_memory(const struct nx_rungs *const *part, size_t n, struct nx_loaded_memory *mem)
{
	const struct nx_plugin_exec **exec = NULL;
	struct nx_plugin_memory m;
	size_t total = 0;

	memset(mem, 0, sizeof *mem);
	for (size_t i = 0; i < n; i++) {
		size_t more = part[i]->workers * part[i]->ladder.n;
		exec = nx_realloc(exec, total + more, sizeof *exec);
		memcpy(exec + total, part[i]->exec, more * sizeof *exec);
		total += more;
		mem->activations_bytes += most_per_row(part[i]);
	}
	part[0]->engine->lib.ops->memory(exec, total, &m);
	mem->weights_bytes = m.weights_bytes;
	mem->total_bytes = m.weights_bytes + m.activations_bytes;
	free(exec);
}

void nx_rungs_steps(const struct nx_rungs *r, nx_plugin_step_fn *fn, void *arg)
{
	const struct nx_plugin *ops = r->engine->lib.ops;

	if (ops->steps)
		ops->steps(r->exec[0], fn, arg);
}

const char *nx_rungs_precision(const struct nx_rungs *r)
{
	const struct nx_plugin *ops = r->engine->lib.ops;

	return ops->precision ? ops->precision(r->exec[0]) : r->engine->info.precision;
}
