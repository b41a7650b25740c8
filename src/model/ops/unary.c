/* SPDX-License-Identifier: Apache-2.0 */
/* y = f(x), element by element. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

struct params {
	float alpha, beta;
};

/* The defaults of alpha and beta differ by operator (ONNX operator reference). */
static struct params params_of(const struct nx_op_call *c)
{
	static const struct {
		int kind;
		float alpha, beta;
		const char *beta_name;
	} dflt[] = {
		{ NX_U_CELU, 1.0f, 0, "beta" },
		{ NX_U_ELU, 1.0f, 0, "beta" },
		{ NX_U_HARDSIGMOID, 0.2f, 0.5f, "beta" },
		{ NX_U_LEAKYRELU, 0.01f, 0, "beta" },
		{ NX_U_SELU, 1.67326319217681884765625f, 1.05070102214813232421875f, "gamma" },
		{ NX_U_SHRINK, 0, 0.5f, "lambd" },
		{ NX_U_SWISH, 1.0f, 0, "beta" },
		{ NX_U_THRESHOLDED, 1.0f, 0, "beta" },
	};
	struct params p = { 0, 0 };

	for (size_t i = 0; i < sizeof dflt / sizeof *dflt; i++) {
		if (dflt[i].kind != c->op->kind)
			continue;
		p.alpha = nx_node_float(
			c->node, dflt[i].kind == NX_U_SHRINK ? "bias" : "alpha", dflt[i].alpha);
		p.beta = nx_node_float(c->node, dflt[i].beta_name, dflt[i].beta);
	}
	return p;
}

#define EACH(T, expr)                     \
	for (int64_t i = 0; i < n; i++) { \
		const T v = x[i];         \
		y[i] = (T)(expr);         \
	}                                 \
	break

/* tgmath.h picks the function of the type; one body serves float and double. */
#define REAL_KERNEL(T, NAME)                                                                       \
	static int NAME(int kind, struct params p, const T *x, T *y, int64_t n)                    \
	{                                                                                          \
		const T a = (T)p.alpha, b = (T)p.beta, one = 1, zero = 0, half = (T)0.5;           \
		switch (kind) {                                                                    \
		case NX_U_ABS:                                                                     \
			EACH(T, fabs(v));                                                          \
		case NX_U_ACOS:                                                                    \
			EACH(T, acos(v));                                                          \
		case NX_U_ACOSH:                                                                   \
			EACH(T, acosh(v));                                                         \
		case NX_U_ASIN:                                                                    \
			EACH(T, asin(v));                                                          \
		case NX_U_ASINH:                                                                   \
			EACH(T, asinh(v));                                                         \
		case NX_U_ATAN:                                                                    \
			EACH(T, atan(v));                                                          \
		case NX_U_ATANH:                                                                   \
			EACH(T, atanh(v));                                                         \
		case NX_U_CEIL:                                                                    \
			EACH(T, ceil(v));                                                          \
		case NX_U_CELU:                                                                    \
			EACH(T, fmax(zero, v) + fmin(zero, a * expm1(v / a)));                     \
		case NX_U_COS:                                                                     \
			EACH(T, cos(v));                                                           \
		case NX_U_COSH:                                                                    \
			EACH(T, cosh(v));                                                          \
		case NX_U_ELU:                                                                     \
			EACH(T, v < 0 ? a * expm1(v) : v);                                         \
		case NX_U_ERF:                                                                     \
			EACH(T, erf(v));                                                           \
		case NX_U_EXP:                                                                     \
			EACH(T, exp(v));                                                           \
		case NX_U_FLOOR:                                                                   \
			EACH(T, floor(v));                                                         \
		case NX_U_GELU:                                                                    \
			EACH(T, half *v *(one + erf(v * (T)M_SQRT1_2)));                           \
		case NX_U_GELU_TANH:                                                               \
			EACH(T, half *v *(one +                                                    \
					  tanh((T)0.7978845608 * (v + (T)0.044715 * v * v * v)))); \
		case NX_U_HARDSIGMOID:                                                             \
			EACH(T, fmax(zero, fmin(one, a *v + b)));                                  \
		case NX_U_HARDSWISH:                                                               \
			EACH(T, v *fmax(zero, fmin(one, v / 6 + half)));                           \
		case NX_U_LEAKYRELU:                                                               \
			EACH(T, v < 0 ? a * v : v);                                                \
		case NX_U_LOG:                                                                     \
			EACH(T, log(v));                                                           \
		case NX_U_MISH:                                                                    \
			EACH(T, v *tanh(v > 20 ? v : log1p(exp(v))));                              \
		case NX_U_NEG:                                                                     \
			EACH(T, -v);                                                               \
		case NX_U_RECIPROCAL:                                                              \
			EACH(T, one / v);                                                          \
		case NX_U_RELU:                                                                    \
			EACH(T, v < 0 ? zero : v);                                                 \
		case NX_U_ROUND:                                                                   \
			EACH(T, nearbyint(v));                                                     \
		case NX_U_SELU:                                                                    \
			EACH(T, v > 0 ? b * v : b * a * expm1(v));                                 \
		case NX_U_SHRINK:                                                                  \
			EACH(T, v<-b ? v + a : v> b ? v - a : zero);                               \
		case NX_U_SIGMOID:                                                                 \
			EACH(T, one / (one + exp(-v)));                                            \
		case NX_U_SIGN:                                                                    \
			EACH(T, (v > 0) - (v < 0));                                                \
		case NX_U_SIN:                                                                     \
			EACH(T, sin(v));                                                           \
		case NX_U_SINH:                                                                    \
			EACH(T, sinh(v));                                                          \
		case NX_U_SOFTPLUS:                                                                \
			EACH(T, v > 0 ? v + log1p(exp(-v)) : log1p(exp(v)));                       \
		case NX_U_SOFTSIGN:                                                                \
			EACH(T, v / (one + fabs(v)));                                              \
		case NX_U_SQRT:                                                                    \
			EACH(T, sqrt(v));                                                          \
		case NX_U_SWISH:                                                                   \
			EACH(T, v / (one + exp(-a * v)));                                          \
		case NX_U_TAN:                                                                     \
			EACH(T, tan(v));                                                           \
		case NX_U_TANH:                                                                    \
			EACH(T, tanh(v));                                                          \
		case NX_U_THRESHOLDED:                                                             \
			EACH(T, v > a ? v : zero);                                                 \
		default:                                                                           \
			return -1;                                                                 \
		}                                                                                  \
		return 0;                                                                          \
	}

/* Integers are computed in uint64_t, where overflow wraps. */
#define INT_KERNEL(T, NAME)                                             \
	static int NAME(int kind, const T *x, T *y, int64_t n)          \
	{                                                               \
		switch (kind) {                                         \
		case NX_U_ABS:                                          \
			EACH(T, v < 0 ? 0 - (uint64_t)v : (uint64_t)v); \
		case NX_U_NEG:                                          \
			EACH(T, 0 - (uint64_t)v);                       \
		case NX_U_RELU:                                         \
			EACH(T, v < 0 ? 0 : v);                         \
		case NX_U_SIGN:                                         \
			EACH(T, (v > 0) - (v < 0));                     \
		default:                                                \
			return -1;                                      \
		}                                                       \
		return 0;                                               \
	}

/* clang-format off */
REAL_KERNEL(float, unary_f32)
REAL_KERNEL(double, unary_f64)
INT_KERNEL(int8_t, unary_i8)
INT_KERNEL(int32_t, unary_i32)
INT_KERNEL(int64_t, unary_i64)
/* clang-format on */

int nx_infer_unary(const struct nx_op_call *c, struct nx_err *err)
{
	(void)err;
	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return 0;
}

int nx_eval_unary(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	struct nx_tensor *y = c->out[0];
	int64_t n = nx_shape_count(&x->shape);
	int kind = c->op->kind, rc = -1;

	if (kind == NX_U_GELU && strcmp(nx_node_str(c->node, "approximate", ""), "tanh") == 0)
		kind = NX_U_GELU_TANH;
	if (x->dtype == NX_F32)
		rc = unary_f32(kind, params_of(c), x->data, y->data, n);
	else if (x->dtype == NX_F64)
		rc = unary_f64(kind, params_of(c), x->data, y->data, n);
	else if (x->dtype == NX_I8)
		rc = unary_i8(kind, x->data, y->data, n);
	else if (x->dtype == NX_I32)
		rc = unary_i32(kind, x->data, y->data, n);
	else if (x->dtype == NX_I64)
		rc = unary_i64(kind, x->data, y->data, n);
	if (rc)
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(x->dtype));
	return 0;
}

int nx_infer_not(const struct nx_op_call *c, struct nx_err *err)
{
	if (c->in[0]->dtype != NX_BOOL)
		return nx_err_set(err, NX_EDATA, "the input must be of type BOOL");
	return nx_infer_unary(c, err);
}

int nx_eval_not(const struct nx_op_call *c, struct nx_err *err)
{
	const uint8_t *x = c->in[0]->data;
	uint8_t *y = c->out[0]->data;

	(void)err;
	for (size_t i = 0; i < c->in[0]->bytes; i++)
		y[i] = !x[i];
	return 0;
}

int nx_infer_is_special(const struct nx_op_call *c, struct nx_err *err)
{
	(void)err;
	nx_ops_out(c, 0, NX_BOOL, &c->in[0]->shape);
	return 0;
}

int nx_eval_is_special(const struct nx_op_call *c, struct nx_err *err)
{
	bool inf = c->op->kind == 1;
	bool above = nx_node_int(c->node, "detect_positive", 1) != 0;
	bool below = nx_node_int(c->node, "detect_negative", 1) != 0;
	uint8_t *y = c->out[0]->data;

	(void)err;
	for (int64_t i = 0; i < nx_shape_count(&c->in[0]->shape); i++) {
		double v = nx_tensor_real(c->in[0], i);
		bool special = inf ? isinf(v) && (v > 0 ? above : below) : isnan(v);
		y[i] = special;
	}
	return 0;
}

int nx_infer_identity(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *training = c->op->in_max > 1 ? nx_ops_in(c, 2) : NULL;

	if (training && (!training->data || nx_tensor_real(training, 0) != 0))
		return nx_err_set(err, NX_EUNSUPP, "training is not supported");
	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	nx_ops_out(c, 1, NX_BOOL, &c->in[0]->shape); /* Dropout's mask: nothing is dropped */
	return 0;
}

int nx_eval_identity(const struct nx_op_call *c, struct nx_err *err)
{
	(void)err;
	if (c->out[0])
		memcpy(c->out[0]->data, c->in[0]->data, c->in[0]->bytes);
	if (c->n_out > 1 && c->out[1])
		memset(c->out[1]->data, 1, c->out[1]->bytes);
	return 0;
}

int nx_infer_clip(const struct nx_op_call *c, struct nx_err *err)
{
	for (size_t i = 1; i < 3; i++) {
		const struct nx_tensor *t = nx_ops_in(c, i);
		if (t && (t->dtype != c->in[0]->dtype || nx_shape_count(&t->shape) != 1))
			return nx_err_set(
				err, NX_EDATA, "min and max must be scalars of the input's type");
	}
	return nx_infer_unary(c, err);
}

#define CLIP_KERNEL(T, LO, HI)                                                         \
	{                                                                              \
		const struct nx_tensor *tlo = nx_ops_in(c, 1), *thi = nx_ops_in(c, 2); \
		const T lo = tlo ? *(const T *)tlo->data : (T)(LO);                    \
		const T hi = thi ? *(const T *)thi->data : (T)(HI);                    \
		const T *x = c->in[0]->data;                                           \
		T *y = c->out[0]->data;                                                \
		for (int64_t i = 0; i < n; i++) {                                      \
			T v = x[i] < lo ? lo : x[i];                                   \
			y[i] = v > hi ? hi : v;                                        \
		}                                                                      \
		return 0;                                                              \
	}

int nx_eval_clip(const struct nx_op_call *c, struct nx_err *err)
{
	int64_t n = nx_shape_count(&c->in[0]->shape);

	switch (c->in[0]->dtype) {
	case NX_F32:
		CLIP_KERNEL(float, nx_node_float(c->node, "min", -INFINITY),
			nx_node_float(c->node, "max", INFINITY));
	case NX_F64:
		CLIP_KERNEL(double, -INFINITY, INFINITY);
	case NX_I8:
		CLIP_KERNEL(int8_t, INT8_MIN, INT8_MAX);
	case NX_U8:
		CLIP_KERNEL(uint8_t, 0, UINT8_MAX);
	case NX_I32:
		CLIP_KERNEL(int32_t, INT32_MIN, INT32_MAX);
	case NX_I64:
		CLIP_KERNEL(int64_t, INT64_MIN, INT64_MAX);
	default:
		return nx_err_set(err, NX_EUNSUPP, "no kernel for type %s",
			nx_dtype_oip_name(c->in[0]->dtype));
	}
}
