/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device that runs nothing: a batch of b rows takes alpha * b + beta milliseconds of real
 * time, with seeded noise and failures on demand.  It is what schedulers are tested on, so it
 * keeps to its line: one batch at a time, every batch size exact.
 *
 * Answers are a function of the question, so that tests can tell rows apart: each element of an
 * fp32 output row is the first element of that row of an fp32 first input; all else is zero.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/rng.h"
#include "core/units.h"
#include "plugins/args.h"
#include "plugins/plugin.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

struct line {
	double alpha_ms, beta_ms; /* per row, per batch */
	double noise;             /* standard deviation, relative to the latency */
	double fail;              /* probability that a run fails */
	double seed;
};

struct nx_plugin_device {
	struct line line;
	struct nx_rng rng;
	pthread_mutex_t busy; /* a device does one thing at a time */
};

struct sim_output {
	size_t row_bytes;
	bool fp32;
};

struct nx_plugin_exec {
	struct nx_plugin_device *dev;
	double latency_ms;
	int64_t batch;
	size_t in_row_bytes; /* of the first input; 0 where it is not fp32 */
	size_t n_out;
	struct sim_output *out;
	struct nx_plugin_memory memory;
};

static void fill_info(struct nx_device_info *info)
{
	memset(info, 0, sizeof *info);
	snprintf(info->name, sizeof info->name, "sim");
	snprintf(info->spec, sizeof info->spec, "sim");
	snprintf(info->precision, sizeof info->precision, "fp32");
	info->threads_max = 1;
	info->threads = 1;
	info->simulated = true;
}

static int sim_list(
	const struct nx_host *host, struct nx_device_info *infos, int max, struct nx_err *err)
{
	(void)host;
	(void)err;
	if (max > 0)
		fill_info(&infos[0]);
	return 1;
}

static int parse_number(
	const char *key, const char *value, double max, double *out, struct nx_err *err)
{
	if (nx_parse_double(value, out) || *out < 0 || *out > max)
		return nx_err_set(err, NX_EUSAGE,
			"device 'sim': %s must be a number from 0 to %g (got '%s')", key, max,
			value);
	return 0;
}

static int parse_pair(const char *key, const char *value, struct line *line,
	struct nx_device_info *info, struct nx_err *err)
{
	const struct {
		const char *key;
		double max;
		double *to;
	} numbers[] = {
		{ "alpha", 1e6, &line->alpha_ms },
		{ "beta", 1e6, &line->beta_ms },
		{ "noise", 1, &line->noise },
		{ "fail", 1, &line->fail },
		{ "seed", 0x1p53, &line->seed },
	};

	for (size_t i = 0; i < NX_ARRAY_LEN(numbers); i++)
		if (strcmp(key, numbers[i].key) == 0)
			return parse_number(key, value, numbers[i].max, numbers[i].to, err);
	if (strcmp(key, "name") != 0)
		return nx_err_set(err, NX_EUSAGE,
			"device 'sim': unknown key '%s' (known: alpha, beta, noise, fail, seed, name)",
			key);
	if (*value == '\0')
		return nx_err_set(err, NX_EUSAGE, "device 'sim': name is empty");
	snprintf(info->name, sizeof info->name, "%s", value);
	return 0;
}

static int sim_open(const struct nx_host *host, const char *args, struct nx_plugin_device **out,
	struct nx_device_info *info, struct nx_err *err)
{
	struct line line = { .alpha_ms = 1, .beta_ms = 5, .seed = 1 };
	char key[NX_ARG_SIZE], value[NX_ARG_SIZE];
	int rc;

	(void)host;
	fill_info(info);
	while ((rc = nx_arg_next(&args, "sim", key, value, err)) == 1)
		if (parse_pair(key, value, &line, info, err))
			return -err->code;
	if (rc < 0)
		return rc;

	struct nx_plugin_device *dev = nx_alloc(1, sizeof *dev);
	dev->line = line;
	nx_rng_init(&dev->rng, (uint64_t)line.seed);
	pthread_mutex_init(&dev->busy, NULL);
	*out = dev;
	return 0;
}

static void sim_close(struct nx_plugin_device **dev)
{
	if (!*dev)
		return;
	pthread_mutex_destroy(&(*dev)->busy);
	free(*dev);
	*dev = NULL;
}

/* Sizes of a row, from the graph of one row or, without one, a single float in and out. */
static void describe(struct nx_plugin_exec *e, const struct nx_graph *g)
{
	size_t io_bytes = 0;

	if (!g) {
		e->in_row_bytes = sizeof(float);
		e->n_out = 1;
		e->out = nx_alloc(1, sizeof *e->out);
		e->out[0] = (struct sim_output){ sizeof(float), true };
		return;
	}
	for (size_t i = 0; i < g->n_in; i++) {
		const struct nx_value *v = &g->values[g->in[i]];
		size_t bytes = (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
		if (i == 0 && v->dtype == NX_F32)
			e->in_row_bytes = bytes;
		io_bytes += bytes;
	}
	e->n_out = g->n_out;
	e->out = nx_alloc(g->n_out, sizeof *e->out);
	for (size_t i = 0; i < g->n_out; i++) {
		const struct nx_value *v = &g->values[g->out[i]];
		e->out[i].row_bytes = (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
		e->out[i].fp32 = v->dtype == NX_F32;
		io_bytes += e->out[i].row_bytes;
	}
	e->memory.weights_bytes = nx_graph_weights_bytes(g);
	e->memory.activations_bytes = io_bytes * (uint64_t)e->batch;
}

static int sim_compile(struct nx_plugin_device *dev, const struct nx_graph *graph, int64_t batch,
	const struct nx_compile_opts *opts, struct nx_plugin_exec **out, struct nx_err *err)
{
	double ms = dev->line.alpha_ms * (double)batch + dev->line.beta_ms;

	if (opts->cost_ms && (size_t)batch > opts->n_cost)
		return nx_err_set(err, NX_EDATA,
			"no latency is given for batch %lld (only 1 to %zu)", (long long)batch,
			opts->n_cost);
	if (opts->cost_ms)
		ms = opts->cost_ms[batch - 1];
	if (!(ms >= 0 && ms < 1e9))
		return nx_err_set(err, NX_EDATA, "latency of batch %lld is %g ms, allowed 0 to 1e9",
			(long long)batch, ms);

	struct nx_plugin_exec *e = nx_alloc(1, sizeof *e);
	e->dev = dev;
	e->batch = batch;
	e->latency_ms = ms;
	describe(e, graph);
	*out = e;
	return 0;
}

static void sim_exec_free(struct nx_plugin_exec **e)
{
	if (!*e)
		return;
	free((*e)->out);
	free(*e);
	*e = NULL;
}

static void answer(const struct nx_plugin_exec *e, const void *const *in, void *const *out)
{
	for (size_t i = 0; i < e->n_out; i++) {
		size_t row_bytes = e->out[i].row_bytes;
		if (!e->in_row_bytes || !e->out[i].fp32) {
			memset(out[i], 0, row_bytes * (size_t)e->batch);
			continue;
		}
		for (int64_t r = 0; r < e->batch; r++) {
			const char *src = (const char *)in[0] + (size_t)r * e->in_row_bytes;
			char *dst = (char *)out[i] + (size_t)r * row_bytes;
			for (size_t k = 0; k < row_bytes; k += sizeof(float))
				memcpy(dst + k, src, sizeof(float));
		}
	}
}

static int sim_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err)
{
	struct nx_plugin_device *dev = e->dev;
	double factor = 1;

	pthread_mutex_lock(&dev->busy);
	uint64_t start = nx_now_ns();
	bool failed = dev->line.fail > 0 && nx_rng_uniform(&dev->rng) < dev->line.fail;
	if (dev->line.noise > 0)
		factor = fmax(0, 1 + dev->line.noise * nx_rng_normal(&dev->rng));
	answer(e, in, out);
	nx_sleep_until_ns(start + nx_ms_to_ns(e->latency_ms * factor));
	pthread_mutex_unlock(&dev->busy);
	return failed ? nx_err_set(err, NX_EUNAVAIL, "device 'sim': simulated failure") : 0;
}

/* One device's memory for all batch sizes: the largest counts. */
static void sim_memory(
	const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem)
{
	*mem = (struct nx_plugin_memory){ 0, 0 };
	for (size_t i = 0; i < n; i++) {
		const struct nx_plugin_memory *m = &exec[i]->memory;
		if (m->weights_bytes > mem->weights_bytes)
			mem->weights_bytes = m->weights_bytes;
		if (m->activations_bytes > mem->activations_bytes)
			mem->activations_bytes = m->activations_bytes;
	}
}

static const struct nx_plugin plugin = {
	.abi = NX_PLUGIN_ABI,
	.size = sizeof(struct nx_plugin),
	.name = "sim",
	.options_help = "alpha=MS per row, beta=MS per batch, noise=FRACTION, fail=FRACTION, "
			"seed=N, name=TYPE",
	.list = sim_list,
	.open = sim_open,
	.close = sim_close,
	.compile = sim_compile,
	.exec_free = sim_exec_free,
	.run = sim_run,
	.memory = sim_memory,
};

NX_PLUGIN_EXPORT const struct nx_plugin *nx_plugin_entry(void);
const struct nx_plugin *nx_plugin_entry(void)
{
	return &plugin;
}
