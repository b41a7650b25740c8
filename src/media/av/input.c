/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libav* reads through these callbacks only, never through its own protocols, so that no file
 * can make it open another one or a network connection.
 */
#include "media/av/input.h"

#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IO_BUFFER 65536

static ssize_t read_some(struct nx_input *in, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(in->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		in->error = errno;
	return n;
}

static int on_read(void *opaque, uint8_t *buf, int len)
{
	struct nx_input *in = opaque;

	if (in->head_at < in->head_len) {
		buf[0] = in->head[in->head_at++];
		return 1;
	}
	ssize_t n = read_some(in, buf, (size_t)len);
	if (n < 0)
		return AVERROR(errno);
	return n == 0 ? AVERROR_EOF : (int)n;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
	struct nx_input *in = opaque;
	struct stat st;

	if (whence & AVSEEK_SIZE)
		return fstat(in->fd, &st) == 0 ? (int64_t)st.st_size : AVERROR(errno);
	off_t at = lseek(in->fd, offset, whence & ~AVSEEK_FORCE);
	if (at < 0)
		return AVERROR(errno);
	return at;
}

/* The first bytes: read in place from a file, read ahead from a pipe. */
static int read_head(struct nx_input *in)
{
	while (in->head_len < sizeof in->head) {
		ssize_t n = read_some(in, in->head + in->head_len, sizeof in->head - in->head_len);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		in->head_len += (size_t)n;
	}
	if (in->seekable) {
		in->head_at = in->head_len;
		return lseek(in->fd, 0, SEEK_SET) == 0 ? 0 : -1;
	}
	return 0;
}

int nx_input_open(struct nx_input *in, int fd, struct nx_err *err)
{
	struct stat st;

	memset(in, 0, sizeof *in);
	in->fd = fd;
	in->seekable = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0;
	if (read_head(in))
		return nx_err_set(err, NX_EIO, "cannot read: %s", strerror(errno));
	if (in->head_len == 0)
		return nx_err_set(err, NX_EDATA, "there is nothing in it");

	uint8_t *buf = av_malloc(IO_BUFFER);
	in->io = buf ? avio_alloc_context(
			       buf, IO_BUFFER, 0, in, on_read, NULL, in->seekable ? on_seek : NULL)
		     : NULL;
	if (!in->io) {
		av_free(buf);
		return nx_err_set(err, NX_EOS, "no memory to read a video");
	}
	in->io->seekable = in->seekable ? AVIO_SEEKABLE_NORMAL : 0;
	return 0;
}

void nx_input_close(struct nx_input *in)
{
	if (in->io)
		av_freep(&in->io->buffer);
	avio_context_free(&in->io);
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

bool nx_input_is_jpeg(const struct nx_input *in)
{
	return in->head_len == 3 && memcmp(in->head, "\xff\xd8\xff", 3) == 0;
}

/* The length of an EBML element as a variable-length integer (RFC 8794, section 4): the zeros in
 * front of the first one bit of 'p' count the bytes that follow.  Returns how many bytes it takes,
 * 0 when there are too few. */
static size_t ebml_length(const uint8_t *p, size_t len, uint64_t *value)
{
	size_t n = 1;

	if (len == 0 || p[0] == 0)
		return 0;
	while (!(p[0] & (0x100 >> n)))
		n++;
	if (n > len)
		return 0;
	*value = p[0] & ((0x100u >> n) - 1);
	for (size_t i = 1; i < n; i++)
		*value = *value << 8 | p[i];
	/* All ones: unknown. */
	if (*value == (UINT64_C(1) << 7 * n) - 1)
		*value = UINT64_MAX;
	return n;
}

bool nx_input_is_cut(const struct nx_input *in)
{
	static const uint8_t ebml[4] = { 0x1a, 0x45, 0xdf, 0xa3 };
	static const uint8_t segment[4] = { 0x18, 0x53, 0x80, 0x67 };
	uint8_t b[64 + sizeof segment + 8];
	uint64_t size;
	struct stat st;

	if (!in->seekable || fstat(in->fd, &st))
		return false;
	ssize_t got = pread(in->fd, b, sizeof b, 0);
	size_t len = got > 0 ? (size_t)got : 0, at = sizeof ebml;
	if (len < at || memcmp(b, ebml, sizeof ebml) != 0)
		return false;
	size_t n = ebml_length(b + at, len - at, &size);
	if (n == 0 || size > len - at - n)
		return false;
	at += n + (size_t)size;
	if (len - at < sizeof segment || memcmp(b + at, segment, sizeof segment) != 0)
		return false;
	at += sizeof segment;
	n = ebml_length(b + at, len - at, &size);
	return n > 0 && size != UINT64_MAX && size > (uint64_t)st.st_size - at - n;
}
