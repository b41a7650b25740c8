/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend is "up" until a request or a probe fails to reach it; probes go to every backend at
 * an interval, so that one that comes back is used again without traffic having to find out.
 * A request's body is copied only where its session has a second backend to try.
 */
#include "route/upstream.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "query/outcome.h"
#include "query/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_MS         500
#define PROBE_TIMEOUT_MS 2000
#define CONNECTIONS      64

struct backend {
	struct nx_upstream *up;
	char *name, *address;
	struct nx_http_client *client;
	bool reachable, probed, probing;
	bool removed; /* no longer in the plan: goes when its last call is answered */
	int in_flight;
	uint64_t busy_since_ns, busy_ns;
};

struct target {
	struct backend *backend;
	double weight, credit;
};

struct route {
	char *session, *model;
	double rate;
	struct target *target;
	size_t n;
};

struct nx_upstream {
	uv_loop_t *loop;
	uv_timer_t *probe_timer;
	struct backend **backend;
	size_t n_backends;
	struct route *route;
	size_t n_routes;
	int users; /* calls and probes under way, and the owner */
};

struct call {
	struct nx_upstream *up;
	struct backend *backend;
	struct nx_infer infer;
	char *session, *model;
	struct nx_buf spare; /* the body once more, for a second try */
	bool retry;
};

/* ---- backends -------------------------------------------------------------------------------- */

static void backend_free(struct backend *b)
{
	nx_http_client_close(&b->client);
	free(b->name);
	free(b->address);
	free(b);
}

static int backend_new(struct nx_upstream *up, const struct nx_plan_backend *pb,
	struct backend **out, struct nx_err *err)
{
	struct backend *b = nx_alloc(1, sizeof *b);

	b->up = up;
	b->name = nx_strdup(pb->backend);
	b->address = nx_plan_address(pb);
	b->reachable = true;
	int rc = nx_http_client_new(up->loop, b->address, CONNECTIONS, &b->client, err);
	if (rc) {
		rc = nx_err_wrap(err, "backend '%s'", b->name);
		backend_free(b);
		return rc;
	}
	*out = b;
	return 0;
}

static struct backend *find_backend(struct backend *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i]->name, name) == 0)
			return list[i];
	}
	return NULL;
}

static void set_reachable(struct backend *b, bool reachable, const char *why)
{
	if (b->reachable == reachable && b->probed)
		return;
	if (!reachable)
		nx_warn("backend '%s' at %s cannot be used: %s", b->name, b->address, why);
	else if (b->probed || !b->reachable)
		nx_info("backend '%s' at %s is ready", b->name, b->address);
	b->reachable = reachable;
	b->probed = true;
}

static void backend_begin(struct backend *b)
{
	if (b->in_flight++ == 0)
		b->busy_since_ns = nx_now_ns();
}

static void backend_end(struct backend *b)
{
	NX_ASSERT(b->in_flight > 0);
	if (--b->in_flight > 0)
		return;
	b->busy_ns += nx_now_ns() - b->busy_since_ns;
	if (b->removed && !b->probing)
		backend_free(b);
}

/* ---- life ------------------------------------------------------------------------------------- */

static void timer_closed(uv_handle_t *h)
{
	free(h);
}

static void upstream_unref(struct nx_upstream *up)
{
	if (--up->users == 0)
		free(up);
}

static void on_probe(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct backend *b = arg;
	struct nx_upstream *up = b->up;

	b->probing = false;
	if (b->removed) {
		if (b->in_flight == 0)
			backend_free(b);
	} else if (err) {
		set_reachable(b, false, err->msg);
	} else {
		set_reachable(b, a->status == 200, "it is not ready");
	}
	upstream_unref(up);
}

static void probe_all(uv_timer_t *t)
{
	struct nx_upstream *up = t->data;

	for (size_t i = 0; i < up->n_backends; i++) {
		struct backend *b = up->backend[i];
		struct nx_buf none = NX_BUF_INIT;
		if (b->probing)
			continue;
		b->probing = true;
		up->users++;
		nx_http_send(b->client, "GET", "/v2/health/ready", NULL, &none, PROBE_TIMEOUT_MS,
			on_probe, b);
	}
}

static void routes_free(struct route *route, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(route[i].session);
		free(route[i].model);
		free(route[i].target);
	}
	free(route);
}

int nx_upstream_new(
	uv_loop_t *loop, const struct nx_plan *plan, struct nx_upstream **out, struct nx_err *err)
{
	struct nx_upstream *up = nx_alloc(1, sizeof *up);

	up->loop = loop;
	up->users = 1;
	int rc = nx_upstream_reload(up, plan, err);
	if (rc) {
		free(up);
		return rc;
	}
	up->probe_timer = nx_alloc(1, sizeof *up->probe_timer);
	uv_timer_init(loop, up->probe_timer);
	up->probe_timer->data = up;
	uv_timer_start(up->probe_timer, probe_all, 0, PROBE_MS);
	*out = up;
	return 0;
}

static void backend_remove(struct backend *b)
{
	b->removed = true;
	if (b->in_flight == 0 && !b->probing)
		backend_free(b);
}

void nx_upstream_close(struct nx_upstream **upp)
{
	struct nx_upstream *up = *upp;

	if (!up)
		return;
	*upp = NULL;
	uv_timer_stop(up->probe_timer);
	uv_close((uv_handle_t *)up->probe_timer, timer_closed);
	routes_free(up->route, up->n_routes);
	up->route = NULL;
	up->n_routes = 0;
	for (size_t i = 0; i < up->n_backends; i++) {
		/* Closing answers what is under way, so the backend goes with its last call. */
		struct backend *b = up->backend[i];
		bool idle = b->in_flight == 0 && !b->probing;
		b->removed = true;
		if (idle)
			backend_free(b);
		else
			nx_http_client_close(&b->client);
	}
	free(up->backend);
	up->backend = NULL;
	up->n_backends = 0;
	upstream_unref(up);
}

/* ---- plans ------------------------------------------------------------------------------------- */

/* The new list of backends: old ones that stayed where they were, and new ones. */
static int make_backends(struct nx_upstream *up, const struct nx_plan *plan, struct backend ***list,
	struct nx_err *err)
{
	struct backend **b = nx_alloc(plan->n_backends, sizeof *b);

	for (size_t i = 0; i < plan->n_backends; i++) {
		const struct nx_plan_backend *pb = &plan->backend[i];
		char *address = nx_plan_address(pb);
		struct backend *old = find_backend(up->backend, up->n_backends, pb->backend);
		bool same = old && strcmp(old->address, address) == 0;
		free(address);
		if (same) {
			b[i] = old;
		} else if (backend_new(up, pb, &b[i], err)) {
			while (i--) {
				/* A moved backend is new under its old name. */
				if (find_backend(up->backend, up->n_backends, b[i]->name) != b[i])
					backend_free(b[i]);
			}
			free(b);
			return -err->code;
		}
	}
	*list = b;
	return 0;
}

static void make_routes(
	const struct nx_plan *plan, struct backend *const *list, struct route *route)
{
	for (size_t i = 0; i < plan->n_routes; i++) {
		const struct nx_plan_route *pr = &plan->route[i];
		const struct nx_plan_session *ps = nx_plan_find_session(plan, pr->session);
		struct route *r = &route[i];
		r->session = nx_strdup(pr->session);
		r->model = nx_strdup(ps ? ps->model : pr->session);
		r->target = nx_alloc(pr->n_to, sizeof *r->target);
		for (size_t k = 0; k < pr->n_to; k++) {
			struct backend *b = find_backend(list, plan->n_backends, pr->to[k].backend);
			if (!b)
				continue;
			r->target[r->n++] = (struct target){ b, pr->to[k].rate, 0 };
			r->rate += pr->to[k].rate;
		}
	}
}

int nx_upstream_reload(struct nx_upstream *up, const struct nx_plan *plan, struct nx_err *err)
{
	struct backend **list = NULL, **old = up->backend;
	size_t n_old = up->n_backends;

	int rc = make_backends(up, plan, &list, err);
	if (rc)
		return rc;
	routes_free(up->route, up->n_routes);
	up->route = nx_alloc(plan->n_routes, sizeof *up->route);
	up->n_routes = plan->n_routes;
	make_routes(plan, list, up->route);
	up->backend = list;
	up->n_backends = plan->n_backends;
	for (size_t i = 0; i < n_old; i++) {
		bool stays = false;
		for (size_t k = 0; k < up->n_backends; k++)
			stays |= list[k] == old[i];
		if (!stays)
			backend_remove(old[i]);
	}
	free(old);
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------------- */

static struct route *find_route(const struct nx_upstream *up, const char *session)
{
	for (size_t i = 0; i < up->n_routes; i++) {
		if (strcmp(up->route[i].session, session) == 0)
			return &up->route[i];
	}
	return NULL;
}

/* Smooth weighted round robin: every target earns its weight, the richest pays the total.  Targets
 * that cannot be reached, and 'except', earn nothing; NULL if none is left. */
static struct backend *pick(struct route *r, const struct backend *except)
{
	struct target *best = NULL;
	double total = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct target *t = &r->target[i];
		/* A session planned at rate 0 may still have its one backend. */
		double weight = t->weight > 0 ? t->weight : 1e-9;
		if (!t->backend->reachable || t->backend == except)
			continue;
		t->credit += weight;
		total += weight;
		if (!best || t->credit > best->credit)
			best = t;
	}
	if (!best)
		return NULL;
	best->credit -= total;
	return best->backend;
}

static void call_free(struct call *c)
{
	struct nx_upstream *up = c->up;

	nx_buf_release(&c->infer.body);
	nx_buf_release(&c->spare);
	free(c->session);
	free(c->model);
	free(c);
	upstream_unref(up);
}

static void answer(struct call *c, const struct nx_http_answer *a, const struct nx_err *err)
{
	c->infer.done(c->infer.done_arg, a, err);
	call_free(c);
}

static void on_answer(void *arg, const struct nx_http_answer *a, const struct nx_err *err);

static void send_to(struct call *c, struct backend *b)
{
	c->backend = b;
	backend_begin(b);
	nx_wire_send(b->client, &c->infer, on_answer, c);
}

/* Why the backend takes no requests any more, or NULL if it does. */
static const char *lost_backend(const struct nx_http_answer *a, const struct nx_err *err)
{
	if (err)
		return err->code == NX_ELATE ? NULL : err->msg;
	if (a->status == 503 && nx_verdict_of(a, NULL, 0, 0).reason == NX_REASON_DRAIN)
		return "it is draining";
	return NULL;
}

static void on_answer(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct call *c = arg;
	struct backend *b = c->backend, *other = NULL;

	const char *lost = lost_backend(a, err);
	if (lost && !b->removed)
		set_reachable(b, false, lost);
	if (lost && c->retry && nx_now_ns() < c->infer.deadline_ns) {
		struct route *r = find_route(c->up, c->session);
		other = r ? pick(r, b) : NULL;
	}
	backend_end(b);
	if (!other) {
		answer(c, a, err);
		return;
	}
	c->retry = false;
	c->infer.body = c->spare;
	c->spare = (struct nx_buf)NX_BUF_INIT;
	send_to(c, other);
}

void nx_upstream_infer(void *upstream, struct nx_infer *infer)
{
	struct nx_upstream *up = upstream;
	struct route *r = find_route(up, infer->session);
	struct call *c = nx_alloc(1, sizeof *c);
	struct nx_err err = NX_ERR_INIT;

	c->up = up;
	up->users++;
	c->infer = *infer;
	c->session = nx_strdup(infer->session);
	c->model = nx_strdup(infer->model ? infer->model : r ? r->model : infer->session);
	/* The caller's names need not live as long as the call. */
	c->infer.session = c->session;
	c->infer.model = c->model;
	infer->body = (struct nx_buf)NX_BUF_INIT;
	if (!r) {
		nx_err_set(&err, NX_ENOTFOUND, "no session '%s' in the plan", c->session);
		answer(c, NULL, &err);
		return;
	}
	struct backend *b = pick(r, NULL);
	if (!b) {
		nx_err_set(
			&err, NX_EUNAVAIL, "no backend of session '%s' can be reached", c->session);
		answer(c, NULL, &err);
		return;
	}
	c->retry = r->n > 1;
	if (c->retry)
		nx_buf_add(&c->spare, c->infer.body.data, c->infer.body.len);
	send_to(c, b);
}

struct forward {
	struct backend *backend;
	struct nx_upstream *up;
	nx_http_answer_fn *done;
	void *arg;
};

static void on_forwarded(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct forward *f = arg;

	f->done(f->arg, a, err);
	backend_end(f->backend);
	upstream_unref(f->up);
	free(f);
}

void nx_upstream_forward(struct nx_upstream *up, const char *session, const char *method,
	const char *path, nx_http_answer_fn *done, void *arg)
{
	struct route *r = find_route(up, session);
	struct backend *b = r ? pick(r, NULL) : NULL;
	struct nx_buf none = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;

	if (!b) {
		nx_err_set(&err, r ? NX_EUNAVAIL : NX_ENOTFOUND, "no backend of session '%s'",
			session);
		done(arg, NULL, &err);
		return;
	}
	struct forward *f = nx_alloc(1, sizeof *f);
	*f = (struct forward){ b, up, done, arg };
	up->users++;
	backend_begin(b);
	nx_http_send(b->client, method, path, NULL, &none, PROBE_TIMEOUT_MS, on_forwarded, f);
}

/* ---- state ------------------------------------------------------------------------------------- */

bool nx_upstream_ready(const struct nx_upstream *up)
{
	for (size_t i = 0; i < up->n_routes; i++) {
		const struct route *r = &up->route[i];
		bool served = r->rate <= 0;
		for (size_t k = 0; k < r->n; k++) {
			const struct backend *b = r->target[k].backend;
			served |= b->probed && b->reachable;
		}
		if (!served)
			return false;
	}
	return true;
}

void nx_upstream_observe(
	struct nx_upstream *up, double interval_ms, bool rotate, struct nx_stats *stats)
{
	uint64_t now = nx_now_ns();

	stats->backend = nx_realloc(
		stats->backend, stats->n_backends + up->n_backends, sizeof *stats->backend);
	for (size_t i = 0; i < up->n_backends; i++) {
		struct backend *b = up->backend[i];
		if (b->in_flight) {
			b->busy_ns += now - b->busy_since_ns;
			b->busy_since_ns = now;
		}
		double busy = interval_ms > 0 ? nx_ns_to_ms(b->busy_ns) / interval_ms : 0;
		if (rotate)
			b->busy_ns = 0;
		stats->backend[stats->n_backends++] =
			(struct nx_stats_backend){ nx_strdup(b->name), busy > 1 ? 1 : busy };
	}
}
