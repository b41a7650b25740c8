/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries: one frame through a tree of stages (detect → select → crop → classify), each stage a
 * request to a session.  nexus-route runs video through it, nexus-bench loads a router with it;
 * who carries the requests is behind one function.  Everything here runs on one libuv loop;
 * cropping and scaling run on its thread pool.
 *
 * Deadlines are absolute: a stage's is the frame's arrival plus the budgets along its path, so
 * that slack left by one stage flows to the next.  A branch whose deadline has passed before it
 * is sent is dropped at once.  The crops of one frame for one stage travel as one request with a
 * leading batch dimension, cut at the session's planned batch.
 */
#ifndef NX_QUERY_QUERY_H
#define NX_QUERY_QUERY_H

#include "core/buf.h"
#include "core/err.h"
#include "formats/plan.h"
#include "formats/stats.h"
#include "media/media.h"
#include "net/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* One inference request on its way to whoever serves 'session'. */
struct nx_infer {
	const char *session, *model;
	struct nx_buf body; /* an OIP request; taken by the carrier */
	size_t json_len;    /* Inference-Header-Content-Length; (size_t)-1: none, plain JSON */
	const char *content_type; /* NULL: application/octet-stream */
	uint64_t deadline_ns;
	nx_http_answer_fn *done; /* exactly once, on the loop thread */
	void *done_arg;
};
/* Carries the request; 'carrier' is the carrier's own. */
typedef void nx_infer_fn(void *carrier, struct nx_infer *infer);

struct nx_query; /* a query (or a single session) of a plan, ready to run */

/* 'name' is a query of the plan, or a session (then it is a query of one stage).  Loads the
 * manifests and input shapes of its models from 'models' ("DIR[:DIR]").  The plan must outlive
 * it.  NX_ENOTFOUND names the queries there are. */
int nx_query_new(uv_loop_t *loop, const struct nx_plan *plan, const char *name, const char *models,
	nx_infer_fn *infer, void *carrier, struct nx_query **out, struct nx_err *err);
/* All frames must have been answered. */
void nx_query_free(struct nx_query **q);

/* What became of one frame. */
struct nx_query_result {
	const char *outcome; /* of the whole query: in_slo, late, dropped, rejected, failed: that
	                        * of its worst branch */
	const char *reason;  /* of a drop, refusal or failure; else NULL */
	double latency_ms;   /* from arrival to the last answer */
	const char *events;  /* nexus-event/1 lines, root first, then children in plan order */
	size_t events_len;
};
typedef void nx_query_done_fn(void *arg, const struct nx_query_result *result);

/* Runs a frame that arrived at 'arrival_ns'.  Its pixels are taken: *frame is empty afterwards. */
void nx_query_submit(struct nx_query *q, struct nx_frame *frame, const char *source,
	uint64_t arrival_ns, nx_query_done_fn *done, void *arg);

/* Appends what was observed since the last call, 'interval_ms' ago: the sessions of the stages and
 * the edges with their measured gammas. */
void nx_query_observe(struct nx_query *q, double interval_ms, struct nx_stats *stats);

#endif
