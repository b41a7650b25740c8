/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul: cuBLASLt on plain values. */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

struct gemm {
	const struct nx_node *node;
	int weights, bias; /* values; the bias may be left out */
	float alpha, beta;
	bool trans_b; /* as the model stores the weights */
	int64_t m, n, k;
};

static bool describe(const struct cu_build *b, const struct nx_node *n, struct gemm *gm)
{
	bool gemm = nx_node_is(n, "Gemm");
	int64_t count;

	memset(gm, 0, sizeof *gm);
	gm->node = n;
	gm->weights = n->in[1];
	gm->bias = gemm && n->n_in > 2 ? n->in[2] : NX_NO_VALUE;
	gm->alpha = gemm ? nx_node_float(n, "alpha", 1) : 1;
	gm->beta = gemm ? nx_node_float(n, "beta", 1) : 1;
	gm->trans_b = gemm && nx_node_int(n, "transB", 0);
	const struct nx_shape *src = cu_shape(b, n->in[0]), *w = cu_shape(b, gm->weights);
	if (!nx_const_f32(b->g, gm->weights, &count) || count <= 0 || w->rank != 2 ||
		src->rank < 2 || nx_shape_count(src) <= 0 || (gemm && nx_node_int(n, "transA", 0)))
		return false;
	gm->n = w->dim[gm->trans_b ? 0 : 1];
	gm->k = w->dim[gm->trans_b ? 1 : 0];
	gm->m = nx_shape_count(src) / gm->k;
	if (gm->bias == NX_NO_VALUE)
		return true;
	const struct nx_shape *bias = cu_shape(b, gm->bias);
	return nx_const_f32(b->g, gm->bias, &count) &&
	       (count == 1 || (count == gm->n && bias->dim[bias->rank - 1] == gm->n));
}

/* [n,k], scaled. */
static int pack_weights(struct cu_build *b, const struct gemm *gm, const float *scale)
{
	int64_t count;
	const float *w = nx_const_f32(b->g, gm->weights, &count);
	float *packed = nx_alloc((size_t)count, sizeof *packed);

	for (int64_t n = 0; n < gm->n; n++)
		for (int64_t k = 0; k < gm->k; k++)
			packed[n * gm->k + k] = w[gm->trans_b ? n * gm->k + k : k * gm->n + n] *
						gm->alpha * scale[n];
	int buf = cu_const_new(b, packed, (size_t)count, b->p->type);
	free(packed);
	return buf;
}

static int pack_bias(
	struct cu_build *b, const struct gemm *gm, const float *scale, const float *shift)
{
	int64_t count = 0;
	const float *bias = gm->bias == NX_NO_VALUE ? NULL : nx_const_f32(b->g, gm->bias, &count);
	float *packed = nx_alloc((size_t)gm->n, sizeof *packed);

	for (int64_t n = 0; n < gm->n; n++)
		packed[n] = shift[n] + (bias ? gm->beta * bias[count == 1 ? 0 : n] * scale[n] : 0);
	int buf = cu_const_new(b, packed, (size_t)gm->n, b->p->type);
	free(packed);
	return buf;
}

int cu_emit_gemm(struct cu_build *b, const struct nx_group *group)
{
	const struct nx_node *node = &b->g->nodes[group->head];
	struct cu_act act = cu_act_of_group(&group->act);
	struct cu_chain chain;
	struct gemm gm;
	int buf[4];

	if (!describe(b, node, &gm) || group->residual != NX_NO_VALUE ||
		nx_shape_count(cu_shape(b, group->out)) <= 0)
		return CU_NOT_MINE;
	float *scale = nx_alloc((size_t)gm.n * 2, sizeof *scale);
	nx_affine(b->g, group, gm.n, scale, scale + gm.n);
	buf[2] = pack_weights(b, &gm, scale);
	buf[3] = gm.bias != NX_NO_VALUE || group->n_affine ? pack_bias(b, &gm, scale, scale + gm.n)
							   : CU_NO_BUF;
	free(scale);
	buf[1] = cu_need(b, node->in[0], CU_PLAIN);
	buf[0] = cu_make(b, group->out, CU_PLAIN);
	const struct cu_gemm g = { .batch = 1,
		.m = gm.m,
		.n = gm.n,
		.k = gm.k,
		.type = b->p->type,
		.trans_b = true,
		.bias = buf[3] != CU_NO_BUF,
		.relu = cu_is_relu(&act) };
	cu_step_new(b->p, CU_STEP_GEMM, node, buf, 4)->u.gemm = g;
	if (act.op == CU_OP_NONE || g.relu)
		return 0;
	cu_chain_init(&chain, group->out, group->out);
	cu_chain_add(&chain, act, NX_NO_VALUE, NX_NO_VALUE);
	cu_emit_chain(b, node, &chain);
	return 0;
}

/* Products of two values: equal batches, or one matrix for all of a batch. */
int cu_emit_matmul(struct cu_build *b, const struct nx_node *n)
{
	struct cu_gemm g = { .batch = 1, .type = b->p->type };

	if (!nx_node_is(n, "MatMul") || !nx_value_is_f32(b->g, n->in[0]) ||
		!nx_value_is_f32(b->g, n->in[1]))
		return CU_NOT_MINE;
	const struct nx_shape *x = cu_shape(b, n->in[0]), *y = cu_shape(b, n->in[1]);
	if (x->rank < 2 || y->rank < 2 || nx_shape_count(x) <= 0 || nx_shape_count(y) <= 0)
		return CU_NOT_MINE;
	g.m = x->dim[x->rank - 2];
	g.k = x->dim[x->rank - 1];
	g.n = y->dim[y->rank - 1];
	int64_t batch_x = nx_shape_count(x) / (g.m * g.k);
	int64_t batch_y = nx_shape_count(y) / (g.k * g.n);
	if (batch_y == 1) {
		g.m *= batch_x;
	} else {
		bool equal = x->rank == y->rank;
		for (int d = 0; equal && d < x->rank - 2; d++)
			equal = x->dim[d] == y->dim[d];
		if (!equal)
			return CU_NOT_MINE;
		g.batch = batch_x;
		g.stride_b = g.k * g.n;
	}
	const int a = cu_need(b, n->in[0], CU_PLAIN), c = cu_need(b, n->in[1], CU_PLAIN);
	const int buf[] = { cu_make(b, n->out[0], CU_PLAIN), a, c };
	cu_step_new(b->p, CU_STEP_GEMM, n, buf, 3)->u.gemm = g;
	return 0;
}
