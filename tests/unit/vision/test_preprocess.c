/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "model/ops.h"
#include "vision/vision.h"

#include "unit.h"

#include <string.h>

/* A frame of one colour, or one that grows to the right (red) and down (green). */
static struct nx_frame frame(int width, int height)
{
	struct nx_frame f = { .width = width, .height = height };

	f.rgb = nx_alloc((size_t)width * (size_t)height, 3);
	for (int i = 0; i < width * height; i++) {
		f.rgb[3 * i] = (uint8_t)(10 + i % width);
		f.rgb[3 * i + 1] = (uint8_t)(100 + i / width);
		f.rgb[3 * i + 2] = 200;
	}
	return f;
}

static struct nx_image_input input(int width, int height)
{
	return (struct nx_image_input){ .image = true,
		.width = width,
		.height = height,
		.resize = NX_RESIZE_STRETCH,
		.color = NX_COLOR_RGB,
		.scale = { 1, 1, 1, 1 } };
}

static const struct nx_shape nchw = { 4, { -1, 3, 4, 6 } };
static const struct nx_shape nhwc = { 4, { -1, 4, 6, 3 } };

START_TEST(layouts)
{
	struct nx_frame f = frame(6, 4);
	struct nx_image_input in = input(6, 4);
	struct nx_placement place;
	struct nx_err err = NX_ERR_INIT;
	float a[72], b[72];

	in.mean[0] = 10;
	in.mean[1] = 100;
	in.scale[1] = 0.5;
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &nchw, NX_F32, a, &place, &err), 0);
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &nhwc, NX_F32, b, &place, &err), 0);
	for (int y = 0; y < 4; y++) {
		for (int x = 0; x < 6; x++) {
			const float want[3] = { (float)x, (float)y * 0.5f, 200 };
			for (int c = 0; c < 3; c++) {
				ck_assert_float_eq(a[c * 24 + y * 6 + x], want[c]);
				ck_assert_float_eq(b[(y * 6 + x) * 3 + c], want[c]);
			}
		}
	}
	ck_assert_double_eq(place.scale_x, 1);
	ck_assert_int_eq(place.width, 6);
	ck_assert_int_eq(place.height, 4);
	free(f.rgb);
}
END_TEST

START_TEST(types)
{
	struct nx_frame f = frame(6, 4);
	struct nx_image_input in = input(0, 0); /* the shape says it */
	struct nx_placement place;
	struct nx_err err = NX_ERR_INIT;
	uint16_t h[72];
	uint8_t u[72];

	in.mean[2] = 100;
	in.scale[2] = 0.01;
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &nchw, NX_F16, h, &place, &err), 0);
	ck_assert_uint_eq(h[48], 0x3c00); /* (200 - 100) * 0.01 = 1 */
	ck_assert_uint_eq(h[5], nx_float_to_half(15));
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &nchw, NX_U8, u, &place, &err), 0);
	ck_assert_uint_eq(u[48], 200);
	ck_assert_uint_eq(u[5], 15);
	ck_assert_int_eq(
		nx_vision_preprocess(&f, NULL, &in, &nchw, NX_I64, u, &place, &err), -NX_EUNSUPP);
	free(f.rgb);
}
END_TEST

START_TEST(colours)
{
	const struct nx_shape gray = { 4, { -1, 1, 1, 1 } }, rgb = { 4, { -1, 3, 1, 1 } };
	uint8_t pixel[3] = { 200, 50, 10 };
	struct nx_frame f = { .width = 1, .height = 1, .rgb = pixel };
	struct nx_image_input in = input(1, 1);
	struct nx_placement place;
	struct nx_err err = NX_ERR_INIT;
	float v[3];

	in.color = NX_COLOR_BGR;
	in.mean[0] = 1; /* of the first channel in the tensor, which is blue */
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &rgb, NX_F32, v, &place, &err), 0);
	ck_assert_float_eq(v[0], 9);
	ck_assert_float_eq(v[1], 50);
	ck_assert_float_eq(v[2], 200);
	in.mean[0] = 0;
	in.color = NX_COLOR_GRAY;
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &gray, NX_F32, v, &place, &err), 0);
	ck_assert_float_eq(v[0], 90); /* 59.8 + 29.35 + 1.14 = 90.29 */
	in.color = NX_COLOR_Y;
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &gray, NX_F32, v, &place, &err), 0);
	ck_assert_float_eq(v[0], 90);
}
END_TEST

/* A 12x4 frame in a 6x4 input: 6x2 pixels of picture, padding above and below or below only. */
START_TEST(letterbox)
{
	struct nx_frame f = frame(12, 4);
	struct nx_image_input in = input(6, 4);
	struct nx_placement p;
	struct nx_err err = NX_ERR_INIT;
	float v[72];

	in.resize = NX_RESIZE_LETTERBOX;
	in.pad = 114;
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &nchw, NX_F32, v, &p, &err), 0);
	ck_assert_double_eq(p.scale_x, 0.5);
	ck_assert_double_eq(p.scale_y, 0.5);
	ck_assert_double_eq(p.off_x, 0);
	ck_assert_double_eq(p.off_y, 1);
	for (int y = 0; y < 4; y++)
		ck_assert_float_eq(v[48 + y * 6], y == 1 || y == 2 ? 200 : 114);

	in.pad_top_left = true;
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &nchw, NX_F32, v, &p, &err), 0);
	ck_assert_double_eq(p.off_y, 0);
	for (int y = 0; y < 4; y++)
		ck_assert_float_eq(v[48 + y * 6], y < 2 ? 200 : 114);
	free(f.rgb);
}
END_TEST

/* The centre of a box, as much as has the input's aspect. */
START_TEST(centre_crop)
{
	struct nx_frame f = frame(100, 60);
	struct nx_image_input in = input(6, 4);
	const double box[4] = { 10, 20, 82, 60 };
	struct nx_placement p;
	struct nx_err err = NX_ERR_INIT;
	float v[72];

	in.resize = NX_RESIZE_CROP;
	ck_assert_int_eq(nx_vision_preprocess(&f, box, &in, &nchw, NX_F32, v, &p, &err), 0);
	ck_assert_double_eq(p.box[0], 16); /* 72x40 has 60x40 of aspect 3:2 */
	ck_assert_double_eq(p.box[2], 76);
	ck_assert_double_eq(p.box[1], 20);
	ck_assert_double_eq(p.box[3], 60);
	ck_assert_double_eq(p.scale_x, 0.1);
	/* Ten source pixels each: the mean of 16..25 is 20.5, and red starts at 10. */
	ck_assert_float_eq_tol(v[0], 30.5f, 0.51f);
	free(f.rgb);
}
END_TEST

START_TEST(what_does_not_fit)
{
	struct nx_frame f = frame(6, 4);
	struct nx_image_input in = input(8, 4);
	struct nx_placement p;
	struct nx_err err = NX_ERR_INIT;
	float v[72];
	const struct nx_shape flat = { 2, { -1, 72 } }, open = { 4, { -1, 3, -1, -1 } };
	const double outside[4] = { 7, 0, 9, 4 };

	ck_assert_int_eq(
		nx_vision_preprocess(&f, NULL, &in, &nchw, NX_F32, v, &p, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "8x4"));
	ck_assert_ptr_nonnull(strstr(err.msg, "[-1,3,4,6]"));
	in = input(0, 0);
	ck_assert_int_eq(
		nx_vision_preprocess(&f, NULL, &in, &flat, NX_F32, v, &p, &err), -NX_EDATA);
	ck_assert_int_eq(
		nx_vision_preprocess(&f, NULL, &in, &open, NX_F32, v, &p, &err), -NX_EDATA);
	in = input(6, 4);
	ck_assert_int_eq(nx_vision_preprocess(&f, NULL, &in, &open, NX_F32, v, &p, &err), 0);
	ck_assert_int_eq(
		nx_vision_preprocess(&f, outside, &in, &nchw, NX_F32, v, &p, &err), -NX_EDATA);
	in.color = NX_COLOR_GRAY;
	ck_assert_int_eq(
		nx_vision_preprocess(&f, NULL, &in, &nchw, NX_F32, v, &p, &err), -NX_EDATA);
	free(f.rgb);
}
END_TEST

UNIT_MAIN("vision/preprocess", layouts, types, colours, letterbox, centre_crop, what_does_not_fit)
