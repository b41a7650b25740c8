/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One network on the cuda plugin for some batch sizes, tuned: a line of JSON each with the median
 * of a run from pinned host memory to pinned host memory, and of the network alone.
 *
 *	bench MODEL.onnx NAME PRECISION SECONDS BATCH…
 *	bench --device
 *
 * Large constants that are one number everywhere (the ONNX project's light models) are made
 * random: a GPU is faster on them than in life.
 */
#include "core/alloc.h"
#include "core/rng.h"
#include "core/units.h"
#include "gpu.h"
#include "plugins/cuda/exec.h"

#include <stdlib.h>

#define ROUNDS_MAX 2000

static int by_value(const void *pa, const void *pb)
{
	const double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

static bool all_equal(const float *v, int64_t n)
{
	for (int64_t i = 1; i < n; i++)
		if (v[i] != v[0])
			return false;
	return true;
}

static void make_random(struct nx_graph *g)
{
	struct nx_rng rng;

	nx_rng_init(&rng, 1);
	for (size_t i = 0; i < g->n_values; i++) {
		struct nx_tensor *t = g->values[i].constant;
		int64_t n = t ? nx_shape_count(&t->shape) : 0;
		if (n <= 4096 || t->dtype != NX_F32 || !all_equal(t->data, n))
			continue;
		for (int64_t k = 0; k < n; k++)
			((float *)t->data)[k] = (float)(0.05 * nx_rng_normal(&rng));
	}
}

static void *buffer(const struct nx_value *v, bool fill)
{
	size_t n = (size_t)nx_shape_count(&v->shape);
	void *p = NULL;

	if (cudaHostAlloc(&p, n * nx_dtype_size(v->dtype) + 1, cudaHostAllocDefault) != cudaSuccess)
		return NULL;
	for (size_t i = 0; fill && v->dtype == NX_F32 && i < n; i++)
		((float *)p)[i] = (float)((i * 2654435761u >> 8) % 1000) / 1000;
	return p;
}

static void keep(void *arg, const char *text)
{
	*(char **)arg = nx_strdup(text);
}

/* Median and 99th percentile of the milliseconds of a run. */
static int measure(struct nx_plugin_exec *e, const struct nx_graph *g, double seconds, double *ms,
	double *p99, size_t *rounds, struct nx_err *err)
{
	static double took[ROUNDS_MAX];
	void *in[8], *out[16];
	const uint64_t until = nx_now_ns() + (uint64_t)(seconds * 1e9);
	int rc = 0;

	for (size_t i = 0; i < g->n_in; i++)
		in[i] = buffer(&g->values[g->in[i]], true);
	for (size_t i = 0; i < g->n_out; i++)
		out[i] = buffer(&g->values[g->out[i]], false);
	for (int i = 0; i < 5 && rc == 0; i++)
		rc = nx_plugin_entry()->run(e, (const void *const *)in, out, err);
	for (*rounds = 0; *rounds < ROUNDS_MAX && rc == 0; ++*rounds) {
		uint64_t begin = nx_now_ns();
		if (*rounds > 20 && begin > until)
			break;
		rc = nx_plugin_entry()->run(e, (const void *const *)in, out, err);
		took[*rounds] = (double)(nx_now_ns() - begin) / 1e6;
	}
	qsort(took, *rounds, sizeof *took, by_value);
	*ms = took[*rounds / 2];
	*p99 = took[*rounds * 99 / 100];
	for (size_t i = 0; i < g->n_in; i++)
		cudaFreeHost(in[i]);
	for (size_t i = 0; i < g->n_out; i++)
		cudaFreeHost(out[i]);
	return rc;
}

/* Milliseconds of the graph alone, its input where it is: the median. */
static double measure_device(struct nx_plugin_exec *e, double seconds)
{
	static double took[ROUNDS_MAX];
	const uint64_t until = nx_now_ns() + (uint64_t)(seconds * 1e9);
	cudaEvent_t begin, end;
	size_t n = 0;
	float ms;

	if (cudaEventCreate(&begin) != cudaSuccess || cudaEventCreate(&end) != cudaSuccess)
		return -1;
	while (n < ROUNDS_MAX && (n < 21 || nx_now_ns() < until)) {
		if (cudaEventRecord(begin, e->dev->stream) != cudaSuccess ||
			cudaGraphLaunch(e->graph, e->dev->stream) != cudaSuccess ||
			cudaEventRecord(end, e->dev->stream) != cudaSuccess ||
			cudaEventSynchronize(end) != cudaSuccess ||
			cudaEventElapsedTime(&ms, begin, end) != cudaSuccess)
			return -1;
		took[n++] = (double)ms;
	}
	cudaEventDestroy(begin);
	cudaEventDestroy(end);
	qsort(took, n, sizeof *took, by_value);
	return took[n / 2];
}

static int bench(struct nx_plugin_device *dev, const struct nx_graph *open, char **argv,
	int64_t batch, struct nx_err *err)
{
	const char *name = argv[2], *precision = argv[3];
	struct nx_graph *g = NULL;
	struct nx_plugin_exec *e = NULL;
	struct nx_compile_opts opts = { .size = sizeof opts, .precision = precision };
	char *tuning = NULL;
	double ms, p99, seconds = 1;
	size_t rounds;

	if (nx_parse_double(argv[4], &seconds))
		return nx_err_set(err, NX_EUSAGE, "'%s' is no number of seconds", argv[4]);
	if (nx_graph_specialize(open, batch, &g, err))
		return -err->code;
	const struct nx_graph *graphs[] = { g };
	const struct nx_tune_job job = { .size = sizeof job,
		.n = 1,
		.graph = graphs,
		.rows = &batch,
		.time_cap_ms = 30000,
		.put = keep,
		.arg = &tuning };
	uint64_t begin = nx_now_ns();
	int rc = nx_plugin_entry()->tune(dev, &job, &opts, err);
	double tune_ms = (double)(nx_now_ns() - begin) / 1e6;
	opts.tuning = tuning;
	if (rc == 0)
		rc = nx_plugin_entry()->compile(dev, g, batch, &opts, &e, err);
	if (rc == 0)
		rc = measure(e, g, seconds, &ms, &p99, &rounds, err);
	if (rc == 0)
		printf("{\"engine\":\"nexus\",\"model\":\"%s\",\"precision\":\"%s\",\"batch\":%lld,"
		       "\"device_ms\":%.4f,\"ms\":%.4f,\"p99_ms\":%.4f,\"images_s\":%.1f,\"rounds\":%zu,"
		       "\"tune_ms\":%.0f}\n",
			name, precision, (long long)batch, measure_device(e, seconds), ms, p99,
			(double)batch * 1e3 / ms, rounds, tune_ms);
	fflush(stdout);
	nx_plugin_entry()->exec_free(&e);
	nx_graph_free(&g);
	free(tuning);
	return rc;
}

int main(int argc, char **argv)
{
	struct nx_plugin_device *dev = NULL;
	struct nx_device_info info;
	struct nx_graph *open = NULL;
	struct nx_err err = NX_ERR_INIT;
	int failed = 0;

	if (argc != 2 && argc < 6) {
		fprintf(stderr,
			"usage: bench MODEL.onnx NAME PRECISION SECONDS BATCH... | --device\n");
		return 64;
	}
	if (nx_plugin_entry()->open(gpu_host(), "", &dev, &info, &err) ||
		(argc > 2 && gpu_load(argv[1], &open, &err))) {
		fprintf(stderr, "%s\n", err.msg);
		return nx_err_exit_status(err.code);
	}
	if (argc == 2) {
		printf("%s, %s\n", info.name, nx_plugin_entry()->version());
		nx_plugin_entry()->close(&dev);
		return 0;
	}
	make_random(open);
	for (int i = 5; i < argc; i++) {
		err = (struct nx_err)NX_ERR_INIT;
		if (bench(dev, open, argv, strtoll(argv[i], NULL, 10), &err) == 0)
			continue;
		fprintf(stderr, "bench: %s at batch %s: %s\n", argv[2], argv[i], err.msg);
		failed = 1;
	}
	nx_graph_free(&open);
	nx_plugin_entry()->close(&dev);
	return failed;
}
