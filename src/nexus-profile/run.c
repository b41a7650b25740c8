/* SPDX-License-Identifier: Apache-2.0 */
#include "nexus-profile/run.h"

#include "nexus-profile/prefixes.h"

#include "core/alloc.h"
#include "core/log.h"
#include "profile/profile.h"
#include "profile/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
	const struct nx_common *common;
	char *what; /* for the progress line */
};

static void show_progress(void *arg, const struct nx_measure_progress *p)
{
	const struct job *job = arg;

	nx_cli_progress(job->common, job->what, (double)p->index, (double)p->n_batches);
}

/* What is the same for all models of a call. */
struct call {
	const struct nx_profile_config *config;
	const struct nx_common *common;
	const struct nx_measure_opts *opts;
	const struct nx_model_set *set;
	struct nx_engine *engine;
};

static int profile_prefixes(const struct call *c, const struct nx_model *model,
	const struct nx_cuts *cuts, struct nx_profile *profile, struct nx_err *err)
{
	const struct nx_shared_list *shared = &c->set->shared;
	const char **known = nx_alloc(shared->n, sizeof *known);
	size_t max = (size_t)c->config->prefix_points;
	size_t *chosen = nx_alloc(max, sizeof *chosen);

	for (size_t i = 0; i < shared->n; i++)
		known[i] = shared->item[i].cut.digest;
	size_t n = nx_prefix_choose(cuts, known, shared->n, max, chosen);
	int rc = nx_prefix_measure(c->engine, model, cuts, chosen, n, c->opts, profile, err);
	free(known);
	free(chosen);
	return rc ? nx_err_wrap(err, "model '%s'", model->name) : 0;
}

static int profile_model(const struct call *c, const char *path, const struct nx_cuts *cuts,
	struct nx_jw *w, struct nx_err *err)
{
	struct nx_model *model = NULL;
	struct nx_profile profile;

	if (nx_model_load(path, &model, err))
		return -err->code;
	struct job job = { c->common, nx_asprintf("profiling %s", model->name) };
	int rc = nx_profile_measure(c->engine, model, c->opts, show_progress, &job, &profile, err);
	if (rc == 0 && cuts)
		rc = profile_prefixes(c, model, cuts, &profile, err);
	nx_cli_progress_end(c->common);
	if (rc == 0)
		nx_profile_format(&profile, w);
	nx_profile_release(&profile);
	free(job.what);
	nx_model_free(&model);
	return rc;
}

char *nx_profile_device_spec(const struct nx_profile_config *c)
{
	if (c->threads == 0)
		return nx_strdup(c->device);
	return nx_asprintf("%s%cthreads=%lld", c->device, strchr(c->device, ':') ? ',' : ':',
		(long long)c->threads);
}

static int profile_all(const struct nx_profile_config *c, const struct nx_common *common,
	const struct nx_operands *models, const struct nx_measure_opts *opts, struct nx_buf *json,
	struct nx_err *err)
{
	struct nx_model_set set = { 0 };
	struct call call = { c, common, opts, &set, NULL };
	char *spec = nx_profile_device_spec(c);
	struct nx_jw w;
	int rc = nx_engine_open(spec, NULL, &call.engine, err);

	free(spec);
	if (rc == 0 && c->prefix_points)
		rc = nx_model_set_init(&set, models, false, err);
	nx_jw_init(&w, json, NX_JPRETTY);
	for (size_t i = 0; i < models->n && rc == 0; i++)
		rc = profile_model(
			&call, models->item[i], c->prefix_points ? &set.cuts[i] : NULL, &w, err);
	nx_model_set_release(&set);
	nx_engine_close(&call.engine);
	return rc;
}

int nx_profile_check_output(const struct nx_profile_config *c, struct nx_err *err)
{
	if (!c->output || c->force || strcmp(c->output, "-") == 0 || access(c->output, F_OK) != 0)
		return 0;
	return nx_err_set(err, NX_ECREATE, "'%s' exists (use -f to overwrite it)", c->output);
}

int nx_profile_run(const struct nx_profile_config *c, const struct nx_common *common,
	const struct nx_operands *models, struct nx_err *err)
{
	struct nx_measure_opts opts = {
		.precision = c->precision,
		.rel_error = c->rel_error,
		.time_cap_ms = c->time_cap_ms,
		.seed = (uint64_t)c->seed,
		.tune = (enum nx_tune_mode)c->tune,
		.tune_cap_ms = c->tune_cap_ms,
	};
	struct nx_buf json = NX_BUF_INIT;
	int *batches = NULL;

	if (models->n == 0)
		return nx_err_set(err, NX_EUSAGE, "no model is given");
	if (c->table)
		return nx_err_set(err, NX_EUSAGE, "--format table is for --prefixes");
	if (nx_profile_check_output(c, err) ||
		nx_measure_parse_batches(c->batches, &batches, &opts.n_batches, err))
		return -err->code;
	opts.batch = batches;
	int rc = profile_all(c, common, models, &opts, &json, err);
	if (rc == 0)
		rc = nx_cli_output(c->output, c->filter, &json, err);
	nx_buf_release(&json);
	free(batches);
	return rc;
}

/* The test folders of all operands. */
static int find_folders(
	const struct nx_operands *dirs, char ***folders, size_t *n, struct nx_err *err)
{
	size_t cap = 0;

	*folders = NULL;
	*n = 0;
	for (size_t i = 0; i < dirs->n; i++) {
		char **found;
		size_t k;
		int rc = nx_verify_find(dirs->item[i], &found, &k, err);
		if (rc)
			return rc;
		*folders = nx_grow(*folders, &cap, *n + k, sizeof **folders);
		memcpy(*folders + *n, found, k * sizeof *found);
		*n += k;
		free(found);
	}
	return dirs->n ? 0 : nx_err_set(err, NX_EUSAGE, "no folder is given");
}

/* Runs the folders; how many have which verdict is in count[]. */
static int verify_all(const struct nx_profile_config *c, const struct nx_common *common,
	char *const *folders, size_t n, size_t count[3], struct nx_buf *json, struct nx_err *err)
{
	struct nx_engine *engine = NULL;
	char *spec = nx_profile_device_spec(c);
	struct nx_jw w;
	int rc = nx_engine_open(spec, NULL, &engine, err);

	free(spec);
	if (rc == 0 && nx_engine_info(engine)->simulated)
		rc = nx_err_set(err, NX_EUSAGE, "device '%s' computes nothing to verify",
			nx_engine_info(engine)->spec);
	nx_jw_init(&w, json, NX_JCOMPACT);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct nx_verify v;
		nx_verify_folder(engine, folders[i], c->precision, &v);
		nx_verify_format(&v, &w);
		count[v.verdict]++;
		nx_verify_release(&v);
		nx_cli_progress(common, "verifying", (double)i + 1, (double)n);
	}
	nx_cli_progress_end(common);
	nx_engine_close(&engine);
	return rc;
}

int nx_profile_verify(const struct nx_profile_config *c, const struct nx_common *common,
	const struct nx_operands *dirs, struct nx_err *err)
{
	struct nx_buf json = NX_BUF_INIT;
	size_t n, count[3] = { 0 };
	char **folders;
	int rc = find_folders(dirs, &folders, &n, err);

	if (rc == 0)
		rc = nx_profile_check_output(c, err);
	if (rc == 0)
		rc = verify_all(c, common, folders, n, count, &json, err);
	if (rc == 0)
		rc = nx_cli_output(c->output, c->filter, &json, err);
	if (rc == 0)
		nx_info("%zu passed, %zu failed, %zu unsupported", count[NX_VERIFY_PASS],
			count[NX_VERIFY_FAIL], count[NX_VERIFY_UNSUPPORTED]);
	for (size_t i = 0; i < n; i++)
		free(folders[i]);
	free(folders);
	nx_buf_release(&json);
	return rc ? rc : count[NX_VERIFY_FAIL] > 0;
}

static void print_device(
	void *arg, const char *plugin, const struct nx_device_info *info, const char *why)
{
	(void)arg;
	if (!info) {
		nx_warn("plugin '%s': %s", plugin, why);
		return;
	}
	printf("%-10s %-6s %3d cores  %7.1f GiB  %s\n", info->spec, info->precision,
		info->threads_max, (double)info->memory_bytes / 0x1p30, info->name);
}

int nx_profile_list(struct nx_err *err)
{
	int n = nx_engine_list(NULL, print_device, NULL, err);

	return n < 0 ? n : 0;
}
