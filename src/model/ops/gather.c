/* SPDX-License-Identifier: Apache-2.0 */
/* Gather along an axis, and TopK. */
#include "model/ops/kernels.h"

#include <string.h>

int nx_infer_gather(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *index = &c->in[1]->shape;
	struct nx_shape s = { .rank = x->rank - 1 + index->rank };
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), x->rank, &axis, err);

	if (rc)
		return rc;
	if (c->in[1]->dtype != NX_I64 && c->in[1]->dtype != NX_I32)
		return nx_err_set(err, NX_EDATA, "indices must be of type INT64 or INT32");
	if (s.rank > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a result of rank %d", s.rank);
	for (int i = 0; i < s.rank; i++) {
		if (i < axis)
			s.dim[i] = x->dim[i];
		else if (i < axis + index->rank)
			s.dim[i] = index->dim[i - axis];
		else
			s.dim[i] = x->dim[i - index->rank + 1];
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_gather(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0], *index = c->in[1];
	int64_t n = nx_shape_count(&index->shape);
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), x->shape.rank, &axis, err);

	if (rc)
		return rc;
	struct nx_lanes l = nx_ops_lanes(&x->shape, axis);
	size_t row = (size_t)l.inner * nx_dtype_size(x->dtype);
	char *y = c->out[0]->data;
	for (int64_t o = 0; o < l.outer; o++) {
		for (int64_t i = 0; i < n; i++, y += row) {
			int64_t at = nx_ops_int_at(index, i);
			at += at < 0 ? l.n : 0;
			if (at < 0 || at >= l.n)
				return nx_err_set(err, NX_EDATA, "index %lld is outside of %lld",
					(long long)at, (long long)l.n);
			memcpy(y, (const char *)x->data + (size_t)(o * l.n + at) * row, row);
		}
	}
	return 0;
}

static int topk_sizes(const struct nx_op_call *c, int *axis, int64_t *k, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	struct nx_ints list;
	int rc = nx_ops_axis(nx_node_int(c->node, "axis", -1), x->rank, axis, err);

	if (rc == 0)
		rc = nx_ops_ints(c, 1, "k", &list, err);
	if (rc)
		return rc;
	if (list.n != 1 || list.v[0] < 0 || list.v[0] > x->dim[*axis])
		return nx_err_set(err, NX_EDATA, "k is out of range");
	*k = list.v[0];
	return 0;
}

int nx_infer_topk(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	int64_t k;
	int axis, rc = topk_sizes(c, &axis, &k, err);

	if (rc)
		return rc;
	s.dim[axis] = k;
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	nx_ops_out(c, 1, NX_I64, &s);
	return 0;
}

/* Whether element a comes before b: by value, equal ones by index. */
static bool before(
	const struct nx_tensor *x, bool largest, int64_t base, int64_t step, int64_t a, int64_t b)
{
	double va = nx_tensor_real(x, base + a * step), vb = nx_tensor_real(x, base + b * step);

	return va == vb ? a < b : largest ? va > vb : va < vb;
}

/* The k first of one lane: without memory of its own, each is found behind the one before it. */
static void topk_lane(const struct nx_tensor *x, bool largest, int64_t base, int64_t step,
	int64_t n, int64_t k, struct nx_tensor *values, int64_t *indices, int64_t to)
{
	size_t size = nx_dtype_size(x->dtype);
	int64_t last = -1;

	for (int64_t j = 0; j < k; j++) {
		int64_t best = -1;
		for (int64_t i = 0; i < n; i++) {
			bool left = last < 0 || before(x, largest, base, step, last, i);
			if (i != last && left &&
				(best < 0 || before(x, largest, base, step, i, best)))
				best = i;
		}
		/* NaN compares with nothing, so that nothing may be left. */
		last = best < 0 ? 0 : best;
		if (values)
			memcpy((char *)values->data + (size_t)(to + j * step) * size,
				(const char *)x->data + (size_t)(base + last * step) * size, size);
		if (indices)
			indices[to + j * step] = last;
	}
}

int nx_eval_topk(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	bool largest = nx_node_int(c->node, "largest", 1) != 0;
	int64_t *indices = c->n_out > 1 && c->out[1] ? c->out[1]->data : NULL;
	int64_t k;
	int axis, rc = topk_sizes(c, &axis, &k, err);

	if (rc)
		return rc;
	struct nx_lanes l = nx_ops_lanes(&x->shape, axis);
	for (int64_t o = 0; o < l.outer; o++)
		for (int64_t i = 0; i < l.inner; i++)
			topk_lane(x, largest, o * l.n * l.inner + i, l.inner, l.n, k, c->out[0],
				indices, o * k * l.inner + i);
	return 0;
}
