/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "media/head.h"

#include "media_test.h"

static int decode(const void *data, size_t len, struct nx_frame *f, struct nx_err *err)
{
	return nx_media_decode_image(data, len, MAX_PIXELS, f, err);
}

/* Encodes a picture with some detail; the caller frees. */
static void *sample(const char *codec, size_t *len)
{
	struct nx_frame f = flat(37, 23, 0x208040);
	struct nx_err err = NX_ERR_INIT;
	void *bytes = NULL;

	for (size_t i = 0; i < 37 * 23 * 3; i++)
		f.rgb[i] = (uint8_t)(f.rgb[i] + i * 7 % 50);
	ck_assert_msg(nx_media_encode_image(&f, codec, 80, &bytes, len, &err) == 0, "%s", err.msg);
	nx_frame_release(&f);
	return bytes;
}

START_TEST(jpeg_keeps_colours)
{
	const unsigned colors[] = { 0xff0000, 0x00ff00, 0x0000ff, 0xffffff, 0x000000, 0xc03020 };

	for (size_t i = 0; i < NX_ARRAY_LEN(colors); i++) {
		struct nx_frame f = flat(33, 17, colors[i]), g;
		struct nx_err err = NX_ERR_INIT;
		void *bytes;
		size_t len;
		ck_assert_int_eq(nx_media_encode_image(&f, "jpeg", 100, &bytes, &len, &err), 0);
		ck_assert_int_eq(decode(bytes, len, &g, &err), 0);
		ck_assert_int_eq(g.width, 33);
		ck_assert_int_eq(g.height, 17);
		ck_assert_int_le(color_error(&g, colors[i]), 4);
		free(bytes);
		nx_frame_release(&f);
		nx_frame_release(&g);
	}
}
END_TEST

START_TEST(png_is_exact)
{
	struct nx_frame f = flat(31, 19, 0), g;
	struct nx_err err = NX_ERR_INIT;
	void *bytes;
	size_t len;

	for (size_t i = 0; i < 31 * 19 * 3; i++)
		f.rgb[i] = (uint8_t)(i * 37);
	ck_assert_int_eq(nx_media_encode_image(&f, "png", 0, &bytes, &len, &err), 0);
	ck_assert_int_eq(decode(bytes, len, &g, &err), 0);
	ck_assert_mem_eq(f.rgb, g.rgb, 31 * 19 * 3);
	free(bytes);
	nx_frame_release(&f);
	nx_frame_release(&g);
}
END_TEST

START_TEST(other_kinds)
{
	const char *const files[] = { "blue.bmp", "blue.gif", "blue.webp" };

	for (size_t i = 0; i < NX_ARRAY_LEN(files); i++) {
		struct nx_err err = NX_ERR_INIT;
		char *path = nx_fs_join(FIXTURES, files[i]);
		struct nx_buf b = slurp(path);
		struct nx_frame f;
		ck_assert_msg(decode(b.data, b.len, &f, &err) == 0, "%s", err.msg);
		ck_assert_int_eq(f.width, 16);
		ck_assert_int_eq(f.height, 12);
		ck_assert_int_le(color_error(&f, 0x3050a0), 1);
		nx_frame_release(&f);
		nx_buf_release(&b);
		free(path);
	}
}
END_TEST

START_TEST(quality_and_codec_are_checked)
{
	struct nx_frame f = flat(4, 4, 0), none = { 0 };
	struct nx_err err = NX_ERR_INIT;
	void *bytes;
	size_t len;

	ck_assert_int_eq(nx_media_encode_image(&f, "jpeg", 0, &bytes, &len, &err), -NX_EUSAGE);
	ck_assert_int_eq(nx_media_encode_image(&f, "tiff", 9, &bytes, &len, &err), -NX_EUNSUPP);
	ck_assert_int_eq(nx_media_encode_image(&none, "png", 9, &bytes, &len, &err), -NX_EDATA);
	nx_frame_release(&f);
}
END_TEST

START_TEST(quality_counts)
{
	struct nx_frame f = flat(64, 64, 0);
	struct nx_err err = NX_ERR_INIT;
	struct nx_rng rng;
	size_t len[3];

	nx_rng_init(&rng, 1);
	for (size_t i = 0; i < 64 * 64 * 3; i++)
		f.rgb[i] = (uint8_t)nx_rng_below(&rng, 256);
	for (int i = 0; i < 3; i++) {
		void *bytes;
		ck_assert_int_eq(
			nx_media_encode_image(&f, "jpeg", 1 + i * 99 / 2, &bytes, &len[i], &err),
			0);
		free(bytes);
	}
	ck_assert_uint_lt(len[0], len[1]);
	ck_assert_uint_lt(len[1], len[2]);
	nx_frame_release(&f);
}
END_TEST

START_TEST(text_and_nothing_are_refused)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_frame f;

	ck_assert_int_eq(decode("", 0, &f, &err), -NX_EDATA);
	ck_assert_int_eq(decode("#EXTM3U\nhttp://localhost/\n", 26, &f, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "not a JPEG"));
	ck_assert_ptr_null(f.rgb);
}
END_TEST

START_TEST(size_is_checked_before_decoding)
{
	struct nx_err err = NX_ERR_INIT;
	size_t len;
	uint8_t *png = sample("png", &len);
	struct nx_frame f;

	ck_assert_int_eq(nx_media_decode_image(png, len, 37 * 23, &f, &err), 0);
	nx_frame_release(&f);
	ck_assert_int_eq(nx_media_decode_image(png, len, 37 * 23 - 1, &f, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "37x23"));
	memcpy(png + 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff", 8);
	ck_assert_int_eq(decode(png, len, &f, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "2147483647x2147483647"));
	free(png);
}
END_TEST

/* Every prefix of a JPEG and a PNG is an error (not half a picture), and no prefix crashes. */
START_TEST(truncated_anywhere)
{
	const char *const codecs[] = { "jpeg", "png" };

	for (int c = 0; c < 2; c++) {
		size_t len;
		uint8_t *bytes = sample(codecs[c], &len);
		/* Without its last chunk, IEND, all of a PNG's picture is there. */
		size_t needed = c == 0 ? len : len - 12;
		for (size_t n = 0; n < needed; n += 1 + n / 64) {
			struct nx_err err = NX_ERR_INIT;
			struct nx_frame f;
			/* A copy of its own, so that a sanitizer sees the end. */
			uint8_t *cut = malloc(n ? n : 1);
			memcpy(cut, bytes, n);
			ck_assert_msg(decode(cut, n, &f, &err) == -NX_EDATA, "%s cut to %zu",
				codecs[c], n);
			ck_assert_ptr_null(f.rgb);
			free(cut);
		}
		free(bytes);
	}
}
END_TEST

START_TEST(flipped_bits_never_crash)
{
	const char *const files[] = { "blue.bmp", "blue.gif", "blue.webp", NULL, NULL };
	struct nx_rng rng;

	nx_rng_init(&rng, 7);
	for (size_t k = 0; k < NX_ARRAY_LEN(files); k++) {
		struct nx_buf b = NX_BUF_INIT;
		if (files[k]) {
			char *path = nx_fs_join(FIXTURES, files[k]);
			b = slurp(path);
			free(path);
		} else {
			size_t len;
			void *bytes = sample(k == 3 ? "jpeg" : "png", &len);
			nx_buf_add(&b, bytes, len);
			free(bytes);
		}
		for (int i = 0; i < 300; i++) {
			struct nx_err err = NX_ERR_INIT;
			struct nx_frame f;
			size_t at = nx_rng_below(&rng, b.len);
			b.data[at] = (char)(b.data[at] ^ (1 << nx_rng_below(&rng, 8)));
			int rc = decode(b.data, b.len, &f, &err);
			ck_assert(rc == 0 || rc == -NX_EDATA || rc == -NX_EUNSUPP);
			nx_frame_release(&f);
		}
		nx_buf_release(&b);
	}
}
END_TEST

START_TEST(jpeg_preview_is_not_the_picture)
{
	/* An APP1 segment that holds a frame header of 1x1, then the real one of 512x256. */
	static const uint8_t jpeg[] = { 0xff, 0xd8, 0xff, 0xe1, 0, 13, 0xff, 0xc0, 0, 11, 8, 0, 1,
		0, 1, 3, 0, 0xff, 0xc0, 0, 11, 8, 1, 0, 2, 0, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1,
		0, 0, 63, 0, 0x12, 0xff, 0xd9 };
	struct nx_image_head h = nx_image_head(jpeg, sizeof jpeg);

	ck_assert_int_eq(h.kind, NX_IMAGE_JPEG);
	ck_assert_uint_eq(h.width, 512);
	ck_assert_uint_eq(h.height, 256);
	ck_assert(!h.cut);
	ck_assert(nx_image_head(jpeg, sizeof jpeg - 1).cut);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { jpeg_keeps_colours, png_is_exact, other_kinds,
		quality_and_codec_are_checked, quality_counts, text_and_nothing_are_refused,
		size_is_checked_before_decoding, truncated_anywhere, flipped_bits_never_crash,
		jpeg_preview_is_not_the_picture };

	find_media();
	return unit_run("media/image", tests, NX_ARRAY_LEN(tests));
}
