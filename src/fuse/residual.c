/* SPDX-License-Identifier: Apache-2.0 */
/* The sum of a convolution and a tensor of the same shape that was computed before. */
#include "fuse/finder.h"

void nx_fuse_residual(const struct nx_finder *f, struct nx_group *group)
{
	const struct nx_graph *g = f->g;
	int node = nx_finder_next(f, group->out);

	if (node < 0 || !nx_node_is(&g->nodes[group->head], "Conv") ||
		!nx_node_is(&g->nodes[node], "Add"))
		return;
	int other = nx_other_input(&g->nodes[node], group->out);
	if (other == group->out || g->values[other].constant ||
		!nx_shape_equal(&g->values[other].shape, &g->values[group->out].shape))
		return;
	group->residual = other;
	nx_group_take(group, g, node);
}
