/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: plain loops. */
#include "model/ops/kernels.h"
#include "model/ops/window.h"

#include <math.h>

static int pool_window(const struct nx_op_call *c, struct nx_window *w, struct nx_err *err)
{
	int rc = nx_window_init(w, c, &c->in[0]->shape, NULL, err);

	return rc ? rc : nx_window_outputs(w, c, err);
}

int nx_infer_pool(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_window w;
	struct nx_shape s = c->in[0]->shape;
	int rc = pool_window(c, &w, err);

	if (rc)
		return rc;
	if (c->op->kind == NX_P_LP && nx_node_int(c->node, "p", 2) < 1)
		return nx_err_set(err, NX_EDATA, "p must be positive");
	for (int i = 0; i < w.rank; i++)
		s.dim[2 + i] = w.out[i];
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	nx_ops_out(c, 1, NX_I64, &s);
	return 0;
}

/* What one window saw. */
struct seen {
	double max, sum;
	double powers; /* sum of |v|^p */
	int64_t arg[3], count, padded;
};

static void look(const struct nx_window *w, const struct nx_tensor *x, int64_t base,
	const int64_t at[3], double power, struct seen *s)
{
	int64_t k[3], p[3];

	*s = (struct seen){ .max = -INFINITY };
	for (k[0] = 0; k[0] < w->kernel[0]; k[0]++)
		for (k[1] = 0; k[1] < w->kernel[1]; k[1]++)
			for (k[2] = 0; k[2] < w->kernel[2]; k[2]++) {
				bool inside = true, in_pad = true;
				for (int d = 0; d < 3; d++) {
					p[d] = at[d] * w->stride[d] - w->pad[d] +
					       k[d] * w->dilation[d];
					inside = inside && p[d] >= 0 && p[d] < w->in[d];
					in_pad = in_pad && p[d] < w->in[d] + w->pad_end[d];
				}
				s->padded += in_pad;
				if (!inside)
					continue;
				double v = nx_tensor_real(
					x, base + (p[0] * w->in[1] + p[1]) * w->in[2] + p[2]);
				s->sum += v;
				s->powers += power > 0 ? pow(fabs(v), power) : 0;
				if (s->count++ == 0 || v > s->max || isnan(v)) {
					s->max = v;
					for (int d = 0; d < 3; d++)
						s->arg[d] = p[d];
				}
			}
}

static double result(int kind, const struct seen *s, bool with_pad, double power)
{
	int64_t divisor = with_pad ? s->padded : s->count;

	if (kind == NX_P_MAX)
		return s->max;
	if (kind == NX_P_LP)
		return pow(s->powers, 1 / power);
	return s->sum / (double)(divisor ? divisor : 1);
}

/* p of LpPool; 0 for the others. */
static double power_of(const struct nx_op_call *c)
{
	return c->op->kind == NX_P_LP ? (double)nx_node_int(c->node, "p", 2) : 0;
}

static void put(struct nx_tensor *y, int64_t i, double v)
{
	if (y->dtype == NX_F32)
		((float *)y->data)[i] = (float)v;
	else if (y->dtype == NX_U8 && v >= 0) /* a window of padding alone has seen nothing */
		((uint8_t *)y->data)[i] = (uint8_t)v;
	else if (y->dtype == NX_I8 && v >= INT8_MIN)
		((int8_t *)y->data)[i] = (int8_t)v;
}

int nx_eval_pool(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_window w;
	const struct nx_tensor *x = c->in[0];
	int64_t planes = x->shape.dim[0] * x->shape.dim[1], at[3], i = 0;
	bool column = nx_node_int(c->node, "storage_order", 0) != 0;
	bool with_pad = nx_node_int(c->node, "count_include_pad", 0) != 0;
	double power = power_of(c);
	int rc = pool_window(c, &w, err);

	if (rc)
		return rc;
	if (x->dtype != NX_F32 && (c->op->kind != NX_P_MAX || nx_dtype_size(x->dtype) != 1))
		return nx_err_set(
			err, NX_EUNSUPP, "no kernel for type %s", nx_dtype_oip_name(x->dtype));
	for (int64_t n = 0; n < planes; n++) {
		int64_t base = n * w.in[0] * w.in[1] * w.in[2];
		for (at[0] = 0; at[0] < w.out[0]; at[0]++)
			for (at[1] = 0; at[1] < w.out[1]; at[1]++)
				for (at[2] = 0; at[2] < w.out[2]; at[2]++, i++) {
					struct seen s;
					look(&w, x, base, at, power, &s);
					if (c->out[0])
						put(c->out[0], i,
							result(c->op->kind, &s, with_pad, power));
					if (c->n_out > 1 && c->out[1])
						((int64_t *)c->out[1]->data)[i] =
							base +
							(column ? (s.arg[2] * w.in[1] + s.arg[1]) *
											w.in[0] +
										s.arg[0]
								: (s.arg[0] * w.in[1] + s.arg[1]) *
											w.in[2] +
										s.arg[2]);
				}
	}
	return 0;
}

int nx_infer_global_pool(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = c->in[0]->shape;

	if (s.rank < 3)
		return nx_err_set(err, NX_EDATA, "an input of rank %d", s.rank);
	for (int i = 2; i < s.rank; i++)
		s.dim[i] = 1;
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

int nx_eval_global_pool(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_lanes l = nx_ops_lanes(&c->in[0]->shape, 1);
	const float *x = c->in[0]->data;
	float *y = c->out[0]->data;
	double power = power_of(c);

	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	for (int64_t i = 0; i < l.outer * l.n; i++) {
		struct seen s = { .max = -INFINITY, .count = l.inner };
		for (int64_t k = 0; k < l.inner; k++, x++) {
			s.sum += *x;
			s.max = *x > s.max ? *x : s.max;
			s.powers += power > 0 ? pow(fabs((double)*x), power) : 0;
		}
		y[i] = (float)result(c->op->kind, &s, false, power);
	}
	return 0;
}
