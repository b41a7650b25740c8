/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcasting arithmetic of two inputs, and of any number of them. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

struct ctx {
	int kind;
	bool fmod;
};

#define AT(T, k) (*(const T *)(const void *)(p[k] + i * step[k]))
#define EACH_AS(T, V, expr)                                     \
	for (int64_t i = 0; i < n; i++) {                       \
		const V a = AT(T, 1), b = AT(T, 2);             \
		*(T *)(void *)(p[0] + i * step[0]) = (T)(expr); \
	}                                                       \
	break

#define EACH(T, expr)     EACH_AS(T, T, expr)
#define EACH_INT(T, expr) EACH_AS(T, int64_t, expr)

#define NAN_OR(T, cond) (a != a ? a : b != b ? b : (cond) ? a : b)

/* Python's remainder has the sign of the divisor, C's (fmod=1) that of the dividend. */
static double real_mod(double a, double b, bool like_c)
{
	double r = fmod(a, b);

	return !like_c && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

#define REAL_ROW(T, NAME, POW)                                                            \
	static void NAME(const void *arg, char *const *p, const int64_t *step, int64_t n) \
	{                                                                                 \
		const struct ctx *c = arg;                                                \
		switch (c->kind) {                                                        \
		case NX_B_ADD:                                                            \
		case NX_B_MEAN:                                                           \
			EACH(T, a + b);                                                   \
		case NX_B_SUB:                                                            \
			EACH(T, a - b);                                                   \
		case NX_B_MUL:                                                            \
			EACH(T, a *b);                                                    \
		case NX_B_DIV:                                                            \
			EACH(T, a / b);                                                   \
		case NX_B_POW:                                                            \
			EACH(T, POW(a, b));                                               \
		case NX_B_MOD:                                                            \
			EACH(T, real_mod((double)a, (double)b, c->fmod));                 \
		case NX_B_PRELU:                                                          \
			EACH(T, a < 0 ? a * b : a);                                       \
		case NX_B_MIN:                                                            \
			EACH(T, NAN_OR(T, a < b));                                        \
		default:                                                                  \
			EACH(T, NAN_OR(T, a > b));                                        \
		}                                                                         \
	}

static int64_t int_mod(int64_t a, int64_t b, bool like_c)
{
	if (b == 0 || b == -1)
		return 0;
	int64_t r = a % b;
	return !like_c && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* Division by zero gives 0, and the one quotient that does not fit wraps. */
static int64_t int_div(int64_t a, int64_t b)
{
	if (b == 0)
		return 0;
	return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

/* All integer types are computed in 64 bits, without a sign where they could overflow. */
#define INT_ROW(T, NAME)                                                                  \
	static void NAME(const void *arg, char *const *p, const int64_t *step, int64_t n) \
	{                                                                                 \
		const struct ctx *c = arg;                                                \
		switch (c->kind) {                                                        \
		case NX_B_ADD:                                                            \
		case NX_B_MEAN:                                                           \
			EACH_INT(T, (uint64_t)a + (uint64_t)b);                           \
		case NX_B_SUB:                                                            \
			EACH_INT(T, (uint64_t)a - (uint64_t)b);                           \
		case NX_B_MUL:                                                            \
			EACH_INT(T, (uint64_t)a *(uint64_t)b);                            \
		case NX_B_DIV:                                                            \
			EACH_INT(T, int_div(a, b));                                       \
		case NX_B_MOD:                                                            \
			EACH_INT(T, int_mod(a, b, c->fmod));                              \
		case NX_B_PRELU:                                                          \
			EACH_INT(T, a < 0 ? (uint64_t)a * (uint64_t)b : (uint64_t)a);     \
		case NX_B_MIN:                                                            \
			EACH_INT(T, a < b ? a : b);                                       \
		default:                                                                  \
			EACH_INT(T, a > b ? a : b);                                       \
		}                                                                         \
	}

/* clang-format off */
REAL_ROW(float, row_f32, powf)
REAL_ROW(double, row_f64, pow)
INT_ROW(int8_t, row_i8)
INT_ROW(uint8_t, row_u8)
INT_ROW(int16_t, row_i16)
INT_ROW(uint16_t, row_u16)
INT_ROW(uint32_t, row_u32)
INT_ROW(int32_t, row_i32)
INT_ROW(int64_t, row_i64)
/* clang-format on */

static nx_row_fn *row_of(enum nx_dtype t)
{
	switch (t) {
	case NX_F32:
		return row_f32;
	case NX_F64:
		return row_f64;
	case NX_I8:
		return row_i8;
	case NX_U8:
		return row_u8;
	case NX_I16:
		return row_i16;
	case NX_U16:
		return row_u16;
	case NX_U32:
		return row_u32;
	case NX_I32:
		return row_i32;
	case NX_I64:
		return row_i64;
	default:
		return NULL;
	}
}

int nx_infer_binary(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *a = c->in[0], *b = c->in[1];
	struct nx_shape s;

	if (a->dtype != b->dtype && c->op->kind != NX_B_POW)
		return nx_err_set(err, NX_EDATA, "inputs of types %s and %s",
			nx_dtype_oip_name(a->dtype), nx_dtype_oip_name(b->dtype));
	int rc = nx_ops_broadcast(&a->shape, &b->shape, &s, err);
	if (rc == 0 && c->op->kind == NX_B_PRELU && !nx_shape_equal(&s, &a->shape))
		return nx_err_set(err, NX_EDATA, "the slope does not broadcast to the input");
	if (rc == 0)
		nx_ops_out(c, 0, a->dtype, &s);
	return rc;
}

static void walk2(const struct ctx *ctx, nx_row_fn *fn, struct nx_tensor *y,
	const struct nx_tensor *a, const struct nx_tensor *b)
{
	struct nx_walk w = { .rank = y->shape.rank };

	memcpy(w.dim, y->shape.dim, sizeof w.dim);
	nx_walk_add(&w, y);
	nx_walk_add(&w, a);
	nx_walk_add(&w, b);
	nx_walk_run(&w, fn, ctx);
}

/* x to the power of a whole number >= 0, wrapping. */
static uint64_t int_power(uint64_t x, uint64_t e)
{
	uint64_t y = 1;

	for (; e; e >>= 1, x *= x) {
		if (e & 1)
			y *= x;
	}
	return y;
}

/* Pow's inputs may differ in type; the result has the first one's. */
static void pow_element(struct nx_tensor *y, int64_t iy, const struct nx_tensor *a, int64_t ia,
	const struct nx_tensor *b, int64_t ib)
{
	double e = nx_tensor_real(b, ib);
	bool whole = e >= 0 && e < 9e15 && e == floor(e);
	double v = pow(nx_tensor_real(a, ia), e);

	if (y->dtype == NX_F32)
		((float *)y->data)[iy] = (float)v;
	else if (y->dtype == NX_F64)
		((double *)y->data)[iy] = v;
	else if (y->dtype == NX_I32 && whole)
		((int32_t *)y->data)[iy] =
			(int32_t)int_power((uint64_t)((const int32_t *)a->data)[ia], (uint64_t)e);
	else if (y->dtype == NX_I64 && whole)
		((int64_t *)y->data)[iy] =
			(int64_t)int_power((uint64_t)((const int64_t *)a->data)[ia], (uint64_t)e);
	else if (y->dtype == NX_I32)
		((int32_t *)y->data)[iy] = fabs(v) < 2147483648.0 ? (int32_t)v : 0;
	else
		((int64_t *)y->data)[iy] = fabs(v) < 9.2e18 ? (int64_t)v : 0;
}

static int64_t broadcast_index(const struct nx_shape *out, const struct nx_shape *in, int64_t i)
{
	int64_t at = 0, step = 1;

	for (int d = 1; d <= in->rank; d++) {
		int64_t n = out->dim[out->rank - d], m = in->dim[in->rank - d];
		at += m == 1 ? 0 : i % n * step;
		step *= m;
		i /= n;
	}
	return at;
}

static int eval_pow(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *a = c->in[0], *b = c->in[1];
	struct nx_tensor *y = c->out[0];
	int64_t n = nx_shape_count(&y->shape);

	if (y->dtype != NX_F32 && y->dtype != NX_F64 && y->dtype != NX_I32 && y->dtype != NX_I64)
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(y->dtype));
	for (int64_t i = 0; i < n; i++)
		pow_element(y, i, a, broadcast_index(&y->shape, &a->shape, i), b,
			broadcast_index(&y->shape, &b->shape, i));
	return 0;
}

int nx_eval_binary(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *a = c->in[0], *b = c->in[1];
	struct ctx ctx = { c->op->kind, nx_node_int(c->node, "fmod", 0) != 0 };
	nx_row_fn *fn = row_of(a->dtype);
	bool real = a->dtype == NX_F32 || a->dtype == NX_F64;

	if (ctx.kind == NX_B_POW && !(real && a->dtype == b->dtype))
		return eval_pow(c, err);
	if (!fn)
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(a->dtype));
	walk2(&ctx, fn, c->out[0], a, b);
	return 0;
}

int nx_infer_variadic(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;

	for (size_t i = 1; i < c->n_in; i++) {
		if (!c->in[i] || c->in[i]->dtype != c->in[0]->dtype)
			return nx_err_set(err, NX_EDATA, "inputs differ in type");
		int rc = nx_ops_broadcast(&s, &c->in[i]->shape, &s, err);
		if (rc)
			return rc;
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_variadic(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_tensor *y = c->out[0];
	struct ctx ctx = { c->op->kind, false };
	nx_row_fn *fn = row_of(y->dtype);
	struct nx_walk w = { .rank = y->shape.rank };

	if (!fn)
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(y->dtype));
	memcpy(w.dim, y->shape.dim, sizeof w.dim);
	nx_walk_add(&w, y);
	nx_walk_add(&w, c->in[0]);
	nx_walk_copy(&w, nx_dtype_size(y->dtype));
	/* The output is its own first operand from here on: same place, same step. */
	for (size_t i = 1; i < c->n_in; i++)
		walk2(&ctx, fn, y, y, c->in[i]);
	if (ctx.kind == NX_B_MEAN && y->dtype == NX_F32) {
		float *v = y->data;
		for (int64_t i = 0; i < nx_shape_count(&y->shape); i++)
			v[i] /= (float)c->n_in;
	} else if (ctx.kind == NX_B_MEAN) {
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(y->dtype));
	}
	return 0;
}
