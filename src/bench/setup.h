/* SPDX-License-Identifier: Apache-2.0 */
/* From a workload to targets that can be loaded: plan, models, pictures, payloads. */
#ifndef NX_BENCH_SETUP_H
#define NX_BENCH_SETUP_H

#include "bench/bench.h"
#include "bench/load.h"
#include "formats/plan.h"
#include "formats/workload.h"

struct nx_bench_setup {
	struct nx_load load;
	struct nx_workload workload;
	struct nx_plan plan;
	struct nx_frames frames;    /* of --input; else noise, made when a model needs it */
	char *dirs;                 /* where models are, or NULL: nowhere known */
	struct nx_payload *payload; /* one for each session's target */
};

/* Reads everything and asks the server what it has to; only pictures and the connection are
 * missing when there are none.  NX_EUNAVAIL when the server cannot be reached or is not ready. */
int nx_bench_setup_open(
	struct nx_bench_setup *s, const struct nx_bench_config *c, struct nx_err *err);
void nx_bench_setup_close(struct nx_bench_setup *s);

#endif
