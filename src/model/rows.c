/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the rows of a batch are.  For every value: the axis along which the values of the single
 * rows are stacked, NX_ROWS_NONE if it is the same for all rows, NX_ROWS_SIZES for a constant
 * that merely holds the number of rows (a Shape).  Each operator has a rule; a value that fits
 * none fails the batch.  Rejected: comparing shapes alone, which takes a Transpose and Reshape
 * that interleave rows for rows that are stacked.
 */
#include "model/build.h"
#include "model/ops/util.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MIXED (-3)

/* A node with what its rule needs. */
struct place {
	const struct nx_graph *g, *one;
	const struct nx_node *n;
	const int *rows;
	int64_t batch;
	int rank; /* of the first output */
};

static const struct nx_shape *in_shape(const struct place *p, size_t k)
{
	return &p->g->values[p->n->in[k]].shape;
}

static bool has_in(const struct place *p, size_t k)
{
	return k < p->n->n_in && p->n->in[k] != NX_NO_VALUE;
}

/* Rows of input k; values that a rewrite added are plain constants. */
static int in_rows(const struct place *p, size_t k)
{
	if (!has_in(p, k) || (size_t)p->n->in[k] >= p->one->n_values)
		return NX_ROWS_NONE;
	return p->rows[p->n->in[k]];
}

/* A list parameter from constant input k or attribute; not there if it is not constant. */
static struct nx_ints list_of(const struct place *p, size_t k, const char *attr)
{
	const struct nx_tensor *in[8] = { NULL };
	struct nx_op_call c = { .node = p->n, .n_in = 8, .in = in };
	struct nx_err ignored = NX_ERR_INIT;
	struct nx_ints list;

	for (size_t i = 0; i < p->n->n_in && i < 8; i++)
		in[i] = has_in(p, i) ? p->g->values[p->n->in[i]].constant : NULL;
	if (nx_ops_ints(&c, k, attr, &list, &ignored))
		list = (struct nx_ints){ 0 };
	return list;
}

static int normal_axis(int64_t axis, int rank)
{
	return (int)(axis < 0 ? axis + rank : axis);
}

/* Inputs from 'first' on take no part in the rows (they may hold sizes). */
static bool rest_is_constant(const struct place *p, size_t first, bool sizes)
{
	for (size_t k = first; k < p->n->n_in; k++) {
		int r = in_rows(p, k);
		if (r != NX_ROWS_NONE && !(sizes && r == NX_ROWS_SIZES))
			return false;
	}
	return true;
}

/* Broadcasting to rank 'rank': the common axis of all inputs in [0, n) that carry rows.  One
 * that carries none must have the same elements for every row. */
static int broadcast_axis(const struct place *p, size_t n, int rank)
{
	int axis = NX_ROWS_NONE;

	for (size_t k = 0; k < n; k++) {
		int r = in_rows(p, k);
		if (!has_in(p, k) || r == NX_ROWS_NONE)
			continue;
		int aligned = r + rank - in_shape(p, k)->rank;
		if (r < 0 || (axis >= 0 && axis != aligned))
			return MIXED;
		axis = aligned;
	}
	for (size_t k = 0; axis >= 0 && k < n; k++) {
		if (!has_in(p, k) || in_rows(p, k) != NX_ROWS_NONE)
			continue;
		int d = axis - (rank - in_shape(p, k)->rank);
		if (d >= 0 && in_shape(p, k)->dim[d] != 1)
			return MIXED;
	}
	return axis;
}

static int matmul_axis(const struct place *p)
{
	int a = in_rows(p, 0), b = in_rows(p, 1), rank_a = in_shape(p, 0)->rank;
	int rank_b = in_shape(p, 1)->rank;

	if (strcmp(p->n->op, "Gemm") == 0) {
		int c = in_rows(p, 2);
		bool bias_fits = !has_in(p, 2) || c == 0 ||
				 (c == NX_ROWS_NONE &&
					 (in_shape(p, 2)->rank < 2 || in_shape(p, 2)->dim[0] == 1));
		if (c == 0 && in_shape(p, 2)->rank != 2)
			return MIXED;
		return a == 0 && b == NX_ROWS_NONE && bias_fits && !nx_node_int(p->n, "transA", 0)
			       ? 0
			       : MIXED;
	}
	if (rank_a < 2 || rank_b < 1)
		return MIXED;
	/* Rows of the left matrix stay rows of the product. */
	if (a == rank_a - 2 && b == NX_ROWS_NONE)
		return rank_b == 1 ? p->rank - 1 : p->rank - 2;
	if (rank_b < 2 || a == rank_a - 1 || a == rank_a - 2 || b == rank_b - 1 || b == rank_b - 2)
		return rank_b == 1 && a >= 0 && a < rank_a - 2 ? a : MIXED;
	return broadcast_axis(p, 2, p->rank);
}

static int transpose_axis(const struct place *p)
{
	int r = in_rows(p, 0), rank = in_shape(p, 0)->rank;
	size_t n;
	const int64_t *perm = nx_node_ints(p->n, "perm", &n);

	for (int i = 0; r >= 0 && i < rank; i++) {
		if ((perm ? perm[i] : rank - 1 - i) == r)
			return i;
	}
	return MIXED;
}

static int concat_axis(const struct place *p)
{
	int r = in_rows(p, 0);

	for (size_t k = 1; k < p->n->n_in; k++) {
		if (in_rows(p, k) != r)
			return MIXED;
	}
	return r >= 0 && r != normal_axis(nx_node_int(p->n, "axis", 1), p->rank) ? r : MIXED;
}

/* Whether a Slice takes axis r backwards (its length is compared elsewhere). */
static bool slices_backwards(const struct place *p, int r)
{
	struct nx_ints axes = list_of(p, 3, "axes"), steps = list_of(p, 4, NULL);

	for (size_t i = 0; i < steps.n; i++) {
		int axis = axes.there ? normal_axis(axes.v[i], p->rank) : (int)i;
		if (axis == r && steps.v[i] < 0)
			return true;
	}
	return false;
}

static bool pads_axis(const struct place *p, int r)
{
	struct nx_ints pads = list_of(p, 1, "pads"), axes = list_of(p, 3, NULL);

	if (!axes.there)
		return pads.n != 2 * (size_t)p->rank || pads.v[r] || pads.v[r + p->rank];
	for (size_t i = 0; i < axes.n; i++) {
		if (normal_axis(axes.v[i], p->rank) == r)
			return true;
	}
	return false;
}

/* Operators that work along some axes and leave the others alone. */
static int axes_axis(const struct place *p)
{
	const char *op = p->n->op;
	int r = in_rows(p, 0), rank = in_shape(p, 0)->rank;
	bool old = p->g->opset < 13, softmax = strstr(op, "max") != NULL; /* or Hardmax */
	int64_t dflt = strcmp(op, "Split") == 0 ? 0 : softmax && old ? 1 : -1;
	int axis = normal_axis(nx_node_int(p->n, "axis", dflt), rank);
	bool touched = false;

	if (r < 0 || !rest_is_constant(p, 1, true))
		return MIXED;
	if (strcmp(op, "Slice") == 0)
		touched = slices_backwards(p, r);
	else if (strcmp(op, "Pad") == 0)
		touched = pads_axis(p, r);
	else if (strcmp(op, "Split") == 0 || strcmp(op, "TopK") == 0 ||
		 strcmp(op, "LpNormalization") == 0)
		touched = r == axis;
	else if (softmax)
		touched = old ? r >= axis : r == axis;
	else if (strcmp(op, "LayerNormalization") == 0 || strcmp(op, "RMSNormalization") == 0)
		touched = r >= axis;
	else if (strstr(op, "uantizeLinear"))
		touched = r == normal_axis(nx_node_int(p->n, "axis", 1), rank) &&
			  nx_shape_count(in_shape(p, 1)) != 1;
	else if (strcmp(op, "Resize") == 0)
		touched = strcmp(nx_node_str(p->n, "coordinate_transformation_mode", ""),
				  "tf_crop_and_resize") == 0;
	for (size_t k = 0; k < p->n->n_out; k++) {
		if (p->n->out[k] != NX_NO_VALUE && strcmp(op, "LayerNormalization") != 0)
			touched = touched ||
				  p->g->values[p->n->out[k]].shape.dim[r] != in_shape(p, 0)->dim[r];
	}
	return touched ? MIXED : r;
}

static int reduce_axis(const struct place *p)
{
	int r = in_rows(p, 0), rank = in_shape(p, 0)->rank, lost = 0;
	bool arg = p->n->op[0] == 'A', keep = nx_node_int(p->n, "keepdims", 1) != 0;
	struct nx_ints axes = list_of(p, 1, "axes");

	if (arg) {
		axes.n = 1;
		axes.v[0] = nx_node_int(p->n, "axis", 0);
	}
	if (r < 0 || (axes.n == 0 && !nx_node_int(p->n, "noop_with_empty_axes", 0)))
		return MIXED;
	for (size_t i = 0; i < axes.n; i++) {
		int axis = normal_axis(axes.v[i], rank);
		if (axis == r)
			return MIXED;
		lost += !keep && axis < r;
	}
	return r - lost;
}

static int gather_axis(const struct place *p)
{
	int r = in_rows(p, 0), index = in_rows(p, 1);
	int axis = normal_axis(nx_node_int(p->n, "axis", 0), in_shape(p, 0)->rank);

	if (r == NX_ROWS_NONE && index >= 0)
		return axis + index;
	if (r < 0 || index != NX_ROWS_NONE || r == axis)
		return MIXED;
	return r < axis ? r : r + in_shape(p, 1)->rank - 1;
}

static int rule(const struct place *p, enum nx_rows kind)
{
	if (rest_is_constant(p, 0, false))
		return NX_ROWS_NONE;
	switch (kind) {
	case NX_ROWS_ELEMENTWISE:
		return broadcast_axis(p, p->n->n_in, p->rank);
	case NX_ROWS_FIRST:
		return in_rows(p, 0) == 0 && rest_is_constant(p, 1, false) ? 0 : MIXED;
	case NX_ROWS_MATMUL:
		return matmul_axis(p);
	case NX_ROWS_RESHAPE: /* rewritten so that rows stay in front */
		return in_rows(p, 0) == 0 ? 0 : MIXED;
	case NX_ROWS_TRANSPOSE:
		return transpose_axis(p);
	case NX_ROWS_CONCAT:
		return concat_axis(p);
	case NX_ROWS_AXES:
		return axes_axis(p);
	case NX_ROWS_REDUCE:
		return reduce_axis(p);
	case NX_ROWS_GATHER:
		return gather_axis(p);
	case NX_ROWS_EXPAND:
		return in_rows(p, 0) < 0 ? MIXED : in_rows(p, 0) + p->rank - in_shape(p, 0)->rank;
	default:
		return MIXED;
	}
}

/* The shape of one row's value, 'batch' times along the axis. */
static bool is_stacked(
	const struct nx_shape *many, const struct nx_shape *one, int axis, int64_t batch)
{
	struct nx_shape s = *one;

	if (axis >= s.rank)
		return false;
	if (axis >= 0)
		s.dim[axis] *= batch;
	return nx_shape_equal(&s, many);
}

static int rows_of_constant(
	const struct nx_tensor *many, const struct nx_tensor *one, int64_t batch)
{
	if (!one)
		return MIXED;
	if (many == one || (nx_shape_equal(&many->shape, &one->shape) &&
				   memcmp(many->data, one->data, one->bytes) == 0))
		return NX_ROWS_NONE;
	if (!is_stacked(&many->shape, &one->shape, 0, batch))
		return NX_ROWS_SIZES;
	for (int64_t b = 0; b < batch; b++) {
		if (memcmp((const char *)many->data + (size_t)b * one->bytes, one->data,
			    one->bytes))
			return NX_ROWS_SIZES;
	}
	return 0;
}

int nx_rows_track(const struct nx_graph *g, const struct nx_graph *one, size_t i, int64_t batch,
	int *rows, struct nx_err *err)
{
	const struct nx_node *n = &g->nodes[i];
	struct place p = { .g = g, .one = one, .n = n, .rows = rows, .batch = batch };

	for (size_t k = 0; k < n->n_out; k++) {
		if (n->out[k] == NX_NO_VALUE)
			continue;
		const struct nx_value *many = &g->values[n->out[k]];
		const struct nx_value *single = &one->values[n->out[k]];
		p.rank = many->shape.rank;
		int r = many->constant ? rows_of_constant(many->constant, single->constant, batch)
				       : rule(&p, nx_op_find(n->domain, n->op)->rows);
		if (r == MIXED ||
			(!many->constant && !is_stacked(&many->shape, &single->shape, r, batch)))
			return nx_err_set(err, NX_EUNSUPP,
				"node '%.120s' (%.60s) mixes the rows of a batch", n->name, n->op);
		rows[n->out[k]] = r;
	}
	return 0;
}

/* A new constant INT64 list: the shape of the single row's output, 'batch' times. */
static int stacked_target(struct nx_graph *g, const struct nx_shape *one, int64_t batch, int *value,
	struct nx_err *err)
{
	struct nx_tensor t;
	int rc = nx_tensor_init(&t, NX_I64, &(struct nx_shape){ 1, { one->rank } }, err);

	if (rc)
		return rc;
	memcpy(t.data, one->dim, t.bytes);
	((int64_t *)t.data)[0] *= batch;
	*value = nx_graph_add_value(g, "rows");
	nx_graph_set_constant(g, *value, &t);
	return 0;
}

int nx_rows_rewrite(struct nx_graph *g, const struct nx_graph *one, size_t i, int64_t batch,
	const int *rows, struct nx_err *err)
{
	struct nx_node *n = &g->nodes[i];
	struct place p = { .g = g, .one = one, .n = n, .rows = rows, .batch = batch };
	bool reshape = nx_op_find(n->domain, n->op)->rows == NX_ROWS_RESHAPE;
	bool resize = strcmp(n->op, "Resize") == 0 && has_in(&p, 3) && n->n_in == 4;
	int target;

	if (!(reshape || resize) || n->out[0] == NX_NO_VALUE || in_rows(&p, 0) != 0 ||
		g->values[n->in[0]].constant)
		return 0;
	const struct nx_shape *out = &one->values[n->out[0]].shape;
	if (out->rank == 0)
		return nx_err_set(err, NX_EUNSUPP,
			"node '%.120s' (%.60s) has no dimension for a batch", n->name, n->op);
	if (resize && (nx_node_attr(n, "axes") || nx_node_attr(n, "keep_aspect_ratio_policy")))
		return 0;
	int rc = stacked_target(g, out, batch, &target, err);
	if (rc)
		return rc;
	if (resize) {
		n->in[3] = target;
		return 0;
	}
	/* All of this family is a Reshape once its target is known. */
	int data = n->in[0];
	free(n->op);
	free(n->in);
	nx_node_clear_attrs(n);
	n->op = nx_strdup("Reshape");
	n->n_in = 2;
	n->in = nx_alloc(2, sizeof *n->in);
	n->in[0] = data;
	n->in[1] = target;
	return 0;
}
