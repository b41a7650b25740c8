/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons and logic, whose results are BOOL, and the choice that reads them. */
#include "model/ops/kernels.h"

#include <string.h>

#define AT(T, k) (*(const T *)(const void *)(p[k] + i * step[k]))
#define EACH(T, expr)                                      \
	for (int64_t i = 0; i < n; i++) {                  \
		const T a = AT(T, 1), b = AT(T, 2);        \
		*(uint8_t *)(p[0] + i * step[0]) = (expr); \
	}                                                  \
	break

#define COMPARE_ROW(T, NAME)                                                              \
	static void NAME(const void *arg, char *const *p, const int64_t *step, int64_t n) \
	{                                                                                 \
		switch (*(const int *)arg) {                                              \
		case NX_C_EQUAL:                                                          \
			EACH(T, a == b);                                                  \
		case NX_C_GREATER:                                                        \
			EACH(T, a > b);                                                   \
		case NX_C_LESS:                                                           \
			EACH(T, a < b);                                                   \
		case NX_C_GREATER_EQUAL:                                                  \
			EACH(T, a >= b);                                                  \
		case NX_C_LESS_EQUAL:                                                     \
			EACH(T, a <= b);                                                  \
		case NX_C_AND:                                                            \
			EACH(T, (a != 0) && (b != 0));                                    \
		case NX_C_OR:                                                             \
			EACH(T, a != 0 || b != 0);                                        \
		default:                                                                  \
			EACH(T, (a != 0) != (b != 0));                                    \
		}                                                                         \
	}

/* clang-format off */
COMPARE_ROW(float, row_f32)
COMPARE_ROW(double, row_f64)
COMPARE_ROW(int8_t, row_i8)
COMPARE_ROW(uint8_t, row_u8)
COMPARE_ROW(int16_t, row_i16)
COMPARE_ROW(uint16_t, row_u16)
COMPARE_ROW(uint32_t, row_u32)
COMPARE_ROW(uint64_t, row_u64)
COMPARE_ROW(int32_t, row_i32)
COMPARE_ROW(int64_t, row_i64)
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
	case NX_BOOL:
		return row_u8;
	case NX_I16:
		return row_i16;
	case NX_U16:
		return row_u16;
	case NX_U32:
		return row_u32;
	case NX_U64:
		return row_u64;
	case NX_I32:
		return row_i32;
	case NX_I64:
		return row_i64;
	default:
		return NULL;
	}
}

int nx_infer_compare(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s;
	int rc = nx_ops_broadcast(&c->in[0]->shape, &c->in[1]->shape, &s, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != c->in[1]->dtype)
		return nx_err_set(err, NX_EDATA, "inputs differ in type");
	if (c->op->kind >= NX_C_AND && c->in[0]->dtype != NX_BOOL)
		return nx_err_set(err, NX_EDATA, "the inputs must be of type BOOL");
	nx_ops_out(c, 0, NX_BOOL, &s);
	return 0;
}

int nx_eval_compare(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_walk w = { .rank = c->out[0]->shape.rank };
	nx_row_fn *fn = row_of(c->in[0]->dtype);

	if (!fn)
		return nx_err_set(err, NX_EUNSUPP, "no kernel for type %s",
			nx_dtype_oip_name(c->in[0]->dtype));
	memcpy(w.dim, c->out[0]->shape.dim, sizeof w.dim);
	nx_walk_add(&w, c->out[0]);
	nx_walk_add(&w, c->in[0]);
	nx_walk_add(&w, c->in[1]);
	nx_walk_run(&w, fn, &c->op->kind);
	return 0;
}

int nx_infer_where(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s;
	int rc = nx_ops_broadcast(&c->in[1]->shape, &c->in[2]->shape, &s, err);

	if (rc == 0)
		rc = nx_ops_broadcast(&c->in[0]->shape, &s, &s, err);
	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_BOOL || c->in[1]->dtype != c->in[2]->dtype)
		return nx_err_set(err, NX_EDATA, "inputs are not of the right types");
	nx_ops_out(c, 0, c->in[1]->dtype, &s);
	return 0;
}

static void where_row(const void *arg, char *const *p, const int64_t *step, int64_t n)
{
	size_t size = *(const size_t *)arg;

	for (int64_t i = 0; i < n; i++) {
		int from = p[1][i * step[1]] ? 2 : 3;
		memcpy(p[0] + i * step[0], p[from] + i * step[from], size);
	}
}

int nx_eval_where(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_walk w = { .rank = c->out[0]->shape.rank };
	size_t size = nx_dtype_size(c->out[0]->dtype);

	(void)err;
	memcpy(w.dim, c->out[0]->shape.dim, sizeof w.dim);
	nx_walk_add(&w, c->out[0]);
	for (size_t k = 0; k < 3; k++)
		nx_walk_add(&w, c->in[k]);
	nx_walk_run(&w, where_row, &size);
	return 0;
}
