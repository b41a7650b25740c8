/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation, and scales and shifts by constants, folded into the weights before them. */
#include "fuse/finder.h"

#include <math.h>

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

bool nx_is_affine(const struct nx_graph *g, const struct nx_node *n, int value, int axis)
{
	const struct nx_shape *s = &g->values[value].shape;
	int64_t channels = s->dim[axis], count;

	if (nx_node_is(n, "BatchNormalization")) {
		if (n->in[0] != value || axis != 1 || n->n_in < 5 || n->n_out != 1 ||
			nx_node_int(n, "training_mode", 0))
			return false;
		for (int i = 1; i < 5; i++)
			if (!nx_const_f32(g, n->in[i], &count) || count != channels)
				return false;
		return true;
	}
	if (!nx_node_is(n, "Mul") && !nx_node_is(n, "Add"))
		return false;
	int other = nx_other_input(n, value);
	return nx_const_f32(g, other, &count) && nx_shape_equal(&g->values[n->out[0]].shape, s) &&
	       per_channel(&g->values[other].shape, s->rank, axis, channels);
}

/* The coefficients of one affine node for channel c. */
static void affine_of(
	const struct nx_graph *g, const struct nx_node *n, int64_t c, float *mul, float *add)
{
	int64_t count;

	if (nx_node_is(n, "BatchNormalization")) {
		float gamma = nx_const_f32(g, n->in[1], &count)[c];
		float beta = nx_const_f32(g, n->in[2], &count)[c];
		float mean = nx_const_f32(g, n->in[3], &count)[c];
		float var = nx_const_f32(g, n->in[4], &count)[c];
		*mul = gamma / sqrtf(var + nx_node_float(n, "epsilon", 1e-5f));
		*add = beta - mean * *mul;
		return;
	}
	const float *p = nx_const_f32(g, n->in[0], &count);
	if (!p)
		p = nx_const_f32(g, n->in[1], &count);
	float x = p[count == 1 ? 0 : c];
	*mul = nx_node_is(n, "Mul") ? x : 1;
	*add = nx_node_is(n, "Mul") ? 0 : x;
}

void nx_affine(const struct nx_graph *g, const struct nx_group *group, int64_t channels,
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

void nx_fuse_affine(const struct nx_finder *f, struct nx_group *group, int axis)
{
	const struct nx_graph *g = f->g;
	int node;

	while ((node = nx_finder_next(f, group->out)) >= 0 && group->n_affine < NX_AFFINE_MAX &&
		nx_is_affine(g, &g->nodes[node], group->out, axis)) {
		group->affine[group->n_affine++] = node;
		nx_group_take(group, g, node);
	}
}
