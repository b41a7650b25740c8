/* SPDX-License-Identifier: Apache-2.0 */
/* Pad: a constant, or the input mirrored, repeated or wrapped around. */
#include "model/ops/kernels.h"

#include <string.h>

struct pads {
	int64_t begin[NX_MAX_DIMS], end[NX_MAX_DIMS];
};

static int read_pads(const struct nx_op_call *c, struct pads *p, struct nx_err *err)
{
	int rank = c->in[0]->shape.rank;
	struct nx_ints list, axes;
	unsigned seen;
	int rc = nx_ops_ints(c, 1, nx_node_attr(c->node, "pads") ? "pads" : "paddings", &list, err);

	*p = (struct pads){ 0 };
	if (rc == 0)
		rc = nx_ops_ints(c, 3, NULL, &axes, err);
	if (rc == 0)
		rc = nx_ops_axes(&axes, rank, &seen, err);
	if (rc)
		return rc;
	size_t n = axes.there ? axes.n : (size_t)rank;
	if (list.n != 2 * n)
		return nx_err_set(err, NX_EDATA, "%zu pads for %zu dimensions", list.n, n);
	for (size_t i = 0; i < 2 * n; i++) {
		if (list.v[i] < -NX_ATTR_LIMIT || list.v[i] > NX_ATTR_LIMIT)
			return nx_err_set(err, NX_EDATA, "a pad of %lld", (long long)list.v[i]);
	}
	for (size_t i = 0; i < n; i++) {
		int64_t axis = axes.there ? axes.v[i] : (int64_t)i;
		axis += axis < 0 ? rank : 0;
		p->begin[axis] = list.v[i];
		p->end[axis] = list.v[n + i];
	}
	return 0;
}

enum mode { CONSTANT, REFLECT, EDGE, WRAP };

static int mode_of(const struct nx_op_call *c, struct nx_err *err)
{
	static const char *const names[] = { "constant", "reflect", "edge", "wrap" };
	const char *mode = nx_node_str(c->node, "mode", "constant");

	for (int i = 0; i < 4; i++) {
		if (strcmp(mode, names[i]) == 0)
			return i;
	}
	return nx_err_set(err, NX_EDATA, "mode '%.40s' is not defined", mode);
}

int nx_infer_pad(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *value = nx_ops_in(c, 2);
	struct nx_shape s = c->in[0]->shape;
	struct pads p;
	int mode = mode_of(c, err), rc = mode < 0 ? mode : read_pads(c, &p, err);

	if (rc)
		return rc;
	if (value && (value->dtype != c->in[0]->dtype || nx_shape_count(&value->shape) != 1))
		return nx_err_set(
			err, NX_EDATA, "constant_value must be a scalar of the input's type");
	for (int i = 0; i < s.rank; i++) {
		int64_t n = s.dim[i];
		bool reach = (p.begin[i] <= 0 || p.begin[i] < n) && (p.end[i] <= 0 || p.end[i] < n);
		if (mode != CONSTANT && (n == 0 || (mode == REFLECT && !reach)))
			return nx_err_set(
				err, NX_EDATA, "dimension %d is too short to be mirrored", i);
		s.dim[i] += p.begin[i] + p.end[i];
		if (s.dim[i] < 0)
			return nx_err_set(err, NX_EDATA, "the pads take away dimension %d", i);
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* Where position i of the padded dimension comes from, or -1 for the constant. */
static int64_t source(enum mode mode, int64_t i, int64_t begin, int64_t n)
{
	i -= begin;
	if (i >= 0 && i < n)
		return i;
	switch (mode) {
	case EDGE:
		return i < 0 ? 0 : n - 1;
	case WRAP:
		return (i % n + n) % n;
	case REFLECT:
		return i < 0 ? -i : 2 * (n - 1) - i;
	default:
		return -1;
	}
}

/* The element with which the constant mode fills. */
static void fill_value(const struct nx_op_call *c, unsigned char out[8])
{
	const struct nx_tensor *value = nx_ops_in(c, 2);
	float f = nx_node_float(c->node, "value", 0.0f);

	memset(out, 0, 8);
	if (value)
		memcpy(out, value->data, nx_dtype_size(value->dtype));
	else if (c->in[0]->dtype == NX_F32)
		memcpy(out, &f, sizeof f);
}

/* A row along the last dimension: what the input has of it in one copy, the rest by element.
 * 'x' is NULL where the whole row lies in constant padding. */
static void pad_row(enum mode mode, const char *x, int64_t n, int64_t begin, int64_t length,
	const unsigned char *fill, char *y, size_t size)
{
	int64_t from = begin > 0 ? begin : 0, to = begin + n < length ? begin + n : length;

	if (x && to > from)
		memcpy(y + (size_t)from * size, x + (size_t)(from - begin) * size,
			(size_t)(to - from) * size);
	else
		from = to = 0;
	for (int64_t i = from > 0 ? 0 : to; i < length; i = i + 1 == from ? to : i + 1) {
		int64_t at = x ? source(mode, i, begin, n) : -1;
		memcpy(y + (size_t)i * size, at < 0 ? (const char *)fill : x + (size_t)at * size,
			size);
	}
}

/* The row of the input that row i of the output comes from, or -1. */
static int64_t source_row(enum mode mode, const struct nx_shape *x, const struct nx_shape *y,
	const struct pads *p, int64_t i)
{
	int64_t at = 0, step = 1;

	for (int d = y->rank - 2; d >= 0; d--) {
		int64_t from = source(mode, i % y->dim[d], p->begin[d], x->dim[d]);
		if (from < 0)
			return -1;
		at += from * step;
		step *= x->dim[d];
		i /= y->dim[d];
	}
	return at;
}

int nx_eval_pad(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	const struct nx_shape *s = &c->out[0]->shape;
	size_t size = nx_dtype_size(x->dtype);
	int last = s->rank - 1;
	unsigned char fill[8];
	struct pads p;
	int mode = mode_of(c, err), rc = mode < 0 ? mode : read_pads(c, &p, err);

	if (rc)
		return rc;
	if (s->rank == 0) {
		memcpy(c->out[0]->data, x->data, size);
		return 0;
	}
	fill_value(c, fill);
	int64_t length = s->dim[last], n = x->shape.dim[last];
	int64_t rows = length ? nx_shape_count(s) / length : 0;
	for (int64_t i = 0; i < rows; i++) {
		int64_t row = source_row((enum mode)mode, &x->shape, s, &p, i);
		pad_row((enum mode)mode,
			row < 0 ? NULL : (const char *)x->data + (size_t)(row * n) * size, n,
			p.begin[last], length, fill,
			(char *)c->out[0]->data + (size_t)(i * length) * size, size);
	}
	return 0;
}
