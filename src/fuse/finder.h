/* SPDX-License-Identifier: Apache-2.0 */
/* What the passes share while a graph is planned. */
#ifndef NX_FUSE_FINDER_H
#define NX_FUSE_FINDER_H

#include "fuse/fuse.h"

/* Who reads a value: how many, and the first two. */
struct nx_readers {
	int n;
	int node[2];
};

struct nx_finder {
	const struct nx_graph *g;
	struct nx_fusion *fusion;
	struct nx_readers *readers;
	int *maker; /* node that makes a value, or -1 */
};

bool nx_finder_is_free(const struct nx_finder *f, int node);
/* The only reader of a value, if it is not taken; -1 otherwise. */
int nx_finder_next(const struct nx_finder *f, int value);
/* Appends a node to a group, which then makes what the node makes. */
void nx_group_take(struct nx_group *group, const struct nx_graph *g, int node);

/* The other operand of a two-input node. */
int nx_other_input(const struct nx_node *n, int value);
/* A constant of one fp32 element. */
bool nx_const_scalar(const struct nx_graph *g, int value, float *out);

/* Whether a node scales and shifts 'value' by constants along 'axis' alone. */
bool nx_is_affine(const struct nx_graph *g, const struct nx_node *n, int value, int axis);

/* The passes: each looks behind (pad: in front of) the group as it is and takes what fits. */
void nx_fuse_affine(const struct nx_finder *f, struct nx_group *group, int axis);
void nx_fuse_residual(const struct nx_finder *f, struct nx_group *group);
void nx_fuse_gate(const struct nx_finder *f, struct nx_group *group);
void nx_fuse_activation(const struct nx_finder *f, struct nx_group *group);
void nx_fuse_pad(const struct nx_finder *f, struct nx_group *group);

#endif
