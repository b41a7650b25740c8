/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: archives written to memory.  Times and owners are left out, so that the bytes depend on
 * the contents alone. */
#include "model/bundle.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "core/text.h"
#include "model/model.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define FILE_CAP ((size_t)2 << 30)

enum packing { PLAIN, GZIP, ZSTD, ZIP };

static const struct {
	const char *suffix;
	enum packing packing;
} endings[] = {
	{ ".tar.gz", GZIP },
	{ ".tgz", GZIP },
	{ ".tar.zst", ZSTD },
	{ ".tar", PLAIN },
	{ ".zip", ZIP },
};

static int packing_of(const char *name)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(endings); i++) {
		if (nx_text_has_suffix(name, endings[i].suffix))
			return (int)endings[i].packing;
	}
	return -1;
}

bool nx_bundle_is_name(const char *name)
{
	return packing_of(name) >= 0;
}

static la_ssize_t append(struct archive *a, void *out, const void *data, size_t len)
{
	(void)a;
	nx_buf_add(out, data, len);
	return (la_ssize_t)len;
}

static int open_archive(struct archive *a, enum packing packing, struct nx_buf *out)
{
	int rc = packing == ZIP ? archive_write_set_format_zip(a)
				: archive_write_set_format_pax_restricted(a);

	if (rc == ARCHIVE_OK && packing == GZIP)
		rc = archive_write_add_filter_gzip(a);
	if (rc == ARCHIVE_OK && packing == GZIP)
		rc = archive_write_set_options(a, "gzip:!timestamp");
	if (rc == ARCHIVE_OK && packing == ZSTD)
		rc = archive_write_add_filter_zstd(a);
	archive_write_set_bytes_in_last_block(a, 1);
	return rc == ARCHIVE_OK ? archive_write_open(a, out, NULL, append, NULL) : rc;
}

static int write_file(struct archive *a, const struct nx_bundle_file *f)
{
	struct archive_entry *e = archive_entry_new();

	if (!e)
		return ARCHIVE_FATAL;
	archive_entry_set_pathname(e, f->name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)f->data.len);
	archive_entry_set_mtime(e, 0, 0);
	int rc = archive_write_header(a, e);
	archive_entry_free(e);
	if (rc != ARCHIVE_OK)
		return rc;
	la_ssize_t n = f->data.len ? archive_write_data(a, f->data.data, f->data.len) : 0;
	return n == (la_ssize_t)f->data.len ? ARCHIVE_OK : ARCHIVE_FATAL;
}

int nx_bundle_write(
	const struct nx_bundle *b, const char *name, struct nx_buf *out, struct nx_err *err)
{
	int packing = packing_of(name);

	if (packing < 0)
		return nx_err_set(err, NX_EUSAGE,
			"'%.200s' has no bundle's ending (.tar.gz, .tar.zst, .tar, .zip)", name);
	struct archive *a = archive_write_new();
	if (!a)
		return nx_err_set(err, NX_EOS, "no memory for an archive");
	int rc = open_archive(a, (enum packing)packing, out);
	for (size_t i = 0; i < b->n && rc == ARCHIVE_OK; i++)
		rc = write_file(a, &b->files[i]);
	if (rc == ARCHIVE_OK)
		rc = archive_write_close(a);
	if (rc != ARCHIVE_OK)
		nx_err_set(err, NX_EIO, "'%.200s': %s", name,
			archive_error_string(a) ? archive_error_string(a) : "cannot be packed");
	archive_write_free(a);
	return rc == ARCHIVE_OK ? 0 : -err->code;
}

static int check_names(const char *path, bool bundle, const char *as, struct nx_err *err)
{
	if (bundle && !nx_bundle_is_name(as))
		return nx_err_set(err, NX_EUSAGE,
			"'%.200s' is a bundle: '%.200s' must end in .tar.gz, .tar.zst, .tar or .zip",
			path, as);
	if (!bundle && !nx_text_has_suffix(as, ".onnx"))
		return nx_err_set(err, NX_EUSAGE,
			"'%.200s' is an ONNX file: '%.200s' must end in .onnx", path, as);
	return 0;
}

int nx_model_check_repack(const char *path, const char *as, struct nx_err *err)
{
	struct nx_buf data = NX_BUF_INIT;
	int rc = nx_fs_read(path, FILE_CAP, &data, err);

	if (rc == 0)
		rc = check_names(path, nx_bundle_is(data.data ? data.data : "", data.len), as, err);
	nx_buf_release(&data);
	return rc;
}

/* The network of the bundle in memory: what its manifest names, else the only candidate. */
static struct nx_bundle_file *network(struct nx_bundle *b, const char *path, struct nx_err *err)
{
	struct nx_bundle_file *found = NULL;
	struct nx_model *m = NULL;

	if (nx_model_load(path, &m, err) == 0)
		found = (struct nx_bundle_file *)nx_bundle_find(b, m->manifest->file);
	if (m && !found)
		nx_err_set(err, NX_EDATA, "the bundle has no network");
	nx_model_free(&m);
	return found;
}

int nx_model_repack(const char *path, const char *as, const void *onnx, size_t len,
	struct nx_buf *out, struct nx_err *err)
{
	struct nx_buf data = NX_BUF_INIT;
	struct nx_bundle b = { 0 };
	int rc = nx_fs_read(path, FILE_CAP, &data, err);

	if (rc == 0) {
		bool bundle = nx_bundle_is(data.data ? data.data : "", data.len);
		rc = check_names(path, bundle, as, err);
		if (rc == 0 && bundle) {
			rc = nx_bundle_read(data.data, data.len, &b, err);
			struct nx_bundle_file *f = rc ? NULL : network(&b, path, err);
			if (f) {
				nx_buf_clear(&f->data);
				nx_buf_add(&f->data, onnx, len);
				rc = nx_bundle_write(&b, as, out, err);
			}
			rc = rc == 0 && !f ? -err->code : rc;
		} else if (rc == 0) {
			nx_buf_add(out, onnx, len);
		}
	}
	nx_bundle_release(&b);
	nx_buf_release(&data);
	return rc;
}
