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

/* One lane of elements 'step' apart. */
struct lane {
	const struct nx_tensor *x;
	int64_t base, step;
	bool largest;
};

/* Whether element a comes before b: by value, NaN as the largest, equal ones by index. */
static bool before(const struct lane *l, int64_t a, int64_t b)
{
	double va = nx_tensor_real(l->x, l->base + a * l->step);
	double vb = nx_tensor_real(l->x, l->base + b * l->step);

	if (va == vb || (va != va && vb != vb))
		return a < b;
	return (va > vb || va != va) == l->largest;
}

/* Puts v into the heap of n indices, 'step' apart, from place i down; the last of them in order
 * is on top. */
static void sift(const struct lane *l, int64_t *heap, int64_t n, int64_t i, int64_t v)
{
	for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
		if (child + 1 < n && before(l, heap[child * l->step], heap[(child + 1) * l->step]))
			child++;
		if (!before(l, v, heap[child * l->step]))
			break;
		heap[i * l->step] = heap[child * l->step];
		i = child;
	}
	heap[i * l->step] = v;
}

/* The indices of the k first of n elements, in order: a heap of the best seen so far, sorted at
 * the end. */
static void topk_indices(const struct lane *l, int64_t n, int64_t k, int64_t *out)
{
	for (int64_t i = 0; i < k; i++)
		out[i * l->step] = i;
	for (int64_t i = k / 2; i-- > 0;)
		sift(l, out, k, i, out[i * l->step]);
	for (int64_t i = k; k > 0 && i < n; i++) {
		if (before(l, i, out[0]))
			sift(l, out, k, 0, i);
	}
	for (int64_t i = k; i-- > 1;) {
		int64_t v = out[i * l->step];
		out[i * l->step] = out[0];
		sift(l, out, i, 0, v);
	}
}

/* The one that comes first behind 'last' (-1: of all); without the indices there is no room for a
 * heap, and each is looked for behind the one before it. */
static int64_t next_of(const struct lane *l, int64_t n, int64_t last)
{
	int64_t best = -1;

	for (int64_t i = 0; i < n; i++) {
		if ((last < 0 || before(l, last, i)) && (best < 0 || before(l, i, best)))
			best = i;
	}
	return best;
}

/* One lane to the places from 'to' on. */
static void topk_lane(const struct lane *l, int64_t n, int64_t k, int64_t to,
	struct nx_tensor *values, int64_t *indices)
{
	size_t size = nx_dtype_size(l->x->dtype);
	int64_t at = -1;

	if (indices)
		topk_indices(l, n, k, indices + to);
	for (int64_t j = 0; values && j < k; j++) {
		at = indices ? indices[to + j * l->step] : next_of(l, n, at);
		memcpy((char *)values->data + (size_t)(to + j * l->step) * size,
			(const char *)l->x->data + (size_t)(l->base + at * l->step) * size, size);
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
	for (int64_t i = 0; i < l.outer * l.inner; i++) {
		int64_t o = i / l.inner, in = i % l.inner;
		const struct lane lane = { x, o * l.n * l.inner + in, l.inner, largest };
		topk_lane(&lane, l.n, k, o * k * l.inner + in, c->out[0], indices);
	}
	return 0;
}
