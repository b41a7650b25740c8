/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conv, ConvTranspose and BatchNormalization with what is fused behind them.  cuDNN gets every
 * convolution it has fast kernels for; those of each channel by itself and the odd ones (groups
 * of channels that do not fill vectors, transposed ones) go to kernels of our own.
 */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

enum way { BY_CUDNN, BY_CHANNEL, DIRECTLY };

struct conv {
	const struct nx_group *group;
	const struct nx_node *node;
	enum way way;
	bool transposed;
	int src; /* value */
	int64_t c, k, r, s, groups, c_padded, k_padded;
	struct cu_window win;
	struct cu_act act;
	bool residual;
};

static bool weights_known(const struct cu_build *b, const struct nx_node *n)
{
	int64_t count, bias;

	return nx_const_f32(b->g, n->in[1], &count) && count > 0 &&
	       (n->n_in < 3 || n->in[2] == NX_NO_VALUE || nx_const_f32(b->g, n->in[2], &bias));
}

/* Zeros in front and behind that a Pad node adds. */
static void add_padding(const struct cu_build *b, const struct nx_group *group, struct conv *c)
{
	const struct nx_node *pad = group->pad < 0 ? NULL : &b->g->nodes[group->pad];
	int rank = cu_shape(b, c->src)->rank;

	for (int i = 0; pad && i < rank - 2; i++) {
		int at = i + 4 - rank;
		c->win.pad[at] += (int)nx_pad_of(b->g, pad, i + 2, 0);
		c->win.pad_end[at] += (int)nx_pad_of(b->g, pad, i + 2, 1);
	}
}

static bool describe_transposed(const struct cu_build *b, struct conv *c)
{
	size_t unused;
	int rank = cu_shape(b, c->src)->rank;

	if (nx_node_ints(c->node, "output_shape", &unused) ||
		strcmp(nx_node_str(c->node, "auto_pad", "NOTSET"), "NOTSET") != 0)
		return false;
	for (int i = 0; i < rank - 2; i++)
		c->win.pad[i + 4 - rank] = (int)cu_ints_at(c->node, "pads", i, 0);
	return true;
}

static enum way choose(const struct conv *c)
{
	if (c->transposed)
		return DIRECTLY;
	if (c->groups == 1)
		return BY_CUDNN;
	if (c->groups == c->c && c->k == c->c)
		return BY_CHANNEL;
	return c->c % CU_VEC == 0 && c->k % CU_VEC == 0 ? BY_CUDNN : DIRECTLY;
}

static bool describe(const struct cu_build *b, const struct nx_group *group, struct conv *c)
{
	const struct nx_node *n = &b->g->nodes[group->head];
	int out = n->out[0];

	memset(c, 0, sizeof *c);
	c->group = group;
	c->node = n;
	c->transposed = nx_node_is(n, "ConvTranspose");
	c->src = group->pad >= 0 ? b->g->nodes[group->pad].in[0] : n->in[0];
	if (!weights_known(b, n) || !cu_can_map(b, c->src) || !cu_can_map(b, group->out))
		return false;
	const struct nx_shape *w = cu_shape(b, n->in[1]);
	if (w->rank != cu_shape(b, c->src)->rank || !cu_window_of(b, n, c->src, out, w, &c->win))
		return false;
	if (c->transposed && !describe_transposed(b, c))
		return false;
	add_padding(b, group, c);
	c->groups = nx_node_int(n, "group", 1);
	c->c = cu_shape(b, c->src)->dim[1];
	c->k = cu_shape(b, out)->dim[1];
	c->r = c->win.r;
	c->s = c->win.s;
	c->c_padded = cu_padded(b, c->src);
	c->k_padded = cu_padded(b, group->out);
	c->residual = group->residual != NX_NO_VALUE;
	c->act = cu_act_of_group(&group->act);
	c->way = choose(c);
	return true;
}

/* ---- weights --------------------------------------------------------------------------------- */

/* Where the model holds the weight of output k, tap (r, s), input c of the group. */
static int64_t stored_at(const struct conv *c, int64_t k, int64_t r, int64_t s, int64_t ch)
{
	int64_t per_in = c->c / c->groups, per_out = c->k / c->groups;

	if (!c->transposed)
		return ((k * per_in + ch) * c->r + r) * c->s + s;
	return (((k / per_out * per_in + ch) * per_out + k % per_out) * c->r + r) * c->s + s;
}

/* [k,r,s,c] with k and c padded by zeros; by channel: [r,s,c]. */
static int pack_weights(struct cu_build *b, const struct conv *c, const float *scale)
{
	int64_t count, per = c->c / c->groups, at = 0;
	int64_t inner = c->way == BY_CUDNN && c->groups == 1 ? c->c_padded : per;
	int64_t outer = c->way == BY_CUDNN ? c->k_padded : c->k;
	const float *w = nx_const_f32(b->g, c->node->in[1], &count);
	size_t n = (size_t)(outer * c->r * c->s * inner);

	if (c->way == BY_CHANNEL)
		n = (size_t)(c->r * c->s * c->k_padded);
	float *packed = nx_alloc(n + 1, sizeof *packed);
	for (int64_t k = 0; k < c->k; k++)
		for (int64_t r = 0; r < c->r; r++)
			for (int64_t s = 0; s < c->s; s++)
				for (int64_t ch = 0; ch < per; ch++) {
					at = ((k * c->r + r) * c->s + s) * inner + ch;
					if (c->way == BY_CHANNEL)
						at = (r * c->s + s) * c->k_padded + k;
					packed[at] = w[stored_at(c, k, r, s, ch)] * scale[k];
				}
	int buf = cu_const_new(b, packed, n, b->p->type);
	free(packed);
	return buf;
}

static int pack_bias(
	struct cu_build *b, const struct conv *c, const float *scale, const float *shift, int type)
{
	const struct nx_node *n = c->node;
	int64_t count;
	const float *bias = n->n_in > 2 ? nx_const_f32(b->g, n->in[2], &count) : NULL;
	float *packed = nx_alloc((size_t)c->k_padded, sizeof *packed);

	for (int64_t k = 0; k < c->k; k++)
		packed[k] = shift[k] + (bias ? bias[k] * scale[k] : 0);
	int buf = cu_const_new(b, packed, (size_t)c->k_padded, type);
	free(packed);
	return buf;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void emit_cudnn(struct cu_build *b, const struct conv *c, const struct cu_conv *conv, int y,
	const int *packed)
{
	int residual = c->residual ? cu_need(b, c->group->residual, CU_MAP) : CU_NO_BUF;
	const int buf[] = { y, cu_need(b, c->src, CU_MAP), packed[0], packed[1], residual };

	cu_step_new(b->p, CU_STEP_CONV, c->node, buf, 5)->u.conv = *conv;
}

static void emit_own(
	struct cu_build *b, const struct conv *c, struct cu_act act, int y, const int *packed)
{
	const int buf[] = { y, cu_need(b, c->src, CU_MAP), packed[0], packed[1] };

	if (c->way == BY_CHANNEL) {
		const struct cu_depthwise d = { .win = c->win,
			.type = b->p->type,
			.width = c->c_padded % CU_VEC ? 4 : CU_VEC,
			.channels = (int)c->c_padded,
			.act = act };
		cu_step_new(b->p, CU_STEP_DEPTHWISE, c->node, buf, 4)->u.depthwise = d;
		return;
	}
	const struct cu_direct d = { .win = c->win,
		.type = b->p->type,
		.c = (int)c->c,
		.c_padded = (int)c->c_padded,
		.k = (int)c->k,
		.k_padded = (int)c->k_padded,
		.groups = (int)c->groups,
		.transposed = c->transposed,
		.act = act };
	cu_step_new(b->p, CU_STEP_DIRECT, c->node, buf, 4)->u.direct = d;
}

/* The residual and the activation, as far as the convolution's own step has not done them. */
static void emit_rest(
	struct cu_build *b, const struct conv *c, bool residual, struct cu_act act, int y)
{
	struct cu_chain chain;

	b->val[c->group->out].buf[CU_MAP] = y;
	if (!residual && act.op == CU_OP_NONE)
		return;
	/* The chain reads what the step made, and makes the value itself anew. */
	cu_chain_init(&chain, c->group->out, c->group->out);
	if (residual)
		cu_chain_add(&chain, (struct cu_act){ CU_OP_ADD, 0, 0 }, c->group->residual,
			NX_NO_VALUE);
	cu_chain_add(&chain, act, NX_NO_VALUE, NX_NO_VALUE);
	cu_emit_chain(b, c->node, &chain);
}

/* What cuDNN is asked for; false if the activation is to be a step of its own. */
static bool ask_cudnn(const struct cu_build *b, const struct conv *c, struct cu_conv *conv)
{
	*conv = (struct cu_conv){ .win = c->win,
		.type = b->p->type,
		.c = (int)c->c_padded,
		.k = (int)c->k_padded,
		.groups = (int)c->groups,
		.residual = c->residual,
		.act = c->act };
	if (c->act.op == CU_OP_NONE || cu_is_relu(&c->act) ||
		(b->opts->fuses && b->opts->fuses(b->opts->arg, conv)))
		return true;
	conv->act.op = CU_OP_NONE;
	return false;
}

int cu_emit_conv(struct cu_build *b, const struct nx_group *group)
{
	const struct cu_act none = { CU_OP_NONE, 0, 0 };
	struct cu_conv conv;
	struct conv c;
	int packed[2];

	if (!describe(b, group, &c))
		return CU_NOT_MINE;
	bool cudnn = c.way == BY_CUDNN, whole = cudnn && ask_cudnn(b, &c, &conv);
	float *scale = nx_alloc((size_t)c.k * 2, sizeof *scale);
	nx_affine(b->g, group, c.k, scale, scale + c.k);
	packed[0] = pack_weights(b, &c, scale);
	packed[1] =
		pack_bias(b, &c, scale, scale + c.k, cudnn ? cu_conv_bias_type(&conv) : b->p->type);
	free(scale);

	int y = cu_make(b, group->out, CU_MAP);
	b->val[group->out].buf[CU_MAP] = CU_NO_BUF;
	if (cudnn) {
		emit_cudnn(b, &c, &conv, y, packed);
		emit_rest(b, &c, false, whole ? none : c.act, y);
	} else {
		emit_own(b, &c, c.residual ? none : c.act, y, packed);
		emit_rest(b, &c, c.residual, c.residual ? c.act : none, y);
	}
	return 0;
}

int cu_emit_norm(struct cu_build *b, const struct nx_group *group)
{
	const struct nx_node *n = &b->g->nodes[group->head];
	int64_t channels = cu_shape(b, group->out)->dim[1];
	size_t padded = ((size_t)channels + CU_VEC - 1) / CU_VEC * CU_VEC;
	struct cu_chain chain;

	if (!cu_is_made(b, n->in[0]) || nx_shape_count(cu_shape(b, group->out)) == 0)
		return CU_NOT_MINE;
	float *scale = nx_alloc(padded * 2, sizeof *scale), *shift = scale + padded;
	nx_affine(b->g, group, channels, scale, shift);
	cu_chain_init(&chain, group->out, n->in[0]);
	chain.n_sources = 3;
	chain.source[1] = (struct cu_source){ NX_NO_VALUE, cu_const_new(b, scale, padded, CU_F32) };
	chain.source[2] = (struct cu_source){ NX_NO_VALUE, cu_const_new(b, shift, padded, CU_F32) };
	free(scale);
	chain.n_ops = 2;
	chain.op[0].f = (struct cu_act){ CU_OP_MUL, 0, 0 };
	chain.op[0].source = 1;
	chain.op[1].f = (struct cu_act){ CU_OP_ADD, 0, 0 };
	chain.op[1].source = 2;
	cu_chain_add(&chain, cu_act_of_group(&group->act), NX_NO_VALUE, NX_NO_VALUE);
	cu_emit_chain(b, n, &chain);
	return 0;
}
