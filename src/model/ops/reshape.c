/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that keep all elements in their order. */
#include "model/ops/kernels.h"

#include <string.h>

/* The target with 0 (take the input's) and -1 (what is left) resolved. */
static int resolve(const struct nx_shape *in, const struct nx_ints *target, bool allow_zero,
	struct nx_shape *out, struct nx_err *err)
{
	int64_t rest = nx_shape_count(in), known = 1;
	int open = -1;
	char text[128];

	if (target->n > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a shape of rank %zu", target->n);
	*out = (struct nx_shape){ .rank = (int)target->n };
	for (int i = 0; i < out->rank; i++) {
		int64_t d = target->v[i];
		if (d == 0 && !allow_zero && i >= in->rank)
			return nx_err_set(err, NX_EDATA, "dimension %d has nothing to copy", i);
		if (d == 0 && !allow_zero)
			d = in->dim[i];
		if (d < -1 || (d == -1 && open >= 0))
			return nx_err_set(err, NX_EDATA, "the target shape is not one");
		if (d == -1)
			open = i;
		else if (__builtin_mul_overflow(known, d, &known))
			return nx_err_set(err, NX_EDATA, "the target shape is too large");
		out->dim[i] = d;
	}
	if (open >= 0)
		out->dim[open] = known ? rest / known : 0;
	if (nx_shape_count(out) != rest)
		return nx_err_set(err, NX_EDATA, "%lld elements cannot take shape %s",
			(long long)rest, nx_shape_format(out, text, sizeof text));
	return 0;
}

int nx_infer_reshape(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_ints target;
	struct nx_shape s;
	int rc = nx_ops_ints(c, 1, "shape", &target, err);

	if (rc == 0 && !target.there)
		return nx_err_set(err, NX_EDATA, "no target shape");
	if (rc == 0)
		rc = resolve(&c->in[0]->shape, &target, nx_node_int(c->node, "allowzero", 0) != 0,
			&s, err);
	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return rc;
}

int nx_eval_reshape(const struct nx_op_call *c, struct nx_err *err)
{
	(void)err;
	memcpy(c->out[0]->data, c->in[0]->data, c->in[0]->bytes);
	return 0;
}

int nx_infer_flatten(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	int64_t axis = nx_node_int(c->node, "axis", 1);
	struct nx_shape s = { 2, { 1, 1 } };

	if (axis < -x->rank || axis > x->rank)
		return nx_err_set(
			err, NX_EDATA, "axis %lld is outside of rank %d", (long long)axis, x->rank);
	axis += axis < 0 ? x->rank : 0;
	for (int i = 0; i < x->rank; i++)
		s.dim[i >= axis] *= x->dim[i];
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_flatten(const struct nx_op_call *c, struct nx_err *err)
{
	return nx_eval_reshape(c, err);
}

int nx_infer_squeeze(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	struct nx_shape s = { 0 };
	struct nx_ints axes;
	unsigned mask = 0;
	int rc = nx_ops_ints(c, 1, "axes", &axes, err);

	if (rc == 0)
		rc = nx_ops_axes(&axes, x->rank, &mask, err);
	if (rc)
		return rc;
	for (int i = 0; i < x->rank; i++) {
		bool drop = axes.there ? (mask >> i & 1) != 0 : x->dim[i] == 1;
		if (drop && x->dim[i] != 1)
			return nx_err_set(err, NX_EDATA, "dimension %d is %lld, not 1", i,
				(long long)x->dim[i]);
		if (!drop)
			s.dim[s.rank++] = x->dim[i];
	}
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_squeeze(const struct nx_op_call *c, struct nx_err *err)
{
	return nx_eval_reshape(c, err);
}

/* The form that nx_graph_align_legacy() makes: dimensions of 1 behind those of the input, so that
 * they meet input 2's from 'axis' on. */
static int align(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *to = &c->in[2]->shape;
	struct nx_shape s = c->in[0]->shape;
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), to->rank, &axis, err);

	if (rc)
		return rc;
	if (axis + s.rank > to->rank)
		return nx_err_set(err, NX_EDATA, "a shape of rank %d does not fit at axis %d of %d",
			s.rank, axis, to->rank);
	while (axis + s.rank < to->rank)
		s.dim[s.rank++] = 1;
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_infer_unsqueeze(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape;
	struct nx_shape s = { 0 };
	struct nx_ints axes;
	unsigned mask;

	if (nx_ops_in(c, 2))
		return align(c, err);
	int rc = nx_ops_ints(c, 1, "axes", &axes, err);
	if (rc)
		return rc;
	s.rank = x->rank + (int)axes.n;
	if (s.rank > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a result of rank %d", s.rank);
	rc = nx_ops_axes(&axes, s.rank, &mask, err);
	if (rc)
		return rc;
	for (int i = 0, k = 0; i < s.rank; i++)
		s.dim[i] = mask >> i & 1 ? 1 : x->dim[k++];
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_unsqueeze(const struct nx_op_call *c, struct nx_err *err)
{
	return nx_eval_reshape(c, err);
}
