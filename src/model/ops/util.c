/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ops/util.h"

#include <string.h>

const struct nx_tensor *nx_ops_in(const struct nx_op_call *c, size_t i)
{
	return i < c->n_in ? c->in[i] : NULL;
}

void nx_ops_out(
	const struct nx_op_call *c, size_t k, enum nx_dtype dtype, const struct nx_shape *shape)
{
	if (k < c->n_out && c->out[k]) {
		c->out[k]->dtype = dtype;
		c->out[k]->shape = *shape;
	}
}

int64_t nx_ops_int_at(const struct nx_tensor *t, int64_t i)
{
	if (t->dtype == NX_I64)
		return ((const int64_t *)t->data)[i];
	return ((const int32_t *)t->data)[i];
}

/* The list in a constant tensor of rank 0 or 1. */
static int ints_of_tensor(
	const struct nx_tensor *t, size_t input, struct nx_ints *out, struct nx_err *err)
{
	int64_t n = nx_shape_count(&t->shape);

	if (!t->data)
		return nx_err_set(
			err, NX_EUNSUPP, "input %zu must be a constant to be supported", input);
	if (t->dtype != NX_I64 && t->dtype != NX_I32)
		return nx_err_set(err, NX_EDATA, "input %zu must be of type INT64", input);
	if (t->shape.rank > 1 || n > NX_INTS_MAX)
		return nx_err_set(err, NX_EDATA, "input %zu must be a list of at most %d", input,
			NX_INTS_MAX);
	out->there = true;
	out->n = (size_t)n;
	for (int64_t i = 0; i < n; i++)
		out->v[i] = nx_ops_int_at(t, i);
	return 0;
}

int nx_ops_ints(const struct nx_op_call *c, size_t input, const char *attr, struct nx_ints *out,
	struct nx_err *err)
{
	const struct nx_tensor *t = input == NX_NO_INPUT ? NULL : nx_ops_in(c, input);

	*out = (struct nx_ints){ 0 };
	if (t)
		return ints_of_tensor(t, input, out, err);
	const struct nx_attr *a = attr ? nx_node_attr(c->node, attr) : NULL;
	if (!a)
		return 0;
	out->there = true;
	if (a->kind == NX_ATTR_INT) {
		out->n = 1;
		out->v[0] = a->i;
		return 0;
	}
	if (a->kind != NX_ATTR_INTS || a->n > NX_INTS_MAX)
		return nx_err_set(err, NX_EDATA, "attribute '%s' must be a list of at most %d",
			attr, NX_INTS_MAX);
	out->n = a->n;
	for (size_t i = 0; i < a->n; i++)
		out->v[i] = a->ints[i];
	return 0;
}

int nx_ops_axis(int64_t axis, int rank, int *out, struct nx_err *err)
{
	if (axis < -rank || axis >= rank)
		return nx_err_set(
			err, NX_EDATA, "axis %lld is outside of rank %d", (long long)axis, rank);
	*out = (int)(axis < 0 ? axis + rank : axis);
	return 0;
}

int nx_ops_axes(const struct nx_ints *axes, int rank, unsigned *mask, struct nx_err *err)
{
	int axis;

	*mask = 0;
	for (size_t i = 0; i < axes->n; i++) {
		int rc = nx_ops_axis(axes->v[i], rank, &axis, err);
		if (rc)
			return rc;
		if (*mask & 1u << axis)
			return nx_err_set(err, NX_EDATA, "axis %d comes twice", axis);
		*mask |= 1u << axis;
	}
	return 0;
}

int nx_ops_broadcast(const struct nx_shape *a, const struct nx_shape *b, struct nx_shape *out,
	struct nx_err *err)
{
	struct nx_shape s = { .rank = a->rank > b->rank ? a->rank : b->rank };
	char ta[100], tb[100];

	for (int i = 0; i < s.rank; i++) {
		int ia = i - (s.rank - a->rank), ib = i - (s.rank - b->rank);
		int64_t x = ia < 0 ? 1 : a->dim[ia], y = ib < 0 ? 1 : b->dim[ib];
		if (x != y && x != 1 && y != 1)
			return nx_err_set(err, NX_EDATA, "shapes %s and %s do not broadcast",
				nx_shape_format(a, ta, sizeof ta),
				nx_shape_format(b, tb, sizeof tb));
		s.dim[i] = x == 1 ? y : x;
	}
	*out = s;
	return 0;
}

struct nx_lanes nx_ops_lanes(const struct nx_shape *s, int axis)
{
	struct nx_lanes l = { 1, 1, 1 };

	for (int i = 0; i < s->rank; i++) {
		if (i < axis)
			l.outer *= s->dim[i];
		else if (i == axis)
			l.n = s->dim[i];
		else
			l.inner *= s->dim[i];
	}
	return l;
}

void nx_ops_steps(const struct nx_shape *s, size_t size, int64_t step[NX_MAX_DIMS])
{
	int64_t at = (int64_t)size;

	for (int i = s->rank - 1; i >= 0; i--) {
		step[i] = at;
		at *= s->dim[i];
	}
}

void nx_walk_add(struct nx_walk *w, const struct nx_tensor *t)
{
	int64_t own[NX_MAX_DIMS];
	int lead = w->rank - t->shape.rank;

	nx_ops_steps(&t->shape, nx_dtype_size(t->dtype), own);
	w->p[w->n] = t->data;
	for (int i = 0; i < w->rank; i++)
		w->step[w->n][i] = i < lead || t->shape.dim[i - lead] == 1 ? 0 : own[i - lead];
	w->n++;
}

/* Whether all operands go from dimension a to its inner neighbour b in even steps. */
static bool joins(const struct nx_walk *w, int a, int b)
{
	for (int k = 0; k < w->n; k++) {
		if (w->step[k][a] != w->step[k][b] * w->dim[b])
			return false;
	}
	return true;
}

/* Leaves out dimensions of 1 and joins what can be joined, so that rows are long. */
static void simplify(struct nx_walk *w)
{
	int r = 0;

	for (int i = 0; i < w->rank; i++) {
		if (w->dim[i] == 1)
			continue;
		bool join = r > 0 && joins(w, r - 1, i);
		int to = join ? r - 1 : r++;
		w->dim[to] = join ? w->dim[to] * w->dim[i] : w->dim[i];
		for (int k = 0; k < w->n; k++)
			w->step[k][to] = w->step[k][i];
	}
	if (r == 0) {
		w->dim[r++] = 1;
		for (int k = 0; k < w->n; k++)
			w->step[k][0] = 0;
	}
	w->rank = r;
}

void nx_walk_run(struct nx_walk *w, nx_row_fn *fn, const void *ctx)
{
	int64_t at[NX_MAX_DIMS] = { 0 }, row[4];

	for (int i = 0; i < w->rank; i++) {
		if (w->dim[i] == 0)
			return;
	}
	simplify(w);
	int last = w->rank - 1;
	for (int k = 0; k < w->n; k++)
		row[k] = w->step[k][last];
	for (;;) {
		fn(ctx, w->p, row, w->dim[last]);
		int d = last - 1;
		for (; d >= 0; d--) {
			bool wrap = ++at[d] == w->dim[d];
			for (int k = 0; k < w->n; k++)
				w->p[k] += wrap ? -w->step[k][d] * (w->dim[d] - 1) : w->step[k][d];
			if (!wrap)
				break;
			at[d] = 0;
		}
		if (d < 0)
			return;
	}
}

#define COPY_AS(T)                      \
	for (int64_t i = 0; i < n; i++) \
	*(T *)(void *)(p[0] + i * step[0]) = *(const T *)(const void *)(p[1] + i * step[1])

static void copy_row(const void *ctx, char *const *p, const int64_t *step, int64_t n)
{
	int64_t size = *(const int64_t *)ctx;

	if (step[0] == size && step[1] == size)
		memcpy(p[0], p[1], (size_t)(n * size));
	else if (size == 1)
		COPY_AS(uint8_t);
	else if (size == 2)
		COPY_AS(uint16_t);
	else if (size == 4)
		COPY_AS(uint32_t);
	else
		COPY_AS(uint64_t);
}

void nx_walk_copy(struct nx_walk *w, size_t size)
{
	int64_t s = (int64_t)size;

	nx_walk_run(w, copy_row, &s);
}
