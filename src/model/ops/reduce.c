/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions: one walk in which the reduced axes of the output stand still. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

/* The reduced axes as a mask: an input since opset 13 or 18, an attribute before; none is all. */
static int reduced(const struct nx_op_call *c, unsigned *mask, struct nx_err *err)
{
	int rank = c->in[0]->shape.rank;
	struct nx_ints axes;
	int rc = nx_ops_ints(c, 1, "axes", &axes, err);

	if (rc == 0)
		rc = nx_ops_axes(&axes, rank, mask, err);
	if (rc == 0 && axes.n == 0 && !nx_node_int(c->node, "noop_with_empty_axes", 0))
		*mask = (1u << rank) - 1;
	return rc;
}

int nx_infer_reduce(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	bool keep = nx_node_int(c->node, "keepdims", 1) != 0;
	struct nx_shape s = { 0 };
	unsigned mask;
	int rc = reduced(c, &mask, err);

	if (rc)
		return rc;
	for (int i = 0; i < x->rank; i++) {
		bool gone = mask >> i & 1;
		if (!gone || keep)
			s.dim[s.rank++] = gone ? 1 : x->dim[i];
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* log(exp(a) + exp(b)) without overflow. */
static double log_add(double a, double b)
{
	double high = fmax(a, b), low = fmin(a, b);

	return isinf(high) ? high : high + log1p(exp(low - high));
}

/* Rows either go to one place (step[0] == 0), summed there in a wide type, or to many. */
#define REDUCE_ROW(T, WIDE, NAME)                                                         \
	static WIDE NAME##_join(int kind, WIDE a, WIDE v)                                 \
	{                                                                                 \
		switch (kind) {                                                           \
		case NX_R_MAX:                                                            \
			return v > a || v != v ? v : a;                                   \
		case NX_R_MIN:                                                            \
			return v < a || v != v ? v : a;                                   \
		case NX_R_PROD:                                                           \
			return a * v;                                                     \
		case NX_R_L1:                                                             \
			return a + (v < 0 ? (WIDE)0 - v : v);                             \
		case NX_R_L2:                                                             \
		case NX_R_SUM_SQUARE:                                                     \
			return a + v * v;                                                 \
		case NX_R_LOG_SUM_EXP:                                                    \
			return log_add(a, v);                                             \
		default:                                                                  \
			return a + v;                                                     \
		}                                                                         \
	}                                                                                 \
	static void NAME(const void *arg, char *const *p, const int64_t *step, int64_t n) \
	{                                                                                 \
		int kind = *(const int *)arg;                                             \
		WIDE sum = 0;                                                             \
		for (int64_t i = 0; i < n; i++) {                                         \
			T *y = (T *)(void *)(p[0] + i * step[0]);                         \
			WIDE v = (WIDE) * (const T *)(const void *)(p[1] + i * step[1]);  \
			WIDE a = step[0] || i == 0 ? (WIDE)*y : sum;                      \
			sum = NAME##_join(kind, a, v);                                    \
			if (step[0] || i == n - 1)                                        \
				*y = (T)sum;                                              \
		}                                                                         \
	}                                                                                 \
	static void NAME##_start(int kind, T low, T high, T *y, int64_t n)                \
	{                                                                                 \
		for (int64_t i = 0; i < n; i++)                                           \
			y[i] = kind == NX_R_MAX || kind == NX_R_LOG_SUM_EXP ? low         \
			       : kind == NX_R_MIN                           ? high        \
			       : kind == NX_R_PROD                          ? 1           \
									    : 0;                                   \
	}                                                                                 \
	static void NAME##_end(int kind, int64_t per, T *y, int64_t n)                    \
	{                                                                                 \
		for (int64_t i = 0; i < n; i++)                                           \
			y[i] = kind == NX_R_MEAN      ? y[i] / (T)per                     \
			       : kind == NX_R_L2      ? (T)sqrt((double)y[i])             \
			       : kind == NX_R_LOG_SUM ? (T)log((double)y[i])              \
						      : y[i];                             \
	}

/* clang-format off */
REDUCE_ROW(float, double, f32)
REDUCE_ROW(double, double, f64)
/* clang-format on */

/* Integers wrap, so they are summed without a sign and compared with one. */
#define INT_REDUCE(T, NAME)                                                               \
	static void NAME(const void *arg, char *const *p, const int64_t *step, int64_t n) \
	{                                                                                 \
		for (int64_t i = 0; i < n; i++) {                                         \
			T *y = (T *)(void *)(p[0] + i * step[0]);                         \
			const int64_t v = *(const T *)(const void *)(p[1] + i * step[1]); \
			const uint64_t a = (uint64_t)*y, b = (uint64_t)v;                 \
			switch (*(const int *)arg) {                                      \
			case NX_R_MAX:                                                    \
				*y = v > *y ? (T)v : *y;                                  \
				break;                                                    \
			case NX_R_MIN:                                                    \
				*y = v < *y ? (T)v : *y;                                  \
				break;                                                    \
			case NX_R_PROD:                                                   \
				*y = (T)(a * b);                                          \
				break;                                                    \
			case NX_R_L1:                                                     \
				*y = (T)(v < 0 ? a - b : a + b);                          \
				break;                                                    \
			case NX_R_L2:                                                     \
			case NX_R_SUM_SQUARE:                                             \
				*y = (T)(a + b * b);                                      \
				break;                                                    \
			default:                                                          \
				*y = (T)(a + b);                                          \
			}                                                                 \
		}                                                                         \
	}                                                                                 \
	static void NAME##_start(int kind, T low, T high, T *y, int64_t n)                \
	{                                                                                 \
		for (int64_t i = 0; i < n; i++)                                           \
			y[i] = kind == NX_R_MAX    ? low                                  \
			       : kind == NX_R_MIN  ? high                                 \
			       : kind == NX_R_PROD ? 1                                    \
						   : 0;                                   \
	}                                                                                 \
	static void NAME##_end(int kind, int64_t per, T *y, int64_t n)                    \
	{                                                                                 \
		for (int64_t i = 0; i < n; i++)                                           \
			y[i] = (T)(kind == NX_R_MEAN ? y[i] / (per ? per : 1)             \
				   : kind == NX_R_L2 ? (int64_t)sqrt((double)y[i])        \
						     : y[i]);                             \
	}

/* clang-format off */
INT_REDUCE(int32_t, i32)
INT_REDUCE(int64_t, i64)
INT_REDUCE(uint8_t, u8)
INT_REDUCE(int8_t, i8)
/* clang-format on */

#define RUN(T, NAME, LOW, HIGH)                    \
	NAME##_start(kind, LOW, HIGH, y->data, n); \
	nx_walk_run(&w, NAME, &kind);              \
	NAME##_end(kind, per, y->data, n);         \
	return 0

int nx_eval_reduce(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	struct nx_tensor *y = c->out[0];
	struct nx_walk w = { .rank = x->shape.rank };
	struct nx_shape kept = x->shape;
	int64_t n = nx_shape_count(&y->shape), per = n ? nx_shape_count(&x->shape) / n : 1;
	int kind = c->op->kind;
	unsigned mask;
	int rc = reduced(c, &mask, err);

	if (rc)
		return rc;
	if (kind >= NX_R_LOG_SUM && x->dtype != NX_F32 && x->dtype != NX_F64)
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(x->dtype));
	memcpy(w.dim, x->shape.dim, sizeof w.dim);
	for (int i = 0; i < kept.rank; i++)
		kept.dim[i] = mask >> i & 1 ? 1 : kept.dim[i];
	nx_walk_add(&w, &(struct nx_tensor){ .dtype = y->dtype, .shape = kept, .data = y->data });
	nx_walk_add(&w, x);
	switch (x->dtype) {
	case NX_F32:
		RUN(float, f32, -INFINITY, INFINITY);
	case NX_F64:
		RUN(double, f64, -(double)INFINITY, (double)INFINITY);
	case NX_I32:
		RUN(int32_t, i32, INT32_MIN, INT32_MAX);
	case NX_I64:
		RUN(int64_t, i64, INT64_MIN, INT64_MAX);
	case NX_U8:
	case NX_BOOL:
		RUN(uint8_t, u8, 0, UINT8_MAX);
	case NX_I8:
		RUN(int8_t, i8, INT8_MIN, INT8_MAX);
	default:
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(x->dtype));
	}
}
