/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and matrix products with constant weights, and what is fused into them. */
#include "plugins/cpu/linear.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool cpu_linear_take_codes(
	struct cpu_build *b, struct cpu_linear *l, const struct cpu_rep *src, int dst)
{
	struct cpu_coded coded = { .own = NULL };

	if (!b->integers || src->codes.scale == 0 || l->group->n_affine || l->scale == 0 ||
		!cpu_const_codes(b, l->weights, l->axis, &coded))
		return false;
	free(coded.own);
	if (coded.n_scales != 1 && coded.n_scales != l->channels)
		return false;
	/* Biases are divided by these. */
	for (int64_t c = 0; c < coded.n_scales; c++)
		if (!isnormal(src->codes.scale * coded.scale[c] * l->scale))
			return false;
	l->coded = true;
	l->type = src->md.data_type;
	l->src = src->codes;
	l->dst_type = dnnl_f32;
	l->dst = (struct cpu_codes){ 0, 0 };
	if (b->val[dst].wish.type != dnnl_data_type_undef) {
		l->dst_type = b->val[dst].wish.type;
		l->dst = b->val[dst].wish.codes;
	}
	dnn_md_retype(&l->stored, dnnl_s8);
	return true;
}

void cpu_linear_take_reals(struct cpu_build *b, struct cpu_linear *l, int dst)
{
	l->coded = l->shift = l->zero_behind = false;
	l->type = b->type;
	l->src = l->dst = (struct cpu_codes){ 0, 0 };
	l->dst_type = cpu_made_as(b, dst);
	dnn_md_retype(&l->stored, dnnl_f32);
}

/* Whether alg(s x) is s alg(x), if need be with other bounds. */
static bool scales_through(const struct nx_act *act)
{
	return act->kind == NX_ACT_NONE || act->kind == NX_ACT_RELU || act->kind == NX_ACT_CLIP;
}

/* From sums of products of codes to units of the result's codes; where the activation is not
 * for them, to real units, and the activation does the rest. */
static void set_scales(
	const struct cpu_build *b, const struct cpu_linear *l, float units, struct cpu_extras *x)
{
	struct cpu_coded coded = { .own = NULL };

	cpu_const_codes(b, l->weights, l->axis, &coded);
	free(coded.own);
	x->scales = nx_alloc((size_t)coded.n_scales, sizeof *x->scales);
	for (int64_t c = 0; c < coded.n_scales; c++)
		x->scales[c] = l->src.scale * coded.scale[c] * l->scale * units;
	x->attr.scales = x->scales;
	x->attr.n_scales = (int)coded.n_scales;
}

static dnnl_status_t append_act(
	dnnl_post_ops_t ops, const struct nx_act *act, float units, float scale)
{
	bool clip = act->kind == NX_ACT_CLIP;

	if (act->kind == NX_ACT_NONE)
		return dnnl_success;
	return dnnl_post_ops_append_eltwise(ops, scale, dnn_alg_of(act->kind),
		clip ? act->alpha * units : act->alpha, clip ? act->beta * units : act->beta);
}

int cpu_extras_init(struct cpu_extras *x, const struct cpu_build *b, const struct cpu_linear *l,
	const struct cpu_rep *residual, struct nx_err *err)
{
	const struct nx_act *act = &l->group->act;
	float whole = l->dst.scale != 0 ? 1 / l->dst.scale : 1;
	float units = scales_through(act) ? whole : 1;

	memset(x, 0, sizeof *x);
	dnnl_status_t st = dnnl_post_ops_create(&x->ops);
	if (st == dnnl_success && residual && residual->codes.scale != 0)
		st = dnnl_post_ops_append_sum_v3(x->ops, residual->codes.scale * units,
			residual->codes.zero, residual->md.data_type);
	else if (st == dnnl_success && residual)
		st = dnnl_post_ops_append_sum(x->ops, 1);
	if (st == dnnl_success && !l->act_behind)
		st = append_act(x->ops, act, units, whole / units);
	if (st == dnnl_success && l->dst.zero && l->zero_behind)
		st = dnnl_post_ops_append_eltwise(
			x->ops, 1, dnnl_eltwise_linear, 1, (float)l->dst.zero);
	if (st != dnnl_success) {
		cpu_extras_release(x);
		return dnn_check(st, "post-ops", err);
	}
	x->attr.post_ops = x->ops;
	if (!l->coded)
		return 0;
	set_scales(b, l, units, x);
	x->attr.src_zero = l->shift ? 0 : l->src.zero;
	x->attr.dst_zero = l->zero_behind ? 0 : l->dst.zero;
	return 0;
}

void cpu_extras_release(struct cpu_extras *x)
{
	if (x->ops)
		dnnl_post_ops_destroy(x->ops);
	free(x->scales);
	memset(x, 0, sizeof *x);
}

void cpu_linear_weights_md(const struct cpu_linear *l, dnnl_memory_desc_t *md)
{
	dnnl_memory_desc_init_by_tag(md, l->stored.ndims, l->stored.dims,
		l->coded ? dnnl_s8 : l->type, dnnl_format_tag_any);
}

bool cpu_linear_has_bias(const struct cpu_linear *l)
{
	return l->bias != NX_NO_VALUE || l->group->n_affine > 0 || (l->shift && l->src.zero);
}

void cpu_linear_bias_md(const struct cpu_linear *l, dnnl_memory_desc_t *md)
{
	const struct nx_shape shape = { 1, { l->channels } };

	dnn_md_plain(md, dnnl_f32, &shape);
}

int cpu_linear_step(struct cpu_build *b, const struct cpu_linear *l, dnnl_primitive_desc_t pd,
	int src, int dst, struct nx_err *err)
{
	const dnnl_memory_desc_t src_md = *dnn_pd_md(pd, dnnl_query_src_md);
	const dnnl_memory_desc_t dst_md = *dnn_pd_md(pd, dnnl_query_dst_md);
	const dnnl_memory_desc_t weights_md = *dnn_pd_md(pd, dnnl_query_weights_md);
	dnnl_memory_desc_t bias_md;
	dnnl_memory_t weights = NULL, bias = NULL;
	int rc = cpu_pack_weights(b, l, &weights_md, &weights, err);

	cpu_linear_bias_md(l, &bias_md);
	if (rc == 0 && cpu_linear_has_bias(l))
		rc = cpu_pack_bias(b, l, &bias_md, &bias, err);
	if (rc) {
		dnnl_primitive_desc_destroy(pd);
		return rc;
	}
	if (cpu_step_primitive(b->e, pd, &b->g->nodes[l->group->head], err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC, src, &src_md);
	cpu_step_use_memory(b->e, DNNL_ARG_WEIGHTS, weights);
	if (bias)
		cpu_step_use_memory(b->e, DNNL_ARG_BIAS, bias);
	cpu_step_use(b->e, DNNL_ARG_DST, dst, &dst_md);
	return 0;
}
