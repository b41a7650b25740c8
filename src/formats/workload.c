/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads.  Several documents add up to one, so names are collected over all of them and compared
 * at the end; each keeps its document, because a message names the file's own line.
 */
#include "formats/workload.h"

#include "formats/reader.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A workload under construction, with the names of all its documents. */
struct reading {
	struct nx_jcheck *c;
	struct nx_workload *w;
	struct nx_fmt_names devices, sessions, queries;
};

/* Makes room for 'more' zeroed items behind the *n that are there. */
static void *extend(void *items, size_t *n, size_t more, size_t size)
{
	if (more == 0)
		return items;
	items = nx_realloc(items, *n + more, size);
	memset((char *)items + *n * size, 0, more * size);
	*n += more;
	return items;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The line that a message about a member names. */
static int line_of(const struct nx_jv *v, const char *key)
{
	const struct nx_jv *member = nx_jv_get(v, key);

	return member ? member->line : v->line;
}

static void read_device(struct reading *r, const struct nx_jv *v, struct nx_wl_device *d)
{
	static const char *const known[] = { "device", "count", "memory_bytes", "cost",
		"addresses" };

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	d->line = line_of(v, "device");
	d->count = -1;
	d->cost = 1;
	nx_fmt_name(r->c, v, "device", NX_REQUIRED, &d->device);
	nx_jget_int(r->c, v, "count", NX_OPTIONAL, 0, 1000000, &d->count);
	nx_fmt_bytes(r->c, v, "memory_bytes", &d->memory_bytes);
	nx_fmt_figure(r->c, v, "cost", NX_OPTIONAL, &d->cost);
	d->addresses = nx_fmt_strings(r->c, v, "addresses", NX_OPTIONAL, &d->n_addresses);
	nx_fmt_names_add(&r->devices, d->device, r->c->doc, v);
}

static void read_session(struct reading *r, const struct nx_jv *v, struct nx_wl_session *s)
{
	static const char *const known[] = { "session", "model", "precision", "threads", "slo_ms",
		"rate" };

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	s->line = line_of(v, "model");
	nx_fmt_name(r->c, v, "session", NX_REQUIRED, &s->session);
	nx_fmt_name(r->c, v, "model", NX_REQUIRED, &s->model);
	nx_fmt_name(r->c, v, "precision", NX_OPTIONAL, &s->precision);
	nx_jget_int(r->c, v, "threads", NX_OPTIONAL, 0, 1000000, &s->threads);
	nx_fmt_above_zero(r->c, v, "slo_ms", NX_REQUIRED, &s->slo_ms);
	nx_fmt_figure(r->c, v, "rate", NX_REQUIRED, &s->rate);
	nx_fmt_names_add(&r->sessions, s->session, r->c->doc, v);
}

static void read_stage(struct nx_jcheck *c, const struct nx_jv *v, struct nx_wl_stage *s)
{
	static const char *const known[] = { "stage", "model", "precision", "threads", "after",
		"gamma", "select" };

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	s->line = line_of(v, "model");
	s->gamma = 1;
	nx_fmt_part(c, v, "stage", &s->stage);
	nx_fmt_name(c, v, "model", NX_REQUIRED, &s->model);
	nx_fmt_name(c, v, "precision", NX_OPTIONAL, &s->precision);
	nx_jget_int(c, v, "threads", NX_OPTIONAL, 0, 1000000, &s->threads);
	nx_fmt_name(c, v, "after", NX_OPTIONAL, &s->after);
	nx_fmt_figure(c, v, "gamma", NX_OPTIONAL, &s->gamma);
	nx_fmt_name(c, v, "select", NX_OPTIONAL, &s->select);
	if (s->after)
		return;
	/* Nothing comes before the first stage that could be selected from or multiplied. */
	if (s->gamma != 1)
		nx_jcheck_fail(c, v, "gamma", "must be 1 for a stage without \"after\"");
	if (s->select)
		nx_jcheck_fail(c, v, "select", "needs a stage to come after");
}

/* Puts the stages into the order of their tree and sets their parents. */
static void order_stages(struct nx_jcheck *c, const struct nx_jv *stages, struct nx_wl_query *q)
{
	size_t n = q->n_stages;
	struct nx_fmt_stage *tree = nx_alloc(n, sizeof *tree);

	for (size_t i = 0; i < n; i++)
		tree[i] = (struct nx_fmt_stage){ q->stage[i].stage, q->stage[i].after, 0, -1 };
	if (nx_fmt_order_stages(c, stages, tree, n)) {
		struct nx_wl_stage *sorted = nx_alloc(n, sizeof *sorted);

		for (size_t i = 0; i < n; i++) {
			sorted[i] = q->stage[tree[i].order];
			sorted[i].parent = tree[i].parent;
		}
		free(q->stage);
		q->stage = sorted;
	}
	free(tree);
}

static void read_query(struct reading *r, const struct nx_jv *v, struct nx_wl_query *q)
{
	static const char *const known[] = { "query", "slo_ms", "rate", "stages" };
	const struct nx_jv *stages = NULL;

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_part(r->c, v, "query", &q->query);
	nx_fmt_above_zero(r->c, v, "slo_ms", NX_REQUIRED, &q->slo_ms);
	nx_fmt_figure(r->c, v, "rate", NX_REQUIRED, &q->rate);
	q->stage = nx_fmt_objects(
		r->c, v, "stages", NX_REQUIRED, sizeof *q->stage, &stages, &q->n_stages);
	for (size_t i = 0; i < q->n_stages; i++) {
		q->stage[i].index = (int)i;
		read_stage(r->c, &stages->items[i], &q->stage[i]);
	}
	if (stages && stages->n == 0)
		nx_jcheck_fail(r->c, v, "stages", "must have at least one stage");
	if (q->n_stages)
		order_stages(r->c, stages, q);
	nx_fmt_names_add(&r->queries, q->query, r->c->doc, v);
}

static void read_workload(struct reading *r, const struct nx_jv *v)
{
	static const char *const known[] = { "format", "devices", "sessions", "queries" };
	struct nx_workload *w = r->w;
	const struct nx_jv *items = NULL;
	size_t n;

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	free(nx_fmt_objects(r->c, v, "devices", NX_OPTIONAL, 1, &items, &n));
	w->device = extend(w->device, &w->n_devices, n, sizeof *w->device);
	for (size_t i = 0; i < n; i++) {
		w->device[w->n_devices - n + i].index = (int)i;
		read_device(r, &items->items[i], &w->device[w->n_devices - n + i]);
	}
	free(nx_fmt_objects(r->c, v, "sessions", NX_OPTIONAL, 1, &items, &n));
	w->session = extend(w->session, &w->n_sessions, n, sizeof *w->session);
	for (size_t i = 0; i < n; i++) {
		w->session[w->n_sessions - n + i].index = (int)i;
		read_session(r, &items->items[i], &w->session[w->n_sessions - n + i]);
	}
	free(nx_fmt_objects(r->c, v, "queries", NX_OPTIONAL, 1, &items, &n));
	w->query = extend(w->query, &w->n_queries, n, sizeof *w->query);
	for (size_t i = 0; i < n; i++) {
		w->query[w->n_queries - n + i].index = (int)i;
		read_query(r, &items->items[i], &w->query[w->n_queries - n + i]);
	}
}

/* A stage is served as session "query/stage": no other session may be called that. */
static void check_stage_names(struct reading *r)
{
	for (size_t i = 0; i < r->queries.n; i++) {
		const struct nx_fmt_named *q = &r->queries.item[i];
		const struct nx_jv *stages = nx_jv_get(q->at, "stages");

		for (size_t k = 0; stages && k < stages->n; k++) {
			const struct nx_jv *stage = nx_jv_get(&stages->items[k], "stage");
			if (!stage || stage->kind != NX_JSTRING)
				continue;
			char *name = nx_asprintf("%s/%s", q->name, stage->string);
			r->c->doc = q->doc;
			if (nx_fmt_names_has(&r->sessions, name))
				nx_jcheck_fail(r->c, stage, NULL,
					"\"%.100s\" is the name of a session too", name);
			free(name);
		}
	}
}

int nx_workload_parse(
	const struct nx_jdoc *const *docs, size_t n, struct nx_workload *w, struct nx_err *err)
{
	struct nx_jcheck c;
	struct reading r = { .c = &c, .w = w };

	*w = (struct nx_workload){ 0 };
	nx_jcheck_init(&c, NULL);
	for (size_t i = 0; i < n; i++) {
		const struct nx_jv *root = nx_jdoc_root(docs[i]);

		c.doc = docs[i];
		if (nx_jcheck_format(&c, root, "nexus-workload", 1))
			read_workload(&r, root);
	}
	nx_fmt_names_unique(&r.devices, &c, "device");
	nx_fmt_names_unique(&r.sessions, &c, "session");
	nx_fmt_names_unique(&r.queries, &c, "query");
	check_stage_names(&r);

	int rc = nx_jcheck_result(&c, err);
	nx_jcheck_release(&c);
	nx_fmt_names_release(&r.devices);
	nx_fmt_names_release(&r.sessions);
	nx_fmt_names_release(&r.queries);
	if (rc)
		nx_workload_release(w);
	return rc;
}

int nx_workload_load(const char *path, struct nx_workload *w, struct nx_err *err)
{
	struct nx_jdoc **docs;
	size_t n;

	*w = (struct nx_workload){ 0 };
	int rc = nx_fmt_load(path, &docs, &n, err);
	if (!rc)
		rc = nx_workload_parse((const struct nx_jdoc *const *)docs, n, w, err);
	nx_jdocs_free(&docs, n);
	return rc;
}

static void release_query(struct nx_wl_query *q)
{
	for (size_t i = 0; i < q->n_stages; i++) {
		struct nx_wl_stage *s = &q->stage[i];

		free(s->stage);
		free(s->model);
		free(s->after);
		free(s->precision);
		free(s->select);
	}
	free(q->stage);
	free(q->query);
}

void nx_workload_release(struct nx_workload *w)
{
	for (size_t i = 0; i < w->n_devices; i++) {
		free(w->device[i].device);
		nx_fmt_strings_free(&w->device[i].addresses, &w->device[i].n_addresses);
	}
	for (size_t i = 0; i < w->n_sessions; i++) {
		free(w->session[i].session);
		free(w->session[i].model);
		free(w->session[i].precision);
	}
	for (size_t i = 0; i < w->n_queries; i++)
		release_query(&w->query[i]);
	free(w->device);
	free(w->session);
	free(w->query);
	*w = (struct nx_workload){ 0 };
}

/* ---- writing ------------------------------------------------------------------------------- */

static void write_devices(struct nx_jw *j, const struct nx_workload *w)
{
	nx_jw_key(j, "devices");
	nx_jw_array(j);
	for (size_t i = 0; i < w->n_devices; i++) {
		const struct nx_wl_device *d = &w->device[i];

		nx_jw_object_inline(j);
		nx_jw_kstring(j, "device", d->device);
		if (d->count >= 0)
			nx_jw_kint(j, "count", d->count);
		if (d->memory_bytes)
			nx_jw_kint(j, "memory_bytes", (int64_t)d->memory_bytes);
		nx_jw_knumber(j, "cost", d->cost);
		if (d->n_addresses)
			nx_fmt_write_strings(j, "addresses", d->addresses, d->n_addresses);
		nx_jw_end(j);
	}
	nx_jw_end(j);
}

static void write_sessions(struct nx_jw *j, const struct nx_workload *w)
{
	nx_jw_key(j, "sessions");
	nx_jw_array(j);
	for (size_t i = 0; i < w->n_sessions; i++) {
		const struct nx_wl_session *s = &w->session[i];

		nx_jw_object_inline(j);
		nx_jw_kstring(j, "session", s->session);
		nx_jw_kstring(j, "model", s->model);
		nx_jw_kstring(j, "precision", s->precision);
		if (s->threads)
			nx_jw_kint(j, "threads", s->threads);
		nx_jw_knumber(j, "slo_ms", s->slo_ms);
		nx_jw_knumber(j, "rate", s->rate);
		nx_jw_end(j);
	}
	nx_jw_end(j);
}

static void write_stage(struct nx_jw *j, const struct nx_wl_stage *s)
{
	nx_jw_object_inline(j);
	nx_jw_kstring(j, "stage", s->stage);
	nx_jw_kstring(j, "model", s->model);
	nx_jw_kstring(j, "precision", s->precision);
	if (s->threads)
		nx_jw_kint(j, "threads", s->threads);
	nx_jw_kstring(j, "after", s->after);
	if (s->after)
		nx_jw_knumber(j, "gamma", s->gamma);
	nx_jw_kstring(j, "select", s->select);
	nx_jw_end(j);
}

void nx_workload_format(const struct nx_workload *w, struct nx_jw *j)
{
	nx_jw_object(j);
	nx_jw_kstring(j, "format", "nexus-workload/1");
	if (w->n_devices)
		write_devices(j, w);
	write_sessions(j, w);
	nx_jw_key(j, "queries");
	nx_jw_array(j);
	for (size_t i = 0; i < w->n_queries; i++) {
		const struct nx_wl_query *q = &w->query[i];

		nx_jw_object(j);
		nx_jw_kstring(j, "query", q->query);
		nx_jw_knumber(j, "slo_ms", q->slo_ms);
		nx_jw_knumber(j, "rate", q->rate);
		nx_jw_key(j, "stages");
		nx_jw_array(j);
		for (size_t k = 0; k < q->n_stages; k++)
			write_stage(j, &q->stage[k]);
		nx_jw_end(j);
		nx_jw_end(j);
	}
	nx_jw_end(j);
	nx_jw_end(j);
}
