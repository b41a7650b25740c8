/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "vision/vision.h"

#include "unit.h"

#include <math.h>
#include <string.h>

static char *labels[] = { "zero", "one", "two" };

static struct nx_manifest manifest(enum nx_output_kind kind, enum nx_decode decode)
{
	struct nx_manifest m = { .labels = labels, .n_labels = 3 };

	m.output.kind = kind;
	m.output.decode = decode;
	m.output.score = 0.5;
	m.output.nms = 0.45;
	m.output.top_k = 5;
	return m;
}

static struct nx_vision_output matrix(
	const char *name, const float *data, int64_t rows, int64_t cols)
{
	return (struct nx_vision_output){ name, NX_F32, { 2, { rows, cols } }, data };
}

/* The whole of a frame that has the input's size. */
static struct nx_placement whole(int width, int height)
{
	return (struct nx_placement){ { 0, 0, width, height }, 1, 1, 0, 0, width, height };
}

static void assert_box(const double box[4], double x0, double y0, double x1, double y1)
{
	ck_assert_double_eq_tol(box[0], x0, 1e-3);
	ck_assert_double_eq_tol(box[1], y0, 1e-3);
	ck_assert_double_eq_tol(box[2], x1, 1e-3);
	ck_assert_double_eq_tol(box[3], y1, 1e-3);
}

START_TEST(classes_in_order)
{
	const float data[] = { 1, 3, 3, -1 };
	struct nx_vision_output out = { "y", NX_F32, { 1, { 4 } }, data };
	struct nx_manifest m = manifest(NX_OUT_CLASSES, NX_DECODE_NONE);
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	m.output.top_k = 3;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 1, 1, &r, &err), 0);
	ck_assert(r.has_classes && !r.has_detections);
	ck_assert_uint_eq(r.n_classes, 3);
	ck_assert_str_eq(r.cls[0].label, "one"); /* equal to "two", lower index */
	ck_assert_str_eq(r.cls[1].label, "two");
	ck_assert_str_eq(r.cls[2].label, "zero");
	ck_assert_double_eq(r.cls[0].score, 3);
	nx_result_release(&r);

	m.output.softmax = true;
	m.output.top_k = 9;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 1, 1, &r, &err), 0);
	ck_assert_uint_eq(r.n_classes, 4);
	double sum = exp(1) + 2 * exp(3) + exp(-1);
	ck_assert_double_eq_tol(r.cls[0].score, exp(3) / sum, 1e-6);
	ck_assert_double_eq_tol(r.cls[3].score, exp(-1) / sum, 1e-6);
	ck_assert_ptr_null(r.cls[3].label); /* only three labels */
	ck_assert_int_eq(r.cls[3].label_index, 3);
	nx_result_release(&r);
}
END_TEST

START_TEST(softmax_of_large_values)
{
	const float data[] = { 1e30f, -1e30f };
	struct nx_vision_output out = { "y", NX_F32, { 1, { 2 } }, data };
	struct nx_manifest m = manifest(NX_OUT_CLASSES, NX_DECODE_NONE);
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	m.output.softmax = true;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 1, 1, &r, &err), 0);
	ck_assert_double_eq(r.cls[0].score, 1);
	ck_assert_double_eq(r.cls[1].score, 0);
	nx_result_release(&r);
}
END_TEST

START_TEST(classes_in_other_types)
{
	const uint16_t half[] = { 0x3c00, 0x4000 }; /* 1, 2 */
	const int64_t whole_numbers[] = { 1, 2 };
	struct nx_vision_output out = { "y", NX_F16, { 1, { 2 } }, half };
	struct nx_manifest m = manifest(NX_OUT_CLASSES, NX_DECODE_NONE);
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;
	const float nan_data[] = { 0, NAN };

	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 1, 1, &r, &err), 0);
	ck_assert_str_eq(r.cls[0].label, "one");
	ck_assert_double_eq(r.cls[0].score, 2);
	nx_result_release(&r);
	out = (struct nx_vision_output){ "y", NX_I64, { 1, { 2 } }, whole_numbers };
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 1, 1, &r, &err), -NX_EUNSUPP);
	out = (struct nx_vision_output){ "y", NX_F32, { 1, { 2 } }, nan_data };
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 1, 1, &r, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "'y'"));
	ck_assert_int_eq(nx_vision_postprocess(&m, NULL, 0, NULL, 1, 1, &r, &err), -NX_EDATA);
}
END_TEST

/* Two boxes on one face, one beside it, one too weak, one empty, one not a number. */
START_TEST(rfb)
{
	const float scores[] = { .2f, .8f, .1f, .9f, .4f, .6f, .6f, .4f, 0, 1, 0, NAN };
	const float boxes[] = { .1f, .1f, .3f, .3f, .11f, .1f, .31f, .3f, .5f, .5f, 1.2f, .9f, 0, 0,
		1, 1, .5f, .5f, .5f, .9f, 0, 0, 1, 1 };
	struct nx_vision_output out[2] = { matrix("boxes", boxes, 6, 4),
		matrix("scores", scores, 6, 2) };
	struct nx_manifest m = manifest(NX_OUT_DETECTIONS, NX_DECODE_RFB);
	struct nx_placement place = { { 0, 0, 640, 480 }, 0.5, 0.5, 0, 0, 320, 240 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	ck_assert_int_eq(nx_vision_postprocess(&m, out, 2, &place, 640, 480, &r, &err), 0);
	ck_assert(r.has_detections && !r.has_classes);
	ck_assert_uint_eq(r.n_detections, 2);
	ck_assert_double_eq_tol(r.detection[0].score, 0.9, 1e-6);
	ck_assert_str_eq(r.detection[0].label, "zero"); /* the class behind the background */
	assert_box(r.detection[0].box, 70.4, 48, 198.4, 144);
	ck_assert_double_eq_tol(r.detection[1].score, 0.6, 1e-6);
	assert_box(r.detection[1].box, 320, 240, 640, 432); /* clipped */
	nx_result_release(&r);
	ck_assert_int_eq(nx_vision_postprocess(&m, out, 1, &place, 640, 480, &r, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "rfb"));
	out[0].shape.dim[0] = 5;
	ck_assert_int_eq(nx_vision_postprocess(&m, out, 2, &place, 640, 480, &r, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "'scores' has 6 rows"));
}
END_TEST

/* A 64x32 input has 8x4 + 4x2 + 2x1 = 42 cells; two classes. */
enum { YOLOX_ROWS = 42, YOLOX_COLS = 7 };

START_TEST(yolox)
{
	float data[YOLOX_ROWS * YOLOX_COLS] = { 0 };
	struct nx_vision_output out = matrix("output", data, YOLOX_ROWS, YOLOX_COLS);
	struct nx_manifest m = manifest(NX_OUT_DETECTIONS, NX_DECODE_YOLOX);
	/* The network saw the part 100,50..164,82 of the frame at double size, at 4,2. */
	struct nx_placement place = { { 100, 50, 164, 82 }, 2, 2, 4, 2, 64, 32 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	/* Stride 8, cell (3,1), centre moved by half a cell: 28,12, size 16x8, class 1. */
	memcpy(data + (1 * 8 + 3) * 7, (float[]){ .5f, .5f, logf(2), 0, .9f, .1f, .8f }, 28);
	/* Stride 16, cell (1,0): the same centre and about the size, the same class: goes. */
	memcpy(data + (32 + 1) * 7, (float[]){ .75f, .75f, 0, logf(.5f), .8f, .1f, .8f }, 28);
	/* Stride 32, cell (1,0): the same box but class 0: stays. */
	memcpy(data + (32 + 8 + 1) * 7,
		(float[]){ -.125f, .375f, logf(.5f), logf(.25f), .8f, .75f, 0 }, 28);
	/* A size beyond all numbers. */
	memcpy(data, (float[]){ 0, 0, 1e30f, 1e30f, 1, 1, 1 }, 28);
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, &place, 640, 480, &r, &err), 0);
	ck_assert_uint_eq(r.n_detections, 2);
	ck_assert_str_eq(r.detection[0].label, "one");
	ck_assert_double_eq_tol(r.detection[0].score, .72, 1e-6);
	/* 20..36 in the input is 8..16 behind the offset in the frame. */
	assert_box(r.detection[0].box, 108, 53, 116, 57);
	ck_assert_str_eq(r.detection[1].label, "zero");
	assert_box(r.detection[1].box, 108, 53, 116, 57);
	nx_result_release(&r);

	out.shape.dim[0]--;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, &place, 640, 480, &r, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "[42,5+classes]"));
	ck_assert_ptr_nonnull(strstr(err.msg, "[41,7]"));
}
END_TEST

/* A threshold of 0 lets every cell through; the answer is still bounded and sorted. */
START_TEST(no_threshold)
{
	enum { N = 416 / 8 * 416 / 8 + 26 * 26 + 13 * 13, COLS = 6 };
	struct nx_manifest m = manifest(NX_OUT_DETECTIONS, NX_DECODE_YOLOX);
	struct nx_placement place = whole(416, 416);
	float *data = nx_alloc(N * COLS, sizeof *data);
	struct nx_vision_output out = matrix("output", data, N, COLS);
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	for (int i = 0; i < N; i++) {
		data[i * COLS + 4] = 1;
		data[i * COLS + 5] = (float)(i % 100) / 100;
	}
	m.output.score = 0;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, &place, 416, 416, &r, &err), 0);
	ck_assert_uint_gt(r.n_detections, 1000);
	for (size_t i = 1; i < r.n_detections; i++)
		ck_assert_double_ge(r.detection[i - 1].score, r.detection[i].score);
	nx_result_release(&r);
	free(data);
}
END_TEST

START_TEST(decodes_that_are_not_there)
{
	const float data[] = { 0, 0 };
	struct nx_vision_output out = matrix("y", data, 1, 2);
	struct nx_manifest m = manifest(NX_OUT_DETECTIONS, NX_DECODE_SSD);
	struct nx_placement place = whole(8, 8);
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, &place, 8, 8, &r, &err), -NX_EUNSUPP);
	ck_assert_ptr_nonnull(strstr(err.msg, "ssd"));
	m.output.decode = NX_DECODE_NONE;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, &place, 8, 8, &r, &err), -NX_EDATA);
	m.output.kind = NX_OUT_TENSOR;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, &place, 8, 8, &r, &err), 0);
	ck_assert(!r.has_classes && !r.has_detections);
	nx_result_release(&r);
}
END_TEST

START_TEST(regions)
{
	struct nx_region boxes[] = { { "score", { 10, 10, 50, 20 } },
		{ "icon", { 90, 0, 120, 10 } }, { "off", { 200, 0, 210, 10 } } };
	const float three[] = { .1f, .7f, .2f }, four[] = { 1, 2, 3, 4 };
	struct nx_vision_output out = matrix("y", three, 1, 3);
	struct nx_manifest m = manifest(NX_OUT_REGIONS, NX_DECODE_NONE);
	struct nx_err err = NX_ERR_INIT;
	struct nx_result r;

	m.output.regions = boxes;
	m.output.n_regions = 3;
	m.output.frame[0] = 100;
	m.output.frame[1] = 50;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 200, 200, &r, &err), 0);
	ck_assert_uint_eq(r.n_detections, 2);
	ck_assert_str_eq(r.detection[0].label, "score");
	assert_box(r.detection[0].box, 20, 40, 100, 80);
	assert_box(r.detection[1].box, 180, 0, 200, 40);
	ck_assert_uint_eq(r.n_classes, 3);
	ck_assert_str_eq(r.cls[0].label, "one");
	nx_result_release(&r);

	out = matrix("y", four, 1, 4); /* no class vector: there are three labels */
	m.output.frame[0] = m.output.frame[1] = 0;
	ck_assert_int_eq(nx_vision_postprocess(&m, &out, 1, NULL, 100, 50, &r, &err), 0);
	ck_assert(!r.has_classes);
	assert_box(r.detection[0].box, 10, 10, 50, 20);
	nx_result_release(&r);
}
END_TEST

UNIT_MAIN("vision/postprocess", classes_in_order, softmax_of_large_values, classes_in_other_types,
	rfb, yolox, no_threshold, decodes_that_are_not_there, regions)
