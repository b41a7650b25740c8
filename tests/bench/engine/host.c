/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of the benchmark: loads a model and runs batches when told to, so that a
 * driver can let it and its peer take turns.
 *
 *	engine-host SPEC PRECISION MODEL PLUGIN_DIR INPUT ROWS TUNE_MS
 *
 * INPUT holds ROWS rows of the model's input as raw bytes.  TUNE_MS over 0 tunes the model first,
 * for at most that time, and keeps what it found where later hosts find it.  Prints "ready FIRST_MS
 * FIRST_CPU_MS WEIGHTS_BYTES RSS_KIB" or "refused MESSAGE", then answers the lines it reads:
 *
 *	run ROWS NS     batches of ROWS rows for at least NS nanoseconds: "BATCHES WALL_NS CPU_NS"
 *	save ROWS FILE  one batch, its outputs one after another into FILE: "saved"
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define INPUT_CAP ((size_t)1 << 31)

struct host {
	struct nx_engine *engine;
	struct nx_model *model;
	struct nx_loaded *loaded;
	struct nx_buf input;
	size_t rows, n_out;
	const struct nx_io *outputs;
	void **out;
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NX_NS_PER_S + (uint64_t)t.tv_nsec;
}

static int run(struct host *h, size_t rows, struct nx_err *err)
{
	const void *in = h->input.data;

	return nx_loaded_run(h->loaded, rows, &in, h->out, err);
}

static int tune(struct host *h, const char *precision, double cap_ms, struct nx_err *err)
{
	const struct nx_tune_opts opts = {
		.max_batch = (int)h->rows, .precision = precision, .time_cap_ms = cap_ms
	};
	struct nx_buf found = NX_BUF_INIT;
	int rc = nx_engine_tune(h->engine, h->model, &opts, &found, err);

	nx_buf_release(&found);
	return rc;
}

static int load(struct host *h, char **argv, struct nx_err *err)
{
	const char *precision = strcmp(argv[2], "default") == 0 ? NULL : argv[2];
	struct nx_load_opts opts = { .max_batch = (int)h->rows, .precision = precision };
	const struct nx_io *inputs;
	int rc = nx_engine_open(argv[1], argv[4], &h->engine, err);

	if (rc == 0)
		rc = nx_model_load(argv[3], &h->model, err);
	if (rc == 0 && strtod(argv[7], NULL) > 0)
		rc = tune(h, precision, strtod(argv[7], NULL), err);
	if (rc == 0)
		rc = nx_engine_load(h->engine, h->model, &opts, &h->loaded, err);
	if (rc == 0)
		rc = nx_fs_read(argv[5], INPUT_CAP, &h->input, err);
	if (rc)
		return rc;
	if (nx_loaded_inputs(h->loaded, &inputs) != 1 ||
		h->input.len != h->rows * inputs[0].row_bytes)
		return nx_err_set(err, NX_EDATA, "'%s' does not hold %zu rows of the one input",
			argv[5], h->rows);
	h->n_out = nx_loaded_outputs(h->loaded, &h->outputs);
	h->out = nx_alloc(h->n_out, sizeof *h->out);
	for (size_t i = 0; i < h->n_out; i++)
		h->out[i] = nx_alloc(h->rows, h->outputs[i].row_bytes);
	return 0;
}

static int bench(struct host *h, size_t rows, uint64_t ns, struct nx_err *err)
{
	uint64_t wall = nx_now_ns(), cpu = cpu_ns(), batches = 0;

	do {
		if (run(h, rows, err))
			return -err->code;
		batches++;
	} while (nx_now_ns() - wall < ns);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", batches, nx_now_ns() - wall,
		cpu_ns() - cpu);
	return 0;
}

static int save(struct host *h, size_t rows, const char *path, struct nx_err *err)
{
	struct nx_buf all = NX_BUF_INIT;
	int rc = run(h, rows, err);

	for (size_t i = 0; i < h->n_out && rc == 0; i++)
		nx_buf_add(&all, h->out[i], rows * h->outputs[i].row_bytes);
	if (rc == 0)
		rc = nx_fs_write(path, all.data, all.len, err);
	nx_buf_release(&all);
	if (rc == 0)
		puts("saved");
	return rc;
}

static int answer(struct host *h, const char *line, struct nx_err *err)
{
	char path[512];
	uint64_t ns;
	size_t rows;

	if (sscanf(line, "run %zu %" SCNu64, &rows, &ns) == 2 && rows > 0 && rows <= h->rows)
		return bench(h, rows, ns, err);
	if (sscanf(line, "save %zu %511s", &rows, path) == 2 && rows > 0 && rows <= h->rows)
		return save(h, rows, path, err);
	return nx_err_set(err, NX_EUSAGE, "no such command: %s", line);
}

static void release(struct host *h)
{
	for (size_t i = 0; i < h->n_out; i++)
		free(h->out[i]);
	free(h->out);
	nx_buf_release(&h->input);
	nx_loaded_free(&h->loaded);
	nx_model_free(&h->model);
	nx_engine_close(&h->engine);
}

int main(int argc, char **argv)
{
	struct host h = { .input = NX_BUF_INIT };
	struct nx_err err = NX_ERR_INIT;
	struct nx_loaded_memory mem;
	struct rusage usage;
	char line[600];

	if (argc != 8 || (h.rows = strtoul(argv[6], NULL, 10)) == 0 || h.rows > 4096) {
		fputs("usage: engine-host SPEC PRECISION MODEL PLUGIN_DIR INPUT ROWS TUNE_MS\n",
			stderr);
		return 64;
	}
	uint64_t start = nx_now_ns(), cpu_start = cpu_ns();
	int rc = load(&h, argv, &err);
	if (rc == 0)
		rc = run(&h, 1, &err);
	if (rc) {
		printf("refused %s\n", err.msg);
		release(&h);
		return 1;
	}
	nx_loaded_memory(h.loaded, &mem);
	getrusage(RUSAGE_SELF, &usage);
	printf("ready %.1f %.1f %" PRIu64 " %ld\n", nx_ns_to_ms(nx_now_ns() - start),
		nx_ns_to_ms(cpu_ns() - cpu_start), mem.weights_bytes, usage.ru_maxrss);
	fflush(stdout);
	while (rc == 0 && fgets(line, sizeof line, stdin)) {
		rc = answer(&h, line, &err);
		if (rc)
			printf("failed %s\n", err.msg);
		fflush(stdout);
	}
	release(&h);
	return rc ? 1 : 0;
}
