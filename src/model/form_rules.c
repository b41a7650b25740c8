/* SPDX-License-Identifier: Apache-2.0 */
#include "model/form_rules.h"

#include "model/ops/window.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const struct nx_shape *x_shape(const struct nx_form_node *s)
{
	return &s->in[0]->shape;
}

static const struct nx_shape *y_shape(const struct nx_form_node *s)
{
	return &s->g->values[s->c.node->out[s->k]].shape;
}

void nx_form_int(struct nx_form *f, const char *name, int64_t v)
{
	nx_buf_addf(&f->text, "%s=%lld;", name, (long long)v);
}

void nx_form_real(struct nx_form *f, const char *name, double v)
{
	nx_buf_addf(&f->text, "%s=%a;", name, v);
}

static void put_text(struct nx_form *f, const char *name, const char *v)
{
	nx_buf_addf(&f->text, "%s=%zu:%s;", name, strlen(v), v);
}

static void put_ints(struct nx_form *f, const char *name, const int64_t *v, size_t n)
{
	nx_buf_addf(&f->text, "%s=[", name);
	for (size_t i = 0; i < n; i++)
		nx_buf_addf(&f->text, "%lld,", (long long)v[i]);
	nx_buf_adds(&f->text, "];");
}

void nx_form_attr(struct nx_form *f, const struct nx_attr *a)
{
	char shape[128];

	switch (a->kind) {
	case NX_ATTR_INT:
		nx_form_int(f, a->name, a->i);
		break;
	case NX_ATTR_FLOAT:
		nx_form_real(f, a->name, (double)a->f);
		break;
	case NX_ATTR_STRING:
		put_text(f, a->name, a->s);
		break;
	case NX_ATTR_INTS:
		put_ints(f, a->name, a->ints, a->n);
		break;
	case NX_ATTR_FLOATS:
		for (size_t i = 0; i < a->n; i++)
			nx_form_real(f, a->name, (double)a->floats[i]);
		break;
	case NX_ATTR_TENSOR:
		nx_buf_addf(&f->text, "%s=%d%s", a->name, (int)a->tensor.dtype,
			nx_shape_format(&a->tensor.shape, shape, sizeof shape));
		nx_buf_add(&f->text, a->tensor.data, a->tensor.bytes);
		nx_buf_addc(&f->text, ';');
		break;
	case NX_ATTR_OTHER:
		put_text(f, a->name, "?");
	}
}

/* ---- rules: each tells parameters as they act; -1 if the node has none that can be told ---- */

/* Negative axes count from the end. */
int64_t nx_form_axis(int64_t axis, int rank)
{
	return axis < 0 ? axis + rank : axis;
}

/* Strides and dilations that never step say nothing, and neither do the pads at the end: the
 * shape of the output tells how far the window goes. */
static int tell_window(const struct nx_form_node *s, struct nx_form *f, const int64_t *kernel)
{
	const struct nx_op_call *c = &s->c;
	struct nx_err ignored = NX_ERR_INIT;
	bool counts_pads = nx_node_int(c->node, "count_include_pad", 0) != 0;
	struct nx_window w;

	if (nx_window_init(&w, c, x_shape(s), kernel, &ignored) ||
		nx_window_outputs(&w, c, &ignored))
		return -1;
	for (int i = 0; i < w.rank; i++) {
		nx_form_int(f, "kernel", w.kernel[i]);
		nx_form_int(f, "stride", w.out[i] > 1 ? w.stride[i] : 1);
		nx_form_int(f, "dilation", w.kernel[i] > 1 ? w.dilation[i] : 1);
		nx_form_int(f, "pad", w.pad[i]);
	}
	for (int i = 0; i < w.rank && counts_pads; i++)
		nx_form_int(f, "counted", w.pad_end[i]);
	return 0;
}

int nx_form_conv(const struct nx_form_node *s, struct nx_form *f)
{
	size_t weights = strcmp(s->c.node->op, "QLinearConv") == 0 ? 3 : 1;
	const struct nx_tensor *w = nx_ops_in(&s->c, weights);

	if (!w || w->shape.rank != x_shape(s)->rank || w->shape.rank < 3)
		return -1;
	nx_form_int(f, "group", nx_node_int(s->c.node, "group", 1));
	return tell_window(s, f, w->shape.dim + 2);
}

int nx_form_pool(const struct nx_form_node *s, struct nx_form *f)
{
	if (s->k == 1)
		nx_form_int(f, "indices", nx_node_int(s->c.node, "storage_order", 0));
	return tell_window(s, f, NULL);
}

/* With explicit pads only; the others stay as they are written. */
int nx_form_conv_transpose(const struct nx_form_node *s, struct nx_form *f)
{
	const struct nx_node *n = s->c.node;
	struct nx_err ignored = NX_ERR_INIT;
	struct nx_window w;
	const char *mode = nx_node_str(n, "auto_pad", "NOTSET");

	if (nx_node_attr(n, "output_shape") || strcmp(mode, "NOTSET") != 0 || s->c.n_in < 2 ||
		s->in[1]->shape.rank != x_shape(s)->rank ||
		nx_window_init(&w, &s->c, x_shape(s), s->in[1]->shape.dim + 2, &ignored))
		return -1;
	nx_form_int(f, "group", nx_node_int(n, "group", 1));
	for (int i = 0; i < w.rank; i++) {
		nx_form_int(f, "stride", w.in[i] > 1 ? w.stride[i] : 1);
		nx_form_int(f, "dilation", w.kernel[i] > 1 ? w.dilation[i] : 1);
		nx_form_int(f, "pad", w.pad[i]);
	}
	return 0;
}

/* Up to opset 12 everything behind the axis is normalised together. */
int nx_form_softmax(const struct nx_form_node *s, struct nx_form *f)
{
	const struct nx_shape *x = x_shape(s);
	bool old = s->c.opset < 13;
	int64_t axis = nx_form_axis(nx_node_int(s->c.node, "axis", old ? 1 : -1), x->rank);

	if (axis < 0 || axis > x->rank)
		return -1;
	struct nx_lanes l = nx_ops_lanes(x, (int)axis);
	nx_form_int(f, "n", old ? l.n * l.inner : l.n);
	nx_form_int(f, "inner", old ? 1 : l.inner);
	return 0;
}

int nx_form_reduce(const struct nx_form_node *s, struct nx_form *f)
{
	struct nx_err ignored = NX_ERR_INIT;
	int rank = x_shape(s)->rank;
	struct nx_ints axes;
	unsigned mask;

	if (nx_ops_ints(&s->c, 1, "axes", &axes, &ignored) ||
		nx_ops_axes(&axes, rank, &mask, &ignored))
		return -1;
	if (axes.n == 0 && !nx_node_int(s->c.node, "noop_with_empty_axes", 0))
		mask = (1u << rank) - 1;
	nx_form_int(f, "axes", mask);
	f->spent |= 2;
	return 0;
}

/* A bound from constant input k or attribute; -1 if it is neither. */
static int bound(const struct nx_form_node *s, size_t k, const char *attr, double none, double *v)
{
	const struct nx_tensor *t = nx_ops_in(&s->c, k);

	if (t && (!t->data || nx_shape_count(&t->shape) != 1))
		return -1;
	*v = t ? nx_tensor_real(t, 0) : (double)nx_node_float(s->c.node, attr, (float)none);
	if (fabs(*v) >= (double)FLT_MAX)
		*v = *v < 0 ? -(double)INFINITY : (double)INFINITY;
	return 0;
}

static int put_clip(struct nx_form *f, double lo, double hi)
{
	nx_buf_clear(&f->text);
	f->clips = true;
	f->lo = lo;
	f->hi = hi;
	return 0;
}

int nx_form_clip(const struct nx_form_node *s, struct nx_form *f)
{
	double lo, hi;

	if (s->in[0]->dtype != NX_F32 || bound(s, 1, "min", -(double)INFINITY, &lo) ||
		bound(s, 2, "max", (double)INFINITY, &hi) || !(lo <= hi))
		return -1;
	f->spent |= 6;
	return put_clip(f, lo, hi);
}

int nx_form_relu(const struct nx_form_node *s, struct nx_form *f)
{
	return s->in[0]->dtype == NX_F32 ? put_clip(f, 0, (double)INFINITY) : 0;
}

int nx_form_pad(const struct nx_form_node *s, struct nx_form *f)
{
	const char *attr = nx_node_attr(s->c.node, "pads") ? "pads" : "paddings";
	const char *mode = nx_node_str(s->c.node, "mode", "constant");
	struct nx_err ignored = NX_ERR_INIT;
	size_t rank = (size_t)x_shape(s)->rank;
	struct nx_ints pads;
	double value = 0;

	if (nx_ops_in(&s->c, 3) || nx_ops_ints(&s->c, 1, attr, &pads, &ignored) ||
		pads.n != 2 * rank || bound(s, 2, "value", 0, &value))
		return -1;
	put_text(f, "mode", mode);
	put_ints(f, "begin", pads.v, rank);
	if (strcmp(mode, "constant") == 0)
		nx_form_real(f, "value", value);
	f->spent |= 6;
	return 0;
}

/* Scales of all axes: given, or what the sizes come to. */
static int tell_scales(const struct nx_form_node *s, struct nx_form *f, bool old)
{
	const struct nx_tensor *sizes = old ? NULL : nx_ops_in(&s->c, 3);
	const struct nx_tensor *scales = nx_ops_in(&s->c, old ? 1 : 2);
	const struct nx_attr *listed = nx_node_attr(s->c.node, "scales");
	bool by_size = sizes && nx_shape_count(&sizes->shape) > 0;
	int64_t rank = x_shape(s)->rank;

	if (!by_size && scales && (!scales->data || nx_shape_count(&scales->shape) != rank))
		return -1;
	if (!by_size && !scales && (!listed || listed->n != (size_t)rank))
		return -1;
	for (int i = 0; i < (int)rank; i++) {
		double v = (double)y_shape(s)->dim[i] / (double)x_shape(s)->dim[i];
		if (!by_size)
			v = scales ? nx_tensor_real(scales, i) : (double)listed->floats[i];
		nx_form_real(f, "scale", v);
	}
	f->spent |= 14;
	return 0;
}

/* Upsample and the first Resize scale from the corner and round down. */
int nx_form_resize(const struct nx_form_node *s, struct nx_form *f)
{
	const struct nx_node *n = s->c.node;
	bool old = strcmp(n->op, "Upsample") == 0 || s->c.opset < 11;
	const char *mode = nx_node_str(n, "mode", "nearest");
	const char *at =
		nx_node_str(n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");

	mode = strcmp(mode, "bilinear") == 0 ? "linear" : mode;
	if (nx_node_attr(n, "axes") || nx_node_attr(n, "keep_aspect_ratio_policy") ||
		nx_node_attr(n, "antialias") || strcmp(at, "tf_crop_and_resize") == 0)
		return -1;
	put_text(f, "mode", mode);
	put_text(f, "at", at);
	if (strcmp(mode, "nearest") == 0)
		put_text(f, "round",
			nx_node_str(n, "nearest_mode", old ? "floor" : "round_prefer_floor"));
	if (strcmp(mode, "cubic") == 0)
		nx_form_real(f, "a", (double)nx_node_float(n, "cubic_coeff_a", -0.75f));
	if (strcmp(mode, "nearest") != 0)
		nx_form_int(f, "outside", nx_node_int(n, "exclude_outside", 0));
	return tell_scales(s, f, old);
}

/* How many there are is in the shape of the output. */
int nx_form_topk(const struct nx_form_node *s, struct nx_form *f)
{
	nx_form_int(f, "output", (int64_t)s->k);
	f->spent |= 2;
	return 0;
}

/* The axis of a scale for each channel; one scale for all has none. */
int nx_form_quantized(const struct nx_form_node *s, struct nx_form *f)
{
	const struct nx_tensor *scale = nx_ops_in(&s->c, 1);

	if (!scale)
		return -1;
	if (scale->shape.rank)
		nx_form_int(f, "axis",
			nx_form_axis(nx_node_int(s->c.node, "axis", 1), x_shape(s)->rank));
	return 0;
}
