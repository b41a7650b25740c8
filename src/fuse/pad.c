/* SPDX-License-Identifier: Apache-2.0 */
/* A Pad node with zeros in front of the convolution that alone reads it. */
#include "fuse/finder.h"

#include <string.h>

/* Up to opset 10 the amounts are an attribute, later a constant input. */
int64_t nx_pad_of(const struct nx_graph *g, const struct nx_node *pad, int axis, int side)
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

	if (!nx_node_is(n, "Pad") || !nx_value_is_f32(g, n->in[0]) ||
		strcmp(nx_node_str(n, "mode", "constant"), "constant") != 0 || n->n_in > 3)
		return false;
	if (n->n_in > 2 && n->in[2] != NX_NO_VALUE && !nx_const_scalar(g, n->in[2], &value))
		return false;
	for (int axis = 0; axis < rank; axis++)
		for (int side = 0; side < 2; side++) {
			int64_t amount = nx_pad_of(g, n, axis, side);
			if (amount < 0 || (axis < 2 && amount))
				return false;
		}
	return value == 0;
}

void nx_fuse_pad(const struct nx_finder *f, struct nx_group *group)
{
	const struct nx_node *head = &f->g->nodes[group->head];
	int maker = f->maker[head->in[0]];

	if (nx_node_is(head, "Conv") && maker >= 0 && f->readers[head->in[0]].n == 1 &&
		nx_finder_is_free(f, maker) && is_zero_pad(f->g, &f->g->nodes[maker]) &&
		strncmp(nx_node_str(head, "auto_pad", "NOTSET"), "SAME", 4) != 0) {
		group->pad = maker;
		group->node[group->n_nodes++] = maker;
	}
}
