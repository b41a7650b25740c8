/* SPDX-License-Identifier: Apache-2.0 */
/* Real pictures and what real detectors said of them: $NEXUS_TEST_DATA/images and golden. */
#include "core/fs.h"
#include "vision/vision.h"

#include "../media/media_test.h"

#include <math.h>
#include <stdio.h>

static const char *data;

/* A detector, the picture it saw, its outputs and what they mean. */
struct sample {
	const char *model, *picture;
	struct nx_image_input in;
	struct nx_image_output out;
	struct nx_shape input, output[2]; /* of a row, without the batch */
	size_t n_out;
	size_t found; /* detections */
	int best_label;
};

static const struct sample samples[] = {
	{ "face-rfb-320", "faces-2.jpg",
		{ true, 320, 240, NX_RESIZE_STRETCH, 0, false, NX_COLOR_RGB, { 127, 127, 127, 0 },
			{ 1 / 128., 1 / 128., 1 / 128., 0 } },
		{ .kind = NX_OUT_DETECTIONS, .decode = NX_DECODE_RFB, .score = 0.7, .nms = 0.3 },
		{ 4, { -1, 3, 240, 320 } }, { { 2, { 4420, 2 } }, { 2, { 4420, 4 } } }, 2, 4, 0 },
	{ "det-yolox-nano-416", "dog_0.jpg",
		{ true, 416, 416, NX_RESIZE_LETTERBOX, 114, true, NX_COLOR_BGR, { 0 },
			{ 1, 1, 1, 1 } },
		{ .kind = NX_OUT_DETECTIONS, .decode = NX_DECODE_YOLOX, .score = 0.5, .nms = 0.45 },
		{ 4, { -1, 3, 416, 416 } }, { { 2, { 3549, 85 } } }, 1, 2, 16 },
	{ "det-light-person", "peds_0.jpg",
		{ true, 192, 192, NX_RESIZE_LETTERBOX, 114, true, NX_COLOR_BGR, { 0 },
			{ 1, 1, 1, 1 } },
		{ .kind = NX_OUT_DETECTIONS, .decode = NX_DECODE_YOLOX, .score = 0.4, .nms = 0.45 },
		{ 4, { -1, 3, 192, 192 } }, { { 2, { 756, 6 } } }, 1, 4, 0 },
};

static struct nx_buf load(const char *folder, const char *name)
{
	char *path = nx_asprintf("%s/%s/%s", data, folder, name);
	struct nx_buf b = slurp(path);

	free(path);
	return b;
}

/* How far our input is from the one the detector was given, in pixel values.  That one was made
 * by another scaler, so only a gross mistake (channels, offset, range) shows. */
static double input_error(const struct sample *s, const struct nx_frame *f, struct nx_placement *p)
{
	char *folder = nx_fs_join("golden", s->model);
	struct nx_buf want = load(folder, "input_0.bin");
	float *row = nx_alloc(want.len, 1), v;
	struct nx_err err = NX_ERR_INIT;
	size_t n = want.len / sizeof *row;
	double sum = 0;

	ck_assert_uint_eq(n, 3 * (size_t)s->in.width * (size_t)s->in.height);
	ck_assert_int_eq(nx_vision_preprocess(f, NULL, &s->in, &s->input, NX_F32, row, p, &err), 0);
	for (size_t i = 0; i < n; i++) {
		memcpy(&v, want.data + i * sizeof v, sizeof v);
		sum += fabs((double)v - row[i]) / s->in.scale[0];
	}
	free(row);
	free(folder);
	nx_buf_release(&want);
	return sum / (double)n;
}

static void check_sample(const struct sample *s)
{
	struct nx_buf picture = load("images", s->picture), raw[2] = { NX_BUF_INIT, NX_BUF_INIT };
	char *folder = nx_fs_join("golden", s->model);
	struct nx_manifest m = { .input = s->in, .output = s->out };
	struct nx_vision_output out[2];
	struct nx_err err = NX_ERR_INIT;
	struct nx_placement place;
	struct nx_result r;
	struct nx_frame f;

	ck_assert_int_eq(nx_media_decode_image(picture.data, picture.len, MAX_PIXELS, &f, &err), 0);
	double e = input_error(s, &f, &place);
	for (size_t i = 0; i < s->n_out; i++) {
		raw[i] = load(folder, i ? "output_1.bin" : "output_0.bin");
		out[i] = (struct nx_vision_output){ "output", NX_F32, s->output[i], raw[i].data };
	}
	ck_assert_msg(
		nx_vision_postprocess(&m, out, s->n_out, &place, f.width, f.height, &r, &err) == 0,
		"%s", err.msg);
	printf("# %s on %s: input off by %.2f of 255, %zu boxes", s->model, s->picture, e,
		r.n_detections);
	for (size_t i = 0; i < r.n_detections; i++)
		printf(", %d %.2f [%.0f %.0f %.0f %.0f]", r.detection[i].label_index,
			r.detection[i].score, r.detection[i].box[0], r.detection[i].box[1],
			r.detection[i].box[2], r.detection[i].box[3]);
	printf("\n");
	ck_assert_double_lt(e, 3);
	ck_assert_uint_eq(r.n_detections, s->found);
	ck_assert_int_eq(r.detection[0].label_index, s->best_label);
	nx_result_release(&r);
	nx_frame_release(&f);
	nx_buf_release(&picture);
	nx_buf_release(&raw[0]);
	nx_buf_release(&raw[1]);
	free(folder);
}

START_TEST(detectors)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(samples); i++)
		check_sample(&samples[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { detectors };
	char *golden;

	data = getenv("NEXUS_TEST_DATA");
	golden = data ? nx_fs_join(data, "golden") : NULL;
	if (!golden || access(golden, R_OK)) {
		printf("1..0 # SKIP $NEXUS_TEST_DATA/golden is not there\n");
		return 0;
	}
	free(golden);
	find_media();
	return unit_run("vision/real", tests, NX_ARRAY_LEN(tests));
}
