/* SPDX-License-Identifier: Apache-2.0 */
/* Models and their tunings. */
#include "engine/tuned.h"

#include "core/alloc.h"
#include "core/log.h"
#include "engine/internal.h"
#include "engine/rungs.h"
#include "engine/tuning.h"

#include <stdio.h>
#include <stdlib.h>

/* All that a tuning is good for. */
static char *identity(
	const struct nx_engine *e, const struct nx_model *model, const char *precision)
{
	return nx_asprintf("model %s\ndevice %s\nplugin %s %s\nprecision %s", model->digest,
		e->info.name, e->lib.ops->name, e->lib.ops->version(),
		precision ? precision : e->info.precision);
}

static bool can_tune(const struct nx_engine *e, const struct nx_model *model)
{
	return e->lib.ops->tune && e->lib.ops->version && model && model->digest[0];
}

/* What is kept begins with the batch it was made for: "batch 32". */
static bool load_tuning(const char *id, int batch, struct nx_buf *tuning)
{
	struct nx_buf kept = NX_BUF_INIT;
	int made_for = 0, skip = 0;
	bool found = nx_tuning_load(id, &kept) && kept.len &&
		     sscanf(kept.data, "batch %5d\n%n", &made_for, &skip) == 1 && skip > 0 &&
		     made_for >= batch;

	if (found)
		nx_buf_adds(tuning, kept.data + skip);
	nx_buf_release(&kept);
	return found;
}

static void store_tuning(const char *id, int batch, const char *tuning)
{
	struct nx_err err = NX_ERR_INIT;
	char *text = nx_asprintf("batch %d\n%s", batch, tuning);

	if (nx_tuning_store(id, text, &err))
		nx_warn("the tuning is not kept: %s", err.msg);
	free(text);
}

bool nx_tuned_find(const struct nx_engine *e, const struct nx_model *model, const char *precision,
	struct nx_buf *tuning)
{
	if (!can_tune(e, model))
		return false;
	char *id = identity(e, model, precision);
	bool found = load_tuning(id, 1, tuning);
	free(id);
	return found;
}

int nx_engine_tune(struct nx_engine *e, const struct nx_model *model,
	const struct nx_tune_opts *opts, struct nx_buf *tuning, struct nx_err *err)
{
	const struct nx_rungs_source source = nx_rungs_model(model);
	const struct nx_load_opts load = {
		.max_batch = opts->max_batch,
		.precision = opts->precision,
	};
	int batch = opts->max_batch, micro = e->info.micro_batch;
	size_t before = tuning->len;

	if (batch < 1 || !can_tune(e, model))
		return 0;
	if (micro > 0 && micro < batch)
		batch = micro;
	char *id = identity(e, model, opts->precision);
	int rc = 0;
	if (opts->again || !load_tuning(id, batch, tuning)) {
		rc = nx_rungs_tune(e, &source, &load, opts->time_cap_ms, tuning, err);
		if (rc == 0)
			store_tuning(id, batch, tuning->data + before);
	}
	free(id);
	return rc ? nx_err_wrap(err, "model '%s'", model->name) : 0;
}
