/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-bench: load a router or a server and report what was answered in time. */
#include "bench/bench.h"
#include "cli/cli.h"
#include "core/alloc.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct nx_bench_config, member)

static const struct nx_opt options[] = {
	NX_OPT_ROW_PLAN(struct nx_bench_config, plan),
	{ 0, "url", "ADDRESS",
		"load the router or server at ADDRESS: http://HOST:PORT, HOST:PORT, :PORT or "
		"unix:PATH (default http://127.0.0.1:8000)",
		NX_OPT_STRING, AT(url), 0, 0, 0 },
	NX_OPT_ROW_MODELS(struct nx_bench_config, models),
	{ 0, "input", "SOURCE",
		"send the frames of a video, a picture or a folder, at most 64 and 256 MiB of them "
		"(default noise)",
		NX_OPT_STRING, AT(input), 0, 0, 0 },
	{ 0, "duration", "TIME", "count the requests of TIME (default 10s)", NX_OPT_DURATION,
		AT(duration_ms), 0, 0, 0 },
	{ 0, "warmup", "TIME", "send for TIME before anything counts (default 1s)", NX_OPT_DURATION,
		AT(warmup_ms), 0, 0, 0 },
	{ 0, "arrivals", "uniform|poisson", "requests come evenly spaced (default) or at random",
		NX_OPT_ENUM, AT(arrivals), 0, 0, 0 },
	NX_OPT_ROW_SEED(struct nx_bench_config, seed),
	{ 0, "scale", "X", "multiply all rates by X (default 1)", NX_OPT_NUMBER, AT(scale), 1e-6,
		1e6, 0 },
	{ 0, "find-max", NULL,
		"search for the highest rate at which the fraction is kept, one load of the "
		"duration a try",
		NX_OPT_FLAG, AT(find_max), 0, 0, 0 },
	{ 0, "fraction", "F",
		"ask for this fraction of the requests in their SLO (default 0.99 with --find-max)",
		NX_OPT_NUMBER, AT(fraction), 0, 1, 0 },
	{ 0, "format", "json|table", "print a nexus-bench/1 object (default) or a table",
		NX_OPT_ENUM, AT(format), 0, 0, 0 },
	NX_OPT_ROW_OUTPUT(struct nx_bench_config, output),
	NX_OPT_ROW_FILTER(struct nx_bench_config, filter),
};

static const struct nx_tool tool = {
	.name = "nexus-bench",
	.synopsis = "WORKLOAD",
	.summary = "load a router or a server and report what was answered in time",
	.description =
		"Sends the sessions and queries of a workload at their rates in an open loop, counts "
		"latency from when a request was due, and prints outcomes, percentiles and goodput.",
	.opts = options,
	.n_opts = NX_ARRAY_LEN(options),
	.min_operands = 1,
	.max_operands = 1,
};

static int check(const struct nx_bench_config *c, struct nx_err *err)
{
	if (c->input && strcmp(c->input, "-") == 0 && strcmp(c->workload, "-") == 0)
		return nx_err_set(err, NX_EUSAGE, "only one input can be standard input ('-')");
	if (c->format && c->filter)
		return nx_err_set(err, NX_EUSAGE, "--filter needs --format json");
	if (c->duration_ms < 1)
		return nx_err_set(err, NX_EUSAGE, "--duration must be at least 1ms");
	if (c->duration_ms > 86400e3 || c->warmup_ms > 86400e3)
		return nx_err_set(err, NX_EUSAGE, "--duration and --warmup end at 24h");
	return 0;
}

int main(int argc, char **argv)
{
	struct nx_bench_config c = { .url = "http://127.0.0.1:8000",
		.duration_ms = 10000,
		.warmup_ms = 1000,
		.scale = 1,
		.fraction = -1 };
	struct nx_common common;
	struct nx_operands operands;
	struct nx_err err = NX_ERR_INIT;
	int status = 0;

	nx_cli_parse(&tool, argc, argv, &c, &common, &operands);
	c.workload = operands.item[0];
	int rc = check(&c, &err);
	if (rc == 0)
		rc = nx_bench_command(&c, &common, &status, &err);
	return rc ? nx_cli_fail(&err) : nx_cli_finish(status);
}
