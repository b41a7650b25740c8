/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles made with libarchive in memory: good ones, and all ways to be evil. */
#include "model/bundle.h"
#include "model/model.h"

#include "core/fs.h"
#include "tiny.h"
#include "unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { TAR_ZST, TAR_GZ, ZIP };

/* A bundle under construction. */
struct maker {
	struct archive *a;
	size_t cap, len;
	uint8_t *data;
};

static void maker_init(struct maker *m, enum kind kind)
{
	m->cap = (size_t)4 << 20;
	m->len = 0;
	m->data = nx_alloc(m->cap, 1);
	m->a = archive_write_new();
	if (kind == ZIP)
		archive_write_set_format_zip(m->a);
	else
		archive_write_set_format_pax_restricted(m->a);
	if (kind == TAR_GZ)
		archive_write_add_filter_gzip(m->a);
	else if (kind == TAR_ZST)
		archive_write_add_filter_zstd(m->a);
	ck_assert_int_eq(archive_write_open_memory(m->a, m->data, m->cap, &m->len), ARCHIVE_OK);
}

static void add(struct maker *m, const char *name, unsigned type, const void *data, size_t len)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)len);
	if (type == S_IFLNK)
		archive_entry_set_symlink(e, "/etc/passwd");
	ck_assert_int_eq(archive_write_header(m->a, e), ARCHIVE_OK);
	if (len)
		ck_assert_int_eq(archive_write_data(m->a, data, len), (la_ssize_t)len);
	archive_entry_free(e);
}

static void add_text(struct maker *m, const char *name, const char *text)
{
	add(m, name, S_IFREG, text, strlen(text));
}

static void add_onnx(struct maker *m, const char *name)
{
	size_t len;
	uint8_t *data = tiny_cnn(&len);

	add(m, name, S_IFREG, data, len);
	free(data);
}

/* Closes, loads and frees the archive. */
static int finish(struct maker *m, struct nx_model **out, struct nx_err *err)
{
	archive_write_close(m->a);
	archive_write_free(m->a);
	int rc = nx_model_load_bytes(m->data, m->len, "dir/b.tar.gz", out, err);
	free(m->data);
	return rc;
}

static void expect_refused(struct maker *m, const char *why)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *model;

	ck_assert_int_eq(finish(m, &model, &err), -NX_EDATA);
	ck_assert_ptr_null(model);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
}

static const char manifest[] =
	"{\"format\": \"nexus-model/1\", \"model\": \"m\", "
	"\"file\": \"net/a.onnx\", \"labels\": \"l.txt\", \"input\": {\"color\": \"GRAY\"}, "
	"\"output\": {\"kind\": \"classes\"}}";

START_TEST(bundles_of_all_kinds_load)
{
	for (int kind = TAR_ZST; kind <= ZIP; kind++) {
		struct nx_err err = NX_ERR_INIT;
		struct nx_model *model;
		struct maker m;
		maker_init(&m, (enum kind)kind);
		add_text(&m, "./manifest.json", manifest);
		add_onnx(&m, "net/a.onnx");
		add_text(&m, "l.txt", "cat\r\nbig dog\n\n");
		ck_assert_msg(finish(&m, &model, &err) == 0, "%s", err.msg);
		ck_assert_str_eq(model->name, "m");
		ck_assert_uint_eq(model->manifest->n_labels, 2);
		ck_assert_str_eq(model->manifest->labels[0], "cat");
		ck_assert_str_eq(model->manifest->labels[1], "big dog");
		/* The size comes from the graph. */
		ck_assert_int_eq(model->manifest->input.width, 4);
		ck_assert_int_eq(strncmp(model->digest, "sha256:", 7), 0);
		nx_model_free(&model);
	}
}
END_TEST

START_TEST(a_bundle_without_manifest_takes_tensors)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *model;
	struct maker m;

	maker_init(&m, TAR_GZ);
	add_onnx(&m, "model.onnx");
	ck_assert_msg(finish(&m, &model, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(model->name, "b");
	ck_assert_int_eq(model->manifest->output.kind, NX_OUT_TENSOR);
	ck_assert(!model->manifest->input.image);
	nx_model_free(&model);
}
END_TEST

START_TEST(evil_names_are_refused)
{
	static const char *const names[] = { "../model.onnx", "/etc/model.onnx", "a/../../b.onnx",
		"a/..", "a\\..\\b.onnx" };

	for (size_t i = 0; i < NX_ARRAY_LEN(names); i++) {
		struct maker m;
		maker_init(&m, TAR_ZST);
		add_onnx(&m, names[i]);
		expect_refused(&m, "leaves the bundle");
	}
}
END_TEST

START_TEST(evil_entries_are_refused)
{
	struct maker m;

	maker_init(&m, TAR_GZ);
	add(&m, "model.onnx", S_IFLNK, NULL, 0);
	expect_refused(&m, "is a link");
	maker_init(&m, TAR_GZ);
	add(&m, "model.onnx", S_IFIFO, NULL, 0);
	expect_refused(&m, "not a plain file");
	maker_init(&m, TAR_GZ);
	add_onnx(&m, "model.onnx");
	add_text(&m, "./model.onnx", "again");
	expect_refused(&m, "comes twice");
	maker_init(&m, TAR_GZ);
	for (int i = 0; i < 65; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i);
		add_text(&m, name, "x");
	}
	expect_refused(&m, "more than 64 files");
}
END_TEST

START_TEST(bombs_are_refused)
{
	size_t size = (size_t)64 << 20;
	char *zeros = nx_alloc(size, 1);

	for (int kind = TAR_ZST; kind <= ZIP; kind++) {
		struct maker m;
		maker_init(&m, (enum kind)kind);
		add(&m, "labels.txt", S_IFREG, zeros, size);
		expect_refused(&m, "is larger than");
	}
	free(zeros);
}
END_TEST

START_TEST(a_cut_bundle_is_refused)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *model;
	struct maker m;

	maker_init(&m, TAR_GZ);
	add_onnx(&m, "model.onnx");
	archive_write_close(m.a);
	archive_write_free(m.a);
	for (size_t n = 0; n + 40 < m.len; n += 7) {
		ck_assert_int_ne(nx_model_load_bytes(m.data, n, "cut", &model, &err), 0);
		ck_assert_ptr_null(model);
	}
	free(m.data);
}
END_TEST

START_TEST(models_are_found_by_name)
{
	struct nx_err err = NX_ERR_INIT;
	char dir[] = "/tmp/nexus-find-XXXXXX";
	char *path;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	char *file = nx_fs_join(dir, "a.zip"), *dirs = nx_asprintf("/nonexistent::%s", dir);
	ck_assert_int_eq(nx_fs_write(file, "x", 1, &err), 0);
	ck_assert_int_eq(nx_model_find("a", dirs, &path, &err), 0);
	ck_assert_str_eq(path, file);
	free(path);
	ck_assert_int_eq(nx_model_find("b", dirs, &path, &err), -NX_ENOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.msg, dir));
	ck_assert_int_eq(nx_model_find("../a", dirs, &path, &err), -NX_ENOTFOUND);
	unlink(file);
	rmdir(dir);
	free(file);
	free(dirs);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	static const char *const names[] = { "a.tar.gz", "a.tgz", "a.tar.zst", "a.tar", "a.zip" };
	struct nx_bundle_file files[2] = { { .name = "model.onnx" }, { .name = "labels.txt" } };
	struct nx_bundle b = { files, 2 };
	struct nx_err err = NX_ERR_INIT;

	nx_buf_add(&files[0].data, "weights\0weights", 15);
	for (size_t i = 0; i < NX_ARRAY_LEN(names); i++) {
		struct nx_buf one = NX_BUF_INIT, two = NX_BUF_INIT;
		struct nx_bundle back;
		ck_assert_msg(nx_bundle_write(&b, names[i], &one, &err) == 0, "%s", err.msg);
		ck_assert_int_eq(nx_bundle_write(&b, names[i], &two, &err), 0);
		ck_assert_uint_eq(one.len, two.len);
		ck_assert_mem_eq(one.data, two.data, one.len);
		ck_assert(nx_bundle_is(one.data, one.len));
		ck_assert_int_eq(nx_bundle_read(one.data, one.len, &back, &err), 0);
		ck_assert_uint_eq(back.n, 2);
		ck_assert_mem_eq(
			nx_bundle_find(&back, "model.onnx")->data.data, "weights\0weights", 15);
		ck_assert_uint_eq(nx_bundle_find(&back, "labels.txt")->data.len, 0);
		nx_bundle_release(&back);
		nx_buf_release(&one);
		nx_buf_release(&two);
	}
	struct nx_buf none = NX_BUF_INIT;
	ck_assert_int_eq(nx_bundle_write(&b, "a.rar", &none, &err), -NX_EUSAGE);
	nx_buf_release(&none);
	nx_buf_release(&files[0].data);
}
END_TEST

UNIT_MAIN("model/bundle", bundles_of_all_kinds_load, what_is_written_is_read,
	a_bundle_without_manifest_takes_tensors, evil_names_are_refused, evil_entries_are_refused,
	bombs_are_refused, a_cut_bundle_is_refused, models_are_found_by_name)
