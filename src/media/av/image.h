/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_MEDIA_AV_IMAGE_H
#define NX_MEDIA_AV_IMAGE_H

#include "media/av/av.h"

/* The picture half of the table in av.h. */
int nx_av_decode_image(enum nx_image_kind kind, const void *data, size_t len, size_t max_pixels,
	struct nx_frame *out, struct nx_err *err);
int nx_av_encode_image(const struct nx_frame *f, bool jpeg, int quality, void **out, size_t *len,
	struct nx_err *err);

#endif
