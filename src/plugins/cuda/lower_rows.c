/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, reductions, choices and normalisations of plain values: a block of threads a row. */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <stdlib.h>

/* The value as rows along [axis, axis + n). */
static void set_rows(const struct nx_shape *s, int axis, int n, struct cu_rows *r)
{
	r->outer = r->len = r->inner = 1;
	for (int d = 0; d < s->rank; d++)
		*(d < axis ? &r->outer : d < axis + n ? &r->len : &r->inner) *= s->dim[d];
}

static bool set_axis(const struct nx_shape *s, int64_t axis, int *out)
{
	axis += axis < 0 ? s->rank : 0;
	*out = (int)axis;
	return axis >= 0 && axis < s->rank;
}

static void emit(
	struct cu_build *b, const struct nx_node *n, struct cu_rows *r, const int *more, int n_more)
{
	int buf[4] = { CU_NO_BUF, CU_NO_BUF, CU_NO_BUF, CU_NO_BUF };

	buf[1] = cu_need(b, n->in[0], CU_PLAIN);
	r->type = cu_held_as(b, n->in[0]);
	buf[0] = cu_make(b, n->out[0], CU_PLAIN);
	for (int i = 0; i < n_more; i++)
		buf[2 + i] = more[i];
	cu_step_new(b->p, CU_STEP_ROWS, n, buf, 2 + n_more)->u.rows = *r;
}

/* Up to opset 12 the axis cuts the tensor into a matrix whose rows are normalised. */
static int emit_softmax(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	bool old = b->g->opset < 13;
	struct cu_rows r = { .kind = nx_node_is(n, "Softmax") ? CU_ROW_SOFTMAX
							      : CU_ROW_LOG_SOFTMAX };
	int axis;

	if (!set_axis(s, nx_node_int(n, "axis", old ? 1 : -1), &axis))
		return CU_NOT_MINE;
	set_rows(s, axis, old ? s->rank - axis : 1, &r);
	emit(b, n, &r, NULL, 0);
	return 0;
}

static int reduce_kind(const struct nx_node *n)
{
	static const struct {
		const char *op;
		int kind;
	} known[] = {
		{ "ReduceL1", CU_ROW_L1 },
		{ "ReduceL2", CU_ROW_L2 },
		{ "ReduceMax", CU_ROW_MAX },
		{ "ReduceMean", CU_ROW_MEAN },
		{ "ReduceMin", CU_ROW_MIN },
		{ "ReduceProd", CU_ROW_PROD },
		{ "ReduceSum", CU_ROW_SUM },
		{ "ReduceSumSquare", CU_ROW_SUM_SQUARE },
	};

	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++)
		if (nx_node_is(n, known[i].op))
			return known[i].kind;
	return -1;
}

/* The reduced axes, which must stand together: [*axis, *axis + *count). */
static bool reduced_axes(const struct cu_build *b, const struct nx_node *n, int *axis, int *count)
{
	int rank = cu_shape(b, n->in[0])->rank, a;
	int64_t list[CU_DIMS];
	unsigned mask = 0;
	int given = cu_ints(b, n, 1, "axes", list, CU_DIMS);

	for (int i = 0; i < given; i++) {
		if (!set_axis(cu_shape(b, n->in[0]), list[i], &a))
			return false;
		mask |= 1u << a;
	}
	if (given == 0 && !nx_node_int(n, "noop_with_empty_axes", 0))
		mask = (1u << rank) - 1;
	if (given < 0 || mask == 0)
		return false;
	for (*axis = 0; !(mask >> *axis & 1); ++*axis)
		;
	for (*count = 0; mask >> (*axis + *count) & 1; ++*count)
		;
	return mask >> (*axis + *count) == 0;
}

/* Means and maxima over a map's pixels are read where they lie. */
static int emit_over_pixels(struct cu_build *b, const struct nx_node *n, int kind)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct cu_global g = { .n = (int)s->dim[0],
		.channels = (int)cu_padded(b, n->in[0]),
		.type = b->p->type,
		.width = cu_padded(b, n->in[0]) % CU_VEC ? 4 : CU_VEC,
		.max = kind == CU_ROW_MAX };
	int out = n->out[0];

	if (cu_shape(b, out)->rank != s->rank || !cu_can_map(b, out) ||
		cu_padded(b, out) != g.channels)
		return CU_NOT_MINE;
	g.pixels = (int)(nx_shape_count(s) / (s->dim[0] * s->dim[1]));
	const int x = cu_need(b, n->in[0], CU_MAP);
	const int buf[] = { cu_make(b, out, CU_MAP), x };
	cu_step_new(b->p, CU_STEP_GLOBAL, n, buf, 2)->u.global = g;
	return 0;
}

static int emit_reduce(struct cu_build *b, const struct nx_node *n, int kind)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct cu_rows r = { .kind = kind };
	int axis, count;

	if (!reduced_axes(b, n, &axis, &count))
		return CU_NOT_MINE;
	if (axis == 2 && axis + count == s->rank && cu_is_map(b, n->in[0]) &&
		(kind == CU_ROW_MEAN || kind == CU_ROW_MAX) && emit_over_pixels(b, n, kind) == 0)
		return 0;
	set_rows(s, axis, count, &r);
	emit(b, n, &r, NULL, 0);
	return 0;
}

static int emit_choice(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct cu_rows r = { .kind = CU_ROW_ARG,
		.smallest = nx_node_is(n, "ArgMin"),
		.last = nx_node_int(n, "select_last_index", 0) != 0 };
	int axis;

	if (!set_axis(s, nx_node_int(n, "axis", 0), &axis))
		return CU_NOT_MINE;
	set_rows(s, axis, 1, &r);
	emit(b, n, &r, NULL, 0);
	return 0;
}

static int emit_top(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct cu_rows r = { .kind = CU_ROW_TOP, .smallest = !nx_node_int(n, "largest", 1) };
	int axis, indices;

	if (!set_axis(s, nx_node_int(n, "axis", -1), &axis) || n->out[0] == NX_NO_VALUE)
		return CU_NOT_MINE;
	r.k = (int)cu_shape(b, n->out[0])->dim[axis];
	set_rows(s, axis, 1, &r);
	if (n->n_out > 1 && n->out[1] != NX_NO_VALUE)
		indices = cu_make(b, n->out[1], CU_PLAIN);
	else
		indices = cu_buf_new(
			b->p, CU_BUF_ARENA, (size_t)(r.outer * r.inner * r.k) * sizeof(int64_t));
	emit(b, n, &r, &indices, 1);
	return 0;
}

/* The numbers of constant input i as fp32 on the device; n numbers 'dflt' where it is left out. */
static int numbers(struct cu_build *b, const struct nx_node *n, size_t i, size_t size, float dflt)
{
	int64_t count = 0;
	const float *p = i < n->n_in ? nx_const_f32(b->g, n->in[i], &count) : NULL;
	float *v = nx_alloc(size, sizeof *v);

	for (size_t k = 0; k < size; k++)
		v[k] = p ? p[k] : dflt;
	int buf = cu_const_new(b, v, size, CU_F32);
	free(v);
	return buf;
}

static int emit_norm(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	bool layer = nx_node_is(n, "LayerNormalization");
	struct cu_rows r = { .kind = CU_ROW_NORM, .epsilon = nx_node_float(n, "epsilon", 1e-5f) };
	int axis = 2, more[2];
	int64_t count;

	for (size_t i = 1; i < n->n_in; i++)
		if (n->in[i] != NX_NO_VALUE && !nx_const_f32(b->g, n->in[i], &count))
			return CU_NOT_MINE;
	if (layer && !set_axis(s, nx_node_int(n, "axis", -1), &axis))
		return CU_NOT_MINE;
	for (size_t k = 1; k < n->n_out; k++)
		if (n->out[k] != NX_NO_VALUE)
			return CU_NOT_MINE;
	set_rows(s, axis, s->rank - axis, &r);
	r.by_row = layer ? 0 : s->dim[1];
	size_t size = (size_t)(layer ? r.len : r.by_row);
	more[0] = numbers(b, n, 1, size, 1);
	more[1] = numbers(b, n, 2, size, 0);
	emit(b, n, &r, more, 2);
	return 0;
}

int cu_emit_rows(struct cu_build *b, const struct nx_node *n)
{
	int kind = reduce_kind(n);

	if (n->n_in < 1 || !nx_value_is_f32(b->g, n->in[0]) ||
		nx_shape_count(cu_shape(b, n->in[0])) <= 0 || cu_shape(b, n->in[0])->rank < 1)
		return CU_NOT_MINE;
	if (kind >= 0)
		return emit_reduce(b, n, kind);
	if (nx_node_is(n, "Softmax") || nx_node_is(n, "LogSoftmax"))
		return emit_softmax(b, n);
	if (nx_node_is(n, "ArgMax") || nx_node_is(n, "ArgMin"))
		return emit_choice(b, n);
	if (nx_node_is(n, "TopK"))
		return emit_top(b, n);
	if (nx_node_is(n, "InstanceNormalization") || nx_node_is(n, "LayerNormalization"))
		return emit_norm(b, n);
	return CU_NOT_MINE;
}
