/* SPDX-License-Identifier: Apache-2.0 */
/* Cast between all numeric types; floats too large for an integer saturate. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

int nx_infer_cast(const struct nx_op_call *c, struct nx_err *err)
{
	enum nx_dtype to = c->op->in_min > 1
				   ? c->in[1]->dtype
				   : (enum nx_dtype)nx_node_int(c->node, "to", NX_DT_NONE);

	if (nx_dtype_size(to) == 0 || nx_dtype_size(c->in[0]->dtype) == 0)
		return nx_err_set(err, NX_EUNSUPP, "a cast from type %d to type %d",
			(int)c->in[0]->dtype, (int)to);
	nx_ops_out(c, 0, to, &c->in[0]->shape);
	return 0;
}

/* An element as an integer and as a real, whichever is exact for its type. */
struct number {
	bool real;
	int64_t i;
	double d;
};

#define INT(T)  ((struct number){ false, (int64_t)((const T *)t->data)[i], 0 })
#define REAL(v) ((struct number){ true, 0, (double)(v) })

static struct number load(const struct nx_tensor *t, size_t i)
{
	switch (t->dtype) {
	case NX_F32:
		return REAL(((const float *)t->data)[i]);
	case NX_F64:
		return REAL(((const double *)t->data)[i]);
	case NX_F16:
		return REAL(nx_half_to_float(((const uint16_t *)t->data)[i]));
	case NX_BF16:
		return REAL(nx_bf16_to_float(((const uint16_t *)t->data)[i]));
	case NX_I8:
		return INT(int8_t);
	case NX_I16:
		return INT(int16_t);
	case NX_U16:
		return INT(uint16_t);
	case NX_I32:
		return INT(int32_t);
	case NX_U32:
		return INT(uint32_t);
	case NX_I64:
		return INT(int64_t);
	case NX_U64:
		return INT(uint64_t);
	default:
		return INT(uint8_t);
	}
}

static int64_t whole(struct number v)
{
	if (!v.real)
		return v.i;
	if (isnan(v.d))
		return 0;
	if (v.d >= 0x1p63)
		return INT64_MAX;
	return v.d <= -0x1p63 ? INT64_MIN : (int64_t)v.d;
}

static void store(struct nx_tensor *t, size_t i, struct number v)
{
	double d = v.real ? v.d : (double)v.i;

	switch (t->dtype) {
	case NX_F32:
		((float *)t->data)[i] = (float)d;
		break;
	case NX_F64:
		((double *)t->data)[i] = d;
		break;
	case NX_F16:
		((uint16_t *)t->data)[i] = nx_float_to_half((float)d);
		break;
	case NX_BF16:
		((uint16_t *)t->data)[i] = nx_float_to_bf16((float)d);
		break;
	case NX_BOOL:
		((uint8_t *)t->data)[i] = v.real ? v.d != 0 : v.i != 0;
		break;
	case NX_I8:
	case NX_U8:
		((uint8_t *)t->data)[i] = (uint8_t)whole(v);
		break;
	case NX_I16:
	case NX_U16:
		((uint16_t *)t->data)[i] = (uint16_t)whole(v);
		break;
	case NX_I32:
	case NX_U32:
		((uint32_t *)t->data)[i] = (uint32_t)whole(v);
		break;
	default:
		((int64_t *)t->data)[i] = whole(v);
	}
}

int nx_eval_cast(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	int64_t n = nx_shape_count(&x->shape);

	(void)err;
	for (int64_t i = 0; i < n; i++)
		store(c->out[0], (size_t)i, load(x, (size_t)i));
	return 0;
}
