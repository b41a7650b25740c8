/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-plan: profiles and a workload in, a plan out. */
#include "nexus-plan/plan.h"
#include "nexus-plan/run.h"

#include "cli/cli.h"
#include "core/alloc.h"

#include <stddef.h>
#include <stdlib.h>

enum { FORMAT_JSON, FORMAT_TABLE };
enum { ALGORITHM_BEST, ALGORITHM_PAPER };

static const struct nx_opt options[] = {
	NX_OPT_ROW_PROFILES(struct nx_plan_config, profiles),
	NX_OPT_ROW_STATS(struct nx_plan_config, stats),
	{ 0, "previous", "PLAN", "move as little as possible from this nexus-plan/1", NX_OPT_STRING,
		offsetof(struct nx_plan_config, previous), 0, 0, 0 },
	NX_OPT_ROW_OUTPUT(struct nx_plan_config, output),
	{ 0, "explain", NULL, "say on standard error why each number is what it is", NX_OPT_FLAG,
		offsetof(struct nx_plan_config, explain), 0, 0, 0 },
	{ 0, "arrivals", "uniform", "the arrivals to plan for: evenly spaced, without headroom",
		NX_OPT_ENUM, offsetof(struct nx_plan_config, arrivals), 0, 0, 0 },
	{ 0, "algorithm", "best|paper",
		"how to pack: as well as can be, or by the greedy of the Nexus paper", NX_OPT_ENUM,
		offsetof(struct nx_plan_config, algorithm), 0, 0, 0 },
	{ 0, "time-limit", "DURATION",
		"look for fewer devices for this long, or until none can be saved (default: a fixed "
		"amount of work, a few seconds at most)",
		NX_OPT_DURATION, offsetof(struct nx_plan_config, time_limit_ms), 1, 864e5, 0 },
	NX_OPT_ROW_SEED(struct nx_plan_config, seed),
	{ 0, "epoch", "N", "number of the plan (default: one more than the previous one's, or 1)",
		NX_OPT_INT, offsetof(struct nx_plan_config, epoch), 0, 9007199254740991.0, 0 },
	NX_OPT_ROW_MODELS(struct nx_plan_config, models),
	NX_OPT_ROW_FILTER(struct nx_plan_config, filter),
	{ 0, "format", "json|table", "print the plan as JSON, or as a table for people",
		NX_OPT_ENUM, offsetof(struct nx_plan_config, format), 0, 0, 0 },
	NX_OPT_ROW_FORCE(struct nx_plan_config, force),
};

static const struct nx_tool tool = {
	.name = "nexus-plan",
	.synopsis = "WORKLOAD",
	.summary = "decide which device runs what in which batches",
	.description =
		"Reads profiles and a workload, and prints a plan that meets every latency SLO with "
		"as few devices as it can. What cannot be served is named in the plan and makes the "
		"exit status 1. Standard error tells the number of devices and a lower bound.",
	.opts = options,
	.n_opts = NX_ARRAY_LEN(options),
	.min_operands = 1,
	.max_operands = 1,
};

int main(int argc, char **argv)
{
	struct nx_plan_config config = { .epoch = -1 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_common common;
	struct nx_operands operands;

	nx_cli_parse(&tool, argc, argv, &config, &common, &operands);
	config.workload = operands.item[0];
	config.paper = config.algorithm == ALGORITHM_PAPER;
	config.table = config.format == FORMAT_TABLE;

	int served = nx_plan_run(&config, &err);
	free(config.profiles.item);
	if (served < 0)
		return nx_cli_fail(&err);
	return nx_cli_finish(served ? 0 : nx_err_exit_status(NX_ENO));
}
