/* SPDX-License-Identifier: Apache-2.0 */
/* Video as a Unix filter: sources in, events out, in the order of the frames. */
#ifndef NX_ROUTE_FILTER_H
#define NX_ROUTE_FILTER_H

#include "cli/cli.h"
#include "core/err.h"
#include "query/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

struct nx_filter_opts {
	int64_t in_flight;  /* frames under way at once */
	int64_t every;      /* take each n-th frame */
	int64_t frames;     /* stop after this many; 0: all */
	const char *filter; /* jq program on every event, or NULL */
	bool realtime;      /* pace by the frames' times, drop what comes too late */
};

struct nx_filter_summary {
	uint64_t frames, in_slo, failed;
};

/* Runs the sources, one after another, through the query and writes its events to 'out'.
 * Returns when everything is written.  A source that cannot be read to its end is an error after
 * the events of the frames before it.  NX_EIO when 'out' cannot be written. */
int nx_filter_run(uv_loop_t *loop, struct nx_query *query, char *const *sources, size_t n,
	const struct nx_filter_opts *opts, FILE *out, struct nx_filter_summary *summary,
	struct nx_err *err);

#endif
