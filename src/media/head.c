/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of the five kinds of pictures, after their specifications: ITU T.81 (JPEG), W3C PNG,
 * Microsoft's BITMAPINFOHEADER, RFC 9649 (WebP) and CompuServe's GIF89a.  Sizes are only read
 * here to refuse early and to say why: the decoder still has its own limit, because a hostile
 * file may show it another size than it shows us.
 */
#include "media/head.h"

#include <string.h>

static uint32_t le16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

enum nx_image_kind nx_image_kind(const void *data, size_t len)
{
	const uint8_t *p = data;

	if (len < NX_IMAGE_SNIFF)
		return NX_IMAGE_NONE;
	if (memcmp(p, "\xff\xd8\xff", 3) == 0)
		return NX_IMAGE_JPEG;
	if (memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0)
		return NX_IMAGE_PNG;
	if (memcmp(p, "GIF87a", 6) == 0 || memcmp(p, "GIF89a", 6) == 0)
		return NX_IMAGE_GIF;
	if (memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0)
		return NX_IMAGE_WEBP;
	/* "BM" alone is too little: the reserved words behind the file size are zero. */
	if (memcmp(p, "BM", 2) == 0 && le32(p + 6) == 0)
		return NX_IMAGE_BMP;
	return NX_IMAGE_NONE;
}

const char *nx_image_kind_name(enum nx_image_kind kind)
{
	static const char *const names[] = { "picture", "JPEG", "PNG", "BMP", "WebP", "GIF" };

	return names[kind];
}

/* Whether a JPEG marker starts a frame header: SOF0 to SOF15 but DHT, JPG and DAC. */
static bool is_sof(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
	       marker != 0xcc;
}

/* Walks the segments up to the first scan.  Segments are skipped whole, so the markers of an
 * embedded preview are not taken for the picture's own. */
static void jpeg_head(const uint8_t *p, size_t len, struct nx_image_head *h)
{
	size_t at = 2;

	while (at + 4 <= len && p[at] == 0xff) {
		uint8_t marker = p[at + 1];
		if (marker == 0xff) {
			at++;
			continue;
		}
		if (marker == 0xd9)
			break;
		if (is_sof(marker) && at + 9 <= len) {
			h->height = be16(p + at + 5);
			h->width = be16(p + at + 7);
		}
		at += 2 + be16(p + at + 2);
		/* In coded data 0xff is always escaped, so that this is the end marker. */
		if (marker == 0xda) {
			h->cut = at >= len || !memmem(p + at, len - at, "\xff\xd9", 2);
			return;
		}
	}
	h->cut = true;
}

static void bmp_head(const uint8_t *p, size_t len, struct nx_image_head *h)
{
	if (len < 26)
		return;
	if (le32(p + 14) == 12) {
		h->width = le16(p + 18);
		h->height = le16(p + 20);
		return;
	}
	h->width = le32(p + 18);
	h->height = le32(p + 22);
	if (h->height >> 31) /* negative: rows from the top down */
		h->height = 0u - h->height;
}

static void webp_head(const uint8_t *p, size_t len, struct nx_image_head *h)
{
	if (len < 30)
		return;
	if (memcmp(p + 12, "VP8 ", 4) == 0 && memcmp(p + 23, "\x9d\x01\x2a", 3) == 0) {
		h->width = le16(p + 26) & 0x3fff;
		h->height = le16(p + 28) & 0x3fff;
	} else if (memcmp(p + 12, "VP8L", 4) == 0 && p[20] == 0x2f) {
		uint32_t bits = le32(p + 21);
		h->width = (bits & 0x3fff) + 1;
		h->height = (bits >> 14 & 0x3fff) + 1;
	} else if (memcmp(p + 12, "VP8X", 4) == 0) {
		h->width = (le32(p + 24) & 0xffffff) + 1;
		h->height = (le32(p + 26) >> 8) + 1;
	}
}

struct nx_image_head nx_image_head(const void *data, size_t len)
{
	struct nx_image_head h = { .kind = nx_image_kind(data, len) };
	const uint8_t *p = data;

	switch (h.kind) {
	case NX_IMAGE_JPEG:
		jpeg_head(p, len, &h);
		break;
	case NX_IMAGE_PNG:
		if (len >= 24 && memcmp(p + 12, "IHDR", 4) == 0) {
			h.width = be32(p + 16);
			h.height = be32(p + 20);
		}
		break;
	case NX_IMAGE_BMP:
		bmp_head(p, len, &h);
		break;
	case NX_IMAGE_WEBP:
		webp_head(p, len, &h);
		break;
	case NX_IMAGE_GIF:
		h.width = le16(p + 6);
		h.height = le16(p + 8);
		break;
	case NX_IMAGE_NONE:
		break;
	}
	return h;
}
