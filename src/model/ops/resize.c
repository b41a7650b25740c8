/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize (opsets 10 to 19) and Upsample, as the ONNX reference defines them: every output
 * coordinate is mapped into the input on each axis by itself, and the neighbours' weights of the
 * axes are multiplied.
 */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

enum mode { NEAREST, LINEAR, CUBIC };
enum coordinates { HALF_PIXEL, PYTORCH, ALIGN_CORNERS, ASYMMETRIC, TF_CROP, TF_HALF, SYMMETRIC };
enum rounding { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL };

struct resize {
	enum mode mode;
	enum coordinates coordinates;
	enum rounding rounding;
	bool exclude_outside, sizes_given;
	bool antialias; /* shrinking looks at all that an element covers */
	float cubic_a, extrapolation;
	int rank;
	int64_t in[NX_MAX_DIMS], out[NX_MAX_DIMS];
	double scale[NX_MAX_DIMS], roi_start[NX_MAX_DIMS], roi_end[NX_MAX_DIMS];
};

static int choose(const struct nx_op_call *c, const char *attr, const char *dflt,
	const char *const *names, int n, struct nx_err *err)
{
	const char *s = nx_node_str(c->node, attr, dflt);

	for (int i = 0; i < n; i++) {
		if (strcmp(s, names[i]) == 0)
			return i;
	}
	return nx_err_set(err, NX_EUNSUPP, "%s '%.40s' is not known", attr, s);
}

static int read_modes(const struct nx_op_call *c, struct resize *r, struct nx_err *err)
{
	static const char *const modes[] = { "nearest", "linear", "cubic", "bilinear" };
	static const char *const coordinates[] = { "half_pixel", "pytorch_half_pixel",
		"align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn",
		"half_pixel_symmetric" };
	static const char *const roundings[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
		"ceil" };
	/* Upsample and the first Resize scale from the corner and round down. */
	bool old = c->op->kind == 0 || c->opset < 11;
	int mode = choose(c, "mode", "nearest", modes, 4, err);
	int coord = choose(c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel",
		coordinates, 7, err);
	int rounding =
		choose(c, "nearest_mode", old ? "floor" : "round_prefer_floor", roundings, 4, err);

	if (mode < 0 || coord < 0 || rounding < 0)
		return -NX_EUNSUPP;
	r->antialias = mode != NEAREST && nx_node_int(c->node, "antialias", 0) != 0;
	if (r->antialias && coord == TF_CROP)
		return nx_err_set(err, NX_EUNSUPP, "antialias with tf_crop_and_resize");
	r->mode = mode == 3 ? LINEAR : (enum mode)mode;
	r->coordinates = (enum coordinates)coord;
	r->rounding = (enum rounding)rounding;
	r->exclude_outside = nx_node_int(c->node, "exclude_outside", 0) != 0;
	r->cubic_a = nx_node_float(c->node, "cubic_coeff_a", -0.75f);
	r->extrapolation = nx_node_float(c->node, "extrapolation_value", 0.0f);
	return 0;
}

/* The constant list of reals at input k or in attribute 'attr': how many there are, or -NX_E. */
static int reals(const struct nx_op_call *c, size_t k, const char *attr, double *v, int max,
	struct nx_err *err)
{
	const struct nx_tensor *t = k == NX_NO_INPUT ? NULL : nx_ops_in(c, k);
	const struct nx_attr *a = attr ? nx_node_attr(c->node, attr) : NULL;

	if (t && !t->data)
		return nx_err_set(
			err, NX_EUNSUPP, "input %zu must be a constant to be supported", k);
	int64_t n = t                                ? nx_shape_count(&t->shape)
		    : a && a->kind == NX_ATTR_FLOATS ? (int64_t)a->n
						     : 0;
	if (n > max)
		return nx_err_set(err, NX_EDATA, "a list of %lld", (long long)n);
	for (int64_t i = 0; i < n; i++)
		v[i] = t ? nx_tensor_real(t, i) : (double)a->floats[i];
	return (int)n;
}

/* Axes that scales, sizes and roi speak of (opset 18), else all. */
static int read_axes(const struct nx_op_call *c, int rank, int *axes, int *n, struct nx_err *err)
{
	struct nx_ints list;
	unsigned seen;
	int rc = nx_ops_ints(c, NX_NO_INPUT, "axes", &list, err);

	if (rc == 0)
		rc = nx_ops_axes(&list, rank, &seen, err);
	if (rc)
		return rc;
	*n = list.there ? (int)list.n : rank;
	for (int i = 0; i < *n; i++)
		axes[i] = list.there ? (int)(list.v[i] < 0 ? list.v[i] + rank : list.v[i]) : i;
	return 0;
}

static int read_roi(const struct nx_op_call *c, struct resize *r, const int *axes, int n_axes,
	struct nx_err *err)
{
	double roi[2 * NX_MAX_DIMS];

	if (r->coordinates != TF_CROP)
		return 0;
	int n = reals(c, 1, NULL, roi, 2 * NX_MAX_DIMS, err);
	if (n < 0)
		return n;
	if (n != 2 * n_axes)
		return nx_err_set(err, NX_EDATA, "roi has %d numbers", n);
	for (int i = 0; i < n_axes; i++) {
		r->roi_start[axes[i]] = roi[i];
		r->roi_end[axes[i]] = roi[n_axes + i];
	}
	return 0;
}

/* With sizes, one scale may have to serve all axes, so that the picture keeps its shape. */
static int apply_policy(
	const struct nx_op_call *c, struct resize *r, const int *axes, int n, struct nx_err *err)
{
	const char *policy = nx_node_str(c->node, "keep_aspect_ratio_policy", "stretch");
	bool larger = strcmp(policy, "not_smaller") == 0;

	if (strcmp(policy, "stretch") == 0)
		return 0;
	if (!larger && strcmp(policy, "not_larger") != 0)
		return nx_err_set(err, NX_EUNSUPP, "policy '%.40s' is not known", policy);
	double scale = r->scale[axes[0]];
	for (int i = 1; i < n; i++)
		scale = larger ? fmax(scale, r->scale[axes[i]]) : fmin(scale, r->scale[axes[i]]);
	for (int i = 0; i < n; i++) {
		r->scale[axes[i]] = scale;
		r->out[axes[i]] = (int64_t)floor(scale * (double)r->in[axes[i]] + 0.5);
	}
	return 0;
}

/* Output sizes and scales: from 'sizes' (opset 11) or from 'scales'. */
static int read_scales(const struct nx_op_call *c, struct resize *r, struct nx_err *err)
{
	double v[NX_MAX_DIMS];
	int axes[NX_MAX_DIMS], n_axes;
	bool old = c->op->kind == 0 || c->opset < 11;
	int rc = read_axes(c, r->rank, axes, &n_axes, err);

	if (rc)
		return rc;
	int n = old ? 0 : reals(c, 3, NULL, v, NX_MAX_DIMS, err);
	r->sizes_given = n > 0;
	if (n == 0)
		n = reals(c, old ? 1 : 2, "scales", v, NX_MAX_DIMS, err);
	if (n < 0)
		return n;
	if (n != n_axes || n == 0)
		return nx_err_set(err, NX_EDATA, "%d scales or sizes for %d axes", n, n_axes);
	rc = read_roi(c, r, axes, n_axes, err);
	for (int i = 0; rc == 0 && i < n; i++) {
		int a = axes[i];
		double length = (double)r->in[a], crop = r->roi_end[a] - r->roi_start[a];
		if (!(v[i] > 0) || v[i] > (double)NX_ATTR_LIMIT)
			return nx_err_set(err, NX_EDATA, "a scale or size of %g", v[i]);
		r->scale[a] = r->sizes_given ? v[i] / length : v[i];
		double out = r->sizes_given ? v[i] : floor(length * crop * v[i]);
		if (!(out >= 0) || out > (double)NX_TENSOR_CAP)
			return nx_err_set(err, NX_EDATA, "a result of size %g", out);
		r->out[a] = (int64_t)out;
	}
	return rc || !r->sizes_given ? rc : apply_policy(c, r, axes, n_axes, err);
}

static int read_resize(const struct nx_op_call *c, struct resize *r, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;

	*r = (struct resize){ .rank = x->rank };
	for (int i = 0; i < x->rank; i++) {
		if (x->dim[i] == 0)
			return nx_err_set(err, NX_EDATA, "an empty input");
		r->in[i] = r->out[i] = x->dim[i];
		r->scale[i] = r->roi_end[i] = 1;
	}
	int rc = read_modes(c, r, err);
	if (rc == 0)
		rc = read_scales(c, r, err);
	int moved = 0;
	for (int i = 0; i < r->rank; i++)
		moved += r->in[i] != r->out[i] || r->roi_start[i] != 0 || r->roi_end[i] != 1;
	/* The neighbours of an element are those of its axes, multiplied. */
	if (rc == 0 && r->mode != NEAREST && moved > 3)
		return nx_err_set(err, NX_EUNSUPP, "interpolation along %d axes", moved);
	return rc;
}

int nx_infer_resize(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = { .rank = c->in[0]->shape.rank };
	struct resize r;
	int rc = read_resize(c, &r, err);

	if (rc)
		return rc;
	memcpy(s.dim, r.out, sizeof s.dim);
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* The place in the input that output position i of axis a stands for. */
static double place(const struct resize *r, int a, int64_t i)
{
	double x = (double)i, in = (double)r->in[a], out = (double)r->out[a], s = r->scale[a];

	switch (r->coordinates) {
	case PYTORCH:
		return out > 1 ? (x + 0.5) / s - 0.5 : 0;
	case ALIGN_CORNERS: {
		/* By the exact, not the rounded, output length. */
		double length = r->sizes_given ? out : in * s;
		return length > 1 ? x * (in - 1) / (length - 1) : 0;
	}
	case ASYMMETRIC:
		return x / s;
	case TF_CROP:
		return out > 1 ? r->roi_start[a] * (in - 1) +
					 x * (r->roi_end[a] - r->roi_start[a]) * (in - 1) /
						 (out - 1)
			       : 0.5 * (r->roi_start[a] + r->roi_end[a]) * (in - 1);
	case TF_HALF:
		return (x + 0.5) / s;
	case SYMMETRIC: {
		double adjust = out / (s * in);
		return in / 2 * (1 - adjust) + (x + 0.5) / s - 0.5;
	}
	default:
		return (x + 0.5) / s - 0.5;
	}
}

static double round_as(enum rounding rounding, double x)
{
	switch (rounding) {
	case FLOOR:
		return floor(x);
	case CEIL:
		return ceil(x);
	case ROUND_PREFER_CEIL:
		return floor(x + 0.5);
	default:
		return ceil(x - 0.5);
	}
}

/* Keys' cubic convolution (1981) with its free parameter. */
static void cubic_weights(double t, double a, double w[4])
{
	w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
	w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
	w[2] = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
	w[3] = ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a;
}

static int64_t within(double x, int64_t n)
{
	return x <= 0 ? 0 : x >= (double)(n - 1) ? n - 1 : (int64_t)x;
}

static void find_taps(const struct resize *r, int a, double x, struct nx_taps *t)
{
	int64_t n = r->in[a];
	double base = floor(x), sum = 0;

	if (r->mode == NEAREST) {
		*t = (struct nx_taps){ 1, { within(round_as(r->rounding, x), n) }, { 1 } };
		return;
	}
	t->n = r->mode == LINEAR ? 2 : 4;
	if (r->mode == LINEAR) {
		t->w[0] = 1 - (x - base);
		t->w[1] = x - base;
	} else {
		cubic_weights(x - base, r->cubic_a, t->w);
		base -= 1;
	}
	for (int i = 0; i < t->n; i++) {
		double at = base + i;
		if (r->exclude_outside && (at < 0 || at >= (double)n))
			t->w[i] = 0;
		t->at[i] = within(at, n);
		sum += t->w[i];
	}
	for (int i = 0; r->exclude_outside && i < t->n; i++)
		t->w[i] /= sum;
}

/* One output element: the sum over the neighbours of all axes. */
static double interpolate(
	const struct nx_tensor *x, const struct nx_taps *t, int rank, int64_t base, int d)
{
	double sum = 0;

	if (d == rank)
		return nx_tensor_real(x, base);
	for (int i = 0; i < t[d].n; i++) {
		if (t[d].w[i] != 0)
			sum += t[d].w[i] *
			       interpolate(x, t, rank, base * x->shape.dim[d] + t[d].at[i], d + 1);
	}
	return sum;
}

/* The filter of linear or cubic interpolation at distance t. */
static double filter(const struct resize *r, double t)
{
	double a = r->cubic_a;

	t = fabs(t);
	if (r->mode == LINEAR)
		return t < 1 ? 1 - t : 0;
	if (t <= 1)
		return ((a + 2) * t - (a + 3)) * t * t + 1;
	return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/* As interpolate(), with the filter stretched where the picture shrinks (opset 18). */
static double blend(
	const struct resize *r, const struct nx_tensor *x, const int64_t *at, int64_t base, int d)
{
	double sum = 0, weights = 0;

	if (d == r->rank)
		return nx_tensor_real(x, base);
	if (r->in[d] == r->out[d])
		return blend(r, x, at, base * r->in[d] + at[d], d + 1);
	double middle = place(r, d, at[d]), scale = fmin(r->scale[d], 1);
	int64_t reach = (int64_t)ceil((r->mode == LINEAR ? 1 : 2) / scale);
	int64_t first = (int64_t)ceil(middle) - reach;
	for (int64_t i = first; i <= first + 2 * reach; i++) {
		double w = filter(r, ((double)i - middle) * scale);
		if (w == 0 || (r->exclude_outside && (i < 0 || i >= r->in[d])))
			continue;
		weights += w;
		sum += w * blend(r, x, at, base * r->in[d] + within((double)i, r->in[d]), d + 1);
	}
	return sum / weights;
}

/* Axes that keep their size are copied, whatever the mode. */
static void taps_of(const struct resize *r, int a, int64_t i, struct nx_taps *t, bool *outside)
{
	double x = place(r, a, i);

	if (r->in[a] == r->out[a] && r->coordinates != TF_CROP) {
		*t = (struct nx_taps){ 1, { i }, { 1 } };
		return;
	}
	if (r->coordinates == TF_CROP && (x < 0 || x > (double)(r->in[a] - 1)))
		*outside = true;
	find_taps(r, a, x, t);
}

int nx_eval_resize(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	struct nx_tensor *y = c->out[0];
	size_t size = nx_dtype_size(x->dtype);
	int64_t n = nx_shape_count(&y->shape), at[NX_MAX_DIMS] = { 0 };
	struct nx_taps taps[NX_MAX_DIMS];
	struct resize r;
	int rc = read_resize(c, &r, err);

	if (rc)
		return rc;
	if (x->dtype != NX_F32 && (r.mode != NEAREST || r.coordinates == TF_CROP))
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < n; i++) {
		bool outside = false;
		int64_t from = 0;
		/* Only the axes that moved since the last element are mapped again. */
		for (int d = 0; d < r.rank; d++) {
			bool moved = i == 0 || d == r.rank - 1 || at[d + 1] == 0 ||
				     r.coordinates == TF_CROP;
			if (moved)
				taps_of(&r, d, at[d], &taps[d], &outside);
			from = from * r.in[d] + taps[d].at[0];
		}
		if (outside)
			((float *)y->data)[i] = r.extrapolation;
		else if (r.mode == NEAREST)
			memcpy((char *)y->data + (size_t)i * size,
				(const char *)x->data + (size_t)from * size, size);
		else
			((float *)y->data)[i] =
				(float)(r.antialias ? blend(&r, x, at, 0, 0)
						    : interpolate(x, taps, r.rank, 0, 0));
		for (int d = r.rank - 1; d >= 0 && ++at[d] == r.out[d]; d--)
			at[d] = 0;
	}
	return 0;
}

int nx_op_resize_taps(int64_t opset, const struct nx_node *n, const struct nx_tensor *const *in,
	int axis, struct nx_taps *taps, struct nx_err *err)
{
	const struct nx_op_call c = {
		.op = nx_op_find(n->domain, n->op),
		.node = n,
		.opset = opset,
		.n_in = n->n_in,
		.in = in,
	};
	bool outside = false;
	struct resize r;
	int rc = read_resize(&c, &r, err);

	if (rc)
		return rc;
	if (r.coordinates == TF_CROP || r.antialias)
		return nx_err_set(err, NX_EUNSUPP, "more neighbours than these, or none");
	for (int64_t i = 0; i < r.out[axis]; i++)
		taps_of(&r, axis, i, &taps[i], &outside);
	return 0;
}
