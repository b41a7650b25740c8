/* SPDX-License-Identifier: Apache-2.0 */
/* Single nodes that oneDNN has primitives for, or that are only a matter of layout. */
#include "plugins/cpu/nodes.h"

#include "core/alloc.h"
#include "plugins/cpu/codes.h"

int64_t cpu_ints_at(const struct nx_node *n, const char *name, int i, int64_t dflt)
{
	size_t count;
	const int64_t *v = nx_node_ints(n, name, &count);

	return (size_t)i < count ? v[i] : dflt;
}

/* Appends the step of 'pd' (consumed) that makes 'value' from one source. */
static int emit_unary(struct cpu_build *b, dnnl_primitive_desc_t pd, const struct nx_node *n,
	const struct cpu_rep *src, int value, struct nx_err *err)
{
	struct cpu_rep dst = { .md = *dnn_pd_md(pd, dnnl_query_dst_md), .codes = src->codes };

	dst.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&dst.md));
	cpu_rep_put(b, value, &dst);
	if (cpu_step_primitive(b->e, pd, n, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC, src->buf, &src->md);
	cpu_step_use(b->e, DNNL_ARG_DST, dst.buf, &dst.md);
	return 0;
}

int cpu_emit_channelwise(struct cpu_build *b, const struct nx_node *n, cpu_describe_fn *describe,
	const void *op, bool codes, struct nx_err *err)
{
	struct cpu_rep src, last;

	if (codes ? cpu_rep_home(b, n->in[0], &src, err) : cpu_rep_real(b, n->in[0], &src, err))
		return -err->code;
	dnnl_primitive_desc_t pd = describe(b, op, &src.md);
	if (!pd || !dnn_pd_is_fast(pd)) {
		last = src;
		dnn_md_channels_last(&last.md, src.md.data_type, cpu_shape(b, n->in[0]));
		dnnl_primitive_desc_t other = describe(b, op, &last.md);
		if (other && (!pd || dnn_pd_is_fast(other))) {
			dnnl_primitive_desc_t swap = pd;
			pd = other;
			other = swap;
			if (cpu_rep_get(b, n->in[0], &last, &src, err)) {
				dnnl_primitive_desc_destroy(pd);
				if (other)
					dnnl_primitive_desc_destroy(other);
				return -err->code;
			}
		}
		if (other)
			dnnl_primitive_desc_destroy(other);
	}
	return pd ? emit_unary(b, pd, n, &src, n->out[0], err) : CPU_NOT_MINE;
}

static dnnl_primitive_desc_t describe_lrn(
	struct cpu_build *b, const void *op, const dnnl_memory_desc_t *src)
{
	const struct nx_node *n = op;
	dnnl_lrn_desc_t d;

	if (dnnl_lrn_forward_desc_init(&d, dnnl_forward_inference, dnnl_lrn_across_channels, src,
		    nx_node_int(n, "size", 1), nx_node_float(n, "alpha", 1e-4f),
		    nx_node_float(n, "beta", 0.75f), nx_node_float(n, "bias", 1)) != dnnl_success)
		return NULL;
	return dnn_pd_new(b->e->dev->engine, &d, NULL);
}

static int emit_lrn(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	/* For even sizes the two disagree about the middle. */
	if (cpu_shape(b, n->in[0])->rank < 3 || nx_node_int(n, "size", 1) % 2 == 0)
		return CPU_NOT_MINE;
	return cpu_emit_channelwise(b, n, describe_lrn, n, false, err);
}

static int emit_act(
	struct cpu_build *b, const struct nx_node *n, const struct nx_act *act, struct nx_err *err)
{
	struct cpu_rep src;
	dnnl_eltwise_desc_t d;

	if (nx_shape_count(cpu_shape(b, n->in[0])) <= 0)
		return CPU_NOT_MINE;
	if (cpu_rep_real(b, n->in[0], &src, err))
		return -err->code;
	if (dnnl_eltwise_forward_desc_init(&d, dnnl_forward_inference, dnn_alg_of(act->kind),
		    &src.md, act->alpha, act->beta) != dnnl_success)
		return CPU_NOT_MINE;
	dnnl_primitive_desc_t pd = dnn_pd_new(b->e->dev->engine, &d, NULL);
	return pd ? emit_unary(b, pd, n, &src, n->out[0], err) : CPU_NOT_MINE;
}

/* 'shape' with dimensions of 1 in front, up to 'rank'. */
static struct nx_shape widen(const struct nx_shape *shape, int rank)
{
	struct nx_shape s = { .rank = rank };

	for (int i = 0; i < rank; i++) {
		int from = i - (rank - shape->rank);
		s.dim[i] = from < 0 ? 1 : shape->dim[from];
	}
	return s;
}

static int emit_binary_as(struct cpu_build *b, const struct nx_node *n, dnnl_alg_kind_t alg,
	int big, int small, struct nx_err *err)
{
	const struct nx_shape *out = cpu_shape(b, n->out[0]);
	struct cpu_rep a, c;
	dnnl_binary_desc_t d;

	if (cpu_rep_real(b, big, &a, err))
		return -err->code;
	if (nx_shape_equal(cpu_shape(b, small), out)) {
		if (cpu_rep_as(b, small, &a.md, &c, err))
			return -err->code;
	} else {
		struct nx_shape wide = widen(cpu_shape(b, small), out->rank);
		if (cpu_rep_plain(b, small, &c, err))
			return -err->code;
		dnn_md_plain(&c.md, c.md.data_type, &wide);
	}
	if (dnnl_binary_desc_init(&d, alg, &a.md, &c.md, &a.md) != dnnl_success)
		return CPU_NOT_MINE;
	dnnl_primitive_desc_t pd = dnn_pd_new(b->e->dev->engine, &d, NULL);
	if (!pd)
		return CPU_NOT_MINE;
	if (!dnn_pd_is_fast(pd)) {
		dnnl_primitive_desc_destroy(pd);
		return CPU_NOT_MINE;
	}
	int dst = cpu_rep_new(b, n->out[0], &a.md);
	if (cpu_step_primitive(b->e, pd, n, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC_0, a.buf, &a.md);
	cpu_step_use(b->e, DNNL_ARG_SRC_1, c.buf, &c.md);
	cpu_step_use(b->e, DNNL_ARG_DST, dst, &a.md);
	return 0;
}

static int emit_binary(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	static const struct {
		const char *op;
		dnnl_alg_kind_t alg;
		bool commutes;
	} known[] = {
		{ "Add", dnnl_binary_add, true },
		{ "Sub", dnnl_binary_sub, false },
		{ "Mul", dnnl_binary_mul, true },
		{ "Div", dnnl_binary_div, false },
		{ "Max", dnnl_binary_max, true },
		{ "Min", dnnl_binary_min, true },
	};
	const struct nx_shape *out = cpu_shape(b, n->out[0]);
	size_t i = 0;

	while (i < NX_ARRAY_LEN(known) && !nx_node_is(n, known[i].op))
		i++;
	if (i == NX_ARRAY_LEN(known) || n->n_in != 2 || !nx_value_is_f32(b->g, n->in[1]) ||
		out->rank < 1 || nx_shape_count(out) <= 0)
		return CPU_NOT_MINE;
	bool first = nx_shape_equal(cpu_shape(b, n->in[0]), out);
	bool second = nx_shape_equal(cpu_shape(b, n->in[1]), out);
	if (first && !b->g->values[n->in[0]].constant)
		return emit_binary_as(b, n, known[i].alg, n->in[0], n->in[1], err);
	if (second && known[i].commutes)
		return emit_binary_as(b, n, known[i].alg, n->in[1], n->in[0], err);
	return CPU_NOT_MINE;
}

/* Up to opset 12 the axis cuts the tensor into a matrix whose rows are normalised. */
static int emit_softmax(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *s = cpu_shape(b, n->in[0]);
	bool old = b->g->opset < 13;
	int axis = (int)nx_node_int(n, "axis", old ? 1 : -1);
	struct nx_shape view = *s;
	struct cpu_rep src;
	dnnl_softmax_v2_desc_t d;

	axis += axis < 0 ? s->rank : 0;
	if (s->rank < 1 || axis < 0 || axis >= s->rank || nx_shape_count(s) <= 0)
		return CPU_NOT_MINE;
	if (old) {
		view = (struct nx_shape){ 2, { 1, 1 } };
		for (int i = 0; i < s->rank; i++)
			view.dim[i >= axis] *= s->dim[i];
		axis = 1;
	}
	if (cpu_rep_plain(b, n->in[0], &src, err))
		return -err->code;
	dnn_md_plain(&src.md, dnnl_f32, &view);
	if (dnnl_softmax_v2_forward_desc_init(&d, dnnl_forward_inference,
		    nx_node_is(n, "Softmax") ? dnnl_softmax_accurate : dnnl_softmax_log, &src.md,
		    &src.md, axis) != dnnl_success)
		return CPU_NOT_MINE;
	dnnl_primitive_desc_t pd = dnn_pd_new(b->e->dev->engine, &d, NULL);
	if (!pd)
		return CPU_NOT_MINE;
	int dst = cpu_rep_new(b, n->out[0], NULL);
	if (cpu_step_primitive(b->e, pd, n, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC, src.buf, &src.md);
	cpu_step_use(b->e, DNNL_ARG_DST, dst, &src.md);
	return 0;
}

int cpu_emit_node(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	static const struct {
		const char *op;
		int (*emit)(struct cpu_build *, const struct nx_node *, struct nx_err *);
	} known[] = {
		{ "MaxPool", cpu_emit_pool },
		{ "AveragePool", cpu_emit_pool },
		{ "GlobalAveragePool", cpu_emit_pool },
		{ "GlobalMaxPool", cpu_emit_pool },
		{ "LRN", emit_lrn },
		{ "Softmax", emit_softmax },
		{ "LogSoftmax", emit_softmax },
		{ "Transpose", cpu_emit_transpose },
		{ "Slice", cpu_emit_slice },
		{ "Softplus", cpu_emit_softplus },
		{ "Resize", cpu_emit_resize },
		{ "Upsample", cpu_emit_resize },
	};
	int rc = cpu_emit_coded(b, n, err);

	if (rc != CPU_NOT_MINE)
		return rc;
	if (nx_node_is(n, "QuantizeLinear"))
		return cpu_emit_quantize(b, n, err);
	if (nx_node_is(n, "DequantizeLinear"))
		return cpu_emit_dequantize(b, n, err);
	if (nx_node_is(n, "Concat"))
		return cpu_emit_concat(b, n, err);
	if (n->n_in < 1 || n->n_out < 1 || !nx_value_is_f32(b->g, n->in[0]) ||
		!nx_value_is_f32(b->g, n->out[0]))
		return CPU_NOT_MINE;
	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++)
		if (nx_node_is(n, known[i].op))
			return known[i].emit(b, n, err);
	struct nx_act act = nx_act_of(b->g, n);
	if (act.kind != NX_ACT_NONE)
		return emit_act(b, n, &act, err);
	return emit_binary(b, n, err);
}
