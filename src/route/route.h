/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-route's three jobs, each called once by main(). */
#ifndef NX_ROUTE_ROUTE_H
#define NX_ROUTE_ROUTE_H

#include "cli/cli.h"
#include "core/err.h"
#include "route/filter.h"

struct nx_route_config {
	const char *plan;
	const char *models; /* NULL: $NEXUS_MODELS, else the plan's folder */
	const char *query, *session;
	const char *filter; /* jq program on every printed line, or NULL */
	bool stats;
	struct nx_opt_list listen; /* none: 127.0.0.1:8000 */
	const char *id;            /* of this router in its statistics */
	const char *stats_out;
	double stats_interval_ms, drain_ms;
	struct nx_filter_opts frames;
};

/* Serves until SIGTERM or SIGINT. */
int nx_route_serve(const struct nx_route_config *c, struct nx_err *err);
/* Runs sources through the query or session; *status is the exit status when 0 is returned. */
int nx_route_filter(const struct nx_route_config *c, char *const *sources, size_t n, int *status,
	struct nx_err *err);
/* Prints the statistics of the router at 'address'. */
int nx_route_print_stats(const struct nx_route_config *c, const char *address, struct nx_err *err);

#endif
