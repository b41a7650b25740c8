/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One open-loop load: requests go out when they are due, by a timer of the kernel's clock, whether
 * or not earlier ones were answered, and their latency counts from then.  On one libuv loop.
 */
#ifndef NX_BENCH_LOAD_H
#define NX_BENCH_LOAD_H

#include "bench/frames.h"
#include "bench/payload.h"
#include "cli/cli.h"
#include "core/err.h"
#include "formats/stats.h"
#include "net/http.h"
#include "query/query.h"
#include "stats/arrivals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define NX_LOAD_MAX_RATE 1e6 /* requests per second of all targets together */

/* What is loaded: a session (payload) or a query. */
struct nx_load_target {
	const char *name, *model; /* borrowed */
	double rate, slo_ms;
	const struct nx_payload *payload; /* borrowed */
	struct nx_query *query;           /* borrowed, or NULL */
};

struct nx_load_opts {
	enum nx_arrival_kind arrivals;
	uint64_t seed;
	double scale; /* of all rates */
	double warmup_ms, duration_ms;
};

struct nx_load {
	uv_loop_t *loop;
	const char *address; /* "http://host:port", … */
	struct nx_load_target *target;
	size_t n_targets;
	const struct nx_frames *frames; /* of queries */
	const struct nx_common *common; /* for progress */
	bool stop;                      /* set by a signal: offer no more */
	struct nx_http_client *client;  /* while a load runs */
};

/* Runs a load to its end: the duration, then until all is answered, at most the largest SLO and
 * 2 s; what is open then has failed.  *result (release it) is all but its kind and max_rate; a
 * stopped load counts for the time it was offered. */
int nx_load_run(struct nx_load *l, const struct nx_load_opts *opts, struct nx_bench *result,
	struct nx_err *err);

/* Carries the requests of the targets' queries (an nx_infer_fn; carrier is the load). */
void nx_load_infer(void *load, struct nx_infer *infer);

#endif
