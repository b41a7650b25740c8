/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-serve: one device behind the Open Inference Protocol. */
#include "cli/cli.h"
#include "core/alloc.h"
#include "serve/serve.h"

#include <stddef.h>
#include <stdlib.h>

static const struct nx_opt options[] = {
	NX_OPT_ROW_PLAN(struct nx_serve_config, plan),
	{ 0, "backend", "NAME", "serve what the plan gives to backend NAME", NX_OPT_STRING,
		offsetof(struct nx_serve_config, backend), 0, 0, 0 },
	NX_OPT_ROW_DEVICE(struct nx_serve_config, device),
	{ 0, "slo", "TIME", "answer every request within TIME, as 50ms (without a plan)",
		NX_OPT_DURATION, offsetof(struct nx_serve_config, slo_ms), 0, 0, 0 },
	NX_OPT_ROW_MODELS(struct nx_serve_config, model_dirs),
	NX_OPT_ROW_PROFILES(struct nx_serve_config, profiles),
	{ 0, "listen", "ADDRESS",
		"listen on HOST:PORT, :PORT or unix:PATH (default the plan's address, else "
		"127.0.0.1:8000); may be repeated",
		NX_OPT_LIST, offsetof(struct nx_serve_config, listen), 0, 0, 0 },
	{ 0, "stats-out", "FILE",
		"append a nexus-stats/1 line to FILE at every interval and at exit", NX_OPT_STRING,
		offsetof(struct nx_serve_config, stats_out), 0, 0, 0 },
	{ 0, "stats-interval", "TIME", "interval of the statistics (default 10s)", NX_OPT_DURATION,
		offsetof(struct nx_serve_config, stats_interval_ms), 0, 0, 0 },
	{ 0, "drain-timeout", "TIME",
		"after SIGTERM, finish what is in flight for at most TIME (default 10s)",
		NX_OPT_DURATION, offsetof(struct nx_serve_config, drain_ms), 0, 0, 0 },
};

static const struct nx_tool tool = {
	.name = "nexus-serve",
	.synopsis = "[MODEL...]",
	.summary = "serve models on one device within their latency objectives",
	.description =
		"Loads its part of a plan (-P, --backend), or the MODELs themselves (--slo), onto a "
		"device and answers the Open Inference Protocol: batches by the plan, refuses at once "
		"what would be late.  SIGHUP reloads the plan, SIGTERM drains.",
	.opts = options,
	.n_opts = NX_ARRAY_LEN(options),
	.min_operands = 0,
	.max_operands = -1,
};

static int check(const struct nx_serve_config *c, struct nx_err *err)
{
	if (c->plan && c->models.n)
		return nx_err_set(err, NX_EUSAGE,
			"the plan says which models to serve: '%s' and --plan exclude each other",
			c->models.item[0]);
	if (c->plan && !c->backend)
		return nx_err_set(err, NX_EUSAGE, "--plan needs --backend NAME");
	if (c->plan && c->slo_ms > 0)
		return nx_err_set(err, NX_EUSAGE, "--plan and --slo exclude each other");
	if (!c->plan && c->backend)
		return nx_err_set(err, NX_EUSAGE, "--backend needs --plan FILE");
	if (!c->plan && c->model_dirs)
		return nx_err_set(err, NX_EUSAGE, "--models needs --plan FILE");
	if (!c->plan && !c->models.n)
		return nx_err_set(err, NX_EUSAGE, "nothing to serve: name a MODEL or a --plan");
	if (!c->plan && c->slo_ms <= 0)
		return nx_err_set(err, NX_EUSAGE, "without a plan, --slo TIME is needed");
	if (c->stats_interval_ms < 1)
		return nx_err_set(err, NX_EUSAGE, "--stats-interval must be at least 1ms");
	return 0;
}

int main(int argc, char **argv)
{
	struct nx_serve_config cfg = { .drain_ms = 10000, .stats_interval_ms = 10000 };
	struct nx_common common;
	struct nx_err err = NX_ERR_INIT;

	nx_cli_parse(&tool, argc, argv, &cfg, &common, &cfg.models);
	int rc = check(&cfg, &err);
	if (rc == 0)
		rc = nx_serve_run(&cfg, &err);
	free(cfg.profiles.item);
	free(cfg.listen.item);
	return nx_cli_finish(rc ? nx_cli_fail(&err) : 0);
}
