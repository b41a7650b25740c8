/* SPDX-License-Identifier: Apache-2.0 */
#include "nexus-profile/run.h"

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

static int profile_model(struct nx_engine *engine, const char *path,
	const struct nx_measure_opts *opts, const struct nx_common *common, struct nx_jw *w,
	struct nx_err *err)
{
	struct nx_model *model = NULL;
	struct nx_profile profile;

	if (nx_model_load(path, &model, err))
		return -err->code;
	struct job job = { common, nx_asprintf("profiling %s", model->name) };
	int rc = nx_profile_measure(engine, model, opts, show_progress, &job, &profile, err);
	nx_cli_progress_end(common);
	if (rc == 0) {
		nx_profile_format(&profile, w);
		nx_profile_release(&profile);
	}
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
	struct nx_engine *engine = NULL;
	char *spec = nx_profile_device_spec(c);
	struct nx_jw w;
	int rc = nx_engine_open(spec, NULL, &engine, err);

	free(spec);
	nx_jw_init(&w, json, NX_JPRETTY);
	for (size_t i = 0; i < models->n && rc == 0; i++)
		rc = profile_model(engine, models->item[i], opts, common, &w, err);
	nx_engine_close(&engine);
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
