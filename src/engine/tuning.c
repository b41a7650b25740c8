/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is a line "nexus-tuning 1 sha256:…", the digest of all that follows, then the identity
 * and an empty line, then the text.
 */
#include "engine/tuning.h"

#include "core/alloc.h"
#include "core/digest.h"
#include "core/fs.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD     "nexus-tuning 1 "
#define HEAD_LEN (sizeof HEAD - 1)
#define HEX_LEN  32 /* of the identity's digest, in the file's name */

/* An absolute path from the environment, or NULL; never for setuid programs. */
static const char *absolute(const char *name)
{
	const char *path = secure_getenv(name);

	return path && path[0] == '/' ? path : NULL;
}

char *nx_tuning_dir(void)
{
	const char *path;

	if ((path = absolute("NEXUS_CACHE")))
		return nx_strdup(path);
	if ((path = absolute("XDG_CACHE_HOME")))
		return nx_fs_join(path, "nexus");
	if ((path = absolute("HOME")))
		return nx_fs_join(path, ".cache/nexus");
	return nx_strdup("/var/cache/nexus");
}

char *nx_tuning_path(const char *identity)
{
	char digest[NX_DIGEST_SIZE];
	char *dir = nx_tuning_dir();

	nx_digest_of(identity, strlen(identity), digest);
	char *path = nx_asprintf("%s/tuning-%.*s", dir, HEX_LEN, strchr(digest, ':') + 1);
	free(dir);
	return path;
}

static bool read_all(int fd, size_t size, struct nx_buf *out)
{
	nx_buf_reserve(out, size);
	while (out->len < size) {
		char part[4096];
		size_t left = size - out->len;
		ssize_t n = read(fd, part, left < sizeof part ? left : sizeof part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		nx_buf_add(out, part, (size_t)n);
	}
	return true;
}

/* Why an open file cannot be used; NULL if it can. */
static const char *objection(int fd, struct stat *st)
{
	if (fstat(fd, st) || !S_ISREG(st->st_mode))
		return "is no regular file";
	if (st->st_uid != geteuid())
		return "belongs to somebody else";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "can be written by others";
	if (st->st_size <= 0 || (size_t)st->st_size > NX_TUNING_CAP)
		return "has a size that no tuning has";
	return NULL;
}

/* Takes a whole file apart; NULL if all is well. */
static const char *parse(const char *identity, const struct nx_buf *file, struct nx_buf *text)
{
	char digest[NX_DIGEST_SIZE];
	size_t line = HEAD_LEN + NX_DIGEST_SIZE - 1, id = strlen(identity);

	if (file->len <= line || memchr(file->data, '\0', file->len) ||
		memcmp(file->data, HEAD, HEAD_LEN) != 0 || file->data[line] != '\n')
		return "is damaged";
	const char *rest = file->data + line + 1;
	size_t len = file->len - line - 1;
	nx_digest_of(rest, len, digest);
	if (memcmp(file->data + HEAD_LEN, digest, NX_DIGEST_SIZE - 1) != 0)
		return "is damaged";
	if (len < id + 2 || memcmp(rest, identity, id) != 0 || memcmp(rest + id, "\n\n", 2) != 0)
		return "is of something else";
	nx_buf_add(text, rest + id + 2, len - id - 2);
	return NULL;
}

static const char *load_open(int fd, const char *identity, struct nx_buf *text)
{
	struct nx_buf file = NX_BUF_INIT;
	struct stat st;
	const char *why = objection(fd, &st);

	if (!why && !read_all(fd, (size_t)st.st_size, &file))
		why = "cannot be read";
	if (!why)
		why = parse(identity, &file, text);
	nx_buf_release(&file);
	return why;
}

bool nx_tuning_load(const char *identity, struct nx_buf *text)
{
	char *path = nx_tuning_path(identity);
	/* A pipe that nobody writes to must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const char *why = NULL;
	bool found = fd >= 0;

	if (fd >= 0) {
		why = load_open(fd, identity, text);
		close(fd);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		why = "cannot be opened";
	}
	if (why) {
		nx_warn("tuning '%s' is not used: it %s", path, why);
		found = false;
	}
	free(path);
	return found;
}

int nx_tuning_store(const char *identity, const char *text, struct nx_err *err)
{
	char *dir = nx_tuning_dir(), *path = nx_tuning_path(identity);
	char digest[NX_DIGEST_SIZE];
	struct nx_buf rest = NX_BUF_INIT, file = NX_BUF_INIT;

	nx_buf_addf(&rest, "%s\n\n%s", identity, text);
	nx_digest_of(rest.data, rest.len, digest);
	nx_buf_addf(&file, HEAD "%s\n", digest);
	nx_buf_add(&file, rest.data, rest.len);
	int rc = nx_fs_mkdirs(dir, 0700, err);
	if (rc == 0)
		rc = nx_fs_write_private(path, file.data, file.len, err);
	nx_buf_release(&rest);
	nx_buf_release(&file);
	free(dir);
	free(path);
	return rc;
}
