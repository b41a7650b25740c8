/* SPDX-License-Identifier: Apache-2.0 */
#include "vision/vision.h"

#include "core/alloc.h"
#include "vision/detect.h"
#include "vision/tensor_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Labels of the manifest; an index beyond them has none. */
static const char *label_of(const struct nx_manifest *m, size_t index)
{
	return index < m->n_labels ? m->labels[index] : NULL;
}

/* Shifted by the maximum, so that nothing overflows. */
static void softmax(float *v, size_t n)
{
	double sum = 0;
	float max = v[0];

	for (size_t i = 1; i < n; i++)
		max = v[i] > max ? v[i] : max;
	for (size_t i = 0; i < n; i++)
		sum += exp((double)v[i] - max);
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(exp((double)v[i] - max) / sum);
}

static int by_class_score(const void *a, const void *b)
{
	const struct nx_class *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->label_index < y->label_index ? -1 : x->label_index > y->label_index;
}

static int classes(const struct nx_manifest *m, const struct nx_vision_output *out,
	struct nx_result *result, struct nx_err *err)
{
	struct nx_matrix v;

	if (nx_matrix_load(out, &v, err))
		return -err->code;
	size_t n = v.rows * v.cols;
	for (size_t i = 0; i < n; i++) {
		if (isfinite(v.at[i]))
			continue;
		free(v.at);
		return nx_err_set(err, NX_EDATA, "output '%s' is no number at %zu", out->name, i);
	}
	if (m->output.softmax)
		softmax(v.at, n);

	struct nx_class *list = nx_try_alloc(n, sizeof *list);
	if (!list) {
		free(v.at);
		return nx_err_set(err, NX_EOS, "no memory for %zu classes", n);
	}
	for (size_t i = 0; i < n; i++)
		list[i] = (struct nx_class){ label_of(m, i), (int)i, v.at[i] };
	qsort(list, n, sizeof *list, by_class_score);
	size_t top = m->output.top_k > 0 ? (size_t)m->output.top_k : 5;
	result->cls = list;
	result->n_classes = n < top ? n : top;
	result->has_classes = true;
	free(v.at);
	return 0;
}

/* Clips to the frame; false when nothing is left. */
static bool clip(double box[4], int frame_w, int frame_h)
{
	box[0] = fmax(box[0], 0);
	box[1] = fmax(box[1], 0);
	box[2] = fmin(box[2], frame_w);
	box[3] = fmin(box[3], frame_h);
	return box[0] < box[2] && box[1] < box[3];
}

/* Input pixels to source pixels: the way back through the placement. */
static void map_back(const struct nx_placement *p, double box[4])
{
	for (int i = 0; i < 4; i += 2) {
		box[i] = p->box[0] + (box[i] - p->off_x) / p->scale_x;
		box[i + 1] = p->box[1] + (box[i + 1] - p->off_y) / p->scale_y;
	}
}

static int detections(const struct nx_manifest *m, const struct nx_vision_output *out, size_t n_out,
	const struct nx_placement *place, int frame_w, int frame_h, struct nx_result *result,
	struct nx_err *err)
{
	struct nx_candidates c = { 0 };

	int rc = nx_detect_decode(m->output.decode, m->output.score, out, n_out, place->width,
		place->height, &c, err);
	if (rc) {
		free(c.at);
		return rc;
	}
	nx_detect_suppress(&c, m->output.nms);

	result->detection = nx_alloc(c.n ? c.n : 1, sizeof *result->detection);
	for (size_t i = 0; i < c.n; i++) {
		struct nx_detection *d = &result->detection[result->n_detections];
		d->label_index = c.at[i].label;
		d->label = label_of(m, (size_t)c.at[i].label);
		d->score = c.at[i].score;
		memcpy(d->box, c.at[i].box, sizeof d->box);
		map_back(place, d->box);
		if (clip(d->box, frame_w, frame_h))
			result->n_detections++;
	}
	result->has_detections = true;
	free(c.at);
	return 0;
}

/* Declared boxes are certain (score 1) and keep their order. */
static void regions(
	const struct nx_image_output *o, int frame_w, int frame_h, struct nx_result *result)
{
	double sx = o->frame[0] > 0 ? frame_w / o->frame[0] : 1;
	double sy = o->frame[1] > 0 ? frame_h / o->frame[1] : 1;

	result->detection = nx_alloc(o->n_regions ? o->n_regions : 1, sizeof *result->detection);
	for (size_t i = 0; i < o->n_regions; i++) {
		const struct nx_region *r = &o->regions[i];
		struct nx_detection *d = &result->detection[result->n_detections];
		*d = (struct nx_detection){
			.label = r->label,
			.label_index = (int)i,
			.score = 1,
			.box = { r->box[0] * sx, r->box[1] * sy, r->box[2] * sx, r->box[3] * sy },
		};
		if (clip(d->box, frame_w, frame_h))
			result->n_detections++;
	}
	result->has_detections = true;
}

/* The output that has one value a label, if there is one: a frame may have regions and a class. */
static const struct nx_vision_output *class_output(
	const struct nx_manifest *m, const struct nx_vision_output *out, size_t n_out)
{
	for (size_t i = 0; m->n_labels && i < n_out; i++)
		if (nx_shape_count(&out[i].shape) == (int64_t)m->n_labels)
			return &out[i];
	return NULL;
}

int nx_vision_postprocess(const struct nx_manifest *m, const struct nx_vision_output *out,
	size_t n_out, const struct nx_placement *place, int frame_w, int frame_h,
	struct nx_result *result, struct nx_err *err)
{
	const struct nx_vision_output *cls;
	int rc = 0;

	memset(result, 0, sizeof *result);
	switch (m->output.kind) {
	case NX_OUT_TENSOR:
		break;
	case NX_OUT_CLASSES:
		if (n_out == 0)
			return nx_err_set(err, NX_EDATA, "the model has no output for classes");
		rc = classes(m, &out[0], result, err);
		break;
	case NX_OUT_DETECTIONS:
		rc = detections(m, out, n_out, place, frame_w, frame_h, result, err);
		break;
	case NX_OUT_REGIONS:
		cls = class_output(m, out, n_out);
		rc = cls ? classes(m, cls, result, err) : 0;
		if (rc == 0)
			regions(&m->output, frame_w, frame_h, result);
		break;
	}
	return rc;
}
