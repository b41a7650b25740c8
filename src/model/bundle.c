/* SPDX-License-Identifier: Apache-2.0 */
#include "model/bundle.h"

#include "core/alloc.h"
#include "core/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 64
#define MODEL_CAP ((size_t)2 << 30)
#define OTHER_CAP ((size_t)1 << 20)
#define TOTAL_CAP (MODEL_CAP + FILES_MAX * OTHER_CAP)
#define CHUNK     ((size_t)64 << 10)
/* Weights hardly compress.  What grows more than this is made to fill the memory; small bundles
 * may, for zeros compress a thousandfold. */
#define GROWTH_MAX   50
#define GROWTH_FLOOR ((size_t)64 << 20)

bool nx_bundle_is(const void *data, size_t len)
{
	static const struct {
		size_t at;
		const char *magic;
		size_t n;
	} kinds[] = {
		{ 0, "PK\003\004", 4 },       /* zip */
		{ 0, "PK\005\006", 4 },       /* zip without entries */
		{ 0, "\037\213", 2 },         /* gzip (RFC 1952) */
		{ 0, "\050\265\057\375", 4 }, /* zstd (RFC 8878) */
		{ 257, "ustar", 5 },          /* tar, POSIX and GNU */
	};

	for (size_t i = 0; i < NX_ARRAY_LEN(kinds); i++) {
		if (len >= kinds[i].at + kinds[i].n &&
			memcmp((const char *)data + kinds[i].at, kinds[i].magic, kinds[i].n) == 0)
			return true;
	}
	return false;
}

/* "./a" and "a" are the same file. */
static const char *plain(const char *name)
{
	while (name[0] == '.' && name[1] == '/')
		name += 2;
	return name;
}

const struct nx_bundle_file *nx_bundle_find(const struct nx_bundle *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++) {
		if (strcmp(b->files[i].name, plain(name)) == 0)
			return &b->files[i];
	}
	return NULL;
}

void nx_bundle_release(struct nx_bundle *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->files[i].name);
		nx_buf_release(&b->files[i].data);
	}
	free(b->files);
	*b = (struct nx_bundle){ 0 };
}

/* Names that would leave the folder, were the bundle unpacked to one. */
static bool leaves(const char *name)
{
	if (*name == '/' || *name == '\0' || strchr(name, '\\'))
		return true;
	for (const char *s = name; s; s = strchr(s, '/')) {
		s += *s == '/';
		if (s[0] == '.' && s[1] == '.' && (s[2] == '/' || s[2] == '\0'))
			return true;
	}
	return false;
}

struct unpacked {
	size_t total, max;
};

/* What a bundle of 'len' bytes may unpack to. */
static size_t total_cap(size_t len)
{
	size_t grown = len < TOTAL_CAP / GROWTH_MAX ? len * GROWTH_MAX : TOTAL_CAP;

	return grown > GROWTH_FLOOR ? grown : GROWTH_FLOOR;
}

/* Appends the entry's data, whatever size it declares, up to its cap. */
static int read_data(
	struct archive *a, struct nx_bundle_file *f, struct unpacked *u, struct nx_err *err)
{
	size_t cap = nx_text_has_suffix(f->name, ".onnx") ? MODEL_CAP : OTHER_CAP;

	for (;;) {
		nx_buf_reserve(&f->data, CHUNK);
		la_ssize_t n = archive_read_data(a, f->data.data + f->data.len, CHUNK);
		if (n < 0)
			return nx_err_set(err, NX_EDATA, "'%.120s': %s", f->name,
				archive_error_string(a) ? archive_error_string(a) : "damaged");
		if (n == 0)
			return 0;
		f->data.len += (size_t)n;
		u->total += (size_t)n;
		if (u->total > u->max)
			return nx_err_set(err, NX_EDATA, "unpacks to more than %zu bytes%s", u->max,
				u->max < TOTAL_CAP ? ", too many for its size" : "");
		if (f->data.len > cap)
			return nx_err_set(
				err, NX_EDATA, "'%.120s' is larger than %zu bytes", f->name, cap);
	}
}

static int read_entry(struct archive *a, struct archive_entry *e, struct nx_bundle *out,
	struct unpacked *u, struct nx_err *err)
{
	const char *name = archive_entry_pathname(e);

	if (!name || leaves(name))
		return nx_err_set(
			err, NX_EDATA, "the name '%.120s' leaves the bundle", name ? name : "");
	if (archive_entry_hardlink(e) || archive_entry_symlink(e))
		return nx_err_set(err, NX_EDATA, "'%.120s' is a link", name);
	if (archive_entry_filetype(e) == S_IFDIR)
		return 0;
	if (archive_entry_filetype(e) != S_IFREG)
		return nx_err_set(err, NX_EDATA, "'%.120s' is not a plain file", name);
	if (archive_entry_is_encrypted(e))
		return nx_err_set(err, NX_EUNSUPP, "'%.120s' is encrypted", name);
	if (nx_bundle_find(out, name))
		return nx_err_set(err, NX_EDATA, "'%.120s' comes twice", name);
	struct nx_bundle_file *f = &out->files[out->n++];
	f->name = nx_strdup(plain(name));
	return read_data(a, f, u, err);
}

/* Directories count too, so that the number of headers is bounded. */
static int read_entries(struct archive *a, size_t len, struct nx_bundle *out, struct nx_err *err)
{
	struct archive_entry *e;
	struct unpacked u = { .max = total_cap(len) };

	for (int seen = 0;; seen++) {
		int rc = archive_read_next_header(a, &e);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return nx_err_set(err, NX_EDATA, "a damaged archive: %s",
				archive_error_string(a) ? archive_error_string(a)
							: "no reason given");
		if (seen == FILES_MAX)
			return nx_err_set(err, NX_EDATA, "more than %d files", FILES_MAX);
		rc = read_entry(a, e, out, &u, err);
		if (rc)
			return rc;
	}
}

int nx_bundle_read(const void *data, size_t len, struct nx_bundle *out, struct nx_err *err)
{
	struct archive *a = archive_read_new();

	*out = (struct nx_bundle){ 0 };
	if (!a)
		return nx_err_set(err, NX_EOS, "no memory for an archive");
	out->files = nx_alloc(FILES_MAX, sizeof *out->files);
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_zip(a);
	int rc = 0;
	if (archive_read_open_memory(a, data, len) != ARCHIVE_OK)
		rc = nx_err_set(err, NX_EDATA, "a damaged archive: %s",
			archive_error_string(a) ? archive_error_string(a) : "no reason given");
	if (rc == 0)
		rc = read_entries(a, len, out, err);
	archive_read_free(a);
	if (rc)
		nx_bundle_release(out);
	return rc;
}
