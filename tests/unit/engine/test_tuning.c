/* SPDX-License-Identifier: Apache-2.0 */
/* Tunings on disk, and what becomes of a model that has one. */
#include "core/fs.h"
#include "engine/engine.h"
#include "engine/tuning.h"
#include "engine_dir.h"
#include "graphs.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#define ID "model sha256:0\ndevice Toy"

/* A new empty folder that $NEXUS_CACHE says. */
static char *new_cache(void)
{
	char template[] = "/tmp/nexus-test.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	char *dir = nx_fs_join(template, "cache");
	ck_assert_int_eq(setenv("NEXUS_CACHE", dir, 1), 0);
	return dir;
}

static void drop_cache(char *dir, char *path)
{
	unlink(path);
	rmdir(dir);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
	free(dir);
	free(path);
}

/* Removes a cache with whatever is in it. */
static void drop_files(char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	drop_cache(dir, nx_strdup(dir));
}

static bool load(const char *id, const char *want)
{
	struct nx_buf text = NX_BUF_INIT;
	bool found = nx_tuning_load(id, &text);

	if (found)
		ck_assert_str_eq(text.data, want);
	else
		ck_assert_uint_eq(text.len, 0);
	nx_buf_release(&text);
	return found;
}

static void store(const char *text)
{
	struct nx_err err = NX_ERR_INIT;

	ck_assert_msg(nx_tuning_store(ID, text, &err) == 0, "%s", err.msg);
}

START_TEST(the_folder_is_found)
{
	char *dir;

	setenv("NEXUS_CACHE", "/a", 1);
	setenv("XDG_CACHE_HOME", "/b", 1);
	setenv("HOME", "/c", 1);
	ck_assert_str_eq(dir = nx_tuning_dir(), "/a");
	free(dir);
	setenv("NEXUS_CACHE", "relative", 1);
	ck_assert_str_eq(dir = nx_tuning_dir(), "/b/nexus");
	free(dir);
	unsetenv("XDG_CACHE_HOME");
	ck_assert_str_eq(dir = nx_tuning_dir(), "/c/.cache/nexus");
	free(dir);
	unsetenv("HOME");
	ck_assert_str_eq(dir = nx_tuning_dir(), "/var/cache/nexus");
	free(dir);
}
END_TEST

START_TEST(what_is_kept_comes_back)
{
	char *dir = new_cache(), *path = nx_tuning_path(ID);
	struct stat st;

	ck_assert(!load(ID, NULL));
	store("one\n");
	store("two\nlines\n");
	ck_assert(load(ID, "two\nlines\n"));
	ck_assert(!load(ID "s", NULL));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777u, 0600);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777u, 0700);
	drop_cache(dir, path);
}
END_TEST

START_TEST(damage_is_noticed)
{
	char *dir = new_cache(), *path = nx_tuning_path(ID);
	struct nx_buf file = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;

	store("text\n");
	ck_assert_int_eq(nx_fs_read(path, 4096, &file, &err), 0);
	for (size_t i = 0; i < file.len; i++) {
		file.data[i] ^= 4;
		ck_assert_int_eq(nx_fs_write_private(path, file.data, file.len, &err), 0);
		ck_assert_msg(!load(ID, NULL), "byte %zu", i);
		file.data[i] ^= 4;
		ck_assert_int_eq(nx_fs_write_private(path, file.data, i, &err), 0);
		ck_assert_msg(!load(ID, NULL), "%zu bytes", i);
	}
	store("again\n");
	ck_assert(load(ID, "again\n"));
	nx_buf_release(&file);
	drop_cache(dir, path);
}
END_TEST

START_TEST(files_others_can_write_are_passed_over)
{
	char *dir = new_cache(), *path = nx_tuning_path(ID), *other = nx_fs_join(dir, "other");

	store("text\n");
	ck_assert_int_eq(chmod(path, 0620), 0);
	ck_assert(!load(ID, NULL));
	ck_assert_int_eq(chmod(path, 0602), 0);
	ck_assert(!load(ID, NULL));
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert(load(ID, "text\n"));
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert(!load(ID, NULL));
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert(!load(ID, NULL));
	/* What is there is replaced, not followed or filled. */
	store("new\n");
	ck_assert(load(ID, "new\n"));
	unlink(other);
	free(other);
	drop_cache(dir, path);
}
END_TEST

/* ---- a model ----------------------------------------------------------------------------------- */

#define CHANNELS 32
#define SIDE     20

static int conv(struct nx_graph *g, int x, int64_t in)
{
	int y = NODE(g, "Conv", x, constant(g, -0.1, 0.1, SHAPE(CHANNELS, in, 3, 3)),
		weights(g, SHAPE(CHANNELS)));

	attr_ints(g, "pads", SHAPE(1, 1, 1, 1));
	return y;
}

/* A residual block between two convolutions; the caller frees name and graph. */
static struct nx_model network(const char *digest)
{
	struct nx_graph *g = graph(SHAPE(1, 3, SIDE, SIDE));
	int a = NODE(g, "Relu", conv(g, g->in[0], 3));
	int b = NODE(g, "Relu",
		NODE(g, "Add", conv(g, NODE(g, "Relu", conv(g, a, CHANNELS)), CHANNELS), a));
	struct nx_model m = { .name = nx_strdup("net"), .graph = g };

	output(g, conv(g, b, CHANNELS));
	snprintf(m.digest, sizeof m.digest, "%s", digest);
	return m;
}

static void release(struct nx_model *m)
{
	nx_graph_free(&m->graph);
	free(m->name);
}

struct kernels {
	int winograd, steps;
};

static void see(void *arg, const struct nx_plugin_step *step)
{
	struct kernels *k = arg;

	k->steps++;
	k->winograd += strstr(step->kernel, "wino") != NULL;
}

/* Loads and runs 'rows' rows; the outputs, which the caller frees. */
static float *answers(struct nx_engine *e, const struct nx_model *m, const char *tuning,
	size_t rows, struct kernels *kernels)
{
	const struct nx_load_opts opts = { .max_batch = 8, .tuning = tuning };
	struct nx_err err = NX_ERR_INIT;
	struct nx_loaded *l;
	const struct nx_io *in, *out;
	struct nx_rng numbers;

	ck_assert_msg(nx_engine_load(e, m, &opts, &l, &err) == 0, "%s", err.msg);
	*kernels = (struct kernels){ 0 };
	nx_loaded_steps(l, see, kernels);
	nx_loaded_inputs(l, &in);
	nx_loaded_outputs(l, &out);
	float *x = nx_alloc(rows, in[0].row_bytes), *y = nx_alloc(rows, out[0].row_bytes);
	nx_rng_init(&numbers, 7);
	for (size_t i = 0; i < rows * in[0].row_bytes / sizeof *x; i++)
		x[i] = (float)nx_rng_uniform(&numbers);
	ck_assert_msg(nx_loaded_run(l, rows, (const void *[]){ x }, (void *[]){ y }, &err) == 0,
		"%s", err.msg);
	nx_loaded_free(&l);
	free(x);
	return y;
}

static void check_close(const char *what, const float *got, const float *want, size_t rows)
{
	for (size_t i = 0; i < rows * CHANNELS * SIDE * SIDE; i++)
		ck_assert_msg(fabsf(got[i] - want[i]) <= 1e-4f + 1e-4f * fabsf(want[i]),
			"%s: element %zu is %g, not %g", what, i, (double)got[i], (double)want[i]);
}

static struct nx_engine *open_cpu(void)
{
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();

	ck_assert_msg(nx_engine_open("cpu", dir, &e, &err) == 0, "%s", err.msg);
	free(dir);
	return e;
}

/* Whatever a tuning says, in whatever mixture of layouts: the answers stay. */
START_TEST(any_choice_gives_the_same_answers)
{
	static const char *const class[] = { "c3x20x20/w32x3x3x3/s1x1/d0x0/l1x1/r1x1/1",
		"c32x20x20/w32x32x3x3/s1x1/d0x0/l1x1/r1x1/1",
		"c32x20x20/w32x32x3x3/s1x1/d0x0/l1x1/r1x1/1+",
		"c32x20x20/w32x32x3x3/s1x1/d0x0/l1x1/r1x1/0" };
	static const char *const algo[] = { "follow", "last", "blocked", "winograd" };
	struct nx_model m = network("");
	struct nx_engine *e = open_cpu();
	struct kernels k;
	float *want = answers(e, &m, "", 7, &k);
	int winograd = 0;

	ck_assert_int_eq(k.winograd, 0);
	for (unsigned code = 0; code < 256; code += 5) {
		struct nx_buf text = NX_BUF_INIT;
		nx_buf_adds(&text, "cpu-tuning 1\npiece 4\n");
		for (unsigned i = 0; i < 4; i++) {
			const char *a = algo[code >> 2 * i & 3u];
			nx_buf_addf(&text, "conv 1 %s %s\n", class[i], a);
			nx_buf_addf(&text, "conv n %s %s\n", class[i], algo[code >> i & 3u]);
		}
		float *got = answers(e, &m, text.data, 7, &k);
		check_close(text.data, got, want, 7);
		winograd += k.winograd;
		free(got);
		nx_buf_release(&text);
	}
	ck_assert_int_gt(winograd, 0);
	free(want);
	release(&m);
	nx_engine_close(&e);
}
END_TEST

START_TEST(a_model_is_tuned_once)
{
	char *dir = new_cache();
	struct nx_model m = network("sha256:1");
	struct nx_engine *e = open_cpu();
	struct nx_tune_opts opts = { .max_batch = 4, .time_cap_ms = 300 };
	struct nx_buf first = NX_BUF_INIT, second = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	struct kernels k;

	float *want = answers(e, &m, "", 3, &k);
	ck_assert_msg(nx_engine_tune(e, &m, &opts, &first, &err) == 0, "%s", err.msg);
	ck_assert_msg(strncmp(first.data, "cpu-tuning 1\npiece ", 19) == 0, "%s", first.data);
	/* No time at all would find nothing, were it not kept; fewer rows are in it. */
	opts.time_cap_ms = 0;
	opts.max_batch = 2;
	ck_assert_int_eq(nx_engine_tune(e, &m, &opts, &second, &err), 0);
	ck_assert_str_eq(second.data, first.data);
	float *got = answers(e, &m, NULL, 3, &k);
	check_close("kept", got, want, 3);
	free(got);

	/* More rows, and 'again', measure. */
	nx_buf_clear(&second);
	opts.max_batch = 8;
	ck_assert_int_eq(nx_engine_tune(e, &m, &opts, &second, &err), 0);
	ck_assert_str_eq(second.data, "cpu-tuning 1\npiece 1\n");
	free(want);
	nx_buf_release(&first);
	nx_buf_release(&second);
	release(&m);
	nx_engine_close(&e);
	drop_files(dir);
}
END_TEST

UNIT_MAIN("engine/tuning", the_folder_is_found, what_is_kept_comes_back, damage_is_noticed,
	files_others_can_write_are_passed_over, any_choice_gives_the_same_answers,
	a_model_is_tuned_once)
