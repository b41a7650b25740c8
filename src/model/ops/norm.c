/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations over batch statistics, instances, layers and neighbouring channels. */
#include "model/ops/kernels.h"

#include <math.h>

/* Inputs 1.. are per-channel lists. */
static int check_channels(const struct nx_op_call *c, size_t last, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;

	if (x->rank < 2)
		return nx_err_set(err, NX_EDATA, "an input of rank %d", x->rank);
	for (size_t i = 1; i <= last; i++) {
		const struct nx_tensor *t = c->in[i];
		if (nx_shape_count(&t->shape) != x->dim[1] || t->dtype != c->in[0]->dtype)
			return nx_err_set(err, NX_EDATA, "input %zu must hold %lld numbers", i,
				(long long)x->dim[1]);
	}
	nx_ops_out(c, 0, c->in[0]->dtype, x);
	return 0;
}

int nx_infer_batch_norm(const struct nx_op_call *c, struct nx_err *err)
{
	bool wants_stats = false;

	for (size_t i = 1; i < c->n_out; i++)
		wants_stats = wants_stats || c->out[i];
	if (wants_stats || nx_node_int(c->node, "training_mode", 0))
		return nx_err_set(err, NX_EUNSUPP, "training is not supported");
	if (nx_node_int(c->node, "spatial", 1) == 0)
		return nx_err_set(err, NX_EUNSUPP, "spatial=0 is not supported");
	return check_channels(c, 4, err);
}

int nx_eval_batch_norm(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, 1);
	const float *x = c->in[0]->data, *scale = c->in[1]->data, *bias = c->in[2]->data;
	const float *mean = c->in[3]->data, *var = c->in[4]->data;
	double eps = nx_node_float(c->node, "epsilon", 1e-5f);
	float *y = c->out[0]->data;

	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < l.outer * l.n; i++) {
		int64_t ch = i % l.n;
		double a = scale[ch] / sqrt(var[ch] + eps), b = bias[ch] - mean[ch] * a;
		for (int64_t k = 0; k < l.inner; k++)
			*y++ = (float)(*x++ * a + b);
	}
	return 0;
}

/* Mean and 1/standard deviation of n numbers. */
static void moments(const float *x, int64_t n, double eps, double *mean, double *rstd)
{
	double sum = 0, square = 0;

	for (int64_t k = 0; k < n; k++)
		sum += x[k];
	*mean = sum / (double)n;
	for (int64_t k = 0; k < n; k++)
		square += (x[k] - *mean) * (x[k] - *mean);
	*rstd = 1 / sqrt(square / (double)n + eps);
}

int nx_infer_instance_norm(const struct nx_op_call *c, struct nx_err *err)
{
	return check_channels(c, 2, err);
}

int nx_eval_instance_norm(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, 1);
	const float *x = c->in[0]->data, *scale = c->in[1]->data, *bias = c->in[2]->data;
	double eps = nx_node_float(c->node, "epsilon", 1e-5f), mean, rstd;
	float *y = c->out[0]->data;

	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < l.outer * l.n; i++, x += l.inner, y += l.inner) {
		moments(x, l.inner, eps, &mean, &rstd);
		for (int64_t k = 0; k < l.inner; k++)
			y[k] = (float)((x[k] - mean) * rstd * scale[i % l.n] + bias[i % l.n]);
	}
	return 0;
}

/* Scale and bias are one a group in opset 18, one a channel since 21. */
int nx_infer_group_norm(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	int64_t groups = nx_node_int(c->node, "num_groups", 0);

	if (x->rank < 2 || groups < 1 || x->dim[1] % groups)
		return nx_err_set(err, NX_EDATA, "channels and num_groups do not match");
	for (size_t i = 1; i < 3; i++) {
		int64_t n = nx_shape_count(&c->in[i]->shape),
			want = c->opset < 21 ? groups : x->dim[1];
		if (n != want || c->in[i]->dtype != c->in[0]->dtype)
			return nx_err_set(err, NX_EDATA, "input %zu must hold %lld numbers", i,
				(long long)want);
	}
	nx_ops_out(c, 0, c->in[0]->dtype, x);
	return 0;
}

int nx_eval_group_norm(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, 1);
	const float *x = c->in[0]->data, *scale = c->in[1]->data, *bias = c->in[2]->data;
	double eps = nx_node_float(c->node, "epsilon", 1e-5f), mean, rstd;
	int64_t groups = nx_node_int(c->node, "num_groups", 1), size = l.n / groups * l.inner;
	float *y = c->out[0]->data;

	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < l.outer * groups; i++, x += size, y += size) {
		moments(x, size, eps, &mean, &rstd);
		for (int64_t k = 0; k < size; k++) {
			int64_t channel = i % groups * (l.n / groups) + k / l.inner;
			int64_t at = c->opset < 21 ? i % groups : channel;
			y[k] = (float)((x[k] - mean) * rstd * scale[at] + bias[at]);
		}
	}
	return 0;
}

/* Outer positions and normalised elements of LayerNormalization. */
static int layer_split(
	const struct nx_op_call *c, int *axis, int64_t *outer, int64_t *inner, struct nx_err *err)
{
	const struct nx_shape *s = &c->in[0]->shape;
	int rc = nx_ops_axis(nx_node_int(c->node, "axis", -1), s->rank, axis, err);

	*outer = *inner = 1;
	for (int i = 0; rc == 0 && i < s->rank; i++)
		*(i < *axis ? outer : inner) *= s->dim[i];
	return rc;
}

int nx_infer_layer_norm(const struct nx_op_call *c, struct nx_err *err)
{
	int64_t outer, inner;
	int axis, rc = layer_split(c, &axis, &outer, &inner, err);
	struct nx_shape s = c->in[0]->shape;

	if (rc)
		return rc;
	for (size_t i = 1; i < 3; i++) {
		const struct nx_tensor *t = nx_ops_in(c, i);
		if (t && (nx_shape_count(&t->shape) != inner || t->dtype != c->in[0]->dtype))
			return nx_err_set(err, NX_EDATA, "input %zu must hold %lld numbers", i,
				(long long)inner);
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	for (int i = axis; i < s.rank; i++)
		s.dim[i] = 1;
	nx_ops_out(c, 1, NX_F32, &s);
	nx_ops_out(c, 2, NX_F32, &s);
	return 0;
}

int nx_eval_layer_norm(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *bias = nx_ops_in(c, 2);
	const float *x = c->in[0]->data, *scale = c->in[1]->data;
	double eps = nx_node_float(c->node, "epsilon", 1e-5f), mean, rstd;
	int64_t outer, inner;
	int axis, rc = layer_split(c, &axis, &outer, &inner, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < outer; i++, x += inner) {
		moments(x, inner, eps, &mean, &rstd);
		float *y = c->out[0] ? (float *)c->out[0]->data + i * inner : NULL;
		for (int64_t k = 0; y && k < inner; k++)
			y[k] = (float)((x[k] - mean) * rstd * scale[k] +
				       (bias ? ((const float *)bias->data)[k] : 0.0f));
		if (c->n_out > 1 && c->out[1])
			((float *)c->out[1]->data)[i] = (float)mean;
		if (c->n_out > 2 && c->out[2])
			((float *)c->out[2]->data)[i] = (float)rstd;
	}
	return 0;
}

int nx_infer_rms_norm(const struct nx_op_call *c, struct nx_err *err)
{
	int64_t outer, inner;
	int axis, rc = layer_split(c, &axis, &outer, &inner, err);

	if (rc)
		return rc;
	if (nx_shape_count(&c->in[1]->shape) != inner || c->in[1]->dtype != c->in[0]->dtype)
		return nx_err_set(
			err, NX_EDATA, "the scale must hold %lld numbers", (long long)inner);
	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return 0;
}

int nx_eval_rms_norm(const struct nx_op_call *c, struct nx_err *err)
{
	const float *x = c->in[0]->data, *scale = c->in[1]->data;
	double eps = nx_node_float(c->node, "epsilon", 1e-5f);
	float *y = c->out[0]->data;
	int64_t outer, inner;
	int axis, rc = layer_split(c, &axis, &outer, &inner, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < outer; i++, x += inner, y += inner) {
		double square = 0;
		for (int64_t k = 0; k < inner; k++)
			square += (double)x[k] * x[k];
		double scaled = 1 / sqrt(square / (double)inner + eps);
		for (int64_t k = 0; k < inner; k++)
			y[k] = (float)(x[k] * scaled * scale[k]);
	}
	return 0;
}

int nx_infer_lrn(const struct nx_op_call *c, struct nx_err *err)
{
	if (nx_node_int(c->node, "size", 0) < 1)
		return nx_err_set(err, NX_EDATA, "attribute 'size' must be positive");
	return check_channels(c, 0, err);
}

int nx_eval_lrn(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, 1);
	int64_t size = nx_node_int(c->node, "size", 1);
	double alpha = nx_node_float(c->node, "alpha", 1e-4f) / (double)size;
	double beta = nx_node_float(c->node, "beta", 0.75f);
	double bias = nx_node_float(c->node, "bias", 1.0f);
	int64_t below = (size - 1) / 2, above = size - 1 - below;

	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < l.outer * l.n * l.inner; i++) {
		int64_t ch = i / l.inner % l.n;
		const float *x = (const float *)c->in[0]->data + i;
		double sum = 0;
		for (int64_t k = ch > below ? -below : -ch; k <= above && ch + k < l.n; k++)
			sum += (double)x[k * l.inner] * x[k * l.inner];
		((float *)c->out[0]->data)[i] = (float)(*x / pow(bias + alpha * sum, beta));
	}
	return 0;
}
