/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole reads with a cap, whole writes that happen or do not, and where we live. */
#ifndef NX_CORE_FS_H
#define NX_CORE_FS_H

#include "core/buf.h"
#include "core/err.h"

#include <stddef.h>

/* Reads all of 'path' ("-" is standard input) into *out (appended); more than 'cap' bytes is an
 * error (NX_EDATA), a missing or unreadable file NX_ENOINPUT. */
int nx_fs_read(const char *path, size_t cap, struct nx_buf *out, struct nx_err *err);

/* A file that was read whole.  Not mapped: a file that is cut while it is mapped kills whoever
 * reads on, and models are copied over while servers run. */
struct nx_fs_bytes {
	const void *data; /* never NULL after a read */
	size_t len;
	void *owned;
	size_t pages; /* bytes of nx_pages_alloc(); 0: 'owned' is of the heap */
};

/* As nx_fs_read, but large files go into memory of just their size, which goes back to the
 * system when released. */
int nx_fs_read_bytes(const char *path, size_t cap, struct nx_fs_bytes *out, struct nx_err *err);
void nx_fs_bytes_release(struct nx_fs_bytes *b);

/* Writes 'len' bytes to 'path' ("-" is standard output) by temporary file, fsync and rename, so
 * that a reader sees the old file or the new one.  NX_ECREATE or NX_EIO. */
int nx_fs_write(const char *path, const void *data, size_t len, struct nx_err *err);

/* The same for a file that only its owner may read; whatever was at 'path' is replaced. */
int nx_fs_write_private(const char *path, const void *data, size_t len, struct nx_err *err);

/* Makes a directory and its parents; one that exists is fine. */
int nx_fs_mkdirs(const char *path, unsigned mode, struct nx_err *err);

/* A new string: dir + "/" + name. */
char *nx_fs_join(const char *dir, const char *name);

/* Where data files and plugins of this program are, found relative to the program itself, so
 * that an installed tree can be moved: "<exe>/../share/nexus", "<exe>/../lib/nexus", or the same
 * in a source tree.  Never the current directory.  The caller frees; NULL if there is none. */
char *nx_fs_share_dir(void);
char *nx_fs_plugin_dir(void);

/* $NEXUS_RUNTIME_DIR, else $XDG_RUNTIME_DIR/nexus, else /run/nexus for root, else
 * /tmp/nexus-<uid>.  The caller frees. */
char *nx_fs_runtime_dir(void);

#endif
