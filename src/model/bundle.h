/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: archives read from memory with libarchive, the only place that sees it. */
#ifndef NX_MODEL_BUNDLE_H
#define NX_MODEL_BUNDLE_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

struct nx_bundle_file {
	char *name;
	struct nx_buf data;
};

struct nx_bundle {
	struct nx_bundle_file *files;
	size_t n;
};

/* Whether the bytes are those of a zip, gzip, zstd or tar file. */
bool nx_bundle_is(const void *data, size_t len);

/* Unpacks into memory.  NX_EDATA for damage, names that are absolute or hold "..", links and
 * devices, names that come twice, and sizes over the caps (64 files, 2 GiB for a .onnx, 1 MiB for
 * another file). */
int nx_bundle_read(const void *data, size_t len, struct nx_bundle *out, struct nx_err *err);
void nx_bundle_release(struct nx_bundle *b);

/* Whether a name ends as a bundle's does that can be written: .tar.gz, .tgz, .tar.zst, .tar, .zip. */
bool nx_bundle_is_name(const char *name);

/* Appends the bundle to *out in the form that the name's ending says; the same bundle gives the
 * same bytes.  NX_EUSAGE for another ending. */
int nx_bundle_write(
	const struct nx_bundle *b, const char *name, struct nx_buf *out, struct nx_err *err);

/* The file of that name ("./" in front aside), or NULL. */
const struct nx_bundle_file *nx_bundle_find(const struct nx_bundle *b, const char *name);

#endif
