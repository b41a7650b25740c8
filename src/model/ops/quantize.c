/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, as the ONNX reference defines them:
 * all in FP32, rounded half to even, saturated.  Scale and zero point are one for the tensor or
 * one for each position of an axis.
 */
#include "model/ops/kernels.h"

#include <math.h>

/* One scale and zero point: 'n' channels of 'inner' elements, 'outer' times. */
struct grid {
	struct nx_lanes lanes;
	const float *scale;
	const struct nx_tensor *zero;
	bool scales, zeros; /* one a channel */
};

static bool is_code(enum nx_dtype t)
{
	return t == NX_U8 || t == NX_I8 || t == NX_U16 || t == NX_I16;
}

/* Checks scale and zero point (inputs 1 and 2) against the axis. */
static int check_grid(const struct nx_op_call *c, struct grid *g, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0], *scale = c->in[1], *zero = nx_ops_in(c, 2);
	int64_t n_scale = nx_shape_count(&scale->shape);
	int64_t n_zero = zero ? nx_shape_count(&zero->shape) : 1;
	int axis = 0;

	if (nx_node_int(c->node, "block_size", 0))
		return nx_err_set(err, NX_EUNSUPP, "scales of blocks are not supported");
	if (scale->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "no kernel for scales of type %s",
			nx_dtype_oip_name(scale->dtype));
	*g = (struct grid){ { 1, 1, nx_shape_count(&x->shape) }, scale->data, zero, n_scale != 1,
		n_zero != 1 };
	if (!g->scales && !g->zeros)
		return 0;
	int rc = nx_ops_axis(nx_node_int(c->node, "axis", 1), x->shape.rank, &axis, err);
	if (rc)
		return rc;
	g->lanes = nx_ops_lanes(&x->shape, axis);
	if ((g->scales && (scale->shape.rank != 1 || n_scale != g->lanes.n)) ||
		(g->zeros && (zero->shape.rank != 1 || n_zero != g->lanes.n)))
		return nx_err_set(err, NX_EDATA,
			"scale and zero point must be one or %lld for axis %d",
			(long long)g->lanes.n, axis);
	return 0;
}

static double zero_of(const struct grid *g, int64_t channel)
{
	return g->zero ? nx_tensor_real(g->zero, g->zeros ? channel : 0) : 0;
}

/* The type of the codes: the zero point's, else the attribute's (opset 21), else UINT8. */
static enum nx_dtype code_type(const struct nx_op_call *c)
{
	const struct nx_tensor *zero = nx_ops_in(c, 2);
	int64_t given = nx_node_int(c->node, "output_dtype", NX_DT_NONE);

	return zero ? zero->dtype : given ? (enum nx_dtype)given : NX_U8;
}

int nx_infer_quantize(const struct nx_op_call *c, struct nx_err *err)
{
	enum nx_dtype to = code_type(c);
	struct grid g;
	int rc = check_grid(c, &g, err);

	if (rc)
		return rc;
	if (!is_code(to))
		return nx_err_set(err, NX_EUNSUPP, "codes of type %d", (int)to);
	if (c->in[0]->dtype != NX_F32 && c->in[0]->dtype != NX_I32)
		return nx_err_set(err, NX_EUNSUPP, "no kernel for type %s",
			nx_dtype_oip_name(c->in[0]->dtype));
	nx_ops_out(c, 0, to, &c->in[0]->shape);
	return 0;
}

/* x / scale to the nearest code; a NaN becomes the lowest. */
static float code(float x, float scale, float zero, float low, float high)
{
	float v = nearbyintf(x / scale) + zero;

	return v > low ? (v < high ? v : high) : low;
}

#define QUANTIZE(T, LOW, HIGH)                                                                \
	for (int64_t i = 0; i < n; i++)                                                       \
		((T *)y)[at + i] =                                                            \
			(T)code(x ? x[at + i] : (float)ints[at + i], scale, zero, LOW, HIGH); \
	break

/* n elements from 'at' on, with one scale; either 'x' or 'ints' is there. */
static void quantize_lane(const float *x, const int32_t *ints, enum nx_dtype to, void *y,
	int64_t at, int64_t n, float scale, float zero)
{
	switch (to) {
	case NX_U8:
		QUANTIZE(uint8_t, 0, UINT8_MAX);
	case NX_I8:
		QUANTIZE(int8_t, INT8_MIN, INT8_MAX);
	case NX_U16:
		QUANTIZE(uint16_t, 0, UINT16_MAX);
	default:
		QUANTIZE(int16_t, INT16_MIN, INT16_MAX);
	}
}

int nx_eval_quantize(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	struct grid g;
	int rc = check_grid(c, &g, err);

	for (int64_t i = 0; rc == 0 && i < g.lanes.outer * g.lanes.n; i++) {
		int64_t channel = i % g.lanes.n;
		quantize_lane(x->dtype == NX_F32 ? x->data : NULL, x->data, c->out[0]->dtype,
			c->out[0]->data, i * g.lanes.inner, g.lanes.inner,
			g.scale[g.scales ? channel : 0], (float)zero_of(&g, channel));
	}
	return rc;
}

int nx_infer_dequantize(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0], *zero = nx_ops_in(c, 2);
	struct grid g;
	int rc = check_grid(c, &g, err);

	if (rc)
		return rc;
	if (!is_code(x->dtype) && x->dtype != NX_I32)
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(x->dtype));
	if (zero && zero->dtype != x->dtype)
		return nx_err_set(err, NX_EDATA, "the zero point's type is not the input's");
	nx_ops_out(c, 0, NX_F32, &x->shape);
	return 0;
}

#define DEQUANTIZE(T)                                                   \
	for (int64_t i = at; i < at + n; i++)                           \
		y[i] = (float)(((const T *)x->data)[i] - zero) * scale; \
	break

static void dequantize_lane(
	const struct nx_tensor *x, float *y, int64_t at, int64_t n, float scale, int64_t zero)
{
	switch (x->dtype) {
	case NX_U8:
		DEQUANTIZE(uint8_t);
	case NX_I8:
		DEQUANTIZE(int8_t);
	case NX_U16:
		DEQUANTIZE(uint16_t);
	case NX_I16:
		DEQUANTIZE(int16_t);
	default:
		DEQUANTIZE(int32_t);
	}
}

int nx_eval_dequantize(const struct nx_op_call *c, struct nx_err *err)
{
	struct grid g;
	int rc = check_grid(c, &g, err);

	for (int64_t i = 0; rc == 0 && i < g.lanes.outer * g.lanes.n; i++) {
		int64_t channel = i % g.lanes.n;
		dequantize_lane(c->in[0], c->out[0]->data, i * g.lanes.inner, g.lanes.inner,
			g.scale[g.scales ? channel : 0], (int64_t)zero_of(&g, channel));
	}
	return rc;
}

int nx_infer_dynamic_quantize(const struct nx_op_call *c, struct nx_err *err)
{
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EDATA, "the input must be of type FP32");
	nx_ops_out(c, 0, NX_U8, &c->in[0]->shape);
	nx_ops_out(c, 1, NX_F32, &(struct nx_shape){ 0 });
	nx_ops_out(c, 2, NX_U8, &(struct nx_shape){ 0 });
	return 0;
}

/* Scale and zero point that cover the input and zero. */
int nx_eval_dynamic_quantize(const struct nx_op_call *c, struct nx_err *err)
{
	const float *x = c->in[0]->data;
	int64_t n = nx_shape_count(&c->in[0]->shape);
	float low = 0, high = 0;

	(void)err;
	for (int64_t i = 0; i < n; i++) {
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
	}
	float scale = high > low ? (high - low) / UINT8_MAX : 1;
	float zero = code(-low, scale, 0, 0, UINT8_MAX);
	if (c->out[0])
		quantize_lane(x, NULL, NX_U8, c->out[0]->data, 0, n, scale, zero);
	if (c->n_out > 1 && c->out[1])
		*(float *)c->out[1]->data = scale;
	if (c->n_out > 2 && c->out[2])
		*(uint8_t *)c->out[2]->data = (uint8_t)zero;
	return 0;
}
