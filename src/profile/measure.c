/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/clock.h"
#include "profile/profile.h"
#include "profile/feed.h"
#include "profile/samples.h"

#include <stdlib.h>
#include <string.h>

/* A p99 of fewer is nothing but the maximum, and caches and clocks need some runs to settle. */
#define SAMPLES_MIN  10
#define WARMUP_RUNS  3
#define WARMUP_SHARE 0.1 /* of the time cap, at most: slow models must not only warm up */

struct bench {
	struct nx_loaded *loaded;
	struct nx_feed rows;
	struct nx_samples samples;
};

static int prepare(struct bench *b, size_t rows, uint64_t seed, struct nx_err *err)
{
	const struct nx_io *in, *out;
	size_t n_in = nx_loaded_inputs(b->loaded, &in), n_out = nx_loaded_outputs(b->loaded, &out);

	return nx_feed_init(&b->rows, in, n_in, out, n_out, rows, seed, err);
}

static void release(struct bench *b)
{
	nx_feed_release(&b->rows);
	nx_samples_release(&b->samples);
	nx_loaded_free(&b->loaded);
}

static int run_once(struct bench *b, int batch, struct nx_err *err)
{
	uint64_t start = nx_now_ns();

	if (nx_loaded_run(
		    b->loaded, (size_t)batch, (const void *const *)b->rows.in, b->rows.out, err))
		return nx_err_wrap(err, "batch %d", batch);
	nx_samples_add(&b->samples, nx_ns_to_ms(nx_now_ns() - start));
	return 0;
}

static bool is_done(const struct bench *b, const struct nx_measure_opts *opts, uint64_t start)
{
	if (b->samples.n == 0)
		return false;
	if (nx_ns_to_ms(nx_now_ns() - start) >= opts->time_cap_ms)
		return true;
	return b->samples.n >= SAMPLES_MIN && nx_samples_rel_error(&b->samples) <= opts->rel_error;
}

static int measure_batch(struct bench *b, const struct nx_measure_opts *opts, size_t index,
	nx_measure_fn *progress, void *arg, struct nx_latency_point *point, struct nx_err *err)
{
	uint64_t start = nx_now_ns();
	struct nx_measure_progress p = { index, opts->n_batches, opts->batch[index], 0, 0, 0 };

	for (int i = 0; i < WARMUP_RUNS; i++) {
		if (run_once(b, p.batch, err))
			return -err->code;
		if (nx_ns_to_ms(nx_now_ns() - start) >= WARMUP_SHARE * opts->time_cap_ms)
			break;
	}
	nx_samples_clear(&b->samples);
	while (!is_done(b, opts, start)) {
		if (run_once(b, p.batch, err))
			return -err->code;
		p.samples = (int64_t)b->samples.n;
		p.mean_ms = b->samples.mean;
		p.rel_error = nx_samples_rel_error(&b->samples);
		if (progress)
			progress(arg, &p);
	}
	point->batch = p.batch;
	nx_samples_summary(&b->samples, point);
	nx_samples_clear(&b->samples);
	return 0;
}

static void describe(const struct nx_engine *engine, const struct nx_model *model,
	const struct nx_measure_opts *opts, const struct bench *b, struct nx_profile *p)
{
	const struct nx_device_info *info = nx_engine_info(engine);
	struct nx_loaded_memory memory;

	nx_loaded_memory(b->loaded, &memory);
	p->model = nx_strdup(model->name);
	p->digest = model->digest[0] ? nx_strdup(model->digest) : NULL;
	p->device = nx_strdup(info->name);
	p->plugin = nx_strdup(nx_engine_plugin(engine));
	p->precision = nx_strdup(nx_loaded_precision(b->loaded));
	p->threads = nx_engine_threads(engine);
	p->weights_bytes = memory.weights_bytes;
	p->activations_bytes = memory.activations_bytes;
	p->load_ms = nx_loaded_load_ms(b->loaded);
	p->preprocess_ms = p->postprocess_ms = -1;
	p->latency.interpolate = true;
	p->latency.point = nx_alloc(opts->n_batches, sizeof *p->latency.point);
}

/* Loads the model, tuned if that is asked for. */
static int load(struct bench *b, struct nx_engine *engine, const struct nx_model *model,
	const struct nx_measure_opts *opts, struct nx_err *err)
{
	const struct nx_tune_opts tune = {
		.max_batch = opts->batch[opts->n_batches - 1],
		.precision = opts->precision,
		.time_cap_ms = opts->tune_cap_ms,
		.again = opts->tune == NX_TUNE_FORCE,
	};
	struct nx_buf tuning = NX_BUF_INIT;
	int rc = 0;

	if (opts->tune != NX_TUNE_OFF)
		rc = nx_engine_tune(engine, model, &tune, &tuning, err);
	const struct nx_load_opts load = {
		.max_batch = tune.max_batch,
		.precision = opts->precision,
		.tuning = tuning.data ? tuning.data : "",
	};
	if (rc == 0)
		rc = nx_engine_load(engine, model, &load, &b->loaded, err);
	nx_buf_release(&tuning);
	return rc;
}

int nx_profile_measure(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_measure_opts *opts, nx_measure_fn *progress, void *arg,
	struct nx_profile *out, struct nx_err *err)
{
	int top = opts->batch[opts->n_batches - 1];
	struct bench b = { 0 };
	int rc = load(&b, engine, model, opts, err);

	memset(out, 0, sizeof *out);
	if (rc)
		return rc;
	rc = prepare(&b, (size_t)top, opts->seed, err);
	if (rc == 0)
		describe(engine, model, opts, &b, out);
	for (size_t i = 0; i < opts->n_batches && rc == 0; i++) {
		rc = measure_batch(&b, opts, i, progress, arg, &out->latency.point[i], err);
		out->latency.n += rc == 0;
	}
	release(&b);
	if (rc) {
		nx_profile_release(out);
		return nx_err_wrap(err, "model '%s'", model->name);
	}
	return 0;
}
