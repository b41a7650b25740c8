/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUs through oneDNN.  Threads belong to the engine: each runs executables of its own, one core
 * each, and OpenMP is kept from making teams, whose spinning barriers collapse as soon as
 * anything else runs on one of the cores.
 */
#include "core/alloc.h"
#include "core/units.h"
#include "model/ops.h"
#include "plugins/args.h"
#include "plugins/cpu/build.h"
#include "plugins/cpu/lane.h"
#include "plugins/cpu/precision.h"
#include "plugins/cpu/tune.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* OpenMP's own header comes with the compiler, not with the library oneDNN brings along. */
extern void omp_set_num_threads(int n);

static int cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	return 1;
}

/* The processor's model name, as profiles carry it. */
static void read_name(char *out, size_t size)
{
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "re");

	snprintf(out, size, "CPU");
	while (f && fgets(line, sizeof line, f)) {
		char *colon = strchr(line, ':');
		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		colon[1 + strcspn(colon + 1, "\n")] = '\0';
		snprintf(out, size, "%s", colon + 1 + strspn(colon + 1, " "));
		break;
	}
	if (f)
		fclose(f);
}

static void fill_info(struct nx_device_info *info)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	memset(info, 0, sizeof *info);
	read_name(info->name, sizeof info->name);
	snprintf(info->spec, sizeof info->spec, "cpu");
	snprintf(info->precision, sizeof info->precision, "fp32");
	info->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
	info->threads_max = cores();
	info->threads = 1;
	info->micro_batch = CPU_PIECE_MAX;
}

static int cpu_list(
	const struct nx_host *host, struct nx_device_info *infos, int max, struct nx_err *err)
{
	(void)host;
	(void)err;
	if (max > 0)
		fill_info(&infos[0]);
	return 1;
}

static const struct nx_pass own_passes[] = {
	{ "layout", CPU_LAYOUT },
	{ "view", CPU_VIEW },
	{ "inplace", CPU_INPLACE },
};

static int parse_args(
	const char *args, struct nx_device_info *info, unsigned *off, struct nx_err *err)
{
	char key[NX_ARG_SIZE], value[NX_ARG_SIZE];
	int rc;

	while ((rc = nx_arg_next(&args, "cpu", key, value, err)) == 1) {
		double n;
		if (strcmp(key, "off") == 0) {
			if (nx_passes_parse(
				    value, "cpu", own_passes, NX_ARRAY_LEN(own_passes), off, err))
				return -err->code;
			continue;
		}
		if (strcmp(key, "threads") != 0)
			return nx_err_set(err, NX_EUSAGE,
				"device 'cpu': unknown key '%s' (known: threads, off)", key);
		if (nx_parse_double(value, &n) || n < 1 || n > info->threads_max || n != (int)n)
			return nx_err_set(err, NX_EUSAGE,
				"device 'cpu': threads must be from 1 to %d (got '%s')",
				info->threads_max, value);
		info->threads = (int)n;
	}
	return rc;
}

static void cpu_close(struct nx_plugin_device **pdev)
{
	struct nx_plugin_device *dev = *pdev;

	if (!dev)
		return;
	if (dev->stream)
		dnnl_stream_destroy(dev->stream);
	if (dev->engine)
		dnnl_engine_destroy(dev->engine);
	for (int i = 0; i < dev->n_lanes; i++)
		cpu_lane_release(&dev->lane[i]);
	free(dev->lane);
	free(dev->weights);
	free(dev);
	*pdev = NULL;
}

static int cpu_open(const struct nx_host *host, const char *args, struct nx_plugin_device **out,
	struct nx_device_info *info, struct nx_err *err)
{
	unsigned off = 0;

	fill_info(info);
	if (parse_args(args, info, &off, err))
		return -err->code;

	struct nx_plugin_device *dev = nx_alloc(1, sizeof *dev);
	dev->host = host;
	dev->off = off;
	dev->n_lanes = info->threads;
	dev->lane = nx_alloc((size_t)dev->n_lanes, sizeof *dev->lane);
	for (int i = 0; i < dev->n_lanes; i++)
		cpu_lane_init(&dev->lane[i]);
	dnnl_status_t st = dnnl_engine_create(&dev->engine, dnnl_cpu, 0);
	if (st == dnnl_success)
		st = dnnl_stream_create(&dev->stream, dev->engine, dnnl_stream_default_flags);
	if (st != dnnl_success) {
		cpu_close(&dev);
		return dnn_check(st, "opening the CPU", err);
	}
	*out = dev;
	return 0;
}

/* All operators that cannot run, with their nodes, in one message. */
static int check_operators(const struct nx_graph *g, struct nx_err *err)
{
	char list[700] = "";
	size_t len = 0, n = 0;

	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *node = &g->nodes[i];
		if (nx_op_find(node->domain, node->op))
			continue;
		n++;
		if (len + 3 < sizeof list)
			len += (size_t)snprintf(list + len, sizeof list - len, "%s%s (node '%s')",
				len ? ", " : "", node->op, node->name);
	}
	return n ? nx_err_set(err, NX_EUNSUPP, "the cpu device lacks %zu operators: %s", n, list)
		 : 0;
}

static int check_closed(const struct nx_graph *g, struct nx_err *err)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_out; k++) {
			int v = g->nodes[i].out[k];
			if (v == NX_NO_VALUE)
				continue;
			const struct nx_value *value = &g->values[v];
			if (!value->known || nx_shape_count(&value->shape) < 0 ||
				nx_dtype_size(value->dtype) == 0)
				return nx_err_set(err, NX_EDATA,
					"the shape of '%s' is not known (node '%s')", value->name,
					g->nodes[i].name);
		}
	}
	return 0;
}

static int check_graph(const struct nx_graph *g, const struct nx_compile_opts *opts,
	enum cpu_precision *precision, struct nx_err *err)
{
	return cpu_precision_choose(opts->precision, g, opts->part, precision, err) ||
			       check_operators(g, err) || check_closed(g, err)
		       ? -err->code
		       : 0;
}

static int cpu_compile(struct nx_plugin_device *dev, const struct nx_graph *graph, int64_t batch,
	const struct nx_compile_opts *opts, struct nx_plugin_exec **out, struct nx_err *err)
{
	struct cpu_tuning tuning;
	struct cpu_how how = {
		.rows = batch,
		.worker = opts->worker % dev->n_lanes,
		.tuning = &tuning,
	};

	omp_set_num_threads(1);
	if (check_graph(graph, opts, &how.precision, err))
		return -err->code;
	cpu_tuning_parse(opts->tuning, &tuning);
	int rc = cpu_exec_new(dev, graph, &how, out, err);
	cpu_tuning_release(&tuning);
	return rc;
}

static int tune_model(struct nx_plugin_device *dev, const struct nx_tune_job *job,
	const struct nx_compile_opts *opts, struct nx_err *err)
{
	enum cpu_precision precision = CPU_FP32;

	omp_set_num_threads(1);
	for (size_t i = 0; i < job->n; i++)
		if (check_graph(job->graph[i], opts, &precision, err))
			return -err->code;
	return cpu_tune(dev, job, precision, err);
}

/* Changes with the code generator, with what it may use, and with the meaning of a tuning. */
static const char *cpu_version(void)
{
	static _Thread_local char text[48];
	const dnnl_version_t *v = dnnl_version();

	snprintf(text, sizeof text, "onednn-%d.%d.%d-isa%x-tuning1", v->major, v->minor, v->patch,
		(unsigned)dnnl_get_effective_cpu_isa());
	return text;
}

static int cpu_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err)
{
	omp_set_num_threads(1);
	return cpu_exec_run(e, in, out, err);
}

static const char *cpu_precision(const struct nx_plugin_exec *e)
{
	return cpu_precision_name(e->precision);
}

/*
 * Rows that fit into the core's own cache with what lies between two layers: beyond it a larger
 * piece is slower than two small ones, below it small networks save the fixed cost of a step.
 */
static int guess_piece(const struct nx_graph *g)
{
	long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
	uint64_t largest = 1;
	int rows = 1;

	for (size_t i = 0; i < g->n_values; i++) {
		const struct nx_value *v = &g->values[i];
		int64_t n = v->known && !v->constant ? nx_shape_count(&v->shape) : 0;
		uint64_t bytes = n > 0 ? (uint64_t)n * nx_dtype_size(v->dtype) : 0;
		largest = bytes > largest ? bytes : largest;
	}
	cache = cache > 0 ? cache : 1 << 19;
	while (rows < CPU_PIECE_MAX && (uint64_t)rows * 2 * largest * 2 <= (uint64_t)cache)
		rows *= 2;
	return rows;
}

static int cpu_micro_batch(const struct nx_plugin_device *dev, const struct nx_graph *g,
	const struct nx_compile_opts *opts)
{
	struct cpu_tuning tuning;

	(void)dev;
	cpu_tuning_parse(opts->tuning, &tuning);
	int piece = tuning.piece ? tuning.piece : guess_piece(g);
	cpu_tuning_release(&tuning);
	return piece;
}

static const struct nx_plugin plugin = {
	.abi = NX_PLUGIN_ABI,
	.size = sizeof(struct nx_plugin),
	.name = "cpu",
	.options_help =
		"threads=N, cores to use (default 1); off=PASS+PASS…, graph passes to leave out",
	.list = cpu_list,
	.open = cpu_open,
	.close = cpu_close,
	.compile = cpu_compile,
	.exec_free = cpu_exec_free,
	.run = cpu_run,
	.memory = cpu_exec_memory,
	.micro_batch = cpu_micro_batch,
	.steps = cpu_exec_steps,
	.precision = cpu_precision,
	.tune = tune_model,
	.version = cpu_version,
};

NX_PLUGIN_EXPORT const struct nx_plugin *nx_plugin_entry(void);
const struct nx_plugin *nx_plugin_entry(void)
{
	return &plugin;
}
