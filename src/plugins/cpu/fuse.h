/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes become one step: a convolution (or matrix product, or batch normalisation) with
 * the scaling, residual addition and activation behind it, as far as nobody else reads what is
 * in between.
 */
#ifndef NX_PLUGINS_CPU_FUSE_H
#define NX_PLUGINS_CPU_FUSE_H

#include "plugins/cpu/dnn.h"

#define CPU_AFFINE_MAX 4

/* y = alg(x) with oneDNN's alpha and beta; alg is dnnl_alg_kind_undef where there is none. */
struct cpu_act {
	dnnl_alg_kind_t alg;
	float alpha, beta;
};

struct cpu_group {
	int head; /* node */
	int pad;  /* node: zero padding in front of the head, or -1 */
	int last; /* node; all inputs of the group are there when its turn comes */
	int out;  /* value the group makes */
	size_t n_nodes;
	int node[CPU_AFFINE_MAX + 5];
	size_t n_affine;
	int affine[CPU_AFFINE_MAX]; /* nodes: BatchNormalization, Mul or Add of a constant */
	int residual;               /* value added before the activation, or NX_NO_VALUE */
	struct cpu_act act;
};

struct cpu_plan {
	size_t n_groups;
	struct cpu_group *group;
	int *group_of; /* of each node; -1: it stands alone */
};

void cpu_plan_init(struct cpu_plan *p, const struct nx_graph *g);
void cpu_plan_release(struct cpu_plan *p);

/* The activation a single-input node is, or undef; fp32 only. */
struct cpu_act cpu_act_of(const struct nx_graph *g, const struct nx_node *n);

/* Elements of a constant fp32 value; NULL and a count of 0 where it is none. */
const float *cpu_const_f32(const struct nx_graph *g, int value, int64_t *count);

/* The scale and shift of a group's affine nodes for 'channels' channels. */
void cpu_affine(const struct nx_graph *g, const struct cpu_group *group, int64_t channels,
	float *scale, float *shift);

/* Zeros a Pad node adds in front (side 0) or behind (side 1) along an axis. */
int64_t cpu_pad_of(const struct nx_graph *g, const struct nx_node *pad, int axis, int side);

bool cpu_is(const struct nx_node *n, const char *op);
bool cpu_is_f32(const struct nx_graph *g, int value);

#endif
