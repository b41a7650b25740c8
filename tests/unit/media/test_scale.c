/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"

#include "media_test.h"

#include <math.h>

/* The red byte of a pixel. */
static int red(const uint8_t *rgb, int width, int x, int y)
{
	return rgb[(y * width + x) * 3];
}

static struct nx_frame noise(int width, int height)
{
	struct nx_frame f = flat(width, height, 0);
	struct nx_rng rng;

	nx_rng_init(&rng, 3);
	for (int i = 0; i < width * height * 3; i++)
		f.rgb[i] = (uint8_t)nx_rng_below(&rng, 256);
	return f;
}

START_TEST(same_size_is_a_copy)
{
	struct nx_frame f = noise(23, 11);
	struct nx_err err = NX_ERR_INIT;
	uint8_t out[23 * 11 * 3];

	ck_assert_int_eq(nx_media_scale(&f, NULL, 23, 11, out, &err), 0);
	ck_assert_mem_eq(out, f.rgb, sizeof out);
	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 5, 2, 12, 9 }, 7, 7, out, &err), 0);
	for (int y = 0; y < 7; y++)
		ck_assert_mem_eq(out + y * 21, f.rgb + ((y + 2) * 23 + 5) * 3, 21);
	nx_frame_release(&f);
}
END_TEST

START_TEST(flat_stays_flat)
{
	const unsigned colors[] = { 0xffffff, 0x010203, 0xfe80c1 };
	uint8_t out[97 * 61 * 3];

	for (size_t i = 0; i < NX_ARRAY_LEN(colors); i++) {
		struct nx_frame f = flat(50, 40, colors[i]);
		struct nx_err err = NX_ERR_INIT;
		for (int w = 1; w <= 97; w += 8) {
			struct nx_frame g = { .width = w, .height = 61, .rgb = out };
			const double box[4] = { 3.3, 0.7, 44.9, 39.2 };
			ck_assert_int_eq(nx_media_scale(&f, box, w, 61, out, &err), 0);
			ck_assert_int_eq(color_error(&g, colors[i]), 0);
		}
		nx_frame_release(&f);
	}
}
END_TEST

/* Shrinking by 4: the mean of 4x4 pixels; by hand on a frame with one bright pixel. */
START_TEST(shrinking_averages)
{
	struct nx_frame f = flat(8, 8, 0);
	struct nx_err err = NX_ERR_INIT;
	uint8_t out[2 * 2 * 3];

	f.rgb[(5 * 8 + 6) * 3] = 160;
	ck_assert_int_eq(nx_media_scale(&f, NULL, 2, 2, out, &err), 0);
	ck_assert_int_eq(red(out, 2, 0, 0), 0);
	ck_assert_int_eq(red(out, 2, 1, 0), 0);
	ck_assert_int_eq(red(out, 2, 0, 1), 0);
	ck_assert_int_eq(red(out, 2, 1, 1), 10);
	nx_frame_release(&f);
}
END_TEST

/* Doubling: centres lie at quarter points, so 0 100 becomes 0 25 75 100. */
START_TEST(enlarging_interpolates)
{
	struct nx_frame f = flat(2, 1, 0);
	struct nx_err err = NX_ERR_INIT;
	uint8_t out[4 * 1 * 3];

	f.rgb[3] = 100;
	ck_assert_int_eq(nx_media_scale(&f, NULL, 4, 1, out, &err), 0);
	ck_assert_int_eq(out[0], 0);
	ck_assert_int_eq(out[3], 25);
	ck_assert_int_eq(out[6], 75);
	ck_assert_int_eq(out[9], 100);
	nx_frame_release(&f);
}
END_TEST

/* A box that starts and ends within pixels weighs those by what it covers of them. */
START_TEST(fractional_box)
{
	struct nx_frame f = flat(4, 1, 0);
	struct nx_err err = NX_ERR_INIT;
	uint8_t out[3];

	for (int i = 0; i < 4; i++)
		f.rgb[3 * i] = (uint8_t)(40 * i); /* 0 40 80 120 */
	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 0.5, 0, 3.25, 1 }, 1, 1, out, &err), 0);
	ck_assert_int_eq(out[0], (int)lround((0 * .5 + 40 + 80 + 120 * .25) / 2.75));
	nx_frame_release(&f);
}
END_TEST

/* Against a direct double-precision area average, at an awkward ratio. */
START_TEST(agrees_with_plain_averaging)
{
	enum { W = 61, H = 47, OW = 19, OH = 13 };
	struct nx_frame f = noise(W, H);
	struct nx_err err = NX_ERR_INIT;
	uint8_t out[OW * OH * 3];

	ck_assert_int_eq(nx_media_scale(&f, NULL, OW, OH, out, &err), 0);
	for (int y = 0; y < OH; y++) {
		for (int x = 0; x < OW; x++) {
			double sum = 0, area = 0;
			for (int v = 0; v < H; v++) {
				double h =
					fmin(v + 1, (y + 1.0) * H / OH) - fmax(v, y * 1.0 * H / OH);
				for (int u = 0; u < W && h > 0; u++) {
					double w = fmin(u + 1, (x + 1.0) * W / OW) -
						   fmax(u, x * 1.0 * W / OW);
					if (w <= 0)
						continue;
					sum += w * h * red(f.rgb, W, u, v);
					area += w * h;
				}
			}
			ck_assert_double_eq_tol(red(out, OW, x, y), sum / area, 0.6);
		}
	}
	nx_frame_release(&f);
}
END_TEST

START_TEST(boxes_at_the_edge)
{
	struct nx_frame f = noise(9, 7);
	struct nx_err err = NX_ERR_INIT;
	uint8_t out[4 * 4 * 3];
	const double nan_box[4] = { 0, NAN, 5, 5 };

	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 8, 6, 9, 7 }, 4, 4, out, &err), 0);
	for (int i = 0; i < 16; i++)
		ck_assert_mem_eq(out + 3 * i, f.rgb + (6 * 9 + 8) * 3, 3);
	/* Clipped: as if it ended at the frame. */
	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 8, 6, 1e300, 99 }, 1, 1, out, &err), 0);
	ck_assert_mem_eq(out, f.rgb + (6 * 9 + 8) * 3, 3);
	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 8.5, 6.5, 8.6, 6.6 }, 4, 4, out, &err), 0);
	ck_assert_int_eq(
		nx_media_scale(&f, (double[4]){ 9, 0, 12, 7 }, 4, 4, out, &err), -NX_EDATA);
	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 5, 5, 5, 6 }, 4, 4, out, &err), -NX_EDATA);
	ck_assert_int_eq(nx_media_scale(&f, (double[4]){ 5, 5, 2, 6 }, 4, 4, out, &err), -NX_EDATA);
	ck_assert_int_eq(nx_media_scale(&f, nan_box, 4, 4, out, &err), -NX_EDATA);
	ck_assert_int_eq(nx_media_scale(&f, NULL, 0, 4, out, &err), -NX_EDATA);
	ck_assert_int_eq(nx_media_scale(&f, NULL, 1 << 20, 4, out, &err), -NX_EDATA);
	nx_frame_release(&f);
}
END_TEST

/* Any box and any size stay within memory (a sanitizer watches) and within range. */
START_TEST(random_boxes)
{
	struct nx_frame f = noise(64, 48);
	struct nx_rng rng;
	uint8_t *out = malloc(70 * 70 * 3);

	nx_rng_init(&rng, 11);
	for (int i = 0; i < 3000; i++) {
		struct nx_err err = NX_ERR_INIT;
		double box[4];
		for (int k = 0; k < 4; k++)
			box[k] = nx_rng_uniform(&rng) * 80 - 8;
		if (i % 3 == 0)
			for (int k = 0; k < 4; k++)
				box[k] = floor(box[k]);
		int rc = nx_media_scale(&f, box, 1 + (int)nx_rng_below(&rng, 70),
			1 + (int)nx_rng_below(&rng, 70), out, &err);
		ck_assert(rc == 0 || rc == -NX_EDATA);
	}
	free(out);
	nx_frame_release(&f);
}
END_TEST

UNIT_MAIN("media/scale", same_size_is_a_copy, flat_stays_flat, shrinking_averages,
	enlarging_interpolates, fractional_box, agrees_with_plain_averaging, boxes_at_the_edge,
	random_boxes)
