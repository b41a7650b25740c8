/* SPDX-License-Identifier: Apache-2.0 */
/* Elements and slices that are found by index tensors: GatherElements, GatherND, ScatterElements,
 * ScatterND, OneHot. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

/* An index, counted from the end where negative, or -1 where it is outside of n. */
static int64_t wrap(int64_t at, int64_t n)
{
	at += at < 0 ? n : 0;
	return at < 0 || at >= n ? -1 : at;
}

static int outside(struct nx_err *err, int64_t n)
{
	return nx_err_set(err, NX_EDATA, "an index is outside of %lld", (long long)n);
}

static int check_index(const struct nx_tensor *t, struct nx_err *err)
{
	if (t->dtype != NX_I64 && t->dtype != NX_I32)
		return nx_err_set(err, NX_EDATA, "indices must be of type INT64 or INT32");
	return 0;
}

/* What happens where something is already. */
enum join { SET, ADD, MUL, MAX, MIN };

static int join_of(const struct nx_op_call *c, struct nx_err *err)
{
	static const char *const names[] = { "none", "add", "mul", "max", "min" };
	const char *s = nx_node_str(c->node, "reduction", "none");

	for (int i = 0; i < 5; i++) {
		if (strcmp(s, names[i]) == 0 && (i == SET || c->in[0]->dtype == NX_F32))
			return i;
	}
	return nx_err_set(err, NX_EUNSUPP, "no kernel for reduction '%.40s' of type %s", s,
		nx_dtype_oip_name(c->in[0]->dtype));
}

/* n elements of 'size' bytes from x to y. */
static void join(enum join how, char *y, const char *x, int64_t n, size_t size)
{
	float *a = (float *)(void *)y;
	const float *b = (const float *)(const void *)x;

	if (how == SET) {
		memcpy(y, x, (size_t)n * size);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		a[i] = how == ADD   ? a[i] + b[i]
		       : how == MUL ? a[i] * b[i]
		       : how == MAX ? fmaxf(a[i], b[i])
				    : fminf(a[i], b[i]);
}

/* Element i of the index tensor: its own place in the data, but for the axis. -1 if outside. */
static int64_t element_at(
	const struct nx_shape *data, const struct nx_tensor *index, int axis, int64_t i)
{
	int64_t at = 0, step = 1, rest = i;

	for (int d = data->rank - 1; d >= 0; d--) {
		int64_t k = rest % index->shape.dim[d];
		if (d == axis)
			k = wrap(nx_ops_int_at(index, i), data->dim[d]);
		if (k < 0)
			return -1;
		at += k * step;
		step *= data->dim[d];
		rest /= index->shape.dim[d];
	}
	return at;
}

/* The axis, after checking that the index tensor lies within the data but for it. */
static int elements_axis(const struct nx_op_call *c, int *axis, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *index = &c->in[1]->shape;
	int rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), x->rank, axis, err);

	if (rc == 0)
		rc = check_index(c->in[1], err);
	for (int d = 0; rc == 0 && d < x->rank; d++) {
		if (index->rank != x->rank || (d != *axis && index->dim[d] > x->dim[d]))
			rc = nx_err_set(err, NX_EDATA, "indices are larger than the data");
	}
	return rc;
}

int nx_infer_gather_elements(const struct nx_op_call *c, struct nx_err *err)
{
	int axis, rc = elements_axis(c, &axis, err);

	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &c->in[1]->shape);
	return rc;
}

int nx_eval_gather_elements(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	size_t size = nx_dtype_size(x->dtype);
	int axis, rc = elements_axis(c, &axis, err);

	for (int64_t i = 0; rc == 0 && i < nx_shape_count(&c->in[1]->shape); i++) {
		int64_t at = element_at(&x->shape, c->in[1], axis, i);
		if (at < 0)
			return outside(err, x->shape.dim[axis]);
		memcpy((char *)c->out[0]->data + (size_t)i * size,
			(const char *)x->data + (size_t)at * size, size);
	}
	return rc;
}

int nx_infer_scatter_elements(const struct nx_op_call *c, struct nx_err *err)
{
	int axis, rc = elements_axis(c, &axis, err);

	if (rc == 0 && join_of(c, err) < 0)
		return -err->code;
	if (rc == 0 && (!nx_shape_equal(&c->in[1]->shape, &c->in[2]->shape) ||
			       c->in[0]->dtype != c->in[2]->dtype))
		return nx_err_set(err, NX_EDATA, "updates do not match");
	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return rc;
}

int nx_eval_scatter_elements(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	size_t size = nx_dtype_size(x->dtype);
	int axis, how = join_of(c, err), rc = elements_axis(c, &axis, err);

	if (rc || how < 0)
		return -err->code;
	memcpy(c->out[0]->data, x->data, x->bytes);
	for (int64_t i = 0; i < nx_shape_count(&c->in[1]->shape); i++) {
		int64_t at = element_at(&x->shape, c->in[1], axis, i);
		if (at < 0)
			return outside(err, x->shape.dim[axis]);
		join((enum join)how, (char *)c->out[0]->data + (size_t)at * size,
			(const char *)c->in[2]->data + (size_t)i * size, 1, size);
	}
	return 0;
}

/* Slices of the data: the last dimension of the index tensor holds the first 'k' coordinates
 * behind 'batch' common dimensions; 'inner' elements are behind those. */
struct slices {
	int batch, k;
	int64_t n, inner;
};

static int read_slices(const struct nx_op_call *c, struct slices *s, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *index = &c->in[1]->shape;
	int64_t batch = nx_node_int(c->node, "batch_dims", 0);

	if (check_index(c->in[1], err))
		return -err->code;
	int64_t k = index->rank ? index->dim[index->rank - 1] : 0;
	if (index->rank < 1 || batch < 0 || batch >= index->rank || k > x->rank - batch)
		return nx_err_set(err, NX_EDATA, "indices do not match the data");
	*s = (struct slices){ (int)batch, (int)k, 1, 1 };
	for (int d = 0; d < index->rank - 1; d++) {
		s->n *= index->dim[d];
		if (d < batch && index->dim[d] != x->dim[d])
			return nx_err_set(err, NX_EDATA, "indices do not match the data");
	}
	for (int d = s->batch + s->k; d < x->rank; d++)
		s->inner *= x->dim[d];
	return 0;
}

/* Where slice i begins, in slices; -1 if outside. */
static int64_t slice_at(const struct nx_op_call *c, const struct slices *s, int64_t i)
{
	const struct nx_shape *x = &c->in[0]->shape;
	int64_t at = 0, batches = 1;

	for (int d = 0; d < s->batch; d++)
		batches *= x->dim[d];
	if (s->batch)
		at = i / (s->n / batches);
	for (int d = 0; d < s->k; d++) {
		int64_t n = x->dim[s->batch + d];
		int64_t v = wrap(nx_ops_int_at(c->in[1], i * s->k + d), n);
		if (v < 0)
			return -1;
		at = at * n + v;
	}
	return at;
}

/* The shape of all slices together. */
static int slices_shape(const struct nx_op_call *c, const struct slices *s, struct nx_shape *out,
	struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *index = &c->in[1]->shape;
	int first = s->batch + s->k;

	if (index->rank - 1 + x->rank - first > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a result of too many dimensions");
	*out = *index;
	out->rank--;
	for (int d = first; d < x->rank; d++)
		out->dim[out->rank++] = x->dim[d];
	return 0;
}

int nx_infer_gather_nd(const struct nx_op_call *c, struct nx_err *err)
{
	struct slices s;
	struct nx_shape shape;

	if (read_slices(c, &s, err) || slices_shape(c, &s, &shape, err))
		return -err->code;
	nx_ops_out(c, 0, c->in[0]->dtype, &shape);
	return 0;
}

int nx_eval_gather_nd(const struct nx_op_call *c, struct nx_err *err)
{
	struct slices s;
	int rc = read_slices(c, &s, err);
	size_t size = (size_t)s.inner * nx_dtype_size(c->in[0]->dtype);

	for (int64_t i = 0; rc == 0 && i < s.n; i++) {
		int64_t at = slice_at(c, &s, i);
		if (at < 0)
			return outside(err, nx_shape_count(&c->in[0]->shape));
		memcpy((char *)c->out[0]->data + (size_t)i * size,
			(const char *)c->in[0]->data + (size_t)at * size, size);
	}
	return rc;
}

int nx_infer_scatter_nd(const struct nx_op_call *c, struct nx_err *err)
{
	struct slices s;
	struct nx_shape shape;

	if (read_slices(c, &s, err) || slices_shape(c, &s, &shape, err) || join_of(c, err) < 0)
		return -err->code;
	if (!nx_shape_equal(&shape, &c->in[2]->shape) || c->in[0]->dtype != c->in[2]->dtype)
		return nx_err_set(err, NX_EDATA, "updates do not match");
	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return 0;
}

int nx_eval_scatter_nd(const struct nx_op_call *c, struct nx_err *err)
{
	size_t size = nx_dtype_size(c->in[0]->dtype);
	struct slices s;
	int how = join_of(c, err);

	if (how < 0 || read_slices(c, &s, err))
		return -err->code;
	memcpy(c->out[0]->data, c->in[0]->data, c->in[0]->bytes);
	for (int64_t i = 0; i < s.n; i++) {
		int64_t at = slice_at(c, &s, i);
		if (at < 0)
			return outside(err, nx_shape_count(&c->in[0]->shape));
		join((enum join)how, (char *)c->out[0]->data + (size_t)(at * s.inner) * size,
			(const char *)c->in[2]->data + (size_t)(i * s.inner) * size, s.inner, size);
	}
	return 0;
}

/* Axis and length of the new dimension. */
static int one_hot_sizes(const struct nx_op_call *c, int *axis, int64_t *depth, struct nx_err *err)
{
	const struct nx_tensor *d = c->in[1];

	if (!d->data)
		return nx_err_set(err, NX_EUNSUPP, "depth must be a constant to be supported");
	if (nx_shape_count(&d->shape) != 1 || nx_shape_count(&c->in[2]->shape) != 2)
		return nx_err_set(err, NX_EDATA, "depth must hold one number, values two");
	double n = nx_tensor_real(d, 0);
	if (!(n >= 1) || n > (double)NX_ATTR_LIMIT)
		return nx_err_set(err, NX_EDATA, "a depth of %g", n);
	if (c->in[0]->shape.rank == NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a result of too many dimensions");
	*depth = (int64_t)n;
	return nx_ops_axis(nx_node_int(c->node, "axis", -1), c->in[0]->shape.rank + 1, axis, err);
}

int nx_infer_one_hot(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	struct nx_shape s = { .rank = x->rank + 1 };
	int64_t depth;
	int axis, rc = one_hot_sizes(c, &axis, &depth, err);

	if (rc)
		return rc;
	for (int d = 0; d < s.rank; d++)
		s.dim[d] = d == axis ? depth : x->dim[d - (d > axis)];
	nx_ops_out(c, 0, c->in[2]->dtype, &s);
	return 0;
}

int nx_eval_one_hot(const struct nx_op_call *c, struct nx_err *err)
{
	size_t size = nx_dtype_size(c->in[2]->dtype);
	const char *values = c->in[2]->data;
	int64_t depth;
	int axis, rc = one_hot_sizes(c, &axis, &depth, err);

	if (rc)
		return rc;
	struct nx_lanes l = nx_ops_lanes(&c->out[0]->shape, axis);
	for (int64_t i = 0; i < l.outer * l.n * l.inner; i++) {
		int64_t from = i / (l.n * l.inner) * l.inner + i % l.inner;
		double v = nx_tensor_real(c->in[0], from);
		bool on = (v < 0 ? v + (double)depth : v) == (double)(i / l.inner % l.n);
		memcpy((char *)c->out[0]->data + (size_t)i * size, values + (on ? size : 0), size);
	}
	return 0;
}
