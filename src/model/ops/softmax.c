/* SPDX-License-Identifier: Apache-2.0 */
/* Operators along one axis: Softmax, LogSoftmax, ArgMax, ArgMin. */
#include "model/ops/kernels.h"

#include <math.h>

/* Up to opset 12 the axis splits the shape in two, and all behind it is normalised together. */
static int softmax_lanes(const struct nx_op_call *c, struct nx_lanes *l, struct nx_err *err)
{
	const struct nx_shape *s = &c->in[0]->shape;
	bool old = c->opset < 13;
	int64_t axis = nx_node_int(c->node, "axis", old ? 1 : -1);
	int a, rc;

	if (old && axis == s->rank) {
		*l = (struct nx_lanes){ nx_shape_count(s), 1, 1 };
		return 0;
	}
	rc = nx_ops_axis(axis, s->rank, &a, err);
	if (rc)
		return rc;
	*l = nx_ops_lanes(s, a);
	if (old) {
		l->n *= l->inner;
		l->inner = 1;
	}
	return 0;
}

int nx_infer_softmax(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_lanes l;
	int rc = softmax_lanes(c, &l, err);

	if (rc == 0)
		nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return rc;
}

static void softmax_lane(const float *x, float *y, int64_t n, int64_t step, bool logarithm)
{
	float max = -INFINITY;
	double sum = 0;

	if (n == 0)
		return;
	for (int64_t i = 0; i < n; i++)
		max = x[i * step] > max ? x[i * step] : max;
	for (int64_t i = 0; i < n; i++) {
		float e = expf(x[i * step] - max);
		y[i * step] = logarithm ? x[i * step] - max : e;
		sum += e;
	}
	double scale = 1 / sum, offset = log(sum);
	for (int64_t i = 0; i < n; i++)
		y[i * step] = (float)(logarithm ? y[i * step] - offset : y[i * step] * scale);
}

int nx_eval_softmax(const struct nx_op_call *c, struct nx_err *err)
{
	const float *x = c->in[0]->data;
	float *y = c->out[0]->data;
	struct nx_lanes l;
	int rc = softmax_lanes(c, &l, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t o = 0; o < l.outer; o++)
		for (int64_t i = 0; i < l.inner; i++) {
			int64_t at = o * l.n * l.inner + i;
			softmax_lane(x + at, y + at, l.n, l.inner, c->op->kind == 1);
		}
	return 0;
}

int nx_infer_argmax(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), s.rank, &axis, err);

	if (rc)
		return rc;
	if (s.dim[axis] == 0)
		return nx_err_set(err, NX_EDATA, "nothing to choose from");
	s.dim[axis] = 1;
	if (!nx_node_int(c->node, "keepdims", 1)) {
		for (int i = axis; i + 1 < s.rank; i++)
			s.dim[i] = s.dim[i + 1];
		s.rank--;
	}
	nx_ops_out(c, 0, NX_I64, &s);
	return 0;
}

int nx_eval_argmax(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *x = c->in[0];
	bool max = c->op->kind == 1, last = nx_node_int(c->node, "select_last_index", 0) != 0;
	int64_t *y = c->out[0]->data;
	int axis, rc = nx_ops_axis(nx_node_int(c->node, "axis", 0), x->shape.rank, &axis, err);

	if (rc)
		return rc;
	struct nx_lanes l = nx_ops_lanes(&x->shape, axis);
	for (int64_t o = 0; o < l.outer * l.inner; o++) {
		int64_t at = o / l.inner * l.n * l.inner + o % l.inner;
		double best = nx_tensor_real(x, at);
		y[o] = 0;
		for (int64_t i = 1; i < l.n; i++) {
			double v = nx_tensor_real(x, at + i * l.inner);
			if ((max ? v > best : v < best) || (last && v == best)) {
				best = v;
				y[o] = i;
			}
		}
	}
	return 0;
}
