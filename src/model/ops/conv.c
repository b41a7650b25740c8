/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution and its transpose: plain loops, the oracle for the plugins' primitives. */
#include "model/ops/kernels.h"
#include "model/ops/window.h"

/* Group and bias; 'per_group' is the weights' second dimension, 'm' the output channels. */
static int check_conv(
	const struct nx_op_call *c, int64_t group, int64_t m, bool channels_ok, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0], *w = c->in[1], *b = nx_ops_in(c, 2);

	if (w->shape.rank != x->shape.rank)
		return nx_err_set(err, NX_EDATA, "input of rank %d, weights of rank %d",
			x->shape.rank, w->shape.rank);
	if (x->dtype != w->dtype)
		return nx_err_set(err, NX_EDATA, "input and weights differ in type");
	if (group < 1 || !channels_ok)
		return nx_err_set(
			err, NX_EDATA, "channels, group and the weights' shape do not match");
	if (b && (b->shape.rank != 1 || b->shape.dim[0] != m || b->dtype != x->dtype))
		return nx_err_set(err, NX_EDATA, "the bias must hold %lld numbers", (long long)m);
	return 0;
}

static void out_shape(const struct nx_op_call *c, const struct nx_window *w, int64_t m)
{
	struct nx_shape s = { .rank = w->rank + 2, .dim = { c->in[0]->shape.dim[0], m } };

	for (int i = 0; i < w->rank; i++)
		s.dim[2 + i] = w->out[i];
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
}

static int conv_window(const struct nx_op_call *c, struct nx_window *w, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *k = &c->in[1]->shape;
	int64_t group = nx_node_int(c->node, "group", 1);
	bool ok = x->rank >= 3 && k->rank == x->rank && group >= 1 && group <= NX_ATTR_LIMIT &&
		  k->dim[1] * group == x->dim[1] && k->dim[0] % group == 0;

	int rc = check_conv(c, group, k->rank ? k->dim[0] : 0, ok, err);
	if (rc == 0)
		rc = nx_window_init(w, c, x, k->dim + 2, err);
	return rc ? rc : nx_window_outputs(w, c, err);
}

int nx_infer_conv(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_window w;
	int rc = conv_window(c, &w, err);

	if (rc == 0)
		out_shape(c, &w, c->in[1]->shape.dim[0]);
	return rc;
}

/* Sum over one window: x and k are planes of one input channel and its kernel. */
static double window_sum(
	const struct nx_window *w, const float *x, const float *k, const int64_t at[3])
{
	double sum = 0;

	for (int64_t a = 0; a < w->kernel[0]; a++) {
		int64_t i = at[0] * w->stride[0] - w->pad[0] + a * w->dilation[0];
		if (i < 0 || i >= w->in[0])
			continue;
		for (int64_t b = 0; b < w->kernel[1]; b++) {
			int64_t j = at[1] * w->stride[1] - w->pad[1] + b * w->dilation[1];
			if (j < 0 || j >= w->in[1])
				continue;
			for (int64_t d = 0; d < w->kernel[2]; d++) {
				int64_t l = at[2] * w->stride[2] - w->pad[2] + d * w->dilation[2];
				if (l >= 0 && l < w->in[2])
					sum += (double)x[(i * w->in[1] + j) * w->in[2] + l] *
					       k[(a * w->kernel[1] + b) * w->kernel[2] + d];
			}
		}
	}
	return sum;
}

/* One output plane: all input channels of its group. */
static void conv_plane(const struct nx_window *w, const float *x, const float *k, int64_t channels,
	double bias, float *y)
{
	int64_t plane = w->in[0] * w->in[1] * w->in[2];
	int64_t size = w->kernel[0] * w->kernel[1] * w->kernel[2];
	int64_t at[3];

	for (at[0] = 0; at[0] < w->out[0]; at[0]++)
		for (at[1] = 0; at[1] < w->out[1]; at[1]++)
			for (at[2] = 0; at[2] < w->out[2]; at[2]++) {
				double sum = bias;
				for (int64_t ch = 0; ch < channels; ch++)
					sum += window_sum(w, x + ch * plane, k + ch * size, at);
				*y++ = (float)sum;
			}
}

int nx_eval_conv(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_window w;
	const struct nx_shape *xs = &c->in[0]->shape, *ks = &c->in[1]->shape;
	const struct nx_tensor *bias = nx_ops_in(c, 2);
	int64_t m = ks->dim[0], per_group = ks->dim[1];
	int rc = conv_window(c, &w, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	int64_t plane = w.in[0] * w.in[1] * w.in[2], outs = w.out[0] * w.out[1] * w.out[2];
	int64_t size = w.kernel[0] * w.kernel[1] * w.kernel[2];
	int64_t group_out = per_group ? m / (xs->dim[1] / per_group) : m;
	const float *x = c->in[0]->data, *k = c->in[1]->data;
	float *y = c->out[0]->data;
	for (int64_t n = 0; n < xs->dim[0]; n++) {
		for (int64_t o = 0; o < m; o++) {
			int64_t first = o / group_out * per_group;
			conv_plane(&w, x + (n * xs->dim[1] + first) * plane,
				k + o * per_group * size, per_group,
				bias ? (double)((const float *)bias->data)[o] : 0.0,
				y + (n * m + o) * outs);
		}
	}
	return 0;
}

/* Output sizes of the transpose: by output_shape or auto_pad the pads follow from the sizes. */
static int transpose_sizes(const struct nx_op_call *c, struct nx_window *w, struct nx_err *err)
{
	struct nx_ints extra, shape;
	bool upper;
	int same = nx_window_same(c, &upper, err);
	int rc = nx_ops_ints(c, NX_NO_INPUT, "output_padding", &extra, err);
	size_t r = (size_t)w->rank;

	if (same < 0)
		return same;
	if (rc == 0)
		rc = nx_ops_ints(c, NX_NO_INPUT, "output_shape", &shape, err);
	if (rc)
		return rc;
	if ((extra.there && extra.n != r) || (shape.there && shape.n != r && shape.n != r + 2))
		return nx_err_set(err, NX_EDATA, "output_padding or output_shape is too short");
	for (size_t i = 0; i < r; i++) {
		int64_t more = extra.there ? extra.v[i] : 0;
		if (more < 0 || more > NX_ATTR_LIMIT)
			return nx_err_set(err, NX_EDATA, "output_padding is out of range");
		int64_t full = (w->in[i] - 1) * w->stride[i] + more +
			       (w->kernel[i] - 1) * w->dilation[i] + 1;
		if (!shape.there && same != 1) {
			w->pad[i] = same == 2 ? 0 : w->pad[i];
			w->out[i] = full - w->pad[i] - (same == 2 ? 0 : w->pad_end[i]);
		} else {
			w->out[i] =
				shape.there ? shape.v[shape.n - r + i] : w->in[i] * w->stride[i];
			if (w->out[i] < 1 || w->out[i] > NX_ATTR_LIMIT)
				return nx_err_set(err, NX_EDATA, "output_shape is out of range");
			/* What is asked for beyond the full size is bias alone. */
			int64_t pad = full > w->out[i] ? full - w->out[i] : 0;
			w->pad[i] = upper ? pad / 2 : pad - pad / 2;
		}
		if (w->out[i] < 1)
			return nx_err_set(err, NX_EDATA, "the padding leaves no output");
	}
	return 0;
}

static int transpose_window(const struct nx_op_call *c, struct nx_window *w, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *k = &c->in[1]->shape;
	int64_t group = nx_node_int(c->node, "group", 1);
	bool ok = x->rank >= 3 && k->rank == x->rank && group >= 1 && group <= NX_ATTR_LIMIT &&
		  k->dim[0] == x->dim[1] && x->dim[1] % group == 0;

	int rc = check_conv(c, group, ok ? k->dim[1] * group : 0, ok, err);
	if (rc == 0)
		rc = nx_window_init(w, c, x, k->dim + 2, err);
	return rc ? rc : transpose_sizes(c, w, err);
}

int nx_infer_conv_transpose(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_window w;
	int rc = transpose_window(c, &w, err);

	if (rc == 0)
		out_shape(c, &w, c->in[1]->shape.dim[1] * nx_node_int(c->node, "group", 1));
	return rc;
}

/* Adds one input element, times its kernel, to an output plane. */
static void scatter(
	const struct nx_window *w, float v, const float *k, const int64_t at[3], float *y)
{
	for (int64_t a = 0; a < w->kernel[0]; a++) {
		int64_t i = at[0] * w->stride[0] - w->pad[0] + a * w->dilation[0];
		for (int64_t b = 0; i >= 0 && i < w->out[0] && b < w->kernel[1]; b++) {
			int64_t j = at[1] * w->stride[1] - w->pad[1] + b * w->dilation[1];
			for (int64_t d = 0; j >= 0 && j < w->out[1] && d < w->kernel[2]; d++) {
				int64_t l = at[2] * w->stride[2] - w->pad[2] + d * w->dilation[2];
				if (l >= 0 && l < w->out[2])
					y[(i * w->out[1] + j) * w->out[2] + l] +=
						v * k[(a * w->kernel[1] + b) * w->kernel[2] + d];
			}
		}
	}
}

int nx_eval_conv_transpose(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_window w;
	const struct nx_shape *xs = &c->in[0]->shape;
	const struct nx_tensor *bias = nx_ops_in(c, 2);
	int64_t group = nx_node_int(c->node, "group", 1), at[3];
	int64_t per_group = c->in[1]->shape.dim[1], m = per_group * group;
	int rc = transpose_window(c, &w, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	int64_t outs = w.out[0] * w.out[1] * w.out[2], channels = xs->dim[1];
	int64_t size = w.kernel[0] * w.kernel[1] * w.kernel[2];
	const float *x = c->in[0]->data, *k = c->in[1]->data;
	float *y = c->out[0]->data;
	for (int64_t i = 0; i < xs->dim[0] * m * outs; i++)
		y[i] = bias ? ((const float *)bias->data)[i / outs % m] : 0;
	for (int64_t nc = 0; nc < xs->dim[0] * channels; nc++) {
		int64_t ch = nc % channels, n = nc / channels;
		float *first = y + (n * m + ch / (channels / group) * per_group) * outs;
		for (at[0] = 0; at[0] < w.in[0]; at[0]++)
			for (at[1] = 0; at[1] < w.in[1]; at[1]++)
				for (at[2] = 0; at[2] < w.in[2]; at[2]++, x++)
					for (int64_t o = 0; o < per_group; o++)
						scatter(&w, *x, k + (ch * per_group + o) * size, at,
							first + o * outs);
	}
	return 0;
}
