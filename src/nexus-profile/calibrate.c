/* SPDX-License-Identifier: Apache-2.0 */
/* --calibrate: a model and a folder of samples in, a quantised model out. */
#include "core/alloc.h"
#include "core/fs.h"
#include "core/log.h"
#include "nexus-profile/run.h"
#include "profile/calibrate.h"

#include <stdlib.h>

static void show(void *arg, const char *what, size_t done, size_t total)
{
	nx_cli_progress(arg, what, (double)done, (double)total);
}

static void say(const struct nx_calibration *c, const char *output)
{
	char *top =
		c->top1 < 0
			? nx_strdup("")
			: nx_asprintf("first class the same for %.1f %%, among five for %.1f %%, ",
				  100 * c->top1, 100 * c->top5);

	nx_info("'%s': %zu sample%s, computed in %s: %sanswers differ by %.1f %% (worst %.1f %%)",
		output, c->samples, c->samples == 1 ? "" : "s", c->precision, top,
		100 * c->error_mean, 100 * c->error_max);
	free(top);
}

static int calibrate(const struct nx_profile_config *c, const struct nx_common *common,
	const char *path, struct nx_buf *onnx, struct nx_calibration *result, struct nx_err *err)
{
	struct nx_engine *engine = NULL;
	struct nx_model *model = NULL;
	struct nx_rows_set set = { 0 };
	char *spec = nx_profile_device_spec(c);
	int rc = nx_engine_open(spec, NULL, &engine, err);

	free(spec);
	if (rc == 0)
		rc = nx_model_load(path, &model, err);
	if (rc == 0)
		rc = nx_rows_read(model, c->calibrate, (size_t)c->samples, &set, err);
	if (rc == 0)
		rc = nx_calibrate(engine, model, &set, show, (void *)common, onnx, result, err);
	nx_cli_progress_end(common);
	nx_rows_release(&set);
	nx_model_free(&model);
	nx_engine_close(&engine);
	return rc;
}

static int check_usage(
	const struct nx_profile_config *c, const struct nx_operands *models, struct nx_err *err)
{
	if (models->n != 1)
		return nx_err_set(err, NX_EUSAGE, "--calibrate takes one model");
	if (!c->output)
		return nx_err_set(err, NX_EUSAGE, "--calibrate needs --output for the new model");
	int rc = nx_profile_check_output(c, err);
	return rc ? rc : nx_model_check_repack(models->item[0], c->output, err);
}

int nx_profile_calibrate(const struct nx_profile_config *c, const struct nx_common *common,
	const struct nx_operands *models, struct nx_err *err)
{
	struct nx_buf onnx = NX_BUF_INIT, file = NX_BUF_INIT, json = NX_BUF_INIT;
	struct nx_calibration result;
	struct nx_jw w;

	if (check_usage(c, models, err))
		return -err->code;
	int rc = calibrate(c, common, models->item[0], &onnx, &result, err);
	if (rc == 0) {
		rc = nx_model_repack(models->item[0], c->output, onnx.data, onnx.len, &file, err);
		if (rc == 0)
			rc = nx_fs_write(c->output, file.data, file.len, err);
		nx_jw_init(&w, &json, NX_JPRETTY);
		nx_calibration_format(&result, &w);
		if (rc == 0)
			rc = nx_cli_output(NULL, c->filter, &json, err);
		if (rc == 0)
			say(&result, c->output);
		nx_calibration_release(&result);
	}
	nx_buf_release(&onnx);
	nx_buf_release(&file);
	nx_buf_release(&json);
	return rc;
}
