/* SPDX-License-Identifier: Apache-2.0 */
/* What the first bytes of a picture say of it, read without libav*: the bytes decide the decoder,
 * and a picture that is too large is refused before any decoder sees it. */
#ifndef NX_MEDIA_HEAD_H
#define NX_MEDIA_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nx_image_kind {
	NX_IMAGE_NONE, /* none of the pictures we read */
	NX_IMAGE_JPEG,
	NX_IMAGE_PNG,
	NX_IMAGE_BMP,
	NX_IMAGE_WEBP,
	NX_IMAGE_GIF
};

struct nx_image_head {
	enum nx_image_kind kind;
	uint32_t width, height; /* 0, 0: the header breaks off or is wrong */
	bool cut;               /* JPEG: the end marker is missing, the file is truncated */
};

#define NX_IMAGE_SNIFF 12 /* bytes that suffice to tell the kind */

/* The kind alone, from the first bytes of a file. */
enum nx_image_kind nx_image_kind(const void *data, size_t len);
const char *nx_image_kind_name(enum nx_image_kind kind); /* "JPEG", "PNG", … */

/* Kind and declared size from the whole picture. */
struct nx_image_head nx_image_head(const void *data, size_t len);

#endif
