/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backends of a plan as one thing that carries requests: each session's requests are spread
 * over its backends in proportion to the plan's rates (smooth weighted round robin), a backend
 * that cannot be reached is left out until a probe finds it ready again, and a request that met
 * a dead backend goes to another one while its deadline allows.  On one libuv loop.
 */
#ifndef NX_ROUTE_UPSTREAM_H
#define NX_ROUTE_UPSTREAM_H

#include "core/err.h"
#include "formats/plan.h"
#include "formats/stats.h"
#include "net/http.h"
#include "query/query.h"

struct nx_upstream;

/* Connects lazily; the plan is copied where needed. */
int nx_upstream_new(
	uv_loop_t *loop, const struct nx_plan *plan, struct nx_upstream **out, struct nx_err *err);
void nx_upstream_close(struct nx_upstream **u);

/* Takes a new plan: backends that stay keep their connections; requests under way finish where
 * they are. */
int nx_upstream_reload(struct nx_upstream *u, const struct nx_plan *plan, struct nx_err *err);

/* Carries an inference request (an nx_infer_fn; carrier is the upstream). */
void nx_upstream_infer(void *upstream, struct nx_infer *infer);

/* Whether every session with a rate has a backend that answers. */
bool nx_upstream_ready(const struct nx_upstream *u);

/* Forwards any request (GET metadata) to some backend of 'session'. */
void nx_upstream_forward(struct nx_upstream *u, const char *session, const char *method,
	const char *path, nx_http_answer_fn *done, void *arg);

/* Appends backends and how busy they were: the share of the interval with a request under way.
 * 'rotate' begins a new interval. */
void nx_upstream_observe(
	struct nx_upstream *u, double interval_ms, bool rotate, struct nx_stats *stats);

#endif
