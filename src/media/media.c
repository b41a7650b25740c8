/* SPDX-License-Identifier: Apache-2.0 */
#include "media/media.h"

#include "media/load.h"

#include <stdlib.h>
#include <string.h>

/* A JPEG's size fields have 16 bits; nothing larger is encoded as anything. */
#define ENCODE_MAX_SIDE 65500

void nx_frame_release(struct nx_frame *f)
{
	free(f->rgb);
	memset(f, 0, sizeof *f);
}

static int check_head(const struct nx_image_head *h, size_t max_pixels, struct nx_err *err)
{
	const char *name = nx_image_kind_name(h->kind);

	if (h->kind == NX_IMAGE_NONE)
		return nx_err_set(err, NX_EDATA, "not a JPEG, PNG, BMP, WebP or GIF picture");
	if (h->width == 0 || h->height == 0)
		return nx_err_set(err, NX_EDATA, "%s: the header is damaged or truncated", name);
	if ((uint64_t)h->width * h->height > max_pixels)
		return nx_err_set(err, NX_EDATA, "%s of %ux%u pixels: more than %zu are refused",
			name, h->width, h->height, max_pixels);
	if (h->cut)
		return nx_err_set(err, NX_EDATA, "%s: truncated, the end marker is missing", name);
	return 0;
}

int nx_media_decode_image(
	const void *data, size_t len, size_t max_pixels, struct nx_frame *out, struct nx_err *err)
{
	struct nx_image_head head = nx_image_head(data, len);
	/* What the decoder may see at most: no more than we saw, its rounding up aside. */
	size_t limit = ((size_t)head.width + 64) * ((size_t)head.height + 64);

	memset(out, 0, sizeof *out);
	if (check_head(&head, max_pixels, err))
		return -err->code;
	const struct nx_media_ops *ops = nx_media_ops(err);
	if (!ops)
		return -err->code;
	if (ops->decode_image(head.kind, data, len, limit, out, err))
		return nx_err_wrap(err, "%s", nx_image_kind_name(head.kind));
	return 0;
}

int nx_media_encode_image(const struct nx_frame *f, const char *codec, int quality, void **out,
	size_t *len, struct nx_err *err)
{
	bool jpeg = strcmp(codec, "jpeg") == 0;

	if (!jpeg && strcmp(codec, "png") != 0)
		return nx_err_set(err, NX_EUNSUPP, "cannot encode '%s': jpeg or png", codec);
	if (f->width < 1 || f->height < 1 || f->width > ENCODE_MAX_SIDE ||
		f->height > ENCODE_MAX_SIDE)
		return nx_err_set(err, NX_EDATA, "cannot encode a picture of %dx%d pixels",
			f->width, f->height);
	if (jpeg && (quality < 1 || quality > 100))
		return nx_err_set(err, NX_EUSAGE, "JPEG quality must be 1 to 100, not %d", quality);
	const struct nx_media_ops *ops = nx_media_ops(err);
	return ops ? ops->encode_image(f, jpeg, quality, out, len, err) : -err->code;
}
