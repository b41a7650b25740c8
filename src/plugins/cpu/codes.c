/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of codes before anything is emitted: scales, wishes, constants. */
#include "plugins/cpu/codes.h"

#include "core/alloc.h"
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>

/* The one scale and zero point of QuantizeLinear or DequantizeLinear for codes of type 'type'. */
static bool one_scale(const struct cpu_build *b, const struct nx_node *n, enum nx_dtype type,
	struct cpu_codes *out)
{
	const struct nx_tensor *zero = NULL;
	int64_t count;
	const float *scale = nx_const_f32(b->g, n->in[1], &count);

	if (count != 1 || !(scale[0] > 0) || !isfinite(scale[0]) || !isfinite(1 / scale[0]) ||
		(type != NX_U8 && type != NX_I8))
		return false;
	out->scale = scale[0];
	out->zero = 0;
	if (n->n_in < 3 || n->in[2] == NX_NO_VALUE)
		return true;
	zero = b->g->values[n->in[2]].constant;
	if (!zero || zero->dtype != type || nx_shape_count(&zero->shape) != 1)
		return false;
	out->zero = type == NX_U8 ? *(const uint8_t *)zero->data : *(const int8_t *)zero->data;
	return true;
}

/* Whether op(code(x)) is code(op(x)): what only moves or selects elements, and what is monotone
 * with fixed points in 0. */
static bool commutes(const struct cpu_build *b, const struct nx_node *n, size_t input)
{
	static const char *const ops[] = { "Relu", "MaxPool", "GlobalMaxPool", "Transpose",
		"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity" };

	if (nx_node_is(n, "Concat"))
		return true;
	for (size_t i = 0; i < NX_ARRAY_LEN(ops) && input == 0; i++)
		if (nx_node_is(n, ops[i]))
			return nx_value_is_f32(b->g, n->in[0]);
	return input == 0 && nx_node_is(n, "Clip") && nx_act_of(b->g, n).kind == NX_ACT_CLIP;
}

static void add_wish(struct cpu_val *v, const struct cpu_wish *wish)
{
	bool same = v->wish.type == wish->type && v->wish.codes.scale == wish->codes.scale &&
		    v->wish.codes.zero == wish->codes.zero;

	if (!v->wished)
		v->wish = *wish;
	else if (!same)
		v->wish.type = dnnl_data_type_undef;
	v->wished = true;
}

static void plan_wishes(struct cpu_build *b)
{
	const struct nx_graph *g = b->g;
	const struct cpu_wish none = { dnnl_data_type_undef, { 0, 0 } };

	for (size_t i = 0; i < g->n_out; i++)
		add_wish(&b->val[g->out[i]], &none);
	/* All readers of a value come behind its maker. */
	for (size_t i = g->n_nodes; i-- > 0;) {
		const struct nx_node *n = &g->nodes[i];
		for (size_t k = 0; k < n->n_in; k++) {
			struct cpu_wish wish = none;
			if (n->in[k] == NX_NO_VALUE)
				continue;
			if (k == 0 && nx_node_is(n, "QuantizeLinear") &&
				nx_value_is_f32(g, n->in[0]) &&
				one_scale(b, n, g->values[n->out[0]].dtype, &wish.codes))
				wish.type = cpu_type(b, n->out[0]);
			else if (commutes(b, n, k))
				wish = b->val[n->out[0]].wish;
			add_wish(&b->val[n->in[k]], &wish);
		}
	}
}

static bool all_constant(const struct nx_graph *g, const struct nx_node *n)
{
	for (size_t i = 0; i < n->n_in; i++)
		if (n->in[i] != NX_NO_VALUE && !g->values[n->in[i]].constant)
			return false;
	return true;
}

void cpu_codes_plan(struct cpu_build *b)
{
	for (size_t i = 0; i < b->g->n_nodes; i++) {
		const struct nx_node *n = &b->g->nodes[i];
		if (nx_node_is(n, "DequantizeLinear") && all_constant(b->g, n))
			b->val[n->out[0]].coded = n;
	}
	if (b->integers)
		plan_wishes(b);
}

bool cpu_is_const_real(const struct cpu_build *b, int value)
{
	int64_t count;

	if (value != NX_NO_VALUE && b->val[value].coded)
		return nx_shape_count(cpu_shape(b, value)) > 0;
	return nx_const_f32(b->g, value, &count) && count > 0;
}

const float *cpu_const_real(const struct cpu_build *b, int value, int64_t *count, float **own)
{
	const struct nx_node *n = value == NX_NO_VALUE ? NULL : b->val[value].coded;
	const struct nx_tensor *in[3] = { NULL };
	struct nx_err ignored = NX_ERR_INIT;

	*own = NULL;
	if (!n)
		return nx_const_f32(b->g, value, count);
	const struct nx_value *v = &b->g->values[value];
	*count = nx_shape_count(&v->shape);
	struct nx_tensor t = {
		.dtype = NX_F32, .shape = v->shape, .bytes = (size_t)*count * sizeof(float)
	};
	struct nx_tensor *out[] = { &t };
	for (size_t i = 0; i < n->n_in && i < NX_ARRAY_LEN(in); i++)
		in[i] = n->in[i] == NX_NO_VALUE ? NULL : b->g->values[n->in[i]].constant;
	t.data = *own = nx_try_alloc((size_t)*count + 1, sizeof **own);
	if (*own && nx_op_eval(b->g->opset, n, in, out, &ignored) == 0)
		return *own;
	free(*own);
	*own = NULL;
	*count = 0;
	return NULL;
}

/* The one code all zero points are; -1 where they differ. */
static int zero_point(const struct cpu_build *b, const struct nx_node *n)
{
	const struct nx_tensor *t =
		n->n_in < 3 || n->in[2] == NX_NO_VALUE ? NULL : b->g->values[n->in[2]].constant;
	const uint8_t *zero = t ? t->data : NULL;

	for (size_t i = 1; zero && i < t->bytes; i++)
		if (zero[i] != zero[0])
			return -1;
	return zero && t->bytes ? zero[0] : 0;
}

bool cpu_const_codes(const struct cpu_build *b, int value, int64_t axis, struct cpu_coded *out)
{
	const struct nx_node *n = value == NX_NO_VALUE ? NULL : b->val[value].coded;

	if (!n)
		return false;
	const struct nx_tensor *t = b->g->values[n->in[0]].constant;
	int64_t at = nx_node_int(n, "axis", 1);
	*out = (struct cpu_coded){ .codes = t->data, .count = nx_shape_count(&t->shape) };
	out->scale = nx_const_f32(b->g, n->in[1], &out->n_scales);
	at += at < 0 ? t->shape.rank : 0;
	if (!out->scale || (out->n_scales != 1 && at != axis))
		return false;
	for (int64_t i = 0; i < out->n_scales; i++)
		if (!(out->scale[i] > 0) || !isfinite(out->scale[i]))
			return false;
	if (t->dtype == NX_I8)
		return zero_point(b, n) == 0;
	if (t->dtype != NX_U8 || zero_point(b, n) != 128)
		return false;
	out->own = nx_try_alloc((size_t)out->count + 1, 1);
	for (int64_t i = 0; i < out->count && out->own; i++)
		out->own[i] = (int8_t)(((const uint8_t *)t->data)[i] - 128);
	out->codes = out->own;
	return out->own != NULL;
}

int cpu_emit_dequantize(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	struct cpu_codes codes;
	struct cpu_rep rep;

	if (b->val[n->out[0]].coded)
		return 0;
	if (!one_scale(b, n, b->g->values[n->in[0]].dtype, &codes))
		return CPU_NOT_MINE;
	if (cpu_view_get(b, n->in[0])) {
		const struct cpu_view view = {
			.of = n->in[0], .kind = CPU_VIEW_CODES, .codes = codes
		};
		cpu_view_add(b, n->out[0], &view);
		return 0;
	}
	if (cpu_rep_home(b, n->in[0], &rep, err))
		return -err->code;
	rep.codes = codes;
	cpu_rep_put(b, n->out[0], &rep);
	return 0;
}

int cpu_emit_quantize(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *shape = cpu_shape(b, n->in[0]);
	dnnl_data_type_t type = cpu_type(b, n->out[0]);
	struct cpu_codes codes;
	struct cpu_rep rep;

	if (!nx_value_is_f32(b->g, n->in[0]) || nx_shape_count(shape) <= 0 ||
		!one_scale(b, n, b->g->values[n->out[0]].dtype, &codes))
		return CPU_NOT_MINE;
	const struct cpu_view *from = cpu_view_get(b, n->in[0]);
	if (from && from->kind == CPU_VIEW_TABLE && from->type == type &&
		from->codes.scale == codes.scale && from->codes.zero == codes.zero) {
		const struct cpu_view view = { .of = n->in[0], .kind = CPU_VIEW_CODES };
		cpu_view_add(b, n->out[0], &view);
		return 0;
	}
	if (cpu_rep_home(b, n->in[0], &rep, err))
		return -err->code;
	/* A picture on its way to the first convolution. */
	if (b->integers && rep.codes.scale == 0 && shape->rank == 4 && dnn_md_is_plain(&rep.md) &&
		cpu_pass(b, CPU_LAYOUT))
		dnn_md_channels_last(&rep.md, type, shape);
	dnn_md_retype(&rep.md, type);
	rep.codes = codes;
	if (cpu_rep_get(b, n->in[0], &rep, &rep, err))
		return -err->code;
	rep.codes = (struct cpu_codes){ 0, 0 };
	cpu_rep_put(b, n->out[0], &rep);
	return 0;
}
