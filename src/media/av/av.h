/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the media module and its loadable half, media.so, the only code that sees
 * libav*.  As with device plugins: one exported symbol, a table with an ABI number, no call
 * aborts, prints or exits.
 */
#ifndef NX_MEDIA_AV_AV_H
#define NX_MEDIA_AV_AV_H

#include "core/err.h"
#include "media/head.h"
#include "media/media.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_MEDIA_ABI    1u
#define NX_MEDIA_SYMBOL "nx_media_entry"

/* Pictures of a video beyond this many pixels are refused (8192 x 8192). */
#define NX_VIDEO_MAX_PIXELS ((size_t)1 << 26)

struct nx_video; /* an open video; one thread at a time */

/* What the host gives: where libav*'s own messages go (for debugging only). */
struct nx_media_host {
	void (*debug)(const char *text);
};

struct nx_media_ops {
	uint32_t abi; /* NX_MEDIA_ABI */
	size_t size;  /* sizeof(struct nx_media_ops) when media.so was built */

	/* Decodes a picture of the given kind; thread-safe.  The caller releases *out. */
	int (*decode_image)(enum nx_image_kind kind, const void *data, size_t len,
		size_t max_pixels, struct nx_frame *out, struct nx_err *err);
	/* See nx_media_encode_image; jpeg: else PNG. */
	int (*encode_image)(const struct nx_frame *f, bool jpeg, int quality, void **out,
		size_t *len, struct nx_err *err);

	/* Opens the video that 'fd' reads (a file, or a pipe that cannot seek); takes 'fd' also
	 * on failure.  'name' is for messages. */
	int (*video_open)(int fd, const char *name, struct nx_video **out, struct nx_err *err);
	/* As nx_source_next; frames carry index and time within this video. */
	int (*video_next)(struct nx_video *v, struct nx_frame *f, struct nx_err *err);
	double (*video_fps)(const struct nx_video *v); /* 0: unknown */
	void (*video_close)(struct nx_video **v);
};

/* 'host' must outlive the library. */
typedef const struct nx_media_ops *nx_media_entry_fn(const struct nx_media_host *host);

#endif
