/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading plans; plan_write.c holds the rest.
 *
 * A plan is checked for loose ends, not for its promises: that every name leads somewhere is what
 * serve and route rely on, while throughput and latency need profiles to be judged.
 */
#include "formats/plan.h"

#include "formats/reader.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What a plan refers to by name: checked once all of it is read. */
struct reading {
	struct nx_jcheck *c;
	struct nx_plan *p;
	struct nx_fmt_names backends, routes, queries;
	struct nx_fmt_names unserved, unserved_queries;
	struct nx_fmt_names hosted; /* "backend/session" of each pair */
	char **owned;               /* the names in 'hosted' */
	size_t n_owned, cap_owned;
};

/* ---- backends ------------------------------------------------------------------------------ */

static void read_session(struct nx_jcheck *c, const struct nx_jv *v, struct nx_plan_session *s)
{
	static const char *const known[] = { "session", "model", "digest", "precision", "threads",
		"slo_ms", "rate", "batch", "exec_ms" };

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "session", NX_REQUIRED, &s->session);
	nx_fmt_name(c, v, "model", NX_REQUIRED, &s->model);
	nx_fmt_name(c, v, "digest", NX_OPTIONAL, &s->digest);
	nx_fmt_name(c, v, "precision", NX_OPTIONAL, &s->precision);
	nx_jget_int(c, v, "threads", NX_OPTIONAL, 0, 1000000, &s->threads);
	nx_fmt_above_zero(c, v, "slo_ms", NX_REQUIRED, &s->slo_ms);
	nx_fmt_figure(c, v, "rate", NX_REQUIRED, &s->rate);
	nx_jget_int(c, v, "batch", NX_REQUIRED, 1, NX_FMT_BATCH_MAX, &s->batch);
	nx_fmt_figure(c, v, "exec_ms", NX_REQUIRED, &s->exec_ms);
}

static void read_group(struct nx_jcheck *c, const struct nx_jv *v, struct nx_plan_group *g)
{
	static const char *const known[] = { "prefix", "batch", "exec_ms", "sessions" };

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "prefix", NX_REQUIRED, &g->prefix);
	nx_jget_int(c, v, "batch", NX_REQUIRED, 1, NX_FMT_BATCH_MAX, &g->batch);
	nx_fmt_figure(c, v, "exec_ms", NX_REQUIRED, &g->exec_ms);
	g->session = nx_fmt_strings(c, v, "sessions", NX_REQUIRED, &g->n_sessions);
}

/* Remembers that a backend runs a session. */
static void note_hosted(
	struct reading *r, const char *backend, const char *session, const struct nx_jv *at)
{
	if (!backend || !session)
		return;
	r->owned = nx_grow(r->owned, &r->cap_owned, r->n_owned + 1, sizeof *r->owned);
	r->owned[r->n_owned] = nx_asprintf("%s/%s", backend, session);
	nx_fmt_names_add(&r->hosted, r->owned[r->n_owned++], r->c->doc, at);
}

static bool is_hosted(const struct reading *r, const char *backend, const char *session)
{
	char *pair = nx_asprintf("%s/%s", backend, session);
	bool yes = nx_fmt_names_has(&r->hosted, pair);

	free(pair);
	return yes;
}

static void read_backend(struct reading *r, const struct nx_jv *v, struct nx_plan_backend *b)
{
	static const char *const known[] = { "backend", "device", "address", "dispatch",
		"duty_cycle_ms", "occupancy", "memory_bytes", "sessions", "prefix_groups" };
	static const char *const dispatches[] = { "pooled" };
	const struct nx_jv *items = NULL;
	int dispatch;

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_part(r->c, v, "backend", &b->backend);
	nx_fmt_name(r->c, v, "device", NX_REQUIRED, &b->device);
	nx_fmt_name(r->c, v, "address", NX_OPTIONAL, &b->address);
	if (nx_jget_enum(r->c, v, "dispatch", NX_OPTIONAL, dispatches, 1, &dispatch))
		b->dispatch = nx_strdup(dispatches[dispatch]);
	nx_fmt_figure(r->c, v, "duty_cycle_ms", NX_REQUIRED, &b->duty_cycle_ms);
	nx_fmt_figure(r->c, v, "occupancy", NX_OPTIONAL, &b->occupancy);
	nx_fmt_bytes(r->c, v, "memory_bytes", &b->memory_bytes);
	b->session = nx_fmt_objects(
		r->c, v, "sessions", NX_REQUIRED, sizeof *b->session, &items, &b->n_sessions);
	for (size_t i = 0; i < b->n_sessions; i++) {
		read_session(r->c, &items->items[i], &b->session[i]);
		note_hosted(r, b->backend, b->session[i].session, &items->items[i]);
	}
	b->group = nx_fmt_objects(
		r->c, v, "prefix_groups", NX_OPTIONAL, sizeof *b->group, &items, &b->n_groups);
	for (size_t i = 0; i < b->n_groups; i++)
		read_group(r->c, &items->items[i], &b->group[i]);
	nx_fmt_names_add(&r->backends, b->backend, r->c->doc, v);
}

/* ---- routes, queries, summary ---------------------------------------------------------------- */

static void read_route(struct reading *r, const struct nx_jv *v, struct nx_plan_route *route)
{
	static const char *const known[] = { "session", "to" };
	static const char *const known_to[] = { "backend", "rate" };
	const struct nx_jv *items = NULL;

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(r->c, v, "session", NX_REQUIRED, &route->session);
	route->to =
		nx_fmt_objects(r->c, v, "to", NX_REQUIRED, sizeof *route->to, &items, &route->n_to);
	for (size_t i = 0; i < route->n_to; i++) {
		nx_jcheck_keys(r->c, &items->items[i], known_to, NX_ARRAY_LEN(known_to));
		nx_fmt_name(r->c, &items->items[i], "backend", NX_REQUIRED, &route->to[i].backend);
		nx_fmt_figure(r->c, &items->items[i], "rate", NX_REQUIRED, &route->to[i].rate);
	}
	nx_fmt_names_add(&r->routes, route->session, r->c->doc, v);
}

static void read_stage(struct nx_jcheck *c, const struct nx_jv *v, struct nx_plan_stage *s)
{
	static const char *const known[] = { "stage", "session", "model", "after", "select",
		"slo_ms", "gamma" };

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	s->gamma = 1;
	nx_fmt_part(c, v, "stage", &s->stage);
	nx_fmt_name(c, v, "session", NX_REQUIRED, &s->session);
	nx_fmt_name(c, v, "model", NX_OPTIONAL, &s->model);
	nx_fmt_name(c, v, "after", NX_OPTIONAL, &s->after);
	nx_fmt_name(c, v, "select", NX_OPTIONAL, &s->select);
	nx_fmt_above_zero(c, v, "slo_ms", NX_REQUIRED, &s->slo_ms);
	nx_fmt_figure(c, v, "gamma", NX_OPTIONAL, &s->gamma);
}

static void order_stages(struct nx_jcheck *c, const struct nx_jv *stages, struct nx_plan_query *q)
{
	size_t n = q->n_stages;
	struct nx_fmt_stage *tree = nx_alloc(n, sizeof *tree);

	for (size_t i = 0; i < n; i++)
		tree[i] = (struct nx_fmt_stage){ q->stage[i].stage, q->stage[i].after, 0, -1 };
	if (nx_fmt_order_stages(c, stages, tree, n)) {
		struct nx_plan_stage *sorted = nx_alloc(n, sizeof *sorted);

		for (size_t i = 0; i < n; i++) {
			sorted[i] = q->stage[tree[i].order];
			sorted[i].parent = tree[i].parent;
		}
		free(q->stage);
		q->stage = sorted;
	}
	free(tree);
}

static void read_query(struct reading *r, const struct nx_jv *v, struct nx_plan_query *q)
{
	static const char *const known[] = { "query", "slo_ms", "rate", "stages" };
	const struct nx_jv *stages = NULL;

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_part(r->c, v, "query", &q->query);
	nx_fmt_above_zero(r->c, v, "slo_ms", NX_REQUIRED, &q->slo_ms);
	nx_fmt_figure(r->c, v, "rate", NX_REQUIRED, &q->rate);
	q->stage = nx_fmt_objects(
		r->c, v, "stages", NX_REQUIRED, sizeof *q->stage, &stages, &q->n_stages);
	for (size_t i = 0; i < q->n_stages; i++)
		read_stage(r->c, &stages->items[i], &q->stage[i]);
	if (stages && stages->n == 0)
		nx_jcheck_fail(r->c, v, "stages", "must have at least one stage");
	if (q->n_stages)
		order_stages(r->c, stages, q);
	nx_fmt_names_add(&r->queries, q->query, r->c->doc, v);
}

static void read_unserved(struct reading *r, const struct nx_jv *v, struct nx_plan_unserved *u)
{
	static const char *const known[] = { "session", "query", "rate", "reason" };

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(r->c, v, "session", NX_OPTIONAL, &u->session);
	nx_fmt_name(r->c, v, "query", NX_OPTIONAL, &u->query);
	nx_fmt_figure(r->c, v, "rate", NX_REQUIRED, &u->rate);
	nx_jget_string(r->c, v, "reason", NX_REQUIRED, &u->reason);
	if (!u->session == !u->query)
		nx_jcheck_fail(r->c, v, NULL, "must name either a session or a query");
	nx_fmt_names_add(&r->unserved, u->session, r->c->doc, v);
	nx_fmt_names_add(&r->unserved_queries, u->query, r->c->doc, v);
}

static void read_bounds(struct reading *r, const struct nx_jv *summary)
{
	static const char *const known[] = { "fractional", "occupancy", "conflicts", "search" };
	struct nx_plan_bounds *b = &r->p->bounds;
	const struct nx_jv *v;

	r->p->cost = -1;
	nx_fmt_figure(r->c, summary, "cost", NX_OPTIONAL, &r->p->cost);
	nx_fmt_figure(r->c, summary, "cost_bound", NX_OPTIONAL, &b->cost);
	if (!nx_jget_object(r->c, summary, "bounds", NX_OPTIONAL, &v))
		return;
	b->search = -1;
	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(r->c, summary, "bound", NX_OPTIONAL, &r->p->bound);
	nx_fmt_figure(r->c, v, "fractional", NX_OPTIONAL, &b->fractional);
	nx_fmt_figure(r->c, v, "occupancy", NX_OPTIONAL, &b->occupancy);
	nx_fmt_figure(r->c, v, "conflicts", NX_OPTIONAL, &b->conflicts);
	nx_fmt_figure(r->c, v, "search", NX_OPTIONAL, &b->search);
}

static void read_summary(struct reading *r, const struct nx_jv *v)
{
	static const char *const known[] = { "devices", "lower_bound", "gap", "bound", "bounds",
		"cost", "cost_bound", "moved", "unserved" };
	struct nx_plan *p = r->p;
	const struct nx_jv *summary, *items = NULL;

	if (!nx_jget_object(r->c, v, "summary", NX_OPTIONAL, &summary))
		return;
	nx_jcheck_keys(r->c, summary, known, NX_ARRAY_LEN(known));
	nx_fmt_figure(r->c, summary, "lower_bound", NX_OPTIONAL, &p->lower_bound);
	nx_jget_number(r->c, summary, "gap", NX_OPTIONAL, -1, NX_FMT_MAX, &p->gap);
	read_bounds(r, summary);
	nx_jget_int(r->c, summary, "moved", NX_OPTIONAL, 0, INT64_MAX, &p->moved);
	p->unserved = nx_fmt_objects(r->c, summary, "unserved", NX_OPTIONAL, sizeof *p->unserved,
		&items, &p->n_unserved);
	for (size_t i = 0; i < p->n_unserved; i++)
		read_unserved(r, &items->items[i], &p->unserved[i]);
}

static void read_plan(struct reading *r, const struct nx_jv *v)
{
	static const char *const known[] = { "format", "epoch", "created", "backends", "routes",
		"queries", "summary" };
	struct nx_plan *p = r->p;
	const struct nx_jv *items = NULL;

	nx_jcheck_keys(r->c, v, known, NX_ARRAY_LEN(known));
	nx_jget_int(r->c, v, "epoch", NX_OPTIONAL, 0, INT64_MAX, &p->epoch);
	nx_fmt_name(r->c, v, "created", NX_OPTIONAL, &p->created);
	p->backend = nx_fmt_objects(
		r->c, v, "backends", NX_REQUIRED, sizeof *p->backend, &items, &p->n_backends);
	for (size_t i = 0; i < p->n_backends; i++)
		read_backend(r, &items->items[i], &p->backend[i]);
	p->route = nx_fmt_objects(
		r->c, v, "routes", NX_REQUIRED, sizeof *p->route, &items, &p->n_routes);
	for (size_t i = 0; i < p->n_routes; i++)
		read_route(r, &items->items[i], &p->route[i]);
	p->query = nx_fmt_objects(
		r->c, v, "queries", NX_OPTIONAL, sizeof *p->query, &items, &p->n_queries);
	for (size_t i = 0; i < p->n_queries; i++)
		read_query(r, &items->items[i], &p->query[i]);
	read_summary(r, v);
}

/* ---- what refers to what --------------------------------------------------------------------- */

/* The object at index i of array 'key'. */
static const struct nx_jv *element(const struct nx_jv *v, const char *key, size_t i)
{
	return &nx_jv_get(v, key)->items[i];
}

static void check_groups(struct reading *r, const struct nx_plan_backend *b, const struct nx_jv *v)
{
	for (size_t i = 0; i < b->n_groups; i++) {
		const struct nx_plan_group *g = &b->group[i];

		for (size_t k = 0; k < g->n_sessions; k++)
			if (b->backend && !is_hosted(r, b->backend, g->session[k]))
				nx_jcheck_fail(r->c, element(v, "prefix_groups", i), "sessions",
					"\"%.100s\" is no session of this backend", g->session[k]);
	}
}

static void check_route(struct reading *r, const struct nx_plan_route *route, const struct nx_jv *v)
{
	for (size_t i = 0; i < route->n_to; i++) {
		const char *backend = route->to[i].backend;

		if (!backend || !route->session)
			continue;
		if (!nx_fmt_names_has(&r->backends, backend))
			nx_jcheck_fail(r->c, element(v, "to", i), "backend",
				"must be a backend of this plan (got \"%.100s\")", backend);
		else if (!is_hosted(r, backend, route->session))
			nx_jcheck_fail(r->c, element(v, "to", i), "backend",
				"\"%.100s\" does not run session \"%.100s\"", backend,
				route->session);
	}
}

/* Each stage's session has a route, or it or its query is named in unserved; its model is known from a backend
 * where the stage does not say it. */
static void check_query(struct reading *r, struct nx_plan_query *q, const struct nx_jv *v)
{
	bool refused = q->query && nx_fmt_names_has(&r->unserved_queries, q->query);

	for (size_t i = 0; i < q->n_stages; i++) {
		struct nx_plan_stage *s = &q->stage[i];

		if (!s->session)
			continue;
		if (!refused && !nx_fmt_names_has(&r->routes, s->session) &&
			!nx_fmt_names_has(&r->unserved, s->session))
			nx_jcheck_fail(r->c, v, "stages",
				"session \"%.100s\" has no route and is not in .summary.unserved",
				s->session);
		const struct nx_plan_session *run =
			s->model ? NULL : nx_plan_find_session(r->p, s->session);
		if (run && run->model)
			s->model = nx_strdup(run->model);
		if (!s->model)
			nx_jcheck_fail(r->c, v, "stages", "stage \"%.100s\" has no model",
				s->stage ? s->stage : "");
	}
}

static void check_references(struct reading *r, const struct nx_jv *v)
{
	struct nx_plan *p = r->p;

	nx_fmt_names_unique(&r->backends, r->c, "backend");
	nx_fmt_names_unique(&r->routes, r->c, "session");
	nx_fmt_names_unique(&r->queries, r->c, "query");
	nx_fmt_names_sort(&r->unserved);
	nx_fmt_names_sort(&r->unserved_queries);
	nx_fmt_names_unique(&r->hosted, r->c, "session");
	for (size_t i = 0; i < p->n_backends; i++)
		check_groups(r, &p->backend[i], element(v, "backends", i));
	for (size_t i = 0; i < p->n_routes; i++)
		check_route(r, &p->route[i], element(v, "routes", i));
	for (size_t i = 0; i < p->n_queries; i++)
		check_query(r, &p->query[i], element(v, "queries", i));
}

static void release_reading(struct reading *r)
{
	nx_fmt_names_release(&r->backends);
	nx_fmt_names_release(&r->routes);
	nx_fmt_names_release(&r->queries);
	nx_fmt_names_release(&r->unserved);
	nx_fmt_names_release(&r->unserved_queries);
	nx_fmt_names_release(&r->hosted);
	nx_fmt_strings_free(&r->owned, &r->n_owned);
}

int nx_plan_parse(const struct nx_jdoc *doc, struct nx_plan *p, struct nx_err *err)
{
	const struct nx_jv *root = nx_jdoc_root(doc);
	struct nx_jcheck c;
	struct reading r = { .c = &c, .p = p };

	*p = (struct nx_plan){ 0 };
	nx_jcheck_init(&c, doc);
	if (nx_jcheck_format(&c, root, "nexus-plan", 1)) {
		read_plan(&r, root);
		check_references(&r, root);
	}
	int rc = nx_jcheck_result(&c, err);
	nx_jcheck_release(&c);
	release_reading(&r);
	if (rc)
		nx_plan_release(p);
	return rc;
}

int nx_plan_load(const char *path, struct nx_plan *p, struct nx_err *err)
{
	struct nx_jdoc **docs;
	size_t n;

	*p = (struct nx_plan){ 0 };
	int rc = nx_fmt_load(path, &docs, &n, err);
	if (!rc && n != 1)
		rc = nx_err_set(err, NX_EDATA, "%s:%d: must hold one plan (got %zu)",
			nx_jdoc_source(docs[1]), nx_jdoc_root(docs[1])->line, n);
	if (!rc)
		rc = nx_plan_parse(docs[0], p, err);
	nx_jdocs_free(&docs, n);
	return rc;
}
