/* SPDX-License-Identifier: Apache-2.0 */
/* Single nodes that oneDNN has primitives for, or that are only a matter of layout. */
#include "core/alloc.h"
#include "plugins/cpu/build.h"

#include <stdlib.h>
#include <string.h>

/* Appends the step of 'pd' (consumed) that makes 'value' from one source. */
static int emit_unary(struct cpu_build *b, dnnl_primitive_desc_t pd, const struct nx_node *n,
	const struct cpu_rep *src, int value, struct nx_err *err)
{
	const dnnl_memory_desc_t dst_md = *dnn_pd_md(pd, dnnl_query_dst_md);
	int dst = cpu_rep_new(b, value, &dst_md);

	if (cpu_step_primitive(b->e, pd, n, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC, src->buf, &src->md);
	cpu_step_use(b->e, DNNL_ARG_DST, dst, &dst_md);
	return 0;
}

/* Makes a descriptor from a source layout; NULL where it cannot be. */
typedef dnnl_primitive_desc_t describe_fn(
	struct cpu_build *b, const void *op, const dnnl_memory_desc_t *src);

/* Tries the layout that is there, then channels last; a slow form only if there is no other. */
static int emit_channelwise(struct cpu_build *b, const struct nx_node *n, describe_fn *describe,
	const void *op, struct nx_err *err)
{
	struct cpu_rep src;
	dnnl_memory_desc_t last;

	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	dnnl_primitive_desc_t pd = describe(b, op, &src.md);
	if (!pd || !dnn_pd_is_fast(pd)) {
		dnn_md_channels_last(&last, cpu_shape(b, n->in[0]));
		dnnl_primitive_desc_t other = describe(b, op, &last);
		if (other && (!pd || dnn_pd_is_fast(other))) {
			dnnl_primitive_desc_t swap = pd;
			pd = other;
			other = swap;
			if (cpu_rep_as(b, n->in[0], &last, &src, err)) {
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

struct pool {
	dnnl_alg_kind_t alg;
	int dst;
	dnnl_dims_t kernel, strides, dilation, pad_l, pad_r;
};

static dnnl_primitive_desc_t describe_pool(
	struct cpu_build *b, const void *op, const dnnl_memory_desc_t *src)
{
	const struct pool *p = op;
	dnnl_memory_desc_t dst;
	dnnl_pooling_v2_desc_t d;

	dnn_md_any(&dst, cpu_shape(b, p->dst));
	if (dnnl_pooling_v2_forward_desc_init(&d, dnnl_forward_inference, p->alg, src, &dst,
		    p->strides, p->kernel, p->dilation, p->pad_l, p->pad_r) != dnnl_success)
		return NULL;
	return dnn_pd_new(b->e->dev->engine, &d, NULL);
}

static int64_t ints_at(const struct nx_node *n, const char *name, int i, int64_t dflt)
{
	size_t count;
	const int64_t *v = nx_node_ints(n, name, &count);

	return (size_t)i < count ? v[i] : dflt;
}

/* False where oneDNN and ONNX would differ. */
static bool fill_window(
	const struct nx_node *n, int i, int spatial, int64_t in, int64_t out, struct pool *p)
{
	const char *automatic = nx_node_str(n, "auto_pad", "NOTSET");

	p->kernel[i] = ints_at(n, "kernel_shape", i, 1);
	p->strides[i] = ints_at(n, "strides", i, 1);
	p->dilation[i] = ints_at(n, "dilations", i, 1) - 1;
	int64_t range = (p->kernel[i] - 1) * (p->dilation[i] + 1) + 1;
	int64_t total = (out - 1) * p->strides[i] + range - in;
	int64_t behind = ints_at(n, "pads", i + spatial, 0);

	p->pad_l[i] = ints_at(n, "pads", i, 0);
	if (strcmp(automatic, "NOTSET") != 0) {
		total = total > 0 ? total : 0;
		p->pad_l[i] = strcmp(automatic, "SAME_LOWER") == 0 ? total - total / 2 : total / 2;
		p->pad_r[i] = behind = total - p->pad_l[i];
	} else {
		p->pad_r[i] = total - p->pad_l[i];
	}
	/* A window that hangs over the padding (ceil_mode) must not count what is not there. */
	bool hangs = p->pad_r[i] > behind && nx_node_int(n, "count_include_pad", 0);
	return !hangs && p->pad_l[i] < range && p->pad_r[i] < range;
}

static int emit_pool(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *src = cpu_shape(b, n->in[0]), *dst = cpu_shape(b, n->out[0]);
	bool global = strncmp(n->op, "Global", 6) == 0;
	struct pool p = { .dst = n->out[0] };

	if (src->rank < 3 || src->rank > 5 || dst->rank != src->rank || nx_shape_count(src) <= 0 ||
		nx_shape_count(dst) <= 0 || (n->n_out > 1 && n->out[1] != NX_NO_VALUE))
		return CPU_NOT_MINE;
	p.alg = dnnl_pooling_avg_exclude_padding;
	if (strstr(n->op, "Max"))
		p.alg = dnnl_pooling_max;
	else if (nx_node_int(n, "count_include_pad", 0))
		p.alg = dnnl_pooling_avg_include_padding;
	for (int i = 0; i < src->rank - 2; i++) {
		int64_t in = src->dim[i + 2], out = dst->dim[i + 2];
		if (global)
			p.kernel[i] = in, p.strides[i] = 1;
		else if (!fill_window(n, i, src->rank - 2, in, out, &p))
			return CPU_NOT_MINE;
	}
	return emit_channelwise(b, n, describe_pool, &p, err);
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
	return emit_channelwise(b, n, describe_lrn, n, err);
}

static int emit_act(
	struct cpu_build *b, const struct nx_node *n, const struct cpu_act *act, struct nx_err *err)
{
	struct cpu_rep src;
	dnnl_eltwise_desc_t d;

	if (nx_shape_count(cpu_shape(b, n->in[0])) <= 0)
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	if (dnnl_eltwise_forward_desc_init(&d, dnnl_forward_inference, act->alg, &src.md,
		    act->alpha, act->beta) != dnnl_success)
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

	if (cpu_rep_home(b, big, &a, err))
		return -err->code;
	if (nx_shape_equal(cpu_shape(b, small), out)) {
		if (cpu_rep_as(b, small, &a.md, &c, err))
			return -err->code;
	} else {
		struct nx_shape wide = widen(cpu_shape(b, small), out->rank);
		if (cpu_rep_plain(b, small, &c, err))
			return -err->code;
		dnn_md_plain(&c.md, &wide);
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

	while (i < NX_ARRAY_LEN(known) && !cpu_is(n, known[i].op))
		i++;
	if (i == NX_ARRAY_LEN(known) || n->n_in != 2 || !cpu_is_f32(b->g, n->in[1]) ||
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
	dnn_md_plain(&src.md, &view);
	if (dnnl_softmax_v2_forward_desc_init(&d, dnnl_forward_inference,
		    cpu_is(n, "Softmax") ? dnnl_softmax_accurate : dnnl_softmax_log, &src.md,
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

/* Moving axes of a tensor may be only another way to read it: NHWC after channels last. */
static int emit_transpose(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *s = cpu_shape(b, n->in[0]);
	struct cpu_rep src;
	dnnl_memory_desc_t view, plain;
	int where[NX_MAX_DIMS];

	if (s->rank < 1 || nx_shape_count(s) <= 0)
		return CPU_NOT_MINE;
	for (int i = 0; i < s->rank; i++)
		where[ints_at(n, "perm", i, s->rank - 1 - i)] = i;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	if (dnnl_memory_desc_permute_axes(&view, &src.md, where) != dnnl_success)
		return CPU_NOT_MINE;
	if (dnn_md_is_dense(&view)) {
		cpu_rep_add(b, n->out[0], &view, src.buf);
		return 0;
	}
	dnn_md_plain(&plain, cpu_shape(b, n->out[0]));
	src.md = view;
	return cpu_emit_copy(b, n->out[0], &src, &plain, err);
}

/* Concat by copying runs of bytes, channels last where the inputs are. */
static int emit_concat(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *out = cpu_shape(b, n->out[0]);
	int axis = (int)nx_node_int(n, "axis", 0);
	size_t *chunk = nx_alloc(n->n_in, sizeof *chunk), outer = 1;
	int *buf = nx_alloc(n->n_in, sizeof *buf);
	bool last = out->rank >= 3 && cpu_is_f32(b->g, n->out[0]);
	int rc = 0;

	axis += axis < 0 ? out->rank : 0;
	for (size_t i = 0; i < n->n_in && last; i++)
		last = b->val[n->in[i]].n && dnn_md_is_dense(&b->val[n->in[i]].rep[0].md) &&
		       b->val[n->in[i]].rep[0].md.format_desc.blocking.strides[1] == 1;
	/* Physical order: axis 1 goes to the end. */
	for (int i = 0; i < out->rank; i++)
		if (last ? (axis == 1 ? i != 1 : i < axis && i != 1) : i < axis)
			outer *= (size_t)out->dim[i];
	for (size_t i = 0; i < n->n_in && rc == 0; i++) {
		dnnl_memory_desc_t md;
		struct cpu_rep rep;
		dnn_md_channels_last(&md, cpu_shape(b, n->in[i]));
		rc = last ? cpu_rep_as(b, n->in[i], &md, &rep, err)
			  : cpu_rep_plain(b, n->in[i], &rep, err);
		buf[i] = rc ? 0 : rep.buf;
		const struct nx_value *v = &b->g->values[n->in[i]];
		chunk[i] =
			outer ? (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype) / outer
			      : 0;
	}
	if (rc == 0) {
		dnnl_memory_desc_t md;
		dnn_md_channels_last(&md, out);
		int dst = cpu_rep_new(b, n->out[0], last ? &md : NULL);
		cpu_step_join(b->e, n, outer, chunk, n->n_in);
		for (size_t i = 0; i < n->n_in; i++)
			cpu_step_use(b->e, 0, buf[i], NULL);
		cpu_step_use(b->e, 0, dst, NULL);
	}
	free(chunk);
	free(buf);
	return rc;
}

int cpu_emit_node(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	static const struct {
		const char *op;
		int (*emit)(struct cpu_build *, const struct nx_node *, struct nx_err *);
	} known[] = {
		{ "MaxPool", emit_pool },
		{ "AveragePool", emit_pool },
		{ "GlobalAveragePool", emit_pool },
		{ "GlobalMaxPool", emit_pool },
		{ "LRN", emit_lrn },
		{ "Softmax", emit_softmax },
		{ "LogSoftmax", emit_softmax },
		{ "Transpose", emit_transpose },
	};

	if (cpu_is(n, "Concat"))
		return emit_concat(b, n, err);
	if (n->n_in < 1 || n->n_out < 1 || !cpu_is_f32(b->g, n->in[0]) ||
		!cpu_is_f32(b->g, n->out[0]))
		return CPU_NOT_MINE;
	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++)
		if (cpu_is(n, known[i].op))
			return known[i].emit(b, n, err);
	struct cpu_act act = cpu_act_of(b->g, n);
	if (act.alg != dnnl_alg_kind_undef)
		return emit_act(b, n, &act, err);
	return emit_binary(b, n, err);
}
