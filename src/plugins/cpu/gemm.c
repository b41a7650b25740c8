/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul by a constant matrix: oneDNN's inner product. */
#include "plugins/cpu/linear.h"

#include <string.h>

struct gemm {
	struct cpu_linear linear;
	int src, dst; /* values */
	bool trans_b;
	int64_t m, k, n;
};

static bool bias_fits(const struct cpu_build *b, int bias, int64_t n)
{
	if (bias == NX_NO_VALUE)
		return true;
	if (!cpu_is_const_real(b, bias))
		return false;
	const struct nx_shape *s = cpu_shape(b, bias);
	int64_t count = nx_shape_count(s);
	return count == 1 || (count == n && s->rank > 0 && s->dim[s->rank - 1] == n);
}

static int describe(struct cpu_build *b, const struct nx_group *group, struct gemm *gm)
{
	const struct nx_node *node = &b->g->nodes[group->head];
	bool gemm = nx_node_is(node, "Gemm");

	memset(gm, 0, sizeof *gm);
	gm->src = node->in[0];
	gm->dst = group->out;
	gm->trans_b = gemm && nx_node_int(node, "transB", 0);
	gm->linear.group = group;
	gm->linear.weights = node->in[1];
	gm->linear.bias = gemm && node->n_in > 2 ? node->in[2] : NX_NO_VALUE;
	gm->linear.scale = gemm ? nx_node_float(node, "alpha", 1) : 1;

	const struct nx_shape *src = cpu_shape(b, gm->src), *w = cpu_shape(b, node->in[1]);
	if (!cpu_is_const_real(b, node->in[1]) || w->rank != 2 || src->rank < 2 ||
		nx_shape_count(src) <= 0)
		return CPU_NOT_MINE;
	if (gemm &&
		(nx_node_int(node, "transA", 0) ||
			(gm->linear.bias != NX_NO_VALUE && nx_node_float(node, "beta", 1) != 1)))
		return CPU_NOT_MINE;
	gm->n = w->dim[gm->trans_b ? 0 : 1];
	gm->k = w->dim[gm->trans_b ? 1 : 0];
	gm->m = nx_shape_count(src) / gm->k;
	gm->linear.channels = gm->n;
	gm->linear.axis = gm->trans_b ? 0 : 1;
	gm->linear.per_group = (size_t)gm->n;
	gm->linear.inner = gm->trans_b ? (size_t)gm->k : 1;
	return bias_fits(b, gm->linear.bias, gm->n) ? 0 : CPU_NOT_MINE;
}

/* The weights as [N, dims of a row of the source], wherever transB put the rows. */
static void describe_weights(struct gemm *gm, const struct nx_shape *src)
{
	dnnl_dims_t dims, strides;
	int64_t stride = gm->trans_b ? 1 : gm->n;

	dims[0] = gm->n;
	strides[0] = gm->trans_b ? gm->k : 1;
	for (int i = src->rank - 1; i > 0; i--) {
		dims[i] = src->dim[i];
		strides[i] = stride;
		stride *= src->dim[i];
	}
	dnnl_memory_desc_init_by_strides(&gm->linear.stored, src->rank, dims,
		gm->linear.coded ? dnnl_s8 : dnnl_f32, strides);
}

static dnnl_primitive_desc_t try_src(struct cpu_build *b, const struct gemm *gm,
	const dnnl_memory_desc_t *src, const struct dnn_attr *attr)
{
	const struct nx_shape out = { 2, { gm->m, gm->n } };
	dnnl_memory_desc_t weights, bias, dst;
	dnnl_inner_product_desc_t d;

	cpu_linear_weights_md(&gm->linear, &weights);
	cpu_linear_bias_md(&gm->linear, &bias);
	dnn_md_plain(&dst, gm->linear.dst_type, &out);
	if (dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, src, &weights,
		    cpu_linear_has_bias(&gm->linear) ? &bias : NULL, &dst) != dnnl_success)
		return NULL;
	return dnn_pd_new(b->e->dev->engine, &d, attr);
}

static int new_output(struct cpu_build *b, const struct gemm *gm)
{
	struct cpu_rep rep = { .codes = gm->linear.dst };

	dnn_md_plain(&rep.md, gm->linear.dst_type, cpu_shape(b, gm->dst));
	rep.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&rep.md));
	cpu_rep_put(b, gm->dst, &rep);
	return rep.buf;
}

/* The value that the source is a view of, however often, until it is asked for. */
static int unviewed(const struct cpu_build *b, int v)
{
	const struct cpu_view *view;

	while ((view = cpu_view_get(b, v)) && view->kind == CPU_VIEW_SHAPE)
		v = view->of;
	return v;
}

/*
 * A flattened feature map need not be put into row-major order first: the inner product takes
 * the map itself, and the weights are packed to match.
 */
static bool is_map(const struct cpu_build *b, const struct gemm *gm, int v)
{
	const struct nx_shape *s = cpu_shape(b, v);

	return v != gm->src && b->val[v].n && nx_value_is_f32(b->g, v) && s->rank >= 3 &&
	       s->rank <= 5 && s->dim[0] == gm->m && !dnn_md_is_plain(&b->val[v].rep[0].md);
}

/* The step that reads 'value' in that layout, seen as 'view'; codes and maps only if fast. */
static int emit_from(struct cpu_build *b, struct gemm *gm, int value, const dnnl_memory_desc_t *md,
	const dnnl_memory_desc_t *view, struct nx_err *err)
{
	struct cpu_rep src = { .md = *md, .codes = gm->linear.src };
	bool choosy = gm->linear.coded || value != gm->src;
	struct cpu_extras extras;

	if (cpu_extras_init(&extras, b, &gm->linear, NULL, err))
		return -err->code;
	dnnl_primitive_desc_t pd = try_src(b, gm, view, &extras.attr);
	cpu_extras_release(&extras);
	if (!pd || (choosy && !dnn_pd_is_fast(pd))) {
		if (pd)
			dnnl_primitive_desc_destroy(pd);
		return CPU_NOT_MINE;
	}
	if (cpu_rep_get(b, value, &src, &src, err)) {
		dnnl_primitive_desc_destroy(pd);
		return -err->code;
	}
	return cpu_linear_step(b, &gm->linear, pd, src.buf, new_output(b, gm), err);
}

static int emit_gemm(struct cpu_build *b, struct gemm *gm, struct nx_err *err)
{
	const struct nx_shape rows = { 2, { gm->m, gm->k } };
	dnnl_memory_desc_t md, view;
	int map = unviewed(b, gm->src), rc;

	if (is_map(b, gm, map)) {
		md = b->val[map].rep[0].md;
		dnn_md_retype(&md, gm->linear.type);
		describe_weights(gm, cpu_shape(b, map));
		rc = emit_from(b, gm, map, &md, &md, err);
		if (rc != CPU_NOT_MINE)
			return rc;
	}
	describe_weights(gm, &rows);
	dnn_md_plain(&md, gm->linear.type, cpu_shape(b, gm->src));
	dnn_md_plain(&view, gm->linear.type, &rows);
	return emit_from(b, gm, gm->src, &md, &view, err);
}

int cpu_emit_gemm(struct cpu_build *b, const struct nx_group *group, struct nx_err *err)
{
	struct gemm gm;
	struct cpu_rep home;

	if (describe(b, group, &gm) == CPU_NOT_MINE)
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, unviewed(b, gm.src), &home, err))
		return -err->code;
	if (cpu_linear_take_codes(b, &gm.linear, &home, gm.dst)) {
		gm.linear.shift = gm.linear.zero_behind = true;
		int rc = emit_gemm(b, &gm, err);
		if (rc != CPU_NOT_MINE)
			return rc;
	}
	cpu_linear_take_reals(b, &gm.linear, gm.dst);
	return emit_gemm(b, &gm, err);
}
