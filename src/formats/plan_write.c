/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that are there: writing, looking things up, releasing. */
#include "formats/plan.h"

#include "formats/reader.h"

#include "core/alloc.h"
#include "core/fs.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------- */

static void write_session(struct nx_jw *j, const struct nx_plan_session *s)
{
	nx_jw_object_inline(j);
	nx_jw_kstring(j, "session", s->session);
	nx_jw_kstring(j, "model", s->model);
	nx_jw_kstring(j, "digest", s->digest);
	nx_jw_kstring(j, "precision", s->precision);
	if (s->threads)
		nx_jw_kint(j, "threads", s->threads);
	nx_jw_knumber(j, "slo_ms", s->slo_ms);
	nx_jw_knumber(j, "rate", s->rate);
	nx_jw_kint(j, "batch", s->batch);
	nx_jw_knumber(j, "exec_ms", s->exec_ms);
	nx_jw_end(j);
}

static void write_group(struct nx_jw *j, const struct nx_plan_group *g)
{
	nx_jw_object_inline(j);
	nx_jw_kstring(j, "prefix", g->prefix);
	nx_jw_kint(j, "batch", g->batch);
	nx_jw_knumber(j, "exec_ms", g->exec_ms);
	nx_fmt_write_strings(j, "sessions", g->session, g->n_sessions);
	nx_jw_end(j);
}

static void write_backend(struct nx_jw *j, const struct nx_plan_backend *b)
{
	nx_jw_object(j);
	nx_jw_kstring(j, "backend", b->backend);
	nx_jw_kstring(j, "device", b->device);
	nx_jw_kstring(j, "address", b->address);
	nx_jw_kstring(j, "dispatch", b->dispatch);
	nx_jw_knumber(j, "duty_cycle_ms", b->duty_cycle_ms);
	nx_jw_knumber(j, "occupancy", b->occupancy);
	nx_jw_kint(j, "memory_bytes", (int64_t)b->memory_bytes);
	nx_jw_key(j, "sessions");
	nx_jw_array(j);
	for (size_t i = 0; i < b->n_sessions; i++)
		write_session(j, &b->session[i]);
	nx_jw_end(j);
	if (b->n_groups) {
		nx_jw_key(j, "prefix_groups");
		nx_jw_array(j);
		for (size_t i = 0; i < b->n_groups; i++)
			write_group(j, &b->group[i]);
		nx_jw_end(j);
	}
	nx_jw_end(j);
}

static void write_route(struct nx_jw *j, const struct nx_plan_route *r)
{
	nx_jw_object_inline(j);
	nx_jw_kstring(j, "session", r->session);
	nx_jw_key(j, "to");
	nx_jw_array(j);
	for (size_t i = 0; i < r->n_to; i++) {
		nx_jw_object(j);
		nx_jw_kstring(j, "backend", r->to[i].backend);
		nx_jw_knumber(j, "rate", r->to[i].rate);
		nx_jw_end(j);
	}
	nx_jw_end(j);
	nx_jw_end(j);
}

static void write_query(struct nx_jw *j, const struct nx_plan_query *q)
{
	nx_jw_object(j);
	nx_jw_kstring(j, "query", q->query);
	nx_jw_knumber(j, "slo_ms", q->slo_ms);
	nx_jw_knumber(j, "rate", q->rate);
	nx_jw_key(j, "stages");
	nx_jw_array(j);
	for (size_t i = 0; i < q->n_stages; i++) {
		const struct nx_plan_stage *s = &q->stage[i];

		nx_jw_object_inline(j);
		nx_jw_kstring(j, "stage", s->stage);
		nx_jw_kstring(j, "session", s->session);
		nx_jw_kstring(j, "model", s->model);
		nx_jw_kstring(j, "after", s->after);
		nx_jw_kstring(j, "select", s->select);
		nx_jw_knumber(j, "slo_ms", s->slo_ms);
		nx_jw_knumber(j, "gamma", s->gamma);
		nx_jw_end(j);
	}
	nx_jw_end(j);
	nx_jw_end(j);
}

static void write_bounds(struct nx_jw *j, const struct nx_plan *p)
{
	nx_jw_kstring(j, "bound", p->bound);
	nx_jw_key(j, "bounds");
	nx_jw_object_inline(j);
	nx_jw_knumber(j, "fractional", p->bounds.fractional);
	nx_jw_knumber(j, "occupancy", p->bounds.occupancy);
	nx_jw_knumber(j, "conflicts", p->bounds.conflicts);
	if (p->bounds.search >= 0)
		nx_jw_knumber(j, "search", p->bounds.search);
	nx_jw_end(j);
	if (p->cost < 0)
		return;
	nx_jw_knumber(j, "cost", p->cost);
	nx_jw_knumber(j, "cost_bound", p->bounds.cost);
}

static void write_summary(struct nx_jw *j, const struct nx_plan *p)
{
	nx_jw_key(j, "summary");
	nx_jw_object(j);
	nx_jw_kint(j, "devices", (int64_t)p->n_backends);
	nx_jw_knumber(j, "lower_bound", p->lower_bound);
	nx_jw_knumber(j, "gap", p->gap);
	if (p->bound)
		write_bounds(j, p);
	nx_jw_kint(j, "moved", p->moved);
	nx_jw_key(j, "unserved");
	nx_jw_array(j);
	for (size_t i = 0; i < p->n_unserved; i++) {
		const struct nx_plan_unserved *u = &p->unserved[i];

		nx_jw_object_inline(j);
		nx_jw_kstring(j, "session", u->session);
		nx_jw_kstring(j, "query", u->query);
		nx_jw_knumber(j, "rate", u->rate);
		nx_jw_kstring(j, "reason", u->reason);
		nx_jw_end(j);
	}
	nx_jw_end(j);
	nx_jw_end(j);
}

void nx_plan_format(const struct nx_plan *p, struct nx_jw *j)
{
	nx_jw_object(j);
	nx_jw_kstring(j, "format", "nexus-plan/1");
	nx_jw_kint(j, "epoch", p->epoch);
	nx_jw_kstring(j, "created", p->created);
	nx_jw_key(j, "backends");
	nx_jw_array(j);
	for (size_t i = 0; i < p->n_backends; i++)
		write_backend(j, &p->backend[i]);
	nx_jw_end(j);
	nx_jw_key(j, "routes");
	nx_jw_array(j);
	for (size_t i = 0; i < p->n_routes; i++)
		write_route(j, &p->route[i]);
	nx_jw_end(j);
	nx_jw_key(j, "queries");
	nx_jw_array(j);
	for (size_t i = 0; i < p->n_queries; i++)
		write_query(j, &p->query[i]);
	nx_jw_end(j);
	write_summary(j, p);
	nx_jw_end(j);
}

/* ---- looking up ---------------------------------------------------------------------------- */

const struct nx_plan_backend *nx_plan_find_backend(const struct nx_plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_backends; i++)
		if (p->backend[i].backend && strcmp(p->backend[i].backend, name) == 0)
			return &p->backend[i];
	return NULL;
}

const struct nx_plan_query *nx_plan_find_query(const struct nx_plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_queries; i++)
		if (p->query[i].query && strcmp(p->query[i].query, name) == 0)
			return &p->query[i];
	return NULL;
}

const struct nx_plan_route *nx_plan_find_route(const struct nx_plan *p, const char *session)
{
	for (size_t i = 0; i < p->n_routes; i++)
		if (p->route[i].session && strcmp(p->route[i].session, session) == 0)
			return &p->route[i];
	return NULL;
}

const struct nx_plan_session *nx_plan_find_session(const struct nx_plan *p, const char *session)
{
	for (size_t i = 0; i < p->n_backends; i++) {
		const struct nx_plan_backend *b = &p->backend[i];

		for (size_t k = 0; k < b->n_sessions; k++)
			if (b->session[k].session && strcmp(b->session[k].session, session) == 0)
				return &b->session[k];
	}
	return NULL;
}

char *nx_plan_address(const struct nx_plan_backend *b)
{
	if (b->address)
		return nx_strdup(b->address);
	char *dir = nx_fs_runtime_dir();
	char *address = nx_asprintf("unix:%s/%s.sock", dir, b->backend);
	free(dir);
	return address;
}

/* ---- releasing ----------------------------------------------------------------------------- */

static void release_backend(struct nx_plan_backend *b)
{
	for (size_t i = 0; i < b->n_sessions; i++) {
		free(b->session[i].session);
		free(b->session[i].model);
		free(b->session[i].digest);
		free(b->session[i].precision);
	}
	for (size_t i = 0; i < b->n_groups; i++) {
		free(b->group[i].prefix);
		nx_fmt_strings_free(&b->group[i].session, &b->group[i].n_sessions);
	}
	free(b->session);
	free(b->group);
	free(b->backend);
	free(b->device);
	free(b->address);
	free(b->dispatch);
}

static void release_route(struct nx_plan_route *r)
{
	for (size_t i = 0; i < r->n_to; i++)
		free(r->to[i].backend);
	free(r->to);
	free(r->session);
}

static void release_query(struct nx_plan_query *q)
{
	for (size_t i = 0; i < q->n_stages; i++) {
		free(q->stage[i].stage);
		free(q->stage[i].session);
		free(q->stage[i].model);
		free(q->stage[i].after);
		free(q->stage[i].select);
	}
	free(q->stage);
	free(q->query);
}

void nx_plan_release(struct nx_plan *p)
{
	for (size_t i = 0; i < p->n_backends; i++)
		release_backend(&p->backend[i]);
	for (size_t i = 0; i < p->n_routes; i++)
		release_route(&p->route[i]);
	for (size_t i = 0; i < p->n_queries; i++)
		release_query(&p->query[i]);
	for (size_t i = 0; i < p->n_unserved; i++) {
		free(p->unserved[i].session);
		free(p->unserved[i].query);
		free(p->unserved[i].reason);
	}
	free(p->backend);
	free(p->route);
	free(p->query);
	free(p->unserved);
	free(p->created);
	free(p->bound);
	*p = (struct nx_plan){ 0 };
}
