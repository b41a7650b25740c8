/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-bench: what its main() calls. */
#ifndef NX_BENCH_BENCH_H
#define NX_BENCH_BENCH_H

#include "cli/cli.h"
#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct nx_bench_config {
	const char *plan, *url;
	const char *models; /* NULL: $NEXUS_MODELS, else the plan's folder */
	const char *input;  /* pictures; NULL: noise */
	const char *workload;
	double duration_ms, warmup_ms;
	int arrivals; /* enum nx_arrival_kind */
	int64_t seed;
	double scale; /* of all rates */
	bool find_max;
	double fraction; /* < 0: not asked for */
	int format;      /* 0 JSON, 1 table */
	const char *output, *filter;
};

/* Runs the load or the search and writes the result; *status is the exit status when 0 is
 * returned. */
int nx_bench_command(const struct nx_bench_config *c, const struct nx_common *common, int *status,
	struct nx_err *err);

#endif
