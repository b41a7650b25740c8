/* SPDX-License-Identifier: Apache-2.0 */
/* SiLU and hard-swish as exporters write them, x * sigmoid(x) and x * hardsigmoid(x): two readers,
 * one of which reads the other. */
#include "fuse/finder.h"

#include <math.h>

void nx_fuse_gate(const struct nx_finder *f, struct nx_group *group)
{
	const struct nx_graph *g = f->g;
	const struct nx_readers *r = &f->readers[group->out];

	if (r->n != 2 || r->node[0] == r->node[1])
		return;
	int gate = r->node[0], mul = r->node[1];
	const struct nx_node *s = &g->nodes[gate], *m = &g->nodes[mul];
	bool silu = nx_node_is(s, "Sigmoid");
	bool hard = nx_node_is(s, "HardSigmoid") &&
		    fabsf(nx_node_float(s, "alpha", 0.2f) - 1.0f / 6) < 1e-6f &&
		    nx_node_float(s, "beta", 0.5f) == 0.5f;
	if ((!silu && !hard) || !nx_node_is(m, "Mul") || !nx_finder_is_free(f, gate) ||
		!nx_finder_is_free(f, mul) || f->readers[s->out[0]].n != 1 ||
		nx_other_input(m, group->out) != s->out[0])
		return;
	nx_group_take(group, g, gate);
	nx_group_take(group, g, mul);
	group->act =
		(struct nx_act){ silu ? NX_ACT_SWISH : NX_ACT_HARDSWISH, silu ? 1.0f : 0.0f, 0 };
}
