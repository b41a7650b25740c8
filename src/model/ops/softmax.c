/* SPDX-License-Identifier: Apache-2.0 */
/* Operators along one axis: Softmax, LogSoftmax, Hardmax, ArgMax, ArgMin, CumSum,
 * LpNormalization. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

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

int nx_infer_hardmax(const struct nx_op_call *c, struct nx_err *err)
{
	return nx_infer_softmax(c, err);
}

/* 1 for the first largest of a lane, 0 for the others. */
int nx_eval_hardmax(const struct nx_op_call *c, struct nx_err *err)
{
	const float *x = c->in[0]->data;
	float *y = c->out[0]->data;
	struct nx_lanes l;
	int rc = softmax_lanes(c, &l, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	memset(y, 0, c->out[0]->bytes);
	for (int64_t o = 0; l.n && o < l.outer * l.inner; o++) {
		int64_t first = o / l.inner * l.n * l.inner + o % l.inner, best = first;
		for (int64_t i = 1; i < l.n; i++)
			best = x[first + i * l.inner] > x[best] ? first + i * l.inner : best;
		y[best] = 1;
	}
	return 0;
}

int nx_infer_lp_normalization(const struct nx_op_call *c, struct nx_err *err)
{
	int64_t p = nx_node_int(c->node, "p", 2);
	int axis;

	if (p != 1 && p != 2)
		return nx_err_set(err, NX_EDATA, "p must be 1 or 2");
	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return nx_ops_axis(nx_node_int(c->node, "axis", -1), c->in[0]->shape.rank, &axis, err);
}

int nx_eval_lp_normalization(const struct nx_op_call *c, struct nx_err *err)
{
	const float *x = c->in[0]->data;
	float *y = c->out[0]->data;
	bool square = nx_node_int(c->node, "p", 2) == 2;
	int axis, rank = c->in[0]->shape.rank;
	int rc = nx_ops_axis(nx_node_int(c->node, "axis", -1), rank, &axis, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, axis);
	for (int64_t o = 0; o < l.outer * l.inner; o++) {
		int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
		double sum = 0;
		for (int64_t i = 0; i < l.n; i++) {
			double v = x[first + i * l.inner];
			sum += square ? v * v : fabs(v);
		}
		double norm = square ? sqrt(sum) : sum;
		/* A lane of zeros stays one. */
		for (int64_t i = 0; i < l.n; i++)
			y[first + i * l.inner] =
				norm > 0 ? (float)(x[first + i * l.inner] / norm) : 0;
	}
	return 0;
}

static int cumsum_axis(const struct nx_op_call *c, int *axis, struct nx_err *err)
{
	struct nx_ints list;
	int rc = nx_ops_ints(c, 1, NULL, &list, err);

	if (rc == 0 && list.n != 1)
		return nx_err_set(err, NX_EDATA, "axis must be one number");
	return rc ? rc : nx_ops_axis(list.v[0], c->in[0]->shape.rank, axis, err);
}

int nx_infer_cumsum(const struct nx_op_call *c, struct nx_err *err)
{
	int axis;

	nx_ops_out(c, 0, c->in[0]->dtype, &c->in[0]->shape);
	return cumsum_axis(c, &axis, err);
}

#define CUMSUM(T, WIDE)                                         \
	do {                                                    \
		const T *x = c->in[0]->data;                    \
		T *y = c->out[0]->data;                         \
		WIDE sum = 0;                                   \
		for (int64_t i = 0; i < l.n; i++) {             \
			int64_t at = reverse ? l.n - 1 - i : i; \
			at = first + at * l.inner;              \
			WIDE next = sum + (WIDE)x[at];          \
			y[at] = (T)(exclusive ? sum : next);    \
			sum = next;                             \
		}                                               \
	} while (0)

int nx_eval_cumsum(const struct nx_op_call *c, struct nx_err *err)
{
	bool exclusive = nx_node_int(c->node, "exclusive", 0) != 0;
	bool reverse = nx_node_int(c->node, "reverse", 0) != 0;
	enum nx_dtype t = c->in[0]->dtype;
	int axis, rc = cumsum_axis(c, &axis, err);

	if (rc)
		return rc;
	if (t != NX_F32 && t != NX_F64 && t != NX_I32 && t != NX_I64)
		return nx_err_set(err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(t));
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, axis);
	for (int64_t o = 0; o < l.outer * l.inner; o++) {
		int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
		if (t == NX_F32)
			CUMSUM(float, double);
		else if (t == NX_F64)
			CUMSUM(double, double);
		else if (t == NX_I32)
			CUMSUM(int32_t, uint64_t);
		else
			CUMSUM(int64_t, uint64_t);
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
