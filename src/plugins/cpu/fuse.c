/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/fuse.h"

#include "core/alloc.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Who reads a value: how many, and the first two. */
struct readers {
	int n;
	int node[2];
};

struct finder {
	const struct nx_graph *g;
	struct cpu_plan *plan;
	struct readers *readers;
	int *maker; /* node that makes a value, or -1 */
};

bool cpu_is(const struct nx_node *n, const char *op)
{
	return strcmp(n->op, op) == 0;
}

bool cpu_is_f32(const struct nx_graph *g, int value)
{
	return value != NX_NO_VALUE && g->values[value].dtype == NX_F32;
}

const float *cpu_const_f32(const struct nx_graph *g, int value, int64_t *count)
{
	const struct nx_tensor *t = value == NX_NO_VALUE ? NULL : g->values[value].constant;

	*count = 0;
	if (!t || t->dtype != NX_F32)
		return NULL;
	*count = nx_shape_count(&t->shape);
	return t->data;
}

static bool const_scalar(const struct nx_graph *g, int value, float *out)
{
	int64_t count;
	const float *p = cpu_const_f32(g, value, &count);

	if (!p || count != 1)
		return false;
	*out = p[0];
	return true;
}

/* Clip before opset 11 has its bounds as attributes, later as inputs that may be left out. */
static struct cpu_act clip_of(const struct nx_graph *g, const struct nx_node *n)
{
	struct cpu_act act = { dnnl_eltwise_clip, nx_node_float(n, "min", -FLT_MAX),
		nx_node_float(n, "max", FLT_MAX) };
	bool ok = true;

	if (n->n_in > 1 && n->in[1] != NX_NO_VALUE)
		ok = ok && const_scalar(g, n->in[1], &act.alpha);
	if (n->n_in > 2 && n->in[2] != NX_NO_VALUE)
		ok = ok && const_scalar(g, n->in[2], &act.beta);
	/* Bounds that cross have a meaning in ONNX that oneDNN does not share. */
	if (!ok || !(act.alpha <= act.beta))
		act.alg = dnnl_alg_kind_undef;
	return act;
}

struct cpu_act cpu_act_of(const struct nx_graph *g, const struct nx_node *n)
{
	static const struct {
		const char *op;
		dnnl_alg_kind_t alg;
		const char *attr;
		float dflt;
	} known[] = {
		{ "Relu", dnnl_eltwise_relu, NULL, 0 },
		{ "LeakyRelu", dnnl_eltwise_relu, "alpha", 0.01f },
		{ "Elu", dnnl_eltwise_elu, "alpha", 1 },
		{ "Sigmoid", dnnl_eltwise_logistic, NULL, 0 },
		{ "Tanh", dnnl_eltwise_tanh, NULL, 0 },
		{ "HardSwish", dnnl_eltwise_hardswish, NULL, 0 },
		{ "Softplus", dnnl_eltwise_soft_relu, NULL, 0 },
		{ "Exp", dnnl_eltwise_exp, NULL, 0 },
		{ "Abs", dnnl_eltwise_abs, NULL, 0 },
		{ "Sqrt", dnnl_eltwise_sqrt, NULL, 0 },
	};
	const struct cpu_act none = { dnnl_alg_kind_undef, 0, 0 };

	if (n->n_in < 1 || !cpu_is_f32(g, n->in[0]))
		return none;
	if (cpu_is(n, "Clip"))
		return clip_of(g, n);
	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++)
		if (cpu_is(n, known[i].op))
			return (struct cpu_act){ known[i].alg,
				known[i].attr ? nx_node_float(n, known[i].attr, known[i].dflt) : 0,
				0 };
	return none;
}

/* Whether 'c', aligned at the right to a tensor of 'rank' dimensions, varies along 'axis' only. */
static bool per_channel(const struct nx_shape *c, int rank, int axis, int64_t channels)
{
	if (c->rank > rank)
		return false;
	for (int i = 0; i < c->rank; i++) {
		int at = i + rank - c->rank;
		if (c->dim[i] != 1 && (at != axis || c->dim[i] != channels))
			return false;
	}
	return true;
}

/* The other operand of a two-input node. */
static int other_input(const struct nx_node *n, int value)
{
	return n->in[0] == value ? n->in[1] : n->in[0];
}

static bool is_affine(const struct nx_graph *g, const struct nx_node *n, int value, int axis)
{
	const struct nx_shape *s = &g->values[value].shape;
	int64_t channels = s->dim[axis], count;

	if (cpu_is(n, "BatchNormalization")) {
		if (n->in[0] != value || axis != 1 || n->n_in < 5 || n->n_out != 1 ||
			nx_node_int(n, "training_mode", 0))
			return false;
		for (int i = 1; i < 5; i++)
			if (!cpu_const_f32(g, n->in[i], &count) || count != channels)
				return false;
		return true;
	}
	if (!cpu_is(n, "Mul") && !cpu_is(n, "Add"))
		return false;
	int other = other_input(n, value);
	return cpu_const_f32(g, other, &count) && nx_shape_equal(&g->values[n->out[0]].shape, s) &&
	       per_channel(&g->values[other].shape, s->rank, axis, channels);
}

/* The coefficients of one affine node for channel c. */
static void affine_of(
	const struct nx_graph *g, const struct nx_node *n, int64_t c, float *mul, float *add)
{
	int64_t count;

	if (cpu_is(n, "BatchNormalization")) {
		float gamma = cpu_const_f32(g, n->in[1], &count)[c];
		float beta = cpu_const_f32(g, n->in[2], &count)[c];
		float mean = cpu_const_f32(g, n->in[3], &count)[c];
		float var = cpu_const_f32(g, n->in[4], &count)[c];
		*mul = gamma / sqrtf(var + nx_node_float(n, "epsilon", 1e-5f));
		*add = beta - mean * *mul;
		return;
	}
	const float *p = cpu_const_f32(g, n->in[0], &count);
	if (!p)
		p = cpu_const_f32(g, n->in[1], &count);
	float x = p[count == 1 ? 0 : c];
	*mul = cpu_is(n, "Mul") ? x : 1;
	*add = cpu_is(n, "Mul") ? 0 : x;
}

void cpu_affine(const struct nx_graph *g, const struct cpu_group *group, int64_t channels,
	float *scale, float *shift)
{
	for (int64_t c = 0; c < channels; c++) {
		scale[c] = 1;
		shift[c] = 0;
		for (size_t i = 0; i < group->n_affine; i++) {
			float mul, add;
			affine_of(g, &g->nodes[group->affine[i]], c, &mul, &add);
			scale[c] *= mul;
			shift[c] = shift[c] * mul + add;
		}
	}
}

static bool is_free(const struct finder *f, int node)
{
	return f->plan->group_of[node] < 0;
}

/* The only reader of the group's value, if it is not taken; -1 otherwise. */
static int next_node(const struct finder *f, int value)
{
	const struct readers *r = &f->readers[value];

	return r->n == 1 && is_free(f, r->node[0]) ? r->node[0] : -1;
}

static void take(struct cpu_group *group, const struct nx_graph *g, int node)
{
	group->node[group->n_nodes++] = node;
	group->last = node;
	group->out = g->nodes[node].out[0];
}

/* x * sigmoid(x) and x * hardsigmoid(x): two readers, one of which reads the other. */
static bool take_gate(const struct finder *f, struct cpu_group *group)
{
	const struct nx_graph *g = f->g;
	const struct readers *r = &f->readers[group->out];

	if (r->n != 2 || r->node[0] == r->node[1])
		return false;
	int gate = r->node[0], mul = r->node[1];
	const struct nx_node *s = &g->nodes[gate], *m = &g->nodes[mul];
	bool silu = cpu_is(s, "Sigmoid");
	bool hard = cpu_is(s, "HardSigmoid") &&
		    fabsf(nx_node_float(s, "alpha", 0.2f) - 1.0f / 6) < 1e-6f &&
		    nx_node_float(s, "beta", 0.5f) == 0.5f;
	if ((!silu && !hard) || !cpu_is(m, "Mul") || !is_free(f, gate) || !is_free(f, mul) ||
		f->readers[s->out[0]].n != 1 || other_input(m, group->out) != s->out[0])
		return false;
	take(group, g, gate);
	take(group, g, mul);
	group->act = (struct cpu_act){ silu ? dnnl_eltwise_swish : dnnl_eltwise_hardswish,
		silu ? 1.0f : 0.0f, 0 };
	return true;
}

static bool take_residual(const struct finder *f, struct cpu_group *group, int node)
{
	const struct nx_graph *g = f->g;
	const struct nx_node *n = &g->nodes[node];

	if (!cpu_is(n, "Add"))
		return false;
	int other = other_input(n, group->out);
	if (other == group->out || g->values[other].constant ||
		!nx_shape_equal(&g->values[other].shape, &g->values[group->out].shape))
		return false;
	group->residual = other;
	take(group, g, node);
	return true;
}

static void take_tail(const struct finder *f, struct cpu_group *group, int axis)
{
	const struct nx_graph *g = f->g;
	bool conv = cpu_is(&g->nodes[group->head], "Conv");
	int node;

	while ((node = next_node(f, group->out)) >= 0 && group->n_affine < CPU_AFFINE_MAX &&
		is_affine(g, &g->nodes[node], group->out, axis)) {
		group->affine[group->n_affine++] = node;
		take(group, g, node);
	}
	/* oneDNN's deconvolution has no fast form with an activation. */
	if (cpu_is(&g->nodes[group->head], "ConvTranspose"))
		return;
	if (conv && (node = next_node(f, group->out)) >= 0)
		take_residual(f, group, node);
	if (take_gate(f, group))
		return;
	node = next_node(f, group->out);
	if (node < 0 || g->nodes[node].in[0] != group->out)
		return;
	group->act = cpu_act_of(g, &g->nodes[node]);
	if (group->act.alg != dnnl_alg_kind_undef)
		take(group, g, node);
}

/* Up to opset 10 the amounts are an attribute, later a constant input. */
int64_t cpu_pad_of(const struct nx_graph *g, const struct nx_node *pad, int axis, int side)
{
	int rank = g->values[pad->in[0]].shape.rank;
	size_t n, at = (size_t)(axis + side * rank);
	const int64_t *amounts = nx_node_ints(pad, "pads", &n);

	if (!amounts && pad->n_in > 1 && pad->in[1] != NX_NO_VALUE) {
		const struct nx_tensor *t = g->values[pad->in[1]].constant;
		n = t && t->dtype == NX_I64 ? t->bytes / sizeof *amounts : 0;
		amounts = n ? t->data : NULL;
	}
	return amounts && at < n ? amounts[at] : -1;
}

/* Whether a node pads with zeros, and only where a convolution can do so itself. */
static bool is_zero_pad(const struct nx_graph *g, const struct nx_node *n)
{
	float value = nx_node_float(n, "value", 0);
	int rank = n->n_in ? g->values[n->in[0]].shape.rank : 0;

	if (!cpu_is(n, "Pad") || !cpu_is_f32(g, n->in[0]) ||
		strcmp(nx_node_str(n, "mode", "constant"), "constant") != 0 || n->n_in > 3)
		return false;
	if (n->n_in > 2 && n->in[2] != NX_NO_VALUE && !const_scalar(g, n->in[2], &value))
		return false;
	for (int axis = 0; axis < rank; axis++)
		for (int side = 0; side < 2; side++) {
			int64_t amount = cpu_pad_of(g, n, axis, side);
			if (amount < 0 || (axis < 2 && amount))
				return false;
		}
	return value == 0;
}

/* Takes a Pad into the group of the convolution that alone reads it. */
static void take_pad(const struct finder *f, struct cpu_group *group)
{
	const struct nx_node *head = &f->g->nodes[group->head];
	int maker = f->maker[head->in[0]];

	if (cpu_is(head, "Conv") && maker >= 0 && f->readers[head->in[0]].n == 1 &&
		is_free(f, maker) && is_zero_pad(f->g, &f->g->nodes[maker]) &&
		strncmp(nx_node_str(head, "auto_pad", "NOTSET"), "SAME", 4) != 0) {
		group->pad = maker;
		group->node[group->n_nodes++] = maker;
	}
}

static bool head_ok(const struct nx_graph *g, const struct nx_node *n, int *axis)
{
	const struct nx_shape *out = &g->values[n->out[0]].shape;

	if (n->n_in < 2 || n->n_out < 1 || !cpu_is_f32(g, n->in[0]) || !cpu_is_f32(g, n->out[0]))
		return false;
	*axis = 1;
	if (cpu_is(n, "Conv") || cpu_is(n, "ConvTranspose"))
		return out->rank >= 3;
	if (cpu_is(n, "BatchNormalization"))
		return out->rank >= 2 && is_affine(g, n, n->in[0], 1);
	*axis = out->rank - 1;
	return out->rank >= 2 && (cpu_is(n, "Gemm") || cpu_is(n, "MatMul"));
}

static void find_neighbours(struct finder *f)
{
	const struct nx_graph *g = f->g;

	for (size_t i = 0; i < g->n_values; i++)
		f->maker[i] = -1;
	for (size_t i = 0; i < g->n_nodes; i++)
		for (size_t k = 0; k < g->nodes[i].n_out; k++)
			if (g->nodes[i].out[k] != NX_NO_VALUE)
				f->maker[g->nodes[i].out[k]] = (int)i;
	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_in; k++) {
			if (g->nodes[i].in[k] == NX_NO_VALUE)
				continue;
			struct readers *r = &f->readers[g->nodes[i].in[k]];
			if (r->n < 2)
				r->node[r->n] = (int)i;
			r->n++;
		}
	}
	/* An output has a reader nobody knows: it never disappears inside a group. */
	for (size_t i = 0; i < g->n_out; i++)
		f->readers[g->out[i]].n += 3;
}

void cpu_plan_init(struct cpu_plan *p, const struct nx_graph *g)
{
	struct finder f = { g, p, nx_alloc(g->n_values, sizeof(struct readers)),
		nx_alloc(g->n_values, sizeof(int)) };
	int axis;

	p->n_groups = 0;
	p->group = nx_alloc(g->n_nodes, sizeof *p->group);
	p->group_of = nx_alloc(g->n_nodes, sizeof *p->group_of);
	for (size_t i = 0; i < g->n_nodes; i++)
		p->group_of[i] = -1;
	find_neighbours(&f);
	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *n = &g->nodes[i];
		if (p->group_of[i] >= 0 || !head_ok(g, n, &axis))
			continue;
		struct cpu_group *group = &p->group[p->n_groups];
		group->head = (int)i;
		group->pad = -1;
		take_pad(&f, group);
		group->residual = NX_NO_VALUE;
		group->act.alg = dnnl_alg_kind_undef;
		take(group, g, (int)i);
		if (cpu_is(n, "BatchNormalization"))
			group->affine[group->n_affine++] = (int)i;
		take_tail(&f, group, axis);
		for (size_t k = 0; k < group->n_nodes; k++)
			p->group_of[group->node[k]] = (int)p->n_groups;
		p->n_groups++;
	}
	free(f.readers);
	free(f.maker);
}

void cpu_plan_release(struct cpu_plan *p)
{
	free(p->group);
	free(p->group_of);
	memset(p, 0, sizeof *p);
}
