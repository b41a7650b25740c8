/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before opset 7 the second operand of arithmetic, comparisons and logic may lie along any axes of
 * the first: attributes broadcast and axis say where it begins.  PRelu's slopes lie along axis 1.
 * The operand gets its dimensions of 1 from an Unsqueeze in front, so that nobody else has to know
 * of this.
 */
#include "model/build.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The axis at which the second input begins; -1 where it ends with the first. */
static int64_t axis_of(const struct nx_graph *g, const struct nx_node *n)
{
	static const char *const ops[] = { "Add", "And", "Div", "Equal", "Greater", "Less", "Mul",
		"Or", "Pow", "Sub", "Xor" };

	if (*n->domain || n->n_in != 2 || n->in[0] == NX_NO_VALUE || n->in[1] == NX_NO_VALUE)
		return -1;
	const struct nx_value *b = &g->values[n->in[1]];
	if (strcmp(n->op, "PRelu") == 0)
		return b->constant && b->shape.rank == 1 ? 1 : -1;
	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++) {
		if (strcmp(n->op, ops[i]) == 0)
			return nx_node_int(n, "broadcast", 0) ? nx_node_int(n, "axis", -1) : -1;
	}
	return -1;
}

/* b with the rank of a: an Unsqueeze at the end of the list. */
static int add_align(struct nx_graph *g, int b, int a, int64_t axis)
{
	int out = nx_graph_add_value(g, g->values[b].name);
	struct nx_node *n = nx_graph_add_node(g, "Unsqueeze", g->values[b].name, 3, 1);

	n->in[0] = b;
	n->in[1] = NX_NO_VALUE;
	n->in[2] = a;
	n->out[0] = out;
	n->attrs = nx_alloc(1, sizeof *n->attrs);
	n->n_attrs = 1;
	n->attrs[0] = (struct nx_attr){ .name = nx_strdup("axis"), .kind = NX_ATTR_INT, .i = axis };
	return out;
}

void nx_graph_align_legacy(struct nx_graph *g)
{
	struct nx_node *old = g->nodes;
	size_t n = g->n_nodes;

	if (g->opset >= 7)
		return;
	g->nodes = NULL;
	g->n_nodes = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t axis = axis_of(g, &old[i]);
		if (axis >= 0)
			old[i].in[1] = add_align(g, old[i].in[1], old[i].in[0], axis);
		nx_graph_move_node(g, &old[i]);
	}
	free(old);
}
