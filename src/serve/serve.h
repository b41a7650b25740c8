/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nexus-serve: one device behind the Open Inference Protocol.  One loop thread does the network
 * and all decisions (net, dispatch), one engine thread runs batches, libuv's pool decodes
 * pictures and writes large answers; they hand over by mutex and wake-up, nobody polls.
 */
#ifndef NX_SERVE_SERVE_H
#define NX_SERVE_SERVE_H

#include "cli/cli.h"
#include "core/err.h"

#include <stddef.h>

/* What the command line says; strings borrowed. */
struct nx_serve_config {
	struct nx_operands models;  /* files to serve without a plan */
	double slo_ms;              /* of these; 0: not given */
	const char *plan, *backend; /* or the part of a plan that 'backend' is */
	const char *device;         /* spec; NULL: "cpu" */
	const char *model_dirs;     /* NULL: $NEXUS_MODELS, else the plan's folder */
	struct nx_opt_list profiles;
	struct nx_opt_list listen; /* none: the plan's address, else 127.0.0.1:8000 */
	double drain_ms;
	const char *stats_out; /* or NULL */
	double stats_interval_ms;
};

/* Serves until SIGTERM or SIGINT, then drains and returns 0.  Nothing listens before everything
 * is loaded; on an error nothing is left behind.  Called once in a process. */
int nx_serve_run(const struct nx_serve_config *cfg, struct nx_err *err);

#endif
