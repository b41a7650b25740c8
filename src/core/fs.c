/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fs.h"

#include "core/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the programs of a source tree find their plugins; set by the Makefile for its MODE. */
#ifndef NX_BUILD_PLUGIN_DIR
#define NX_BUILD_PLUGIN_DIR "../build/release/lib/nexus"
#endif

static int read_all(int fd, const char *name, size_t cap, struct nx_buf *out, struct nx_err *err)
{
	size_t start = out->len;

	for (;;) {
		nx_buf_reserve(out, 65536);
		ssize_t n = read(fd, out->data + out->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nx_err_set(err, errno == EISDIR ? NX_ENOINPUT : NX_EIO,
				"cannot read '%s': %s", name, strerror(errno));
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len - start > cap)
			return nx_err_set(
				err, NX_EDATA, "'%s' is larger than %zu bytes", name, cap);
	}
}

int nx_fs_read(const char *path, size_t cap, struct nx_buf *out, struct nx_err *err)
{
	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", cap, out, err);

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return nx_err_set(err, NX_ENOINPUT, "cannot open '%s': %s", path, strerror(errno));
	int rc = read_all(fd, path, cap, out, err);
	close(fd);
	return rc;
}

/* Up to b->pages bytes; a file that has become shorter is shorter. */
static int read_pages(int fd, const char *path, struct nx_fs_bytes *b, struct nx_err *err)
{
	while (b->len < b->pages) {
		ssize_t n = read(fd, (char *)b->owned + b->len, b->pages - b->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nx_err_set(
				err, NX_EIO, "cannot read '%s': %s", path, strerror(errno));
		if (n == 0)
			break;
		b->len += (size_t)n;
	}
	b->data = b->owned;
	return 0;
}

static int read_large(int fd, const char *path, size_t size, size_t cap, struct nx_fs_bytes *b,
	struct nx_err *err)
{
	if (size > cap)
		return nx_err_set(err, NX_EDATA, "'%s' is larger than %zu bytes", path, cap);
	b->owned = nx_pages_alloc(size);
	if (!b->owned)
		return nx_err_set(err, NX_EOS, "no memory for the %zu bytes of '%s'", size, path);
	b->pages = size;
	int rc = read_pages(fd, path, b, err);
	if (rc)
		nx_fs_bytes_release(b);
	return rc;
}

int nx_fs_read_bytes(const char *path, size_t cap, struct nx_fs_bytes *out, struct nx_err *err)
{
	struct nx_buf text = NX_BUF_INIT;
	struct stat st;
	int fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC), rc;

	*out = (struct nx_fs_bytes){ 0 };
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(uintmax_t)st.st_size >= NX_PAGES_MIN && (uintmax_t)st.st_size <= SIZE_MAX) {
		rc = read_large(fd, path, (size_t)st.st_size, cap, out, err);
	} else if (fd >= 0) {
		rc = read_all(fd, path, cap, &text, err);
	} else {
		rc = nx_fs_read(path, cap, &text, err);
	}
	if (fd >= 0)
		close(fd);
	if (rc)
		nx_buf_release(&text);
	if (rc || out->data)
		return rc;
	out->len = text.len;
	out->data = out->owned = nx_buf_take(&text);
	return 0;
}

void nx_fs_bytes_release(struct nx_fs_bytes *b)
{
	if (b->pages)
		nx_pages_free(b->owned, b->pages);
	else
		free(b->owned);
	*b = (struct nx_fs_bytes){ 0 };
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A path that exists and is no regular file (a pipe, /dev/stdout) cannot be renamed over. */
static int write_in_place(const char *path, const void *data, size_t len, struct nx_err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return nx_err_set(err, NX_ECREATE, "cannot open '%s': %s", path, strerror(errno));
	int rc = write_all(fd, data, len);
	int e = errno;
	close(fd);
	return rc ? nx_err_set(err, NX_EIO, "cannot write '%s': %s", path, strerror(e)) : 0;
}

static int write_and_rename(
	const char *path, mode_t mode, const void *data, size_t len, char *tmp, struct nx_err *err)
{
	int fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return nx_err_set(err, NX_ECREATE, "cannot create '%s': %s", path, strerror(errno));
	if (write_all(fd, data, len) || fchmod(fd, mode) || fsync(fd)) {
		int e = errno;
		close(fd);
		unlink(tmp);
		return nx_err_set(err, NX_EIO, "cannot write '%s': %s", path, strerror(e));
	}
	if (close(fd) || rename(tmp, path)) {
		int e = errno;
		unlink(tmp);
		return nx_err_set(err, NX_ECREATE, "cannot write '%s': %s", path, strerror(e));
	}
	return 0;
}

int nx_fs_write(const char *path, const void *data, size_t len, struct nx_err *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0) {
		if (write_all(STDOUT_FILENO, data, len))
			return nx_err_set(
				err, NX_EIO, "cannot write standard output: %s", strerror(errno));
		return 0;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_in_place(path, data, len, err);
	mode_t mask = umask(0);
	umask(mask);
	char *tmp = nx_asprintf("%s.XXXXXX", path);
	int rc = write_and_rename(path, 0666 & ~mask, data, len, tmp, err);
	free(tmp);
	return rc;
}

int nx_fs_write_private(const char *path, const void *data, size_t len, struct nx_err *err)
{
	char *tmp = nx_asprintf("%s.XXXXXX", path);
	int rc = write_and_rename(path, 0600, data, len, tmp, err);

	free(tmp);
	return rc;
}

int nx_fs_mkdirs(const char *path, unsigned mode, struct nx_err *err)
{
	char *p = nx_strdup(path);
	struct stat st;
	int rc = 0;

	for (char *s = p + 1; rc == 0; s++) {
		char c = *s;
		if (c != '/' && c != '\0')
			continue;
		*s = '\0';
		if (mkdir(p, (mode_t)mode) && errno != EEXIST)
			rc = nx_err_set(err, NX_ECREATE, "cannot make directory '%s': %s", p,
				strerror(errno));
		*s = c;
		if (c == '\0')
			break;
	}
	if (rc == 0 && (stat(path, &st) || !S_ISDIR(st.st_mode)))
		rc = nx_err_set(err, NX_ECREATE, "'%s' is not a directory", path);
	free(p);
	return rc;
}

char *nx_fs_join(const char *dir, const char *name)
{
	return nx_asprintf("%s/%s", dir, name);
}

/* The first of 'candidates' (relative to the program's folder) that is a directory. */
static char *beside_program(const char *const *candidates, size_t n)
{
	char exe[PATH_MAX];
	struct stat st;
	ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (len <= 0)
		return NULL;
	exe[len] = '\0';
	*strrchr(exe, '/') = '\0';
	for (size_t i = 0; i < n; i++) {
		char *path = nx_fs_join(exe, candidates[i]);
		char *real = realpath(path, NULL);
		free(path);
		if (real && stat(real, &st) == 0 && S_ISDIR(st.st_mode))
			return real;
		free(real);
	}
	return NULL;
}

char *nx_fs_share_dir(void)
{
	static const char *const places[] = { "../share/nexus", "../../../share/nexus" };

	return beside_program(places, NX_ARRAY_LEN(places));
}

char *nx_fs_plugin_dir(void)
{
	static const char *const places[] = { "../lib/nexus", NX_BUILD_PLUGIN_DIR };

	return beside_program(places, NX_ARRAY_LEN(places));
}

char *nx_fs_runtime_dir(void)
{
	const char *dir = getenv("NEXUS_RUNTIME_DIR");

	if (dir && *dir)
		return nx_strdup(dir);
	dir = getenv("XDG_RUNTIME_DIR");
	if (dir && *dir)
		return nx_fs_join(dir, "nexus");
	if (geteuid() == 0)
		return nx_strdup("/run/nexus");
	return nx_asprintf("/tmp/nexus-%u", (unsigned)geteuid());
}
