/* SPDX-License-Identifier: Apache-2.0 */
/* One activation function at the end of a group. */
#include "core/alloc.h"
#include "fuse/finder.h"

#include <float.h>

/* Clip before opset 11 has its bounds as attributes, later as inputs that may be left out. */
static struct nx_act clip_of(const struct nx_graph *g, const struct nx_node *n)
{
	struct nx_act act = { NX_ACT_CLIP, nx_node_float(n, "min", -FLT_MAX),
		nx_node_float(n, "max", FLT_MAX) };
	bool ok = true;

	if (n->n_in > 1 && n->in[1] != NX_NO_VALUE)
		ok = ok && nx_const_scalar(g, n->in[1], &act.alpha);
	if (n->n_in > 2 && n->in[2] != NX_NO_VALUE)
		ok = ok && nx_const_scalar(g, n->in[2], &act.beta);
	/* Bounds that cross have a meaning in ONNX that devices do not share. */
	if (!ok || !(act.alpha <= act.beta))
		act.kind = NX_ACT_NONE;
	return act;
}

struct nx_act nx_act_of(const struct nx_graph *g, const struct nx_node *n)
{
	static const struct {
		const char *op;
		enum nx_act_kind kind;
		const char *attr;
		float dflt;
	} known[] = {
		{ "Relu", NX_ACT_RELU, NULL, 0 },
		{ "LeakyRelu", NX_ACT_RELU, "alpha", 0.01f },
		{ "Elu", NX_ACT_ELU, "alpha", 1 },
		{ "Sigmoid", NX_ACT_SIGMOID, NULL, 0 },
		{ "Tanh", NX_ACT_TANH, NULL, 0 },
		{ "HardSwish", NX_ACT_HARDSWISH, NULL, 0 },
		{ "Softplus", NX_ACT_SOFTPLUS, NULL, 0 },
		{ "Exp", NX_ACT_EXP, NULL, 0 },
		{ "Abs", NX_ACT_ABS, NULL, 0 },
		{ "Sqrt", NX_ACT_SQRT, NULL, 0 },
	};
	const struct nx_act none = { NX_ACT_NONE, 0, 0 };

	if (n->n_in < 1 || !nx_value_is_f32(g, n->in[0]))
		return none;
	if (nx_node_is(n, "Clip"))
		return clip_of(g, n);
	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++)
		if (nx_node_is(n, known[i].op))
			return (struct nx_act){ known[i].kind,
				known[i].attr ? nx_node_float(n, known[i].attr, known[i].dflt) : 0,
				0 };
	return none;
}

/* Softplus stays on its own: what libraries have for the end of a group is off where it is small. */
void nx_fuse_activation(const struct nx_finder *f, struct nx_group *group)
{
	int node = nx_finder_next(f, group->out);

	if (node < 0 || f->g->nodes[node].in[0] != group->out ||
		nx_node_is(&f->g->nodes[node], "Softplus"))
		return;
	group->act = nx_act_of(f->g, &f->g->nodes[node]);
	if (group->act.kind != NX_ACT_NONE)
		nx_group_take(group, f->g, node);
}
