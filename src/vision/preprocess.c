/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture becomes a row in two steps: the part that is asked for is scaled to packed RGB, then
 * every byte goes through a table of 256 values a channel.  The table holds (pixel - mean) *
 * scale as the tensor's own bits, so that the inner loop is the same for every type.
 */
#include "vision/vision.h"

#include "core/alloc.h"
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How the input tensor is laid out. */
struct layout {
	int width, height, channels;
	bool nhwc;
	size_t size; /* bytes of an element: 1, 2 or 4 */
};

static int shape_error(
	const struct nx_image_input *in, const struct nx_shape *shape, struct nx_err *err)
{
	static const char *const names[] = { "RGB", "BGR", "GRAY", "Y" };
	char text[128];

	return nx_err_set(err, NX_EDATA,
		"the manifest's input (%dx%d, %s) does not fit the model's input of shape %s",
		in->width, in->height, names[in->color], nx_shape_format(shape, text, sizeof text));
}

/* A side of the input: the shape's unless that is open; the manifest must agree. */
static int side(int64_t dim, int declared)
{
	if (dim == NX_DIM_OPEN)
		return declared;
	return dim < 1 || dim > 32768 || (declared && declared != dim) ? 0 : (int)dim;
}

static int find_layout(struct layout *l, const struct nx_image_input *in,
	const struct nx_shape *shape, enum nx_dtype dtype, struct nx_err *err)
{
	l->channels = in->color == NX_COLOR_GRAY || in->color == NX_COLOR_Y ? 1 : 3;
	l->size = nx_dtype_size(dtype);
	if (dtype != NX_F32 && dtype != NX_F16 && dtype != NX_U8)
		return nx_err_set(err, NX_EUNSUPP,
			"a picture cannot be an input of type %s (FP32, FP16 or UINT8 can)",
			nx_dtype_oip_name(dtype));
	if (shape->rank != 4 || (shape->dim[1] != l->channels && shape->dim[3] != l->channels))
		return shape_error(in, shape, err);
	l->nhwc = shape->dim[1] != l->channels;
	l->height = side(shape->dim[l->nhwc ? 1 : 2], in->height);
	l->width = side(shape->dim[l->nhwc ? 2 : 3], in->width);
	return l->width < 1 || l->height < 1 ? shape_error(in, shape, err) : 0;
}

/* The largest part of the box, around its centre, that has the input's aspect. */
static void crop_to_aspect(double box[4], const struct layout *l)
{
	double w = box[2] - box[0], h = box[3] - box[1];
	double cut_x = fmax(0, w - h * l->width / l->height) / 2;
	double cut_y = fmax(0, h - w * l->height / l->width) / 2;

	box[0] += cut_x;
	box[2] -= cut_x;
	box[1] += cut_y;
	box[3] -= cut_y;
}

/* Where the picture goes in the input: whole pixels, all of it unless letterboxed. */
static void place_picture(struct nx_placement *p, const struct nx_image_input *in,
	const struct layout *l, int size[2], int at[2])
{
	double w = p->box[2] - p->box[0], h = p->box[3] - p->box[1];

	size[0] = l->width;
	size[1] = l->height;
	at[0] = at[1] = 0;
	if (in->resize == NX_RESIZE_LETTERBOX) {
		double s = fmin(l->width / w, l->height / h);
		size[0] = (int)fmin(fmax(round(w * s), 1), l->width);
		size[1] = (int)fmin(fmax(round(h * s), 1), l->height);
		if (!in->pad_top_left) {
			at[0] = (l->width - size[0]) / 2;
			at[1] = (l->height - size[1]) / 2;
		}
	}
	p->scale_x = size[0] / w;
	p->scale_y = size[1] / h;
	p->off_x = at[0];
	p->off_y = at[1];
	p->width = l->width;
	p->height = l->height;
}

/* The bits of every pixel value of a channel. */
static void fill_table(
	uint32_t table[256], const struct nx_image_input *in, int channel, enum nx_dtype dtype)
{
	for (int v = 0; v < 256; v++) {
		float value = (float)((v - in->mean[channel]) * in->scale[channel]);
		if (dtype == NX_U8)
			table[v] = (uint32_t)v;
		else if (dtype == NX_F16)
			table[v] = nx_float_to_half(value);
		else
			memcpy(&table[v], &value, sizeof value);
	}
}

static void store(void *row, size_t size, size_t at, uint32_t bits)
{
	if (size == 4)
		((uint32_t *)row)[at] = bits;
	else if (size == 2)
		((uint16_t *)row)[at] = (uint16_t)bits;
	else
		((uint8_t *)row)[at] = (uint8_t)bits;
}

/* BT.601 luma, rounded: 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point. */
static uint8_t luma(const uint8_t *rgb)
{
	return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
}

/* Writes one channel of the whole input: 'canvas' is packed RGB of the input's size. */
static void write_channel(const struct layout *l, const struct nx_image_input *in, int channel,
	const uint8_t *canvas, const uint32_t table[256], void *row)
{
	size_t n = (size_t)l->width * (size_t)l->height;
	size_t step = l->nhwc ? (size_t)l->channels : 1;
	size_t at = l->nhwc ? (size_t)channel : (size_t)channel * n;
	int source = in->color == NX_COLOR_BGR ? 2 - channel : channel;

	for (size_t i = 0; i < n; i++, at += step, canvas += 3)
		store(row, l->size, at, table[l->channels == 1 ? luma(canvas) : canvas[source]]);
}

/* Scales the picture and copies it to where it belongs on the padded canvas. */
static int paint(const struct nx_frame *f, const struct nx_placement *p,
	const struct nx_image_input *in, const int size[2], const int at[2], uint8_t *canvas,
	struct nx_err *err)
{
	size_t from = (size_t)size[0] * 3, to = (size_t)p->width * 3;

	if (size[0] == p->width && size[1] == p->height)
		return nx_media_scale(f, p->box, size[0], size[1], canvas, err);
	uint8_t *picture = nx_try_alloc((size_t)size[1], from);
	if (!picture)
		return nx_err_set(err, NX_EOS, "no memory for a picture");
	int rc = nx_media_scale(f, p->box, size[0], size[1], picture, err);
	if (rc == 0) {
		memset(canvas, (int)lround(fmin(fmax(in->pad, 0), 255)), to * (size_t)p->height);
		for (int y = 0; y < size[1]; y++)
			memcpy(canvas + (size_t)(at[1] + y) * to + (size_t)at[0] * 3,
				picture + (size_t)y * from, from);
	}
	free(picture);
	return rc;
}

int nx_vision_preprocess(const struct nx_frame *f, const double box[4],
	const struct nx_image_input *in, const struct nx_shape *io_shape, enum nx_dtype dtype,
	void *row, struct nx_placement *place, struct nx_err *err)
{
	struct nx_placement p = { 0 };
	uint32_t table[256];
	struct layout l = { 0 };
	int size[2], at[2];

	if (find_layout(&l, in, io_shape, dtype, err) || nx_media_clip_box(f, box, p.box, err))
		return -err->code;
	if (in->resize == NX_RESIZE_CROP)
		crop_to_aspect(p.box, &l);
	place_picture(&p, in, &l, size, at);

	uint8_t *canvas = nx_try_alloc((size_t)l.width * (size_t)l.height, 3);
	if (!canvas)
		return nx_err_set(err, NX_EOS, "no memory for a picture");
	int rc = paint(f, &p, in, size, at, canvas, err);
	if (rc == 0) {
		for (int c = 0; c < l.channels; c++) {
			fill_table(table, in, c, dtype);
			write_channel(&l, in, c, canvas, table, row);
		}
		*place = p;
	}
	free(canvas);
	return rc;
}
