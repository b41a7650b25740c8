/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a file or a pipe for libav*'s demuxers. */
#ifndef NX_MEDIA_AV_INPUT_H
#define NX_MEDIA_AV_INPUT_H

#include "core/err.h"

#include <libavformat/avio.h>
#include <stdbool.h>
#include <stdint.h>

struct nx_input {
	int fd;          /* owned; -1: none */
	bool seekable;   /* a regular file read from its start */
	int error;       /* errno of a read that failed, 0: none */
	uint8_t head[3]; /* the first bytes of a pipe, read ahead */
	size_t head_len, head_at;
	AVIOContext *io;
};

/* Takes 'fd' (also on failure).  NX_EOS, NX_EIO; NX_EDATA when there are no bytes at all. */
int nx_input_open(struct nx_input *in, int fd, struct nx_err *err);
void nx_input_close(struct nx_input *in);
/* Whether it starts as a JPEG does, so that it is a sequence of them. */
bool nx_input_is_jpeg(const struct nx_input *in);
/* Whether it is a Matroska file shorter than its segment says: libavformat takes the end of a cut
 * one for its end.  The length is missing, and nothing is known, in a recording that was never
 * finished, in one from a pipe, and in other formats. */
bool nx_input_is_cut(const struct nx_input *in);

#endif
