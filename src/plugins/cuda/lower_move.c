/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that only move elements: views of their source by strides, copied once. */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <string.h>

/* The layout the source has, if the result can be a map too. */
static enum cu_layout layout_like(const struct cu_build *b, int from, int to)
{
	return cu_is_map(b, from) && cu_can_map(b, to) &&
			       cu_shape(b, from)->rank == cu_shape(b, to)->rank
		       ? CU_MAP
		       : CU_PLAIN;
}

static bool axis_of(const struct cu_build *b, int value, int64_t axis, int *out)
{
	int rank = cu_shape(b, value)->rank;

	axis += axis < 0 ? rank : 0;
	*out = (int)axis;
	return axis >= 0 && axis < rank;
}

/* [start, start + n * step) of an axis of a view. */
static void cut(struct cu_view *v, int axis, int64_t start, int64_t step, int64_t n)
{
	v->base += start * v->stride[axis];
	v->stride[axis] *= step;
	v->dim[axis] = n;
}

static int emit_transpose(struct cu_build *b, const struct nx_node *n)
{
	struct cu_view from = cu_view_of(b, n->in[0]), to = from;
	enum cu_layout layout = layout_like(b, n->in[0], n->out[0]);
	int rank = from.rank;

	for (int d = 0; d < rank; d++) {
		int source = (int)cu_ints_at(n, "perm", d, rank - 1 - d);
		to.dim[d] = from.dim[source];
		to.stride[d] = from.stride[source];
		if (d == 1 && source != 1)
			layout = source == rank - 1 && cu_can_map(b, n->out[0]) ? CU_MAP : CU_PLAIN;
	}
	cu_emit_view(b, n, n->out[0], &to, layout, NULL);
	return 0;
}

/* NumPy's first index of start:end:step on a dimension of n. */
static int64_t first_of(int64_t start, int64_t step, int64_t n)
{
	start = start < 0 ? (start < -n ? -1 : start + n) : start;
	if (step > 0)
		return start < 0 ? 0 : start > n ? n : start;
	return start > n - 1 ? n - 1 : start;
}

static int emit_slice(struct cu_build *b, const struct nx_node *n)
{
	int64_t start[CU_DIMS], axes[CU_DIMS], steps[CU_DIMS];
	int count = cu_ints(b, n, 1, "starts", start, CU_DIMS);
	int n_axes = cu_ints(b, n, 3, "axes", axes, CU_DIMS);
	int n_steps = cu_ints(b, n, 4, NULL, steps, CU_DIMS);
	const struct nx_shape *out = cu_shape(b, n->out[0]);
	int axis;

	if (count < 0 || n_axes < 0 || n_steps < 0)
		return CU_NOT_MINE;
	struct cu_view v = cu_view_of(b, n->in[0]);
	for (int i = 0; i < count; i++) {
		int64_t step = n_steps ? steps[i] : 1;
		if (!axis_of(b, n->in[0], n_axes ? axes[i] : i, &axis))
			return CU_NOT_MINE;
		cut(&v, axis, first_of(start[i], step, v.dim[axis]), step, out->dim[axis]);
	}
	cu_emit_view(b, n, n->out[0], &v, layout_like(b, n->in[0], n->out[0]), NULL);
	return 0;
}

static int emit_split(struct cu_build *b, const struct nx_node *n)
{
	int64_t at = 0;
	int axis;

	if (!axis_of(b, n->in[0], nx_node_int(n, "axis", 0), &axis))
		return CU_NOT_MINE;
	/* Where parts follow that nobody reads, the ones before say where they begin. */
	for (size_t k = 0; k + 1 < n->n_out; k++)
		if (n->out[k] == NX_NO_VALUE)
			return CU_NOT_MINE;
	for (size_t k = 0; k < n->n_out; k++) {
		if (n->out[k] == NX_NO_VALUE)
			continue;
		struct cu_view v = cu_view_of(b, n->in[0]);
		int64_t part = cu_shape(b, n->out[k])->dim[axis];
		cut(&v, axis, at, 1, part);
		at += part;
		cu_emit_view(b, n, n->out[k], &v, layout_like(b, n->in[0], n->out[k]), NULL);
	}
	return 0;
}

/* One source of a Concat; the last along the channels fills up their padding. */
static void emit_part(struct cu_build *b, const struct nx_node *n, size_t i, int axis, int64_t at,
	enum cu_layout layout)
{
	int out = n->out[0];
	int64_t padded = layout == CU_MAP ? cu_padded(b, out) : 0;
	int64_t channels = layout == CU_MAP ? cu_shape(b, out)->dim[1] : 0;
	struct cu_view from = cu_view_of(b, n->in[i]), to = cu_view_in(b, out, layout);
	struct cu_bounds bounds = { .mode = CU_PAD_FILL };
	bool fill = channels < padded && (axis != 1 || i + 1 == n->n_in);

	memcpy(to.dim, from.dim, sizeof to.dim);
	memcpy(bounds.n, from.dim, sizeof bounds.n);
	to.base = at * to.stride[axis];
	if (fill)
		to.dim[1] += padded - channels;
	cu_emit_copy(b, n, &from, &to, fill ? &bounds : NULL);
}

static int emit_concat(struct cu_build *b, const struct nx_node *n)
{
	enum cu_layout layout = CU_PLAIN;
	int64_t at = 0;
	int axis;

	if (!axis_of(b, n->out[0], nx_node_int(n, "axis", 0), &axis))
		return CU_NOT_MINE;
	for (size_t i = 0; i < n->n_in; i++)
		if (layout_like(b, n->in[i], n->out[0]) == CU_MAP)
			layout = CU_MAP;
	cu_make(b, n->out[0], layout);
	for (size_t i = 0; i < n->n_in; i++) {
		int64_t part = cu_shape(b, n->in[i])->dim[axis];
		/* An empty part has nothing to copy; the last is never left out of filling. */
		if (nx_shape_count(cu_shape(b, n->in[i])) > 0)
			emit_part(b, n, i, axis, at, layout);
		at += part;
	}
	return 0;
}

/* A view of a broadcast value with the target's dimensions. */
static int emit_expand(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *out = cu_shape(b, n->out[0]);
	struct cu_view from = cu_view_of(b, n->in[0]), to = from;

	to.rank = out->rank;
	for (int d = 0; d < out->rank; d++) {
		int at = d - (out->rank - from.rank);
		to.dim[d] = out->dim[d];
		to.stride[d] = at < 0 || from.dim[at] == 1 ? 0 : from.stride[at];
	}
	cu_emit_view(b, n, n->out[0], &to, layout_like(b, n->in[0], n->out[0]), NULL);
	return 0;
}

static int emit_tile(struct cu_build *b, const struct nx_node *n)
{
	struct cu_view from = cu_view_of(b, n->in[0]);
	struct cu_bounds bounds = { .mode = CU_PAD_WRAP };

	memcpy(bounds.n, from.dim, sizeof bounds.n);
	cu_emit_view(b, n, n->out[0], &from, CU_PLAIN, &bounds);
	return 0;
}

static int pad_mode(const struct nx_node *n)
{
	const char *mode = nx_node_str(n, "mode", "constant");

	if (strcmp(mode, "reflect") == 0)
		return CU_PAD_REFLECT;
	if (strcmp(mode, "edge") == 0)
		return CU_PAD_EDGE;
	return strcmp(mode, "wrap") == 0 ? CU_PAD_WRAP : CU_PAD_FILL;
}

static int emit_pad(struct cu_build *b, const struct nx_node *n)
{
	int64_t pads[2 * CU_DIMS], axes[CU_DIMS];
	const char *attr = nx_node_attr(n, "pads") ? "pads" : "paddings";
	int count = cu_ints(b, n, 1, attr, pads, 2 * CU_DIMS);
	int n_axes = cu_ints(b, n, 3, NULL, axes, CU_DIMS);
	struct cu_bounds bounds = { .mode = pad_mode(n), .fill = nx_node_float(n, "value", 0) };
	int rank = cu_shape(b, n->in[0])->rank, axis;

	if (n_axes == 0)
		for (n_axes = 0; n_axes < rank; n_axes++)
			axes[n_axes] = n_axes;
	if (n_axes < 0 || count != 2 * n_axes)
		return CU_NOT_MINE;
	if (n->n_in > 2 && n->in[2] != NX_NO_VALUE && !cu_scalar(b, n->in[2], &bounds.fill))
		return CU_NOT_MINE;
	struct cu_view from = cu_view_of(b, n->in[0]);
	memcpy(bounds.n, from.dim, sizeof bounds.n);
	for (int i = 0; i < n_axes; i++) {
		if (!axis_of(b, n->in[0], axes[i], &axis))
			return CU_NOT_MINE;
		bounds.low[axis] = pads[i];
	}
	cu_emit_view(b, n, n->out[0], &from, layout_like(b, n->in[0], n->out[0]), &bounds);
	return 0;
}

/* One index that is known is a slice whose axis is gone. */
static int emit_gather_one(struct cu_build *b, const struct nx_node *n, int axis, int64_t index)
{
	struct cu_view v = cu_view_of(b, n->in[0]);

	cut(&v, axis, index < 0 ? index + v.dim[axis] : index, 1, 1);
	for (int d = axis; d + 1 < v.rank; d++) {
		v.dim[d] = v.dim[d + 1];
		v.stride[d] = v.stride[d + 1];
	}
	v.rank--;
	cu_emit_view(b, n, n->out[0], &v, CU_PLAIN, NULL);
	return 0;
}

static int emit_gather(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct cu_gather g = { .outer = 1, .inner = 1 };
	int64_t index;
	int axis;

	if (!axis_of(b, n->in[0], nx_node_int(n, "axis", 0), &axis))
		return CU_NOT_MINE;
	g.len = s->dim[axis];
	if (cu_shape(b, n->in[1])->rank == 0 && cu_ints(b, n, 1, NULL, &index, 1) == 1 &&
		index >= -g.len && index < g.len)
		return emit_gather_one(b, n, axis, index);
	for (int d = 0; d < s->rank; d++)
		if (d != axis)
			*(d < axis ? &g.outer : &g.inner) *= s->dim[d];
	g.n = nx_shape_count(cu_shape(b, n->in[1]));
	g.size = (int)cu_type_size(cu_held_as(b, n->in[0]));
	g.index_type = (int)b->g->values[n->in[1]].dtype;
	const int x = cu_need(b, n->in[0], CU_PLAIN), i = cu_need(b, n->in[1], CU_PLAIN);
	const int buf[] = { cu_make(b, n->out[0], CU_PLAIN), x, i };
	cu_step_new(b->p, CU_STEP_GATHER, n, buf, 3)->u.gather = g;
	return 0;
}

/* Dimension 'at' of a view as the three that follow each other in it; later ones move up. */
static void spread(struct cu_view *v, int at, int64_t outer, int64_t middle, int64_t inner)
{
	for (int d = v->rank - 1; d > at; d--) {
		v->dim[d + 2] = v->dim[d];
		v->stride[d + 2] = v->stride[d];
	}
	v->dim[at] = outer;
	v->dim[at + 1] = middle;
	v->dim[at + 2] = inner;
	v->stride[at + 2] = v->stride[at];
	v->stride[at + 1] = v->stride[at + 2] * inner;
	v->stride[at] = v->stride[at + 1] * middle;
	v->rank += 2;
}

/* 'deep' channels of blocks, seen from the deep side as [n,b,b,deep,h,w] or
 * [n,deep,b,b,h,w]; the wide side is brought into the same order. */
static int emit_blocks(struct cu_build *b, const struct nx_node *n)
{
	bool to_space = nx_node_is(n, "DepthToSpace");
	bool crd = to_space && strcmp(nx_node_str(n, "mode", "DCR"), "CRD") == 0;
	int64_t size = nx_node_int(n, "blocksize", 1);
	enum cu_layout layout = layout_like(b, n->in[0], n->out[0]);
	const struct nx_shape *s = cu_shape(b, to_space ? n->out[0] : n->in[0]);
	struct cu_view from = cu_view_of(b, n->in[0]), to, *deep = &from, *wide = &to, v;

	if (cu_shape(b, n->out[0])->dim[1] != cu_padded(b, n->out[0]))
		layout = CU_PLAIN;
	cu_make(b, n->out[0], layout);
	to = cu_view_in(b, n->out[0], layout);
	if (!to_space) {
		deep = &to;
		wide = &from;
	}
	spread(deep, 1, crd ? s->dim[1] : size, size, crd ? size : s->dim[1]);
	/* Order of the wide side: n, b, b, deep, h, w (crd: n, deep, b, b, h, w). */
	v = *wide;
	v.rank = 6;
	const int64_t dim[6] = { s->dim[0], deep->dim[1], deep->dim[2], deep->dim[3],
		s->dim[2] / size, s->dim[3] / size };
	const int64_t c = wide->stride[1], y = wide->stride[2], x = wide->stride[3];
	const int64_t stride[6] = { wide->stride[0], crd ? c : y, crd ? y : x, crd ? x : c,
		y * size, x * size };
	memcpy(v.dim, dim, sizeof dim);
	memcpy(v.stride, stride, sizeof stride);
	*wide = v;
	cu_emit_copy(b, n, &from, &to, NULL);
	return 0;
}

int cu_emit_move(struct cu_build *b, const struct nx_node *n)
{
	static const struct {
		const char *op;
		int (*emit)(struct cu_build *, const struct nx_node *);
	} known[] = {
		{ "Concat", emit_concat },
		{ "DepthToSpace", emit_blocks },
		{ "Expand", emit_expand },
		{ "Gather", emit_gather },
		{ "Pad", emit_pad },
		{ "Slice", emit_slice },
		{ "SpaceToDepth", emit_blocks },
		{ "Split", emit_split },
		{ "Tile", emit_tile },
		{ "Transpose", emit_transpose },
	};

	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++)
		if (nx_node_is(n, known[i].op))
			return nx_shape_count(cu_shape(b, n->in[0])) > 0 ? known[i].emit(b, n)
									 : CU_NOT_MINE;
	return CU_NOT_MINE;
}
