/* SPDX-License-Identifier: Apache-2.0 */
#include "nexus-plan/run.h"
#include "nexus-plan/plan.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "sched/sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All that is read. */
struct input {
	struct nx_profiles profiles;
	struct nx_workload workload;
	struct nx_plan previous;
	struct nx_stats observed;
};

static void input_release(struct input *in)
{
	nx_profiles_release(&in->profiles);
	nx_workload_release(&in->workload);
	nx_plan_release(&in->previous);
	nx_stats_release(&in->observed);
}

/* Mistakes that need no file to be read. */
static int check_config(const struct nx_plan_config *c, struct nx_err *err)
{
	size_t from_stdin = strcmp(c->workload, "-") == 0;

	for (size_t i = 0; i < c->profiles.n; i++)
		from_stdin += strcmp(c->profiles.item[i], "-") == 0;
	from_stdin += c->stats && strcmp(c->stats, "-") == 0;
	from_stdin += c->previous && strcmp(c->previous, "-") == 0;
	if (from_stdin > 1)
		return nx_err_set(err, NX_EUSAGE, "only one input can be standard input ('-')");
	if (c->profiles.n == 0)
		return nx_err_set(err, NX_EUSAGE, "profiles are needed (-p FILE)");
	if (c->table && c->filter)
		return nx_err_set(err, NX_EUSAGE, "--filter needs --format json");
	if (c->output && strcmp(c->output, "-") != 0 && !c->force && access(c->output, F_OK) == 0)
		return nx_err_set(err, NX_ECREATE, "'%s' exists (-f replaces it)", c->output);
	return 0;
}

static int read_input(const struct nx_plan_config *c, struct input *in, struct nx_err *err)
{
	for (size_t i = 0; i < c->profiles.n; i++)
		if (nx_profiles_load(c->profiles.item[i], &in->profiles, err) < 0)
			return -err->code;
	if (nx_workload_load(c->workload, &in->workload, err) < 0)
		return -err->code;
	if (c->previous && nx_plan_load(c->previous, &in->previous, err) < 0)
		return -err->code;
	if (c->stats) {
		if (nx_stats_load_observed(c->stats, &in->observed, err) < 0)
			return -err->code;
		nx_sched_observe(&in->workload, &in->observed);
	}
	return 0;
}

/* ---- models -------------------------------------------------------------------------------- */

static bool is_in_folder(const char *dir, size_t len, const char *model)
{
	static const char *const suffix[] = { "onnx", "tar.zst", "tar.gz", "zip" };
	bool found = false;

	for (size_t i = 0; i < NX_ARRAY_LEN(suffix) && !found; i++) {
		char *path = nx_asprintf("%.*s/%s.%s", (int)len, dir, model, suffix[i]);

		found = access(path, R_OK) == 0;
		free(path);
	}
	return found;
}

/* With --models, a plan names only models that nexus-serve will find there. */
static int check_model(const char *dirs, const char *model, struct nx_err *err)
{
	for (const char *dir = dirs; *dir;) {
		size_t len = strcspn(dir, ":");

		if (len && is_in_folder(dir, len, model))
			return 0;
		dir += len + (dir[len] == ':');
	}
	return nx_err_set(err, NX_EDATA, "model '%s' is not in '%s'", model, dirs);
}

static int check_models(const char *dirs, const struct nx_workload *w, struct nx_err *err)
{
	for (size_t i = 0; i < w->n_sessions; i++)
		if (check_model(dirs, w->session[i].model, err) < 0)
			return -err->code;
	for (size_t i = 0; i < w->n_queries; i++)
		for (size_t j = 0; j < w->query[i].n_stages; j++)
			if (check_model(dirs, w->query[i].stage[j].model, err) < 0)
				return -err->code;
	return 0;
}

/* ---- output -------------------------------------------------------------------------------- */

static int print_plan(
	const struct nx_plan_config *c, const struct nx_plan *plan, struct nx_err *err)
{
	struct nx_buf text = NX_BUF_INIT;
	struct nx_jw j;

	if (c->table) {
		nx_show_table(plan, &text);
	} else {
		nx_jw_init(&j, &text, NX_JPRETTY);
		nx_plan_format(plan, &j);
	}
	int rc = nx_cli_output(c->output, c->filter, &text, err);
	nx_buf_release(&text);
	return rc;
}

/* What people want to know, on standard error. */
static void tell(const struct nx_plan_config *c, const struct input *in, const struct nx_plan *plan)
{
	struct nx_buf text = NX_BUF_INIT;

	if (c->explain) {
		nx_show_reasons(plan, &in->profiles, &text);
		fputs(text.data, stderr);
		nx_buf_clear(&text);
	}
	for (size_t i = 0; i < plan->n_unserved; i++) {
		const struct nx_plan_unserved *u = &plan->unserved[i];

		nx_warn("%s '%s': %g/s not served: %s", u->query ? "query" : "session",
			u->query ? u->query : u->session, u->rate, u->reason);
	}
	nx_show_summary(plan, &text);
	nx_info("%s", text.data);
	nx_buf_release(&text);
}

/* The time limit of the planner, which knows no clock. */
struct timer {
	uint64_t start_ns;
	double limit_ns;
};

static double time_left(void *arg)
{
	const struct timer *t = arg;
	double left = 1 - (double)(nx_now_ns() - t->start_ns) / t->limit_ns;

	return left > 0 ? left : 0;
}

int nx_plan_run(const struct nx_plan_config *c, struct nx_err *err)
{
	struct input in = { 0 };
	struct nx_plan plan = { 0 };
	char now[NX_RFC3339_SIZE];

	int rc = check_config(c, err);
	if (rc < 0)
		return rc;
	nx_now_rfc3339(now);
	struct timer timer = { nx_now_ns(), c->time_limit_ms * 1e6 };
	struct nx_sched_request request = { .workload = &in.workload,
		.profiles = &in.profiles,
		.previous = c->previous ? &in.previous : NULL,
		.source = strcmp(c->workload, "-") == 0 ? "standard input" : c->workload,
		.created = now,
		.epoch = c->epoch,
		.paper = c->paper,
		.seed = (uint64_t)c->seed,
		.left = c->time_limit_ms > 0 ? time_left : NULL,
		.arg = &timer };
	rc = read_input(c, &in, err);
	if (rc == 0 && c->models)
		rc = check_models(c->models, &in.workload, err);
	if (rc == 0)
		rc = nx_sched_plan(&request, &plan, err);
	if (rc == 0)
		rc = print_plan(c, &plan, err);
	if (rc == 0) {
		tell(c, &in, &plan);
		rc = plan.n_unserved == 0;
	}
	nx_plan_release(&plan);
	input_release(&in);
	return rc;
}
