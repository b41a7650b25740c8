/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-route: in front of the backends of a plan, as a server or as a filter of video. */
#include "cli/cli.h"
#include "core/alloc.h"
#include "route/route.h"

#include <stdlib.h>

#define AT(member) offsetof(struct nx_route_config, member)
#define COUNT_MAX  9007199254740991.0

static const struct nx_opt options[] = {
	NX_OPT_ROW_PLAN(struct nx_route_config, plan),
	{ 0, "listen", "ADDRESS",
		"listen on HOST:PORT, :PORT or unix:PATH (default 127.0.0.1:8000); may be repeated",
		NX_OPT_LIST, AT(listen), 0, 0, 0 },
	{ 0, "query", "NAME", "run the sources through this query of the plan", NX_OPT_STRING,
		AT(query), 0, 0, 1 },
	{ 0, "session", "NAME", "run the sources through this session of the plan", NX_OPT_STRING,
		AT(session), 0, 0, 1 },
	{ 0, "stats", NULL, "print the statistics of the router at the address operand",
		NX_OPT_FLAG, AT(stats), 0, 0, 1 },
	NX_OPT_ROW_MODELS(struct nx_route_config, models),
	{ 0, "in-flight", "N", "have at most N frames under way (default 8)", NX_OPT_INT,
		AT(frames.in_flight), 1, 1024, 0 },
	{ 0, "every", "N", "take each N-th frame of a source", NX_OPT_INT, AT(frames.every), 1,
		COUNT_MAX, 0 },
	{ 0, "frames", "N", "stop after N frames", NX_OPT_INT, AT(frames.frames), 1, COUNT_MAX, 0 },
	{ 0, "realtime", NULL, "take frames at the pace of the video, drop what comes too late",
		NX_OPT_FLAG, AT(frames.realtime), 0, 0, 0 },
	NX_OPT_ROW_FILTER(struct nx_route_config, filter),
	{ 0, "id", "NAME", "name of this router in its statistics", NX_OPT_STRING, AT(id), 0, 0,
		0 },
	{ 0, "stats-out", "FILE",
		"append a nexus-stats/1 line to FILE at every interval and at exit", NX_OPT_STRING,
		AT(stats_out), 0, 0, 0 },
	{ 0, "stats-interval", "TIME", "interval of the statistics (default 10s)", NX_OPT_DURATION,
		AT(stats_interval_ms), 0, 0, 0 },
	{ 0, "drain-timeout", "TIME",
		"after SIGTERM, finish what is in flight for at most TIME (default 10s)",
		NX_OPT_DURATION, AT(drain_ms), 0, 0, 0 },
};

static const struct nx_tool tool = {
	.name = "nexus-route",
	.synopsis = "[SOURCE...|ADDRESS]",
	.summary = "stand in front of the backends of a plan, or run video through a query",
	.description = "Without --query or --session it serves the Open Inference Protocol for all "
		       "sessions of the plan; with one it reads videos and pictures and prints one "
		       "event a frame and stage.  --stats prints what a running router sees.",
	.opts = options,
	.n_opts = NX_ARRAY_LEN(options),
	.min_operands = 0,
	.max_operands = -1,
};

static int check(const struct nx_route_config *c, size_t operands, struct nx_err *err)
{
	bool filter = c->query || c->session;

	if (c->stats)
		return operands > 1 ? nx_err_set(err, NX_EUSAGE, "--stats takes one address") : 0;
	if (!c->plan)
		return nx_err_set(err, NX_EUSAGE, "a plan is needed (-P FILE)");
	if (filter && operands == 0)
		return nx_err_set(
			err, NX_EUSAGE, "nothing to read: name a SOURCE ('-' is standard input)");
	if (filter && c->listen.n)
		return nx_err_set(err, NX_EUSAGE, "--listen and a filter exclude each other");
	if (!filter && operands)
		return nx_err_set(err, NX_EUSAGE, "sources need --query or --session");
	if (!filter && (c->filter || c->frames.realtime || c->frames.frames))
		return nx_err_set(err, NX_EUSAGE,
			"--filter, --realtime and --frames need --query or --session");
	if (c->stats_interval_ms < 1)
		return nx_err_set(err, NX_EUSAGE, "--stats-interval must be at least 1ms");
	return 0;
}

int main(int argc, char **argv)
{
	struct nx_route_config c = { .stats_interval_ms = 10000,
		.drain_ms = 10000,
		.frames = { .in_flight = 8, .every = 1 } };
	struct nx_common common;
	struct nx_operands operands;
	struct nx_err err = NX_ERR_INIT;
	int status = 0;

	nx_cli_parse(&tool, argc, argv, &c, &common, &operands);
	c.frames.filter = c.filter;
	int rc = check(&c, operands.n, &err);
	if (rc == 0 && c.stats)
		rc = nx_route_print_stats(
			&c, operands.n ? operands.item[0] : "http://127.0.0.1:8000", &err);
	else if (rc == 0 && (c.query || c.session))
		rc = nx_route_filter(&c, operands.item, operands.n, &status, &err);
	else if (rc == 0)
		rc = nx_route_serve(&c, &err);
	free(c.listen.item);
	return rc ? nx_cli_fail(&err) : nx_cli_finish(status);
}
