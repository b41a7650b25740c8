/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a model takes from its file to its first answer, and what stays of it in memory:
 *
 *	load PLUGIN_DIR DEVICE MODEL BATCH
 *
 * prints one line: milliseconds on the wall and of CPU until the device was open, the model read,
 * the executables compiled, the first row answered; then MiB of packed weights, working memory,
 * anonymous memory when all is done, and at its peak.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB (1 << 20)

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* "RssAnon:" or "VmHWM:" of this process, in MiB. */
static double status_mib(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	double kib = 0;

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtod(line + strlen(key), NULL);
	if (f)
		fclose(f);
	return kib / 1024;
}

static uint64_t start;

static void passed(void)
{
	printf("%.1f %.1f ", nx_ns_to_ms(nx_now_ns() - start), cpu_ms());
}

static void *tensors(size_t n, const struct nx_io *io)
{
	void **p = nx_alloc(n, sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = nx_alloc(1, io[i].row_bytes);
	return p;
}

static int answer(struct nx_loaded *l, struct nx_err *err)
{
	const struct nx_io *in, *out;
	size_t n_in = nx_loaded_inputs(l, &in), n_out = nx_loaded_outputs(l, &out);

	return nx_loaded_run(l, 1, tensors(n_in, in), tensors(n_out, out), err);
}

static int run(char **arg, struct nx_err *err)
{
	const struct nx_load_opts opts = { .max_batch = (int)strtol(arg[4], NULL, 10) };
	struct nx_loaded_memory memory;
	struct nx_engine *engine;
	struct nx_loaded *l;
	struct nx_model *m;

	if (nx_engine_open(arg[2], arg[1], &engine, err))
		return -1;
	passed();
	if (nx_model_load(arg[3], &m, err))
		return -1;
	passed();
	if (nx_engine_load(engine, m, &opts, &l, err))
		return -1;
	nx_model_drop_weights(m);
	passed();
	if (answer(l, err))
		return -1;
	passed();
	nx_loaded_memory(l, &memory);
	printf("%.1f %.1f %.1f %.1f\n", (double)memory.weights_bytes / MIB,
		(double)(memory.total_bytes - memory.weights_bytes) / MIB, status_mib("RssAnon:"),
		status_mib("VmHWM:"));
	nx_loaded_free(&l);
	nx_model_free(&m);
	nx_engine_close(&engine);
	return 0;
}

int main(int argc, char **argv)
{
	struct nx_err err = NX_ERR_INIT;

	start = nx_now_ns();
	if (argc == 5 && run(argv, &err) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "load: %s\n", argc == 5 ? err.msg : "PLUGIN_DIR DEVICE MODEL BATCH");
	return EXIT_FAILURE;
}
