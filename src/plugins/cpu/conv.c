/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conv and ConvTranspose.  Layout: what is there is kept if a fast kernel takes it, else oneDNN
 * chooses; so a network settles on one layout (channels innermost on current CPUs) and reorders
 * are rare.
 */
#include "core/alloc.h"
#include "plugins/cpu/linear.h"
#include "plugins/cpu/nodes.h"

#include <stdio.h>
#include <string.h>

struct conv {
	struct cpu_linear linear;
	const struct nx_node *node;
	bool transposed;
	int src, dst; /* values */
	int spatial;
	dnnl_dims_t strides, dilates, pad_l, pad_r; /* oneDNN counts dilations from 0 */
};

/* Padding in front and behind along spatial axis i. */
static void set_padding(
	const struct nx_graph *g, struct conv *c, int i, int64_t in, int64_t out, int64_t kernel)
{
	int pad = c->linear.group->pad;
	const char *automatic = nx_node_str(c->node, "auto_pad", "NOTSET");
	int64_t range = (kernel - 1) * (c->dilates[i] + 1) + 1;
	int64_t total = (out - 1) * c->strides[i] + range - in;

	c->pad_l[i] = cpu_ints_at(c->node, "pads", i, 0);
	c->pad_r[i] = cpu_ints_at(c->node, "pads", i + c->spatial, 0);
	if (c->transposed) {
		/* Whatever output_padding adds is less to cut off behind. */
		c->pad_r[i] = (in - 1) * c->strides[i] + range - c->pad_l[i] - out;
	} else if (strncmp(automatic, "SAME", 4) == 0) {
		total = total > 0 ? total : 0;
		c->pad_l[i] = strcmp(automatic, "SAME_LOWER") == 0 ? total - total / 2 : total / 2;
		c->pad_r[i] = total - c->pad_l[i];
	}
	if (pad >= 0) {
		c->pad_l[i] += nx_pad_of(g, &g->nodes[pad], i + 2, 0);
		c->pad_r[i] += nx_pad_of(g, &g->nodes[pad], i + 2, 1);
	}
}

/* The stored weights [O, I/G, …], or [I, O/G, …] transposed, as oneDNN's [G,] O/G, I/G, …. */
static void describe_weights(struct conv *c, const struct nx_shape *w, int64_t groups)
{
	struct cpu_linear *l = &c->linear;
	dnnl_dims_t dims, strides;
	int64_t kernel = 1, o, i;
	int n = 0;

	for (int k = 2; k < w->rank; k++)
		kernel *= w->dim[k];
	o = c->transposed ? w->dim[1] : w->dim[0] / groups;
	i = c->transposed ? w->dim[0] / groups : w->dim[1];
	if (groups > 1) {
		dims[n] = groups;
		strides[n++] = o * i * kernel;
	}
	dims[n] = o;
	strides[n++] = c->transposed ? kernel : i * kernel;
	dims[n] = i;
	strides[n++] = c->transposed ? o * kernel : kernel;
	for (int k = 2; k < w->rank; k++) {
		dims[n] = w->dim[k];
		kernel /= w->dim[k];
		strides[n++] = kernel;
	}
	dnnl_memory_desc_init_by_strides(&l->stored, n, dims, dnnl_f32, strides);
	kernel = 1;
	for (int k = 2; k < w->rank; k++)
		kernel *= w->dim[k];
	l->channels = o * groups;
	l->inner = (size_t)(c->transposed ? kernel : i * kernel);
	l->per_group = (size_t)o;
	l->group_span = (size_t)(o * i * kernel);
}

static int describe(struct cpu_build *b, const struct nx_group *group, struct conv *c)
{
	const struct nx_node *n = &b->g->nodes[group->head];
	int64_t groups = nx_node_int(n, "group", 1);
	size_t unused;

	memset(c, 0, sizeof *c);
	c->node = n;
	c->transposed = nx_node_is(n, "ConvTranspose");
	c->src = group->pad >= 0 ? b->g->nodes[group->pad].in[0] : n->in[0];
	c->dst = group->out;
	c->linear.group = group;
	c->linear.weights = n->in[1];
	c->linear.bias = n->n_in > 2 ? n->in[2] : NX_NO_VALUE;
	c->linear.scale = 1;
	if (!cpu_is_const_real(b, c->linear.weights) ||
		(c->linear.bias != NX_NO_VALUE && !cpu_is_const_real(b, c->linear.bias)))
		return CPU_NOT_MINE;
	if (c->transposed && (nx_node_ints(n, "output_shape", &unused) ||
				     strcmp(nx_node_str(n, "auto_pad", "NOTSET"), "NOTSET") != 0))
		return CPU_NOT_MINE;

	const struct nx_shape *w = cpu_shape(b, c->linear.weights), *src = cpu_shape(b, c->src),
			      *dst = cpu_shape(b, c->dst);
	c->spatial = w->rank - 2;
	if (w->rank < 3 || w->rank > 5 || src->rank != w->rank || nx_shape_count(src) <= 0 ||
		nx_shape_count(dst) <= 0)
		return CPU_NOT_MINE;
	describe_weights(c, w, groups);
	for (int i = 0; i < c->spatial; i++) {
		c->strides[i] = cpu_ints_at(n, "strides", i, 1);
		c->dilates[i] = cpu_ints_at(n, "dilations", i, 1) - 1;
		set_padding(b->g, c, i, src->dim[i + 2], dst->dim[i + 2], w->dim[i + 2]);
	}
	return 0;
}

struct form {
	const dnnl_memory_desc_t *src, *dst; /* NULL: any */
	dnnl_alg_kind_t alg;
	int64_t rows; /* of the batch */
};

static struct nx_shape with_rows(const struct cpu_build *b, int value, int64_t rows)
{
	struct nx_shape s = *cpu_shape(b, value);

	if (rows != b->how->rows)
		s.dim[0] = s.dim[0] / b->how->rows * rows;
	return s;
}

static dnnl_primitive_desc_t try_form(struct cpu_build *b, const struct conv *c,
	const struct form *f, const struct dnn_attr *attr)
{
	const struct nx_shape src_shape = with_rows(b, c->src, f->rows),
			      dst_shape = with_rows(b, c->dst, f->rows);
	dnnl_memory_desc_t any_src, any_dst, weights, bias;
	union {
		dnnl_convolution_desc_t conv;
		dnnl_deconvolution_desc_t deconv;
	} d;
	dnnl_status_t st;

	dnn_md_any(&any_src, c->linear.type, &src_shape);
	dnn_md_any(&any_dst, c->linear.dst_type, &dst_shape);
	cpu_linear_weights_md(&c->linear, &weights);
	cpu_linear_bias_md(&c->linear, &bias);
	const dnnl_memory_desc_t *bias_md = cpu_linear_has_bias(&c->linear) ? &bias : NULL;
	const dnnl_memory_desc_t *src = f->src ? f->src : &any_src,
				 *dst = f->dst ? f->dst : &any_dst;
	if (c->transposed)
		st = dnnl_dilated_deconvolution_forward_desc_init(&d.deconv, dnnl_forward_inference,
			dnnl_deconvolution_direct, src, &weights, bias_md, dst, c->strides,
			c->dilates, c->pad_l, c->pad_r);
	else
		st = dnnl_dilated_convolution_forward_desc_init(&d.conv, dnnl_forward_inference,
			f->alg, src, &weights, bias_md, dst, c->strides, c->dilates, c->pad_l,
			c->pad_r);
	return st == dnnl_success ? dnn_pd_new(b->e->dev->engine, &d, attr) : NULL;
}

static dnnl_primitive_desc_t try_layout(struct cpu_build *b, const struct conv *c,
	const dnnl_memory_desc_t *src, const dnnl_memory_desc_t *dst, const struct dnn_attr *attr)
{
	const struct form f = { src, dst, dnnl_convolution_direct, b->how->rows };

	return try_form(b, c, &f, attr);
}

/*
 * Winograd's weights are packed for the size of the batch.  Those of one row and of a whole piece
 * are held; an executable between them uses it where it can share them.
 */
static bool shares_weights(struct cpu_build *b, const struct conv *c, dnnl_primitive_desc_t pd,
	const struct dnn_attr *attr)
{
	const int64_t held[] = { 1, b->how->tuning->piece };
	bool same = b->how->rows == 1 || b->how->rows == b->how->tuning->piece ||
		    b->how->tuning->piece < 1;

	for (size_t i = 0; i < NX_ARRAY_LEN(held) && !same; i++) {
		const struct form f = { NULL, NULL, dnnl_convolution_winograd, held[i] };
		dnnl_primitive_desc_t other = try_form(b, c, &f, attr);
		same = other && dnnl_memory_desc_equal(dnn_pd_md(pd, dnnl_query_weights_md),
					dnn_pd_md(other, dnnl_query_weights_md));
		if (other)
			dnnl_primitive_desc_destroy(other);
	}
	return same;
}

/* As measuring chose; NULL where that is no fast form of this convolution. */
static dnnl_primitive_desc_t try_algo(
	struct cpu_build *b, const struct conv *c, enum cpu_algo algo, const struct dnn_attr *attr)
{
	const struct nx_shape *src_shape = cpu_shape(b, c->src), *dst_shape = cpu_shape(b, c->dst);
	struct form f = { NULL, NULL, dnnl_convolution_direct, b->how->rows };
	dnnl_memory_desc_t src, dst;

	if (algo == CPU_ALGO_WINOGRAD) {
		f.alg = dnnl_convolution_winograd;
		if (c->transposed)
			return NULL;
	} else if (algo == CPU_ALGO_LAST) {
		dnn_md_channels_last(&src, c->linear.type, src_shape);
		dnn_md_channels_last(&dst, c->linear.dst_type, dst_shape);
		f.src = &src;
		f.dst = &dst;
	} else {
		dnn_md_blocked(&src, c->linear.type, src_shape);
		dnn_md_blocked(&dst, c->linear.dst_type, dst_shape);
		/* The picture itself stays as it is. */
		f.src = src_shape->dim[1] % 16 ? NULL : &src;
		f.dst = &dst;
	}
	dnnl_primitive_desc_t pd = try_form(b, c, &f, attr);
	if (!pd || (dnn_pd_is_fast(pd) &&
			   (algo != CPU_ALGO_WINOGRAD || shares_weights(b, c, pd, attr))))
		return pd;
	dnnl_primitive_desc_destroy(pd);
	return NULL;
}

/* As the tuning says; else the layout that is there if it runs fast, or what oneDNN likes. */
static dnnl_primitive_desc_t choose(struct cpu_build *b, const struct conv *c, const char *class,
	const struct cpu_rep *src, const struct cpu_rep *residual, const struct dnn_attr *attr)
{
	dnnl_memory_desc_t src_md = src->md, dst_md;
	const dnnl_memory_desc_t *from = dnn_md_is_plain(&src_md) ? NULL : &src_md, *to = NULL;

	dnn_md_retype(&src_md, c->linear.type);
	if (residual && !dnn_md_is_plain(&residual->md)) {
		dst_md = residual->md;
		dnn_md_retype(&dst_md, c->linear.dst_type);
		to = &dst_md;
	}
	const dnnl_memory_desc_t *tries[][2] = { { from, to }, { from, NULL }, { NULL, NULL } };
	enum cpu_algo algo = cpu_tuning_algo(b->how->tuning, b->how->rows, class);
	dnnl_primitive_desc_t pd = NULL;

	if (algo != CPU_ALGO_FOLLOW && (pd = try_algo(b, c, algo, attr)))
		return pd;
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		pd = try_layout(b, c, tries[i][0], tries[i][1], attr);
		if (pd && dnn_pd_is_fast(pd))
			return pd;
		if (pd && i + 1 < sizeof tries / sizeof tries[0])
			dnnl_primitive_desc_destroy(pd);
	}
	return pd;
}

/* What is added, in the form it is added in: codes to codes, or reals to reals. */
static int get_residual(
	struct cpu_build *b, struct conv *c, struct cpu_rep *rep, struct nx_err *err)
{
	struct cpu_linear *l = &c->linear;

	if (cpu_rep_home(b, l->group->residual, rep, err))
		return -err->code;
	if (l->coded && rep->codes.scale == 0) {
		l->dst_type = dnnl_f32;
		l->dst = (struct cpu_codes){ 0, 0 };
	}
	return l->dst.scale == 0 ? cpu_rep_real(b, l->group->residual, rep, err) : 0;
}

static int place_output(struct cpu_build *b, const struct conv *c, dnnl_primitive_desc_t pd,
	const struct cpu_rep *residual, int *buf, struct nx_err *err)
{
	struct cpu_rep dst = { .md = *dnn_pd_md(pd, dnnl_query_dst_md), .codes = c->linear.dst };

	if (residual) {
		/* The sum is made in place: over what is added, or over a copy of it. */
		struct cpu_rep form = { .md = dst.md, .codes = residual->codes };
		if (c->linear.dst.scale != 0)
			dnn_md_retype(&form.md, residual->md.data_type);
		if (cpu_rep_own(b, c->linear.group->residual, &form, &dst.buf, err))
			return -err->code;
	} else {
		dst.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&dst.md));
	}
	cpu_rep_put(b, c->dst, &dst);
	*buf = dst.buf;
	return 0;
}

static size_t add_dims(char *text, size_t len, const char *name, const dnnl_dim_t *dim, int n)
{
	for (int i = 0; i < n && len < CPU_CLASS_SIZE; i++)
		len += (size_t)snprintf(text + len, CPU_CLASS_SIZE - len, "%s%lld", i ? "x" : name,
			(long long)dim[i]);
	return len;
}

/* What a tuning calls this convolution; "" if it would be too long. */
static void name_class(const struct cpu_build *b, const struct conv *c, char text[CPU_CLASS_SIZE])
{
	const struct nx_group *group = c->linear.group;
	const dnnl_memory_desc_t *w = &c->linear.stored;
	size_t len = (size_t)snprintf(text, CPU_CLASS_SIZE, "%s", c->transposed ? "t" : "c");

	len = add_dims(text, len, "", cpu_shape(b, c->src)->dim + 1, c->spatial + 1);
	len = add_dims(text, len, "/w", w->dims, w->ndims);
	len = add_dims(text, len, "/s", c->strides, c->spatial);
	len = add_dims(text, len, "/d", c->dilates, c->spatial);
	len = add_dims(text, len, "/l", c->pad_l, c->spatial);
	len = add_dims(text, len, "/r", c->pad_r, c->spatial);
	if (len < CPU_CLASS_SIZE)
		len += (size_t)snprintf(text + len, CPU_CLASS_SIZE - len, "/%d%s",
			(int)group->act.kind, group->residual == NX_NO_VALUE ? "" : "+");
	if (len >= CPU_CLASS_SIZE)
		text[0] = '\0';
}

static bool is_padded(const struct conv *c)
{
	for (int i = 0; i < c->spatial; i++)
		if (c->pad_l[i] || c->pad_r[i])
			return true;
	return false;
}

static int emit_conv(
	struct cpu_build *b, struct conv *c, const struct cpu_rep *from, struct nx_err *err)
{
	struct cpu_rep src = { .codes = c->linear.src }, sum, *residual = NULL;
	struct cpu_extras extras;
	char class[CPU_CLASS_SIZE] = "";
	int dst = 0;

	if (c->linear.group->residual != NX_NO_VALUE) {
		if (get_residual(b, c, &sum, err))
			return -err->code;
		residual = &sum;
	}
	c->linear.act_behind = cpu_swish_behind(&c->linear);
	if (cpu_extras_init(&extras, b, &c->linear, residual, err))
		return -err->code;
	/* What runs in integers is not tuned. */
	if (!c->linear.coded)
		name_class(b, c, class);
	dnnl_primitive_desc_t pd = choose(b, c, class, from, residual, &extras.attr);
	size_t floats =
		pd ? dnnl_memory_desc_get_size(dnn_pd_md(pd, dnnl_query_dst_md)) / sizeof(float)
		   : 0;
	cpu_extras_release(&extras);
	if (!pd || (c->linear.coded && !dnn_pd_is_fast(pd))) {
		if (pd)
			dnnl_primitive_desc_destroy(pd);
		return CPU_NOT_MINE;
	}
	src.md = *dnn_pd_md(pd, dnnl_query_src_md);
	if (cpu_rep_get(b, c->src, &src, &src, err) ||
		place_output(b, c, pd, residual, &dst, err)) {
		dnnl_primitive_desc_destroy(pd);
		return -err->code;
	}
	if (cpu_linear_step(b, &c->linear, pd, src.buf, dst, err))
		return -err->code;
	struct cpu_step *step = b->e->step[b->e->n_steps - 1];
	step->class = nx_strdup(class);
	step->head = c->linear.group->head;
	if (c->linear.act_behind)
		cpu_emit_swish(b, c->node, dst, floats);
	return 0;
}

int cpu_emit_conv(struct cpu_build *b, const struct nx_group *group, struct nx_err *err)
{
	struct conv c;
	struct cpu_rep src;

	if (describe(b, group, &c) == CPU_NOT_MINE)
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, c.src, &src, err))
		return -err->code;
	if (!c.transposed && cpu_linear_take_codes(b, &c.linear, &src, c.dst)) {
		c.linear.shift = src.codes.zero && !is_padded(&c);
		int rc = emit_conv(b, &c, &src, err);
		if (rc != CPU_NOT_MINE)
			return rc;
	}
	cpu_linear_take_reals(b, &c.linear, c.dst);
	if (cpu_rep_real(b, c.src, &src, err))
		return -err->code;
	return emit_conv(b, &c, &src, err);
}
