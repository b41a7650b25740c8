/* SPDX-License-Identifier: Apache-2.0 */
#include "vision/detect.h"

#include "core/alloc.h"
#include "vision/tensor_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bounds the quadratic suppression when a threshold of 0 lets every anchor through. */
#define MAX_CANDIDATES 4096

/* Scores and boxes that are not numbers are no detections: they fail every comparison here. */
static void add(struct nx_candidates *c, const double box[4], double score, int label, size_t order)
{
	if (!(isfinite(score) && isfinite(box[0]) && isfinite(box[1]) && isfinite(box[2]) &&
		    isfinite(box[3]) && box[0] < box[2] && box[1] < box[3]))
		return;
	c->at = nx_grow(c->at, &c->cap, c->n + 1, sizeof *c->at);
	c->at[c->n++] = (struct nx_candidate){
		.box = { box[0], box[1], box[2], box[3] },
		.score = score,
		.label = label,
		.order = order,
	};
}

/* The best of n scores; the first of equal ones. */
static size_t best_of(const float *score, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (score[i] > score[best])
			best = i;
	return best;
}

/* Scores [N, 1 + classes] with the background first, boxes [N, 4] as corners in 0..1. */
static void rfb_boxes(const struct nx_matrix *scores, const struct nx_matrix *boxes,
	double min_score, int width, int height, struct nx_candidates *c)
{
	for (size_t i = 0; i < scores->rows; i++) {
		const float *s = scores->at + i * scores->cols + 1, *b = boxes->at + i * 4;
		size_t label = best_of(s, scores->cols - 1);
		double box[4] = { (double)b[0] * width, (double)b[1] * height, (double)b[2] * width,
			(double)b[3] * height };
		if (s[label] >= min_score)
			add(c, box, s[label], (int)label, i);
	}
}

/*
 * The Ultra-Light-Fast-Generic-Face-Detector family (RFB): two outputs told apart by their last
 * dimension.  With three classes both end in 4; then the name decides.
 */
static int decode_rfb(double min_score, const struct nx_vision_output *out, size_t n_out, int width,
	int height, struct nx_candidates *c, struct nx_err *err)
{
	const struct nx_vision_output *scores = NULL, *boxes = NULL;
	struct nx_matrix s = { 0 }, b = { 0 };
	size_t rows, cols;

	for (size_t i = 0; i < n_out; i++) {
		if (!nx_matrix_fits(&out[i], &rows, &cols))
			continue;
		if (cols == 4 && !boxes && !strstr(out[i].name, "score"))
			boxes = &out[i];
		else if (cols >= 2 && !scores)
			scores = &out[i];
	}
	if (!scores || !boxes)
		return nx_err_set(err, NX_EDATA,
			"decode 'rfb' needs outputs of shapes [N,1+classes] and [N,4]; "
			"the model has no %s",
			scores ? "[N,4]" : "[N,1+classes]");
	int rc = nx_matrix_load(scores, &s, err);
	if (rc == 0)
		rc = nx_matrix_load(boxes, &b, err);
	if (rc == 0 && s.rows != b.rows)
		rc = nx_err_set(err, NX_EDATA,
			"decode 'rfb': output '%s' has %zu rows, output '%s' has %zu", scores->name,
			s.rows, boxes->name, b.rows);
	if (rc == 0)
		rfb_boxes(&s, &b, min_score, width, height, c);
	free(s.at);
	free(b.at);
	return rc;
}

static const int yolox_strides[] = { 8, 16, 32 };

/* One level of the pyramid: cells row by row, each a row of the output. */
static void yolox_level(const float *row, size_t cols, int stride, int width, int height,
	double min_score, struct nx_candidates *c)
{
	for (int y = 0; y < height / stride; y++) {
		for (int x = 0; x < width / stride; x++, row += cols) {
			size_t label = best_of(row + 5, cols - 5);
			double score = (double)row[4] * row[5 + label];
			if (!(score >= min_score))
				continue;
			double cx = ((double)row[0] + x) * stride;
			double cy = ((double)row[1] + y) * stride;
			double w = exp(row[2]) * stride, h = exp(row[3]) * stride;
			double box[4] = { cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2 };
			add(c, box, score, (int)label, c->n);
		}
	}
}

/*
 * YOLOX (Ge et al. 2021), exported without its decoding: one output [N, 5 + classes] of offsets
 * in the cells of three grids, with objectness and class scores already through a sigmoid.
 */
static int decode_yolox(double min_score, const struct nx_vision_output *out, size_t n_out,
	int width, int height, struct nx_candidates *c, struct nx_err *err)
{
	struct nx_matrix m = { 0 };
	size_t cells = 0, rows = 0, cols = 0, i;
	char text[128];

	for (i = 0; i < NX_ARRAY_LEN(yolox_strides); i++)
		cells += (size_t)(width / yolox_strides[i]) * (size_t)(height / yolox_strides[i]);
	for (i = 0; i < n_out; i++)
		if (nx_matrix_fits(&out[i], &rows, &cols) && rows == cells && cols > 5)
			break;
	if (i == n_out)
		return nx_err_set(err, NX_EDATA,
			"decode 'yolox' of a %dx%d input needs an output of shape "
			"[%zu,5+classes]; the first of the model's is %s",
			width, height, cells,
			n_out ? nx_shape_format(&out[0].shape, text, sizeof text) : "none");
	if (nx_matrix_load(&out[i], &m, err))
		return -err->code;

	const float *row = m.at;
	for (size_t k = 0; k < NX_ARRAY_LEN(yolox_strides); k++) {
		int stride = yolox_strides[k];
		yolox_level(row, m.cols, stride, width, height, min_score, c);
		row += (size_t)(width / stride) * (size_t)(height / stride) * m.cols;
	}
	free(m.at);
	return 0;
}

int nx_detect_decode(enum nx_decode decode, double min_score, const struct nx_vision_output *out,
	size_t n_out, int width, int height, struct nx_candidates *c, struct nx_err *err)
{
	switch (decode) {
	case NX_DECODE_RFB:
		return decode_rfb(min_score, out, n_out, width, height, c, err);
	case NX_DECODE_YOLOX:
		return decode_yolox(min_score, out, n_out, width, height, c, err);
	case NX_DECODE_SSD:
		return nx_err_set(err, NX_EUNSUPP, "decode 'ssd' is not supported yet");
	case NX_DECODE_NONE:
		break;
	}
	return nx_err_set(err, NX_EDATA,
		"the manifest's output is 'detections' but names no decode (rfb, yolox)");
}

static int by_score(const void *a, const void *b)
{
	const struct nx_candidate *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static double area_of(const double b[4])
{
	return (b[2] - b[0]) * (b[3] - b[1]);
}

/* Intersection over union of two boxes that have an area. */
static double overlap(const double a[4], const double b[4])
{
	double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);

	if (w <= 0 || h <= 0)
		return 0;
	return w * h / (area_of(a) + area_of(b) - w * h);
}

void nx_detect_suppress(struct nx_candidates *c, double iou)
{
	size_t kept = 0;

	if (c->n == 0)
		return;
	qsort(c->at, c->n, sizeof *c->at, by_score);
	if (c->n > MAX_CANDIDATES)
		c->n = MAX_CANDIDATES;
	for (size_t i = 0; i < c->n; i++) {
		bool good = true;
		for (size_t k = 0; k < kept && good; k++)
			good = c->at[k].label != c->at[i].label ||
			       overlap(c->at[k].box, c->at[i].box) <= iou;
		if (good)
			c->at[kept++] = c->at[i];
	}
	c->n = kept;
}
