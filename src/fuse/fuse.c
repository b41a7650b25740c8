/* SPDX-License-Identifier: Apache-2.0 */
#include "fuse/fuse.h"

#include "core/alloc.h"
#include "fuse/finder.h"

#include <stdlib.h>
#include <string.h>

bool nx_node_is(const struct nx_node *n, const char *op)
{
	return strcmp(n->op, op) == 0;
}

bool nx_node_is_view(const struct nx_node *n)
{
	static const char *const ops[] = { "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity",
		"Dropout" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++)
		if (nx_node_is(n, ops[i]))
			return n->n_out == 1 || n->out[1] == NX_NO_VALUE;
	return false;
}

bool nx_value_is_f32(const struct nx_graph *g, int value)
{
	return value != NX_NO_VALUE && g->values[value].dtype == NX_F32;
}

const float *nx_const_f32(const struct nx_graph *g, int value, int64_t *count)
{
	const struct nx_tensor *t = value == NX_NO_VALUE ? NULL : g->values[value].constant;

	*count = 0;
	if (!t || t->dtype != NX_F32)
		return NULL;
	*count = nx_shape_count(&t->shape);
	return t->data;
}

bool nx_const_scalar(const struct nx_graph *g, int value, float *out)
{
	int64_t count;
	const float *p = nx_const_f32(g, value, &count);

	if (!p || count != 1)
		return false;
	*out = p[0];
	return true;
}

int nx_other_input(const struct nx_node *n, int value)
{
	return n->in[0] == value ? n->in[1] : n->in[0];
}

bool nx_finder_is_free(const struct nx_finder *f, int node)
{
	return f->fusion->group_of[node] < 0;
}

int nx_finder_next(const struct nx_finder *f, int value)
{
	const struct nx_readers *r = &f->readers[value];

	return r->n == 1 && nx_finder_is_free(f, r->node[0]) ? r->node[0] : -1;
}

void nx_group_take(struct nx_group *group, const struct nx_graph *g, int node)
{
	group->node[group->n_nodes++] = node;
	group->last = node;
	group->out = g->nodes[node].out[0];
}

static bool head_ok(const struct nx_graph *g, const struct nx_node *n, int *axis)
{
	const struct nx_shape *out = &g->values[n->out[0]].shape;

	if (n->n_in < 2 || n->n_out < 1 || !nx_value_is_f32(g, n->in[0]) ||
		!nx_value_is_f32(g, n->out[0]))
		return false;
	*axis = 1;
	if (nx_node_is(n, "Conv") || nx_node_is(n, "ConvTranspose"))
		return out->rank >= 3;
	if (nx_node_is(n, "BatchNormalization"))
		return out->rank >= 2 && nx_is_affine(g, n, n->in[0], 1);
	*axis = out->rank - 1;
	return out->rank >= 2 && (nx_node_is(n, "Gemm") || nx_node_is(n, "MatMul"));
}

static void find_neighbours(struct nx_finder *f)
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
			struct nx_readers *r = &f->readers[g->nodes[i].in[k]];
			if (r->n < 2)
				r->node[r->n] = (int)i;
			r->n++;
		}
	}
	/* An output has a reader nobody knows: it never disappears inside a group. */
	for (size_t i = 0; i < g->n_out; i++)
		f->readers[g->out[i]].n += 3;
}

/* The order is that of the arithmetic: weights, sum, activation. */
static void grow_group(const struct nx_finder *f, struct nx_group *group, int axis, unsigned off)
{
	const struct nx_node *head = &f->g->nodes[group->head];

	if (!(off & NX_FUSE_PAD))
		nx_fuse_pad(f, group);
	nx_group_take(group, f->g, group->head);
	if (nx_node_is(head, "BatchNormalization"))
		group->affine[group->n_affine++] = group->head;
	if (!(off & NX_FUSE_AFFINE))
		nx_fuse_affine(f, group, axis);
	/* No device has a fast deconvolution with more behind it. */
	if (nx_node_is(head, "ConvTranspose"))
		return;
	if (!(off & NX_FUSE_RESIDUAL))
		nx_fuse_residual(f, group);
	if (!(off & NX_FUSE_GATE))
		nx_fuse_gate(f, group);
	if (!(off & NX_FUSE_ACTIVATION) && group->act.kind == NX_ACT_NONE)
		nx_fuse_activation(f, group);
}

void nx_fusion_init(struct nx_fusion *p, const struct nx_graph *g, unsigned off)
{
	struct nx_finder f = { g, p, nx_alloc(g->n_values, sizeof(struct nx_readers)),
		nx_alloc(g->n_values, sizeof(int)) };
	int axis;

	p->n_groups = 0;
	p->group = nx_alloc(g->n_nodes, sizeof *p->group);
	p->group_of = nx_alloc(g->n_nodes, sizeof *p->group_of);
	for (size_t i = 0; i < g->n_nodes; i++)
		p->group_of[i] = -1;
	find_neighbours(&f);
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (p->group_of[i] >= 0 || !head_ok(g, &g->nodes[i], &axis))
			continue;
		struct nx_group *group = &p->group[p->n_groups];
		group->head = (int)i;
		group->pad = -1;
		group->residual = NX_NO_VALUE;
		grow_group(&f, group, axis, off);
		for (size_t k = 0; k < group->n_nodes; k++)
			p->group_of[group->node[k]] = (int)p->n_groups;
		p->n_groups++;
	}
	free(f.readers);
	free(f.maker);
}

void nx_fusion_release(struct nx_fusion *p)
{
	free(p->group);
	free(p->group_of);
	memset(p, 0, sizeof *p);
}
