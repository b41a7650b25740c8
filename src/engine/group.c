/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/group.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "engine/internal.h"
#include "engine/rungs.h"
#include "engine/tuned.h"
#include "engine/tuned.h"
#include "model/prefix.h"

#include <stdlib.h>
#include <string.h>

/* What is made of a model: all of it, or one side of a cut. */
struct part {
	const struct nx_model *model;
	int cut; /* NX_NO_VALUE: all of it */
	bool suffix, turned;
};

struct member {
	size_t max_batch;
	struct nx_rungs *suffix; /* NULL: the trunk's answers are its own */
	double suffix_ms;        /* of the last batch */
	void **stage;            /* its outputs for a whole batch, in exact groups */
	bool in_step;            /* can run the pieces of the trunk */
	bool owns;               /* false where an earlier member has the same suffix */
};

struct nx_group {
	struct nx_engine *engine;
	struct nx_rungs *trunk;
	struct member *member;
	size_t n, max_batch;
	bool exact;
	void **stage; /* the trunk's outputs for a whole batch */
	const void **suffix_in;
	struct nx_piece *whole, *pieces; /* as the trunk's batch is cut, and a member's part */
	size_t n_whole;
	double load_ms, trunk_ms;
};

static int close_part(const void *arg, int64_t batch, struct nx_graph **graph, struct nx_err *err)
{
	const struct part *p = arg;
	struct nx_graph *whole = NULL;
	int rc = nx_graph_specialize(p->model->graph, batch, &whole, err);

	if (rc || p->cut == NX_NO_VALUE) {
		*graph = whole;
		return rc;
	}
	rc = nx_graph_cut(whole, p->cut, p->suffix ? NULL : graph, p->suffix ? graph : NULL, err);
	nx_graph_free(&whole);
	/* Besides the copies it saves, the suffix then finds what it would find in the whole
	 * model, and chooses the same kernels. */
	if (rc == 0 && p->turned && p->suffix)
		nx_graph_turn_input(*graph);
	else if (rc == 0 && p->turned)
		nx_graph_turn_output(*graph);
	return rc;
}

/* Tunings go by the shapes of layers, so that what was found for a model holds for its parts. */
static int load_part(struct nx_group *g, const struct part *p, const struct nx_graph *whole,
	const struct nx_load_opts *opts, struct nx_rungs **rungs, struct nx_err *err)
{
	struct nx_rungs_source source = { .whole = whole, .like = g->trunk };
	struct nx_load_opts with = *opts;
	struct nx_buf tuning = NX_BUF_INIT;

	if (p->model) {
		source.close = close_part;
		source.arg = p;
		source.model = p->model->name;
		source.digest = p->model->digest;
	}
	if (!opts->tuning && nx_tuned_find(g->engine, p->model, opts->precision, &tuning))
		with.tuning = tuning.data;
	int rc = nx_rungs_new(g->engine, &source, &with, rungs, err);
	nx_buf_release(&tuning);
	return rc;
}

static bool is_whole(const struct nx_model *m, const char *prefix)
{
	bool named = strncmp(prefix, "model:", 6) == 0;

	return strcmp(named ? m->name : m->digest, named ? prefix + 6 : prefix) == 0;
}

/* Where the model is cut; NX_NO_VALUE if the prefix is all of it. */
static int find_cut(const struct nx_model *m, const char *prefix, int *value, struct nx_err *err)
{
	struct nx_cuts cuts;

	*value = NX_NO_VALUE;
	if (is_whole(m, prefix))
		return 0;
	if (nx_prefix_cuts(m->graph, &cuts, err))
		return -err->code;
	const struct nx_cut *cut = nx_cuts_find(&cuts, prefix);
	if (cut)
		*value = cut->value;
	nx_cuts_release(&cuts);
	return cut ? 0 : nx_err_set(err, NX_EDATA, "there is no prefix '%.80s'", prefix);
}

static bool same_model(const struct nx_model *a, const struct nx_model *b)
{
	return a == b || (*a->digest && strcmp(a->digest, b->digest) == 0);
}

/* What loading a group needs beside it. */
struct loading {
	struct nx_group *g;
	const char *prefix;
	const struct nx_group_member *from;
	const struct nx_load_opts *opts;
	struct nx_graph *whole;
	int *cut;    /* of each member */
	bool turned; /* all have a suffix, so that nobody else sees what passes the cut */
};

/* Whether there is nothing behind the cut of member i. */
static bool ends(const struct loading *l, size_t i)
{
	const struct nx_model *m = l->from[i].model;

	if (!m)
		return !l->from[i].cost_ms;
	return l->cut[i] == NX_NO_VALUE || (m->graph->n_out == 1 && m->graph->out[0] == l->cut[i]);
}

/* The suffix of member i, or that of an earlier member of the same model. */
static int load_suffix(const struct loading *l, size_t i, struct nx_err *err)
{
	const struct nx_group_member *from = &l->from[i];
	struct member *m = &l->g->member[i];
	struct part p = { from->model, l->cut[i], true, l->turned };
	struct nx_load_opts opts = *l->opts;
	bool simulated = l->g->engine->info.simulated;

	if (ends(l, i))
		return 0;
	for (size_t k = 0; k < i && !simulated; k++) {
		if (!same_model(l->from[k].model, p.model))
			continue;
		m->suffix = l->g->member[k].suffix;
		return 0;
	}
	opts.cost_ms = from->cost_ms;
	opts.n_cost = from->n_cost;
	/* Costs of a simulated device may end at the member's own batch. */
	if (simulated && !l->g->exact)
		opts.max_batch = from->max_batch;
	m->owns = true;
	return load_part(l->g, &p, l->whole, &opts, &m->suffix, err);
}

static int make_rows(
	const struct nx_group *g, const struct nx_rungs *r, void ***stage, struct nx_err *err)
{
	const struct nx_io *io;
	size_t n = nx_rungs_outputs(r, &io);

	*stage = nx_alloc(n, sizeof **stage);
	for (size_t i = 0; i < n; i++) {
		(*stage)[i] = nx_try_alloc(g->max_batch, io[i].row_bytes);
		if (!(*stage)[i])
			return nx_err_set(err, NX_EOS, "no memory for %zu rows of '%s'",
				g->max_batch, io[i].name);
	}
	return 0;
}

/* Sees that the suffix goes on where the trunk ends, and in its pieces if it can. */
static int join(struct nx_group *g, struct member *m, struct nx_err *err)
{
	const struct nx_io *made, *taken;

	if (!m->suffix)
		return 0;
	if (nx_rungs_outputs(g->trunk, &made) != 1 || nx_rungs_inputs(m->suffix, &taken) != 1 ||
		taken->row_bytes != made->row_bytes)
		return nx_err_set(err, NX_EDATA, "it does not go on where the trunk ends");
	m->in_step = nx_rungs_in_step(g->trunk, m->suffix);
	if (g->exact && !m->in_step)
		return nx_err_set(
			err, NX_EUNSUPP, "not in batches as the trunk runs, and so not exactly");
	return g->exact ? make_rows(g, m->suffix, &m->stage, err) : 0;
}

static int load_trunk(const struct loading *l, struct nx_err *err)
{
	struct part trunk = { l->from[0].model, l->cut[0], false, l->turned };
	struct nx_group *g = l->g;
	const struct nx_io *io;

	if (load_part(g, &trunk, l->whole, l->opts, &g->trunk, err) ||
		make_rows(g, g->trunk, &g->stage, err))
		return -err->code;
	g->suffix_in = nx_alloc(nx_rungs_outputs(g->trunk, &io), sizeof *g->suffix_in);
	g->whole = nx_alloc(g->max_batch, sizeof *g->whole);
	g->pieces = nx_alloc(g->max_batch, sizeof *g->pieces);
	return 0;
}

static int find_cuts(struct loading *l, const struct nx_model **at, struct nx_err *err)
{
	l->turned = true;
	for (size_t i = 0; i < l->g->n; i++) {
		*at = l->from[i].model;
		if (*at && find_cut(*at, l->prefix, &l->cut[i], err))
			return -err->code;
		l->turned = l->turned && !ends(l, i);
	}
	return 0;
}

static int load_all(struct loading *l, struct nx_err *err)
{
	const struct nx_model *at = NULL; /* the one to be named if it goes wrong */

	l->cut = nx_alloc(l->g->n, sizeof *l->cut);
	int rc = find_cuts(l, &at, err);
	if (rc == 0) {
		at = l->from[0].model;
		rc = at ? nx_graph_specialize(at->graph, 1, &l->whole, err) : 0;
	}
	if (rc == 0)
		rc = load_trunk(l, err);
	for (size_t i = 0; i < l->g->n && rc == 0; i++) {
		at = l->from[i].model;
		rc = load_suffix(l, i, err);
		if (rc == 0)
			rc = join(l->g, &l->g->member[i], err);
	}
	nx_graph_free(&l->whole);
	free(l->cut);
	return rc && at ? nx_err_wrap(err, "model '%s'", at->name) : rc;
}

static int check_members(const struct nx_engine *e, const struct nx_group_member *members, size_t n,
	const struct nx_load_opts *opts, struct nx_err *err)
{
	if (n == 0)
		return nx_err_set(err, NX_EUSAGE, "a group has at least one member");
	if (opts->max_batch < 1 || opts->max_batch > NX_ENGINE_BATCH_CAP)
		return nx_err_set(err, NX_EUSAGE, "batch must be from 1 to %d (got %d)",
			NX_ENGINE_BATCH_CAP, opts->max_batch);
	for (size_t i = 0; i < n; i++) {
		if (members[i].max_batch < 1 || members[i].max_batch > opts->max_batch)
			return nx_err_set(err, NX_EUSAGE,
				"a member's batch must be from 1 to the group's %d (got %d)",
				opts->max_batch, members[i].max_batch);
		if (!members[i].model && (!e->info.simulated || members[0].model))
			return nx_err_set(
				err, NX_EUSAGE, "device '%s' needs a model", e->lib.ops->name);
	}
	return 0;
}

int nx_engine_load_group(struct nx_engine *e, const char *prefix,
	const struct nx_group_member *members, size_t n, const struct nx_group_opts *opts,
	struct nx_group **out, struct nx_err *err)
{
	uint64_t start = nx_now_ns();

	if (check_members(e, members, n, &opts->trunk, err))
		return -err->code;
	struct nx_group *g = nx_alloc(1, sizeof *g);
	struct loading l = { .g = g, .prefix = prefix, .from = members, .opts = &opts->trunk };
	g->engine = e;
	g->n = n;
	g->max_batch = (size_t)opts->trunk.max_batch;
	g->exact = opts->exact;
	g->member = nx_alloc(n, sizeof *g->member);
	for (size_t i = 0; i < n; i++)
		g->member[i].max_batch = (size_t)members[i].max_batch;
	if (load_all(&l, err)) {
		nx_group_free(&g);
		return -err->code;
	}
	g->load_ms = nx_ns_to_ms(nx_now_ns() - start);
	*out = g;
	return 0;
}

static void free_rows(const struct nx_rungs *r, void **stage)
{
	const struct nx_io *io;

	for (size_t i = 0; stage && i < nx_rungs_outputs(r, &io); i++)
		free(stage[i]);
	free(stage);
}

void nx_group_free(struct nx_group **pg)
{
	struct nx_group *g = *pg;

	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++) {
		free_rows(g->member[i].suffix, g->member[i].stage);
		g->member[i].stage = NULL;
	}
	for (size_t i = 0; i < g->n; i++) {
		if (g->member[i].owns)
			nx_rungs_free(&g->member[i].suffix);
	}
	free_rows(g->trunk, g->stage);
	nx_rungs_free(&g->trunk);
	free(g->suffix_in);
	free(g->whole);
	free(g->pieces);
	free(g->member);
	free(g);
	*pg = NULL;
}

size_t nx_group_inputs(const struct nx_group *g, const struct nx_io **io)
{
	return nx_rungs_inputs(g->trunk, io);
}

size_t nx_group_outputs(const struct nx_group *g, size_t member, const struct nx_io **io)
{
	const struct nx_rungs *suffix = g->member[member].suffix;

	return nx_rungs_outputs(suffix ? suffix : g->trunk, io);
}

/* Cuts one part of a piece as if it were alone, on one worker. */
static size_t cut_part(const struct nx_group *g, size_t first, size_t rows, struct nx_piece *pieces)
{
	size_t n = nx_rungs_cut_one(g->trunk, rows, pieces);

	for (size_t i = 0; i < n; i++)
		pieces[i].first += first;
	return n;
}

/* The pieces of rows first … first + rows: those of the whole batch, the ones at the ends whole
 * or, where that is not asked for, cut smaller. */
static size_t cut_member(struct nx_group *g, size_t first, size_t rows)
{
	size_t end = first + rows, n = 0;

	for (size_t i = 0; i < g->n_whole; i++) {
		const struct nx_piece *p = &g->whole[i];
		size_t from = p->first > first ? p->first : first;
		size_t to = p->first + p->rows < end ? p->first + p->rows : end;
		if (from >= to)
			continue;
		if (to - from == p->rows || g->exact)
			g->pieces[n++] = *p;
		else
			n += cut_part(g, from, to - from, g->pieces + n);
	}
	return n;
}

/* A member's rows of the trunk's answers, through its suffix. */
static int run_suffix(struct nx_group *g, const struct member *m, size_t first, size_t rows,
	void *const *out, struct nx_err *err)
{
	const struct nx_io *made, *io;
	size_t n = nx_rungs_outputs(m->suffix, &io);

	nx_rungs_outputs(g->trunk, &made);
	g->suffix_in[0] =
		g->exact ? g->stage[0] : (const char *)g->stage[0] + first * made->row_bytes;
	if (!m->in_step)
		return nx_rungs_run(m->suffix, rows, g->suffix_in, out, err);
	size_t pieces = cut_member(g, first, rows);
	for (size_t i = 0; i < pieces && !g->exact; i++)
		g->pieces[i].first -= first;
	int rc = nx_rungs_run_pieces(
		m->suffix, g->pieces, pieces, g->suffix_in, g->exact ? m->stage : out, err);
	for (size_t i = 0; i < n && g->exact && rc == 0; i++)
		memcpy(out[i], (const char *)m->stage[i] + first * io[i].row_bytes,
			rows * io[i].row_bytes);
	return rc;
}

static int run_member(struct nx_group *g, const struct member *m, size_t first, size_t rows,
	void *const *out, struct nx_err *err)
{
	const struct nx_io *io;
	size_t n = nx_rungs_outputs(g->trunk, &io);

	if (m->suffix)
		return run_suffix(g, m, first, rows, out, err);
	for (size_t i = 0; i < n; i++)
		memcpy(out[i], (const char *)g->stage[i] + first * io[i].row_bytes,
			rows * io[i].row_bytes);
	return 0;
}

static int check_rows(
	const struct nx_group *g, const size_t *rows, size_t *total, struct nx_err *err)
{
	*total = 0;
	for (size_t i = 0; i < g->n; i++) {
		if (rows[i] > g->member[i].max_batch)
			return nx_err_set(err, NX_EDATA,
				"member %zu may have 0 to %zu rows of a batch (got %zu)", i,
				g->member[i].max_batch, rows[i]);
		*total += rows[i];
	}
	if (*total < 1 || *total > g->max_batch)
		return nx_err_set(err, NX_EDATA, "a batch may have 1 to %zu rows (got %zu)",
			g->max_batch, *total);
	return 0;
}

/* Runs a member's rows, if there are any, and takes the time of its suffix. */
static int run_and_time(struct nx_group *g, struct member *m, size_t first, size_t rows,
	void *const *out, struct nx_err *err)
{
	uint64_t start = nx_now_ns();

	m->suffix_ms = 0;
	if (rows == 0)
		return 0;
	int rc = run_member(g, m, first, rows, out, err);
	if (m->suffix)
		m->suffix_ms = nx_ns_to_ms(nx_now_ns() - start);
	return rc;
}

int nx_group_run(struct nx_group *g, const size_t *rows, const void *const *in,
	void *const *const *out, nx_group_answered_fn *answered, void *arg, struct nx_err *err)
{
	size_t total, first = 0;

	if (check_rows(g, rows, &total, err))
		return -err->code;
	pthread_mutex_lock(&g->engine->running);
	uint64_t start = nx_now_ns();
	g->n_whole = nx_rungs_cut(g->trunk, total, g->whole);
	int rc = nx_rungs_run_pieces(g->trunk, g->whole, g->n_whole, in, g->stage, err);
	g->trunk_ms = nx_ns_to_ms(nx_now_ns() - start);
	for (size_t i = 0; i < g->n && rc == 0; first += rows[i++]) {
		rc = run_and_time(g, &g->member[i], first, rows[i], out[i], err);
		if (rc == 0 && rows[i] && answered)
			answered(arg, i);
	}
	pthread_mutex_unlock(&g->engine->running);
	return rc;
}

double nx_group_trunk_ms(const struct nx_group *g)
{
	return g->trunk_ms;
}

double nx_group_suffix_ms(const struct nx_group *g, size_t member)
{
	return g->member[member].suffix_ms;
}

void nx_group_memory(const struct nx_group *g, struct nx_loaded_memory *mem)
{
	const struct nx_rungs **part = nx_alloc(g->n + 1, sizeof *part);
	const struct nx_io *io;
	size_t n = 0;

	part[n++] = g->trunk;
	for (size_t i = 0; i < g->n; i++) {
		if (g->member[i].owns)
			part[n++] = g->member[i].suffix;
	}
	nx_rungs_memory(part, n, mem);
	free(part);
	for (size_t i = 0; i < nx_rungs_outputs(g->trunk, &io); i++) {
		mem->activations_bytes += io[i].row_bytes;
		mem->total_bytes += io[i].row_bytes * g->max_batch;
	}
}

double nx_group_load_ms(const struct nx_group *g)
{
	return g->load_ms;
}
