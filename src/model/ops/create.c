/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors out of shapes and numbers: these exist to be folded. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

/* The slice of dimensions that attributes start and end (opset 15) ask for. */
static void shape_range(const struct nx_op_call *c, int *start, int *end)
{
	int rank = c->in[0]->shape.rank;
	int64_t a = nx_node_int(c->node, "start", 0), b = nx_node_int(c->node, "end", rank);

	a = a < -rank ? -rank : a > rank ? rank : a;
	b = b < -rank ? -rank : b > rank ? rank : b;
	*start = (int)(a < 0 ? a + rank : a);
	*end = (int)(b < 0 ? b + rank : b);
	if (*end < *start)
		*end = *start;
}

int nx_infer_shape(const struct nx_op_call *c, struct nx_err *err)
{
	int start, end;

	(void)err;
	shape_range(c, &start, &end);
	nx_ops_out(c, 0, NX_I64, &(struct nx_shape){ 1, { end - start } });
	return 0;
}

int nx_eval_shape(const struct nx_op_call *c, struct nx_err *err)
{
	int start, end;

	(void)err;
	shape_range(c, &start, &end);
	memcpy(c->out[0]->data, c->in[0]->shape.dim + start,
		(size_t)(end - start) * sizeof(int64_t));
	return 0;
}

int nx_infer_size(const struct nx_op_call *c, struct nx_err *err)
{
	(void)err;
	nx_ops_out(c, 0, NX_I64, &(struct nx_shape){ 0 });
	return 0;
}

int nx_eval_size(const struct nx_op_call *c, struct nx_err *err)
{
	(void)err;
	*(int64_t *)c->out[0]->data = nx_shape_count(&c->in[0]->shape);
	return 0;
}

static const struct nx_tensor *fill_value(const struct nx_op_call *c)
{
	const struct nx_attr *a = nx_node_attr(c->node, "value");

	return a && a->kind == NX_ATTR_TENSOR ? &a->tensor : NULL;
}

int nx_infer_constant_of_shape(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *value = fill_value(c);
	struct nx_ints target;
	struct nx_shape s;
	int rc = nx_ops_ints(c, 0, NULL, &target, err);

	if (rc)
		return rc;
	if (target.n > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a shape of rank %zu", target.n);
	if (value && nx_shape_count(&value->shape) != 1)
		return nx_err_set(err, NX_EDATA, "attribute 'value' must hold one element");
	s.rank = (int)target.n;
	for (int i = 0; i < s.rank; i++)
		s.dim[i] = target.v[i];
	nx_ops_out(c, 0, value ? value->dtype : NX_F32, &s);
	return 0;
}

int nx_eval_constant_of_shape(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *value = fill_value(c);
	struct nx_tensor *y = c->out[0];
	size_t size = nx_dtype_size(y->dtype);

	(void)err;
	if (y->bytes == 0)
		return 0;
	/* Fills by doubling what is there. */
	memset(y->data, 0, size);
	if (value)
		memcpy(y->data, value->data, size);
	for (size_t done = size; done < y->bytes; done *= 2)
		memcpy((char *)y->data + done, y->data,
			done < y->bytes - done ? done : y->bytes - done);
	return 0;
}

int nx_infer_range(const struct nx_op_call *c, struct nx_err *err)
{
	double v[3];

	for (size_t i = 0; i < 3; i++) {
		const struct nx_tensor *t = c->in[i];
		if (!t->data)
			return nx_err_set(err, NX_EUNSUPP, "a range that is not constant");
		if (nx_shape_count(&t->shape) != 1 || t->dtype != c->in[0]->dtype)
			return nx_err_set(err, NX_EDATA, "inputs must be scalars of one type");
		v[i] = nx_tensor_real(t, 0);
	}
	double n = ceil((v[1] - v[0]) / v[2]);
	if (!(n < (double)NX_TENSOR_CAP))
		return nx_err_set(err, NX_EDATA, "the range is too long");
	nx_ops_out(c, 0, c->in[0]->dtype, &(struct nx_shape){ 1, { n > 0 ? (int64_t)n : 0 } });
	return 0;
}

int nx_eval_range(const struct nx_op_call *c, struct nx_err *err)
{
	int64_t n = c->out[0]->shape.dim[0];
	double from = nx_tensor_real(c->in[0], 0), step = nx_tensor_real(c->in[2], 0);

	for (int64_t i = 0; i < n; i++) {
		double v = from + (double)i * step;
		switch (c->in[0]->dtype) {
		case NX_F32:
			((float *)c->out[0]->data)[i] = (float)v;
			break;
		case NX_I32:
			((int32_t *)c->out[0]->data)[i] = (int32_t)v;
			break;
		case NX_I64:
			((int64_t *)c->out[0]->data)[i] =
				nx_ops_int_at(c->in[0], 0) + i * nx_ops_int_at(c->in[2], 0);
			break;
		default:
			return nx_err_set(err, NX_EUNSUPP, "no kernel for this type");
		}
	}
	return 0;
}

static bool is_nonzero(const struct nx_tensor *t, int64_t i)
{
	const char *p = (const char *)t->data + (size_t)i * nx_dtype_size(t->dtype);

	if (t->dtype == NX_F32 || t->dtype == NX_F64)
		return nx_tensor_real(t, i) != 0;
	for (size_t k = 0; k < nx_dtype_size(t->dtype); k++) {
		if (p[k])
			return true;
	}
	return false;
}

int nx_infer_nonzero(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	int64_t n = 0;

	if (!x->data)
		return nx_err_set(err, NX_EUNSUPP, "supported on constants only");
	for (int64_t i = 0; i < nx_shape_count(&x->shape); i++)
		n += is_nonzero(x, i);
	nx_ops_out(c, 0, NX_I64, &(struct nx_shape){ 2, { x->shape.rank, n } });
	return 0;
}

int nx_eval_nonzero(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	int64_t *y = c->out[0]->data, n = c->out[0]->shape.dim[1], at = 0;

	(void)err;
	for (int64_t i = 0; i < nx_shape_count(&x->shape) && at < n; i++) {
		if (!is_nonzero(x, i))
			continue;
		int64_t rest = i;
		for (int d = x->shape.rank - 1; d >= 0; d--) {
			y[d * n + at] = rest % x->shape.dim[d];
			rest /= x->shape.dim[d];
		}
		at++;
	}
	return 0;
}

/* The diagonal from which on a triangle is kept. */
static int trilu_diagonal(const struct nx_op_call *c, int64_t *k, struct nx_err *err)
{
	struct nx_ints list;
	int rc = nx_ops_ints(c, 1, NULL, &list, err);

	if (rc == 0 && (list.n > 1 || c->in[0]->shape.rank < 2))
		return nx_err_set(err, NX_EDATA, "an input of rank %d and %zu diagonals",
			c->in[0]->shape.rank, list.n);
	*k = rc || list.n == 0 ? 0 : list.v[0];
	if (*k < -NX_ATTR_LIMIT || *k > NX_ATTR_LIMIT)
		return nx_err_set(err, NX_EDATA, "a diagonal of %lld", (long long)*k);
	return rc;
}

int nx_infer_trilu(const struct nx_op_call *c, struct nx_err *err)
{
	int64_t k;

	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return trilu_diagonal(c, &k, err);
}

int nx_eval_trilu(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *s = &c->in[0]->shape;
	bool upper = nx_node_int(c->node, "upper", 1) != 0;
	size_t size = nx_dtype_size(c->in[0]->dtype);
	char *y = c->out[0]->data;
	int64_t k;
	int rc = trilu_diagonal(c, &k, err);

	if (rc)
		return rc;
	int64_t rows = s->dim[s->rank - 2], columns = s->dim[s->rank - 1];
	memcpy(y, c->in[0]->data, c->in[0]->bytes);
	for (int64_t i = 0; i < nx_shape_count(s); i++) {
		int64_t row = i / columns % rows, column = i % columns;
		if (upper ? column - row < k : column - row > k)
			memset(y + (size_t)i * size, 0, size);
	}
	return 0;
}
