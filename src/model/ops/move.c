/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move elements to other places: all of them are one strided copy. */
#include "model/ops/kernels.h"

#include <string.h>

static int permutation(const struct nx_op_call *c, int *perm, struct nx_err *err)
{
	int rank = c->in[0]->shape.rank;
	struct nx_ints v;
	unsigned seen = 0;
	int rc = nx_ops_ints(c, NX_NO_INPUT, "perm", &v, err);

	if (rc)
		return rc;
	if (v.there && v.n != (size_t)rank)
		return nx_err_set(err, NX_EDATA, "perm has %zu numbers for rank %d", v.n, rank);
	for (int i = 0; i < rank; i++) {
		int64_t p = v.there ? v.v[i] : rank - 1 - i;
		if (p < 0 || p >= rank || seen >> p & 1)
			return nx_err_set(err, NX_EDATA, "perm is no permutation");
		seen |= 1u << p;
		perm[i] = (int)p;
	}
	return 0;
}

int nx_infer_transpose(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	int perm[NX_MAX_DIMS], rc = permutation(c, perm, err);

	for (int i = 0; rc == 0 && i < s.rank; i++)
		s.dim[i] = c->in[0]->shape.dim[perm[i]];
	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return rc;
}

int nx_eval_transpose(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	size_t size = nx_dtype_size(x->dtype);
	int64_t step[NX_MAX_DIMS];
	int perm[NX_MAX_DIMS], rc = permutation(c, perm, err);
	struct nx_walk w = { .rank = x->shape.rank };

	if (rc)
		return rc;
	memcpy(w.dim, c->out[0]->shape.dim, sizeof w.dim);
	nx_walk_add(&w, c->out[0]);
	nx_ops_steps(&x->shape, size, step);
	w.p[1] = x->data;
	w.n = 2;
	for (int i = 0; i < w.rank; i++)
		w.step[1][i] = step[perm[i]];
	nx_walk_copy(&w, size);
	return 0;
}

/* First index, step and count of every dimension of the input. */
struct cut {
	int64_t start[NX_MAX_DIMS], step[NX_MAX_DIMS], count[NX_MAX_DIMS];
};

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* NumPy's rule for start:end:step on a dimension of n. */
static void cut_dim(struct cut *cut, int d, int64_t n, int64_t start, int64_t end, int64_t step)
{
	/* Steps longer than the dimension take one element anyway. */
	step = clamp(step, -n - 1, n + 1);
	start = start < 0 ? (start < -n ? -1 : start + n) : start;
	end = end < 0 ? (end < -n ? -1 : end + n) : end;
	if (step > 0) {
		start = clamp(start, 0, n);
		end = clamp(end, 0, n);
		cut->count[d] = end > start ? (end - start + step - 1) / step : 0;
	} else {
		start = clamp(start, -1, n - 1);
		end = clamp(end, -1, n - 1);
		cut->count[d] = start > end ? (start - end - step - 1) / -step : 0;
	}
	cut->start[d] = start;
	cut->step[d] = step;
}

static int slice_cut(const struct nx_op_call *c, struct cut *cut, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	struct nx_ints start, end, axes = { 0 }, steps;
	unsigned seen;
	int rc = nx_ops_ints(c, 1, "starts", &start, err);

	if (rc == 0)
		rc = nx_ops_ints(c, 2, "ends", &end, err);
	if (rc == 0)
		rc = nx_ops_ints(c, 3, "axes", &axes, err);
	if (rc == 0)
		rc = nx_ops_ints(c, 4, NULL, &steps, err);
	if (rc == 0 && axes.there)
		rc = nx_ops_axes(&axes, x->rank, &seen, err);
	if (rc)
		return rc;
	if (start.n != end.n || (axes.there && axes.n != start.n) ||
		(steps.there && steps.n != start.n) || start.n > (size_t)x->rank)
		return nx_err_set(err, NX_EDATA, "starts, ends, axes and steps do not match");
	for (int d = 0; d < x->rank; d++)
		cut_dim(cut, d, x->dim[d], 0, x->dim[d], 1);
	for (size_t i = 0; i < start.n; i++) {
		int64_t a = axes.there ? axes.v[i] : (int64_t)i;
		int d = (int)(a < 0 ? a + x->rank : a);
		if (steps.there && steps.v[i] == 0)
			return nx_err_set(err, NX_EDATA, "a step of 0");
		cut_dim(cut, d, x->dim[d], start.v[i], end.v[i], steps.there ? steps.v[i] : 1);
	}
	return 0;
}

int nx_infer_slice(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	struct cut cut;
	int rc = slice_cut(c, &cut, err);

	if (rc)
		return rc;
	memcpy(s.dim, cut.count, sizeof s.dim[0] * (size_t)s.rank);
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* Copies the part of x that 'cut' names to all of y. */
static void copy_cut(const struct nx_tensor *x, const struct cut *cut, struct nx_tensor *y)
{
	size_t size = nx_dtype_size(x->dtype);
	int64_t step[NX_MAX_DIMS];
	struct nx_walk w = { .rank = x->shape.rank };

	if (y->bytes == 0)
		return;
	memcpy(w.dim, cut->count, sizeof w.dim[0] * (size_t)w.rank);
	nx_walk_add(&w, y);
	nx_ops_steps(&x->shape, size, step);
	w.p[1] = x->data;
	w.n = 2;
	for (int d = 0; d < w.rank; d++) {
		w.p[1] += cut->start[d] * step[d];
		w.step[1][d] = cut->step[d] * step[d];
	}
	nx_walk_copy(&w, size);
}

int nx_eval_slice(const struct nx_op_call *c, struct nx_err *err)
{
	struct cut cut;
	int rc = slice_cut(c, &cut, err);

	if (rc == 0)
		copy_cut(c->in[0], &cut, c->out[0]);
	return rc;
}

int nx_infer_concat(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 1), s.rank, &axis, err);
	char a[100], b[100];

	for (size_t i = 1; rc == 0 && i < c->n_in; i++) {
		if (!c->in[i] || c->in[i]->dtype != c->in[0]->dtype)
			return nx_err_set(err, NX_EDATA, "inputs differ in type");
		struct nx_shape x = c->in[i]->shape;
		int64_t more = axis < x.rank ? x.dim[axis] : 0;
		if (x.rank == s.rank)
			x.dim[axis] = s.dim[axis];
		if (!nx_shape_equal(&x, &s))
			return nx_err_set(err, NX_EDATA, "shapes %s and %s do not join on axis %d",
				nx_shape_format(&s, a, sizeof a),
				nx_shape_format(&c->in[i]->shape, b, sizeof b), axis);
		s.dim[axis] += more;
	}
	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return rc;
}

int nx_eval_concat(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_tensor *y = c->out[0];
	size_t size = nx_dtype_size(y->dtype), at = 0;
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 1), y->shape.rank, &axis, err);

	if (rc)
		return rc;
	struct nx_lanes l = nx_ops_lanes(&y->shape, axis);
	size_t row = (size_t)(l.n * l.inner) * size;
	for (size_t i = 0; i < c->n_in; i++) {
		size_t part = (size_t)(c->in[i]->shape.dim[axis] * l.inner) * size;
		for (int64_t o = 0; part && o < l.outer; o++)
			memcpy((char *)y->data + (size_t)o * row + at,
				(const char *)c->in[i]->data + (size_t)o * part, part);
		at += part;
	}
	return 0;
}

/* Length of part i of the axis: listed, or equal parts with a shorter last one (opset 18). */
static int split_part(
	const struct nx_op_call *c, int64_t n, size_t i, int64_t *part, struct nx_err *err)
{
	const struct nx_tensor *t = nx_ops_in(c, 1);
	size_t count = 0;
	const int64_t *list = nx_node_ints(c->node, "split", &count);

	if (t && (!t->data || (t->dtype != NX_I64 && t->dtype != NX_I32)))
		return nx_err_set(err, NX_EUNSUPP, "parts that are not constant");
	if (t)
		count = (size_t)nx_shape_count(&t->shape);
	if ((t || list) && count != c->n_out)
		return nx_err_set(err, NX_EDATA, "%zu parts for %zu outputs", count, c->n_out);
	int64_t outs = (int64_t)c->n_out, chunk = (n + outs - 1) / outs;
	if (t || list)
		*part = t ? nx_ops_int_at(t, (int64_t)i) : list[i];
	else
		*part = clamp(n - (int64_t)i * chunk, 0, chunk);
	if (*part < 0 || *part > n)
		return nx_err_set(err, NX_EDATA, "part %zu is out of range", i);
	return 0;
}

int nx_infer_split(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), s.rank, &axis, err);
	int64_t n = rc ? 0 : s.dim[axis], sum = 0;

	for (size_t i = 0; rc == 0 && i < c->n_out; i++) {
		rc = split_part(c, n, i, &s.dim[axis], err);
		if (rc == 0)
			nx_ops_out(c, i, c->in[0]->dtype, &s);
		sum += s.dim[axis];
		if (sum > n)
			break;
	}
	if (rc == 0 && sum != n)
		return nx_err_set(err, NX_EDATA, "the parts do not add up to %lld", (long long)n);
	return rc;
}

int nx_eval_split(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), x->shape.rank, &axis, err);
	struct cut cut;
	int64_t at = 0, part;

	for (int d = 0; d < x->shape.rank; d++)
		cut_dim(&cut, d, x->shape.dim[d], 0, x->shape.dim[d], 1);
	for (size_t i = 0; rc == 0 && i < c->n_out; i++) {
		rc = split_part(c, x->shape.dim[axis], i, &part, err);
		cut.start[axis] = at;
		cut.count[axis] = part;
		if (rc == 0 && c->out[i])
			copy_cut(x, &cut, c->out[i]);
		at += part;
	}
	return rc;
}

int nx_infer_expand(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = { 0 };
	struct nx_ints target;
	int rc = nx_ops_ints(c, 1, NULL, &target, err);

	if (rc)
		return rc;
	if (target.n > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a shape of rank %zu", target.n);
	s.rank = (int)target.n;
	memcpy(s.dim, target.v, target.n * sizeof s.dim[0]);
	rc = nx_ops_broadcast(&c->in[0]->shape, &s, &s, err);
	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return rc;
}

int nx_eval_expand(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_walk w = { .rank = c->out[0]->shape.rank };

	(void)err;
	memcpy(w.dim, c->out[0]->shape.dim, sizeof w.dim);
	nx_walk_add(&w, c->out[0]);
	nx_walk_add(&w, c->in[0]);
	nx_walk_copy(&w, nx_dtype_size(c->in[0]->dtype));
	return 0;
}

int nx_infer_tile(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	struct nx_ints repeats;
	int rc = nx_ops_ints(c, 1, NULL, &repeats, err);

	if (rc)
		return rc;
	if (repeats.n != (size_t)s.rank)
		return nx_err_set(err, NX_EDATA, "%zu repeats for rank %d", repeats.n, s.rank);
	for (int i = 0; i < s.rank; i++) {
		if (repeats.v[i] < 0 || __builtin_mul_overflow(s.dim[i], repeats.v[i], &s.dim[i]))
			return nx_err_set(err, NX_EDATA, "repeats are out of range");
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* Row by row along the last dimension: each is a row of the input, repeated. */
int nx_eval_tile(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *y = &c->out[0]->shape;
	int last = x->rank - 1;
	int64_t n = last < 0 ? 1 : x->dim[last], length = last < 0 ? 1 : y->dim[last];
	int64_t rows = length ? nx_shape_count(y) / length : 0;
	size_t row = (size_t)n * nx_dtype_size(c->in[0]->dtype);
	char *to = c->out[0]->data;

	(void)err;
	for (int64_t i = 0; i < rows; i++) {
		int64_t rest = i, at = 0, step = 1;
		for (int d = last - 1; d >= 0; d--) {
			at += rest % y->dim[d] % x->dim[d] * step;
			step *= x->dim[d];
			rest /= y->dim[d];
		}
		for (int64_t k = 0; k < length; k += n, to += row)
			memcpy(to, (const char *)c->in[0]->data + (size_t)at * row, row);
	}
	return 0;
}

static int block_size(const struct nx_op_call *c, int64_t *b, struct nx_err *err)
{
	*b = nx_node_int(c->node, "blocksize", 0);
	if (c->in[0]->shape.rank != 4)
		return nx_err_set(err, NX_EDATA, "an input of rank %d", c->in[0]->shape.rank);
	if (*b < 1 || *b > 65536)
		return nx_err_set(err, NX_EDATA, "blocksize is out of range");
	return 0;
}

int nx_infer_depth_to_space(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	const char *mode = nx_node_str(c->node, "mode", "DCR");
	int64_t b;
	int rc = block_size(c, &b, err);

	if (rc)
		return rc;
	if (s.dim[1] % (b * b) || (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0))
		return nx_err_set(err, NX_EDATA, "channels, blocksize and mode do not match");
	s.dim[1] /= b * b;
	s.dim[2] *= b;
	s.dim[3] *= b;
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* Copies x seen as 'dims' and taken in the order 'perm' to the dense y. */
static void permute(
	const struct nx_tensor *x, const int64_t dims[6], const int perm[6], struct nx_tensor *y)
{
	struct nx_shape s = { .rank = 6 }, t = { .rank = 6 };
	size_t size = nx_dtype_size(x->dtype);
	int64_t step[NX_MAX_DIMS];
	struct nx_walk w = { .rank = 6, .n = 2, .p = { y->data, x->data } };

	memcpy(s.dim, dims, 6 * sizeof *dims);
	nx_ops_steps(&s, size, step);
	for (int i = 0; i < 6; i++) {
		w.dim[i] = t.dim[i] = dims[perm[i]];
		w.step[1][i] = step[perm[i]];
	}
	nx_ops_steps(&t, size, w.step[0]);
	nx_walk_copy(&w, size);
}

int nx_eval_depth_to_space(const struct nx_op_call *c, struct nx_err *err)
{
	static const int dcr[6] = { 0, 3, 4, 1, 5, 2 }, crd[6] = { 0, 1, 4, 2, 5, 3 };
	const int64_t *x = c->in[0]->shape.dim;
	bool is_crd = strcmp(nx_node_str(c->node, "mode", "DCR"), "CRD") == 0;
	int64_t b;
	int rc = block_size(c, &b, err);

	if (rc)
		return rc;
	int64_t deep = x[1] / (b * b);
	const int64_t dims[6] = { x[0], is_crd ? deep : b, b, is_crd ? b : deep, x[2], x[3] };
	permute(c->in[0], dims, is_crd ? crd : dcr, c->out[0]);
	return 0;
}

int nx_infer_space_to_depth(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	int64_t b;
	int rc = block_size(c, &b, err);

	if (rc)
		return rc;
	if (s.dim[2] % b || s.dim[3] % b)
		return nx_err_set(err, NX_EDATA, "blocksize does not divide the input");
	s.dim[1] *= b * b;
	s.dim[2] /= b;
	s.dim[3] /= b;
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_space_to_depth(const struct nx_op_call *c, struct nx_err *err)
{
	static const int dcr[6] = { 0, 3, 5, 1, 2, 4 }, crd[6] = { 0, 1, 3, 5, 2, 4 };
	bool is_crd = strcmp(nx_node_str(c->node, "mode", "DCR"), "CRD") == 0;
	const int64_t *x = c->in[0]->shape.dim;
	int64_t b;
	int rc = block_size(c, &b, err);

	if (rc)
		return rc;
	const int64_t dims[6] = { x[0], x[1], x[2] / b, b, x[3] / b, b };
	permute(c->in[0], dims, is_crd ? crd : dcr, c->out[0]);
	return 0;
}
