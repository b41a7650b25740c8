/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: plain loops. */
#include "model/ops/kernels.h"

#include <string.h>

/* Rows and columns of A' and B' after the transposes. */
static int gemm_sizes(
	const struct nx_op_call *c, int64_t *m, int64_t *k, int64_t *n, struct nx_err *err)
{
	const struct nx_shape *a = &c->in[0]->shape, *b = &c->in[1]->shape;
	bool ta = nx_node_int(c->node, "transA", 0) != 0,
	     tb = nx_node_int(c->node, "transB", 0) != 0;

	if (a->rank != 2 || b->rank != 2)
		return nx_err_set(err, NX_EDATA, "inputs of ranks %d and %d", a->rank, b->rank);
	*m = a->dim[ta];
	*k = a->dim[!ta];
	*n = b->dim[!tb];
	if (b->dim[tb] != *k)
		return nx_err_set(err, NX_EDATA, "inner dimensions %lld and %lld", (long long)*k,
			(long long)b->dim[tb]);
	return 0;
}

int nx_infer_gemm(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = { .rank = 2 }, with_bias;
	int64_t k;
	int rc = gemm_sizes(c, &s.dim[0], &k, &s.dim[1], err);
	const struct nx_tensor *bias = nx_ops_in(c, 2);

	if (rc)
		return rc;
	if (c->in[0]->dtype != c->in[1]->dtype || (bias && bias->dtype != c->in[0]->dtype))
		return nx_err_set(err, NX_EDATA, "inputs differ in type");
	if (bias && (nx_ops_broadcast(&s, &bias->shape, &with_bias, err) ||
			    !nx_shape_equal(&s, &with_bias)))
		return nx_err_set(err, NX_EDATA, "the bias does not broadcast to the output");
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

/* y[m][n] += a'[m][k] b'[k][n], with strides for the transposes. */
static void product(const float *a, int64_t a_row, int64_t a_col, const float *b, int64_t b_row,
	int64_t b_col, int64_t m, int64_t k, int64_t n, double alpha, float *y)
{
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = 0; j < n; j++) {
			double sum = 0;
			for (int64_t t = 0; t < k; t++)
				sum += (double)a[i * a_row + t * a_col] * b[t * b_row + j * b_col];
			y[i * n + j] += (float)(alpha * sum);
		}
}

int nx_eval_gemm(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_tensor *bias = nx_ops_in(c, 2);
	bool ta = nx_node_int(c->node, "transA", 0) != 0,
	     tb = nx_node_int(c->node, "transB", 0) != 0;
	float beta = nx_node_float(c->node, "beta", 1.0f), *y = c->out[0]->data;
	int64_t m, k, n;
	int rc = gemm_sizes(c, &m, &k, &n, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	memset(y, 0, c->out[0]->bytes);
	if (bias) {
		struct nx_walk w = { .rank = 2, .dim = { m, n } };
		nx_walk_add(&w, c->out[0]);
		nx_walk_add(&w, bias);
		nx_walk_copy(&w, sizeof *y);
		for (int64_t i = 0; i < m * n; i++)
			y[i] *= beta;
	}
	product(c->in[0]->data, ta ? 1 : k, ta ? m : 1, c->in[1]->data, tb ? 1 : n, tb ? k : 1, m,
		k, n, nx_node_float(c->node, "alpha", 1.0f), y);
	return 0;
}

/* Both inputs as stacks of matrices: 1-d inputs get a dimension of 1 that the output loses. */
static int matmul_shapes(const struct nx_op_call *c, struct nx_shape *a, struct nx_shape *b,
	struct nx_shape *stack, struct nx_err *err)
{
	*a = c->in[0]->shape;
	*b = c->in[1]->shape;
	if (a->rank == 0 || b->rank == 0)
		return nx_err_set(err, NX_EDATA, "a scalar input");
	if (a->rank == 1)
		*a = (struct nx_shape){ 2, { 1, a->dim[0] } };
	if (b->rank == 1)
		*b = (struct nx_shape){ 2, { b->dim[0], 1 } };
	if (a->dim[a->rank - 1] != b->dim[b->rank - 2])
		return nx_err_set(err, NX_EDATA, "inner dimensions %lld and %lld",
			(long long)a->dim[a->rank - 1], (long long)b->dim[b->rank - 2]);
	struct nx_shape sa = *a, sb = *b;
	sa.rank -= 2;
	sb.rank -= 2;
	return nx_ops_broadcast(&sa, &sb, stack, err);
}

int nx_infer_matmul(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape a, b, s;
	int rc = matmul_shapes(c, &a, &b, &s, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != c->in[1]->dtype)
		return nx_err_set(err, NX_EDATA, "inputs differ in type");
	if (c->in[0]->shape.rank > 1)
		s.dim[s.rank++] = a.dim[a.rank - 2];
	if (c->in[1]->shape.rank > 1)
		s.dim[s.rank++] = b.dim[b.rank - 1];
	nx_ops_out(c, 0, c->in[0]->dtype, &s);
	return 0;
}

struct matrices {
	int64_t m, k, n;
};

static void product_row(const void *arg, char *const *p, const int64_t *step, int64_t n)
{
	const struct matrices *x = arg;

	for (int64_t i = 0; i < n; i++)
		product((const float *)(const void *)(p[1] + i * step[1]), x->k, 1,
			(const float *)(const void *)(p[2] + i * step[2]), x->n, 1, x->m, x->k,
			x->n, 1.0, (float *)(void *)(p[0] + i * step[0]));
}

int nx_eval_matmul(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape a, b, s;
	int rc = matmul_shapes(c, &a, &b, &s, err);

	if (rc)
		return rc;
	if (c->in[0]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	struct matrices x = { a.dim[a.rank - 2], a.dim[a.rank - 1], b.dim[b.rank - 1] };
	/* A walk over the stacks, in which an element is a whole matrix. */
	struct nx_tensor ta = { .dtype = NX_F32, .shape = a, .data = c->in[0]->data };
	struct nx_tensor tb = { .dtype = NX_F32, .shape = b, .data = c->in[1]->data };
	struct nx_tensor ty = { .dtype = NX_F32, .shape = s, .data = c->out[0]->data };
	struct nx_walk w = { .rank = s.rank };
	const int64_t size[3] = { x.m * x.n, x.m * x.k, x.k * x.n };
	memcpy(w.dim, s.dim, sizeof w.dim);
	ta.shape.rank -= 2;
	tb.shape.rank -= 2;
	nx_walk_add(&w, &ty);
	nx_walk_add(&w, &ta);
	nx_walk_add(&w, &tb);
	for (int k = 0; k < 3; k++)
		for (int d = 0; d < w.rank; d++)
			w.step[k][d] *= size[k];
	memset(c->out[0]->data, 0, c->out[0]->bytes);
	nx_walk_run(&w, product_row, &x);
	return 0;
}
