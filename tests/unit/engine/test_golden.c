/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trained networks on the cpu device against the stored outputs of another engine, for every
 * folder of $NEXUS_TEST_DATA/golden; and a batch of five against five single runs.
 */
#include "core/fs.h"
#include "engine/engine.h"
#include "engine_dir.h"
#include "unit.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>

#define ROWS 5

static struct nx_engine *engine;

static struct nx_buf read_file(const char *dir, const char *name, const char *file)
{
	struct nx_buf buf = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	char *path = nx_asprintf("%s/%s/%s", dir, name, file);

	ck_assert_msg(nx_fs_read(path, (size_t)1 << 30, &buf, &err) == 0, "%s", err.msg);
	free(path);
	return buf;
}

/* The largest |got - want| beyond 'rel' of its size, over the largest |want|. */
static double worst(const float *got, const float *want, size_t n, double rel)
{
	double largest = 1e-9, most = 0;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs((double)want[i]));
	for (size_t i = 0; i < n; i++) {
		double d = fabs((double)got[i] - (double)want[i]);
		if (!(d <= 1e30)) /* NaN, too */
			return INFINITY;
		most = fmax(most, (d - rel * fabs((double)want[i])) / largest);
	}
	return most;
}

static void check_golden(struct nx_loaded *l, const char *dir, const char *name, float **out)
{
	struct nx_buf in = read_file(dir, name, "input_0.bin");
	const struct nx_io *io;
	struct nx_err err = NX_ERR_INIT;
	const void *ins[] = { in.data };
	size_t n = nx_loaded_inputs(l, &io);

	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(in.len, io[0].row_bytes);
	ck_assert_msg(nx_loaded_run(l, 1, ins, (void *const *)out, &err) == 0, "%s", err.msg);
	n = nx_loaded_outputs(l, &io);
	for (size_t i = 0; i < n; i++) {
		char file[32];
		snprintf(file, sizeof file, "output_%zu.bin", i);
		struct nx_buf want = read_file(dir, name, file);
		ck_assert_uint_eq(want.len, io[i].row_bytes);
		double w = worst(
			out[i], (const float *)(void *)want.data, want.len / sizeof(float), 1e-4);
		ck_assert_msg(w <= 1e-4, "%s: output %zu is off by %g", name, i, w);
		nx_buf_release(&want);
	}
	nx_buf_release(&in);
}

/* Row r of the batch is the stored input times 1 - r / 10. */
static void check_batch(
	struct nx_loaded *l, const char *dir, const char *name, float **batch, float **single)
{
	struct nx_buf in = read_file(dir, name, "input_0.bin");
	const struct nx_io *io;
	struct nx_err err = NX_ERR_INIT;
	size_t count = in.len / sizeof(float), n = nx_loaded_outputs(l, &io);
	float *rows = nx_alloc(ROWS * count, sizeof *rows);

	for (size_t i = 0; i < ROWS * count; i++)
		rows[i] =
			((const float *)(void *)in.data)[i % count] * (1 - (float)(i / count) / 10);
	const void *ins[] = { rows };
	ck_assert_msg(nx_loaded_run(l, ROWS, ins, (void *const *)batch, &err) == 0, "%s", err.msg);
	for (size_t r = 0; r < ROWS; r++) {
		ins[0] = rows + r * count;
		ck_assert_int_eq(nx_loaded_run(l, 1, ins, (void *const *)single, &err), 0);
		for (size_t i = 0; i < n; i++) {
			size_t m = io[i].row_bytes / sizeof(float);
			double w = worst(batch[i] + r * m, single[i], m, 1e-5);
			ck_assert_msg(
				w <= 1e-5, "%s: row %zu of output %zu is off by %g", name, r, i, w);
		}
	}
	free(rows);
	nx_buf_release(&in);
}

static void check_model(const char *data, const char *golden, const char *name)
{
	char *path = nx_asprintf("%s/models/%s.onnx", data, name);
	const struct nx_load_opts opts = { .max_batch = ROWS };
	struct nx_model *model = NULL;
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;
	const struct nx_io *io;
	float *batch[8], *single[8];

	ck_assert_msg(nx_model_load(path, &model, &err) == 0, "%s", err.msg);
	ck_assert_msg(nx_engine_load(engine, model, &opts, &l, &err) == 0, "%s", err.msg);
	size_t n = nx_loaded_outputs(l, &io);
	ck_assert_uint_le(n, NX_ARRAY_LEN(batch));
	for (size_t i = 0; i < n; i++) {
		batch[i] = nx_alloc(ROWS, io[i].row_bytes);
		single[i] = nx_alloc(1, io[i].row_bytes);
	}
	check_golden(l, golden, name, single);
	check_batch(l, golden, name, batch, single);
	for (size_t i = 0; i < n; i++) {
		free(batch[i]);
		free(single[i]);
	}
	nx_loaded_free(&l);
	nx_model_free(&model);
	free(path);
}

static void check_all(const char *spec)
{
	const char *data = getenv("NEXUS_TEST_DATA");
	char *golden = nx_asprintf("%s/golden", data), *dir = plugin_dir();
	struct nx_err err = NX_ERR_INIT;
	const struct dirent *entry;
	int n = 0;

	ck_assert_msg(nx_engine_open(spec, dir, &engine, &err) == 0, "%s", err.msg);
	DIR *d = opendir(golden);
	ck_assert_msg(d != NULL, "cannot open '%s'", golden);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		check_model(data, golden, entry->d_name);
		n++;
	}
	closedir(d);
	ck_assert_int_ge(n, 1);
	nx_engine_close(&engine);
	free(golden);
	free(dir);
}

START_TEST(networks_agree)
{
	check_all("cpu");
}
END_TEST

int main(void)
{
	const char *data = getenv("NEXUS_TEST_DATA");
	const TTest *const tests[] = { networks_agree };

	if (!data || !*data) {
		printf("1..0 # SKIP NEXUS_TEST_DATA is not set\n");
		return 0;
	}
	return unit_run("engine/golden", tests, NX_ARRAY_LEN(tests));
}
