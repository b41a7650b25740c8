/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes become one step of a device: a convolution, matrix product or batch normalisation
 * with the scaling, residual addition and activation behind it, as far as nobody else reads what
 * is in between.  It knows nothing of devices, so that all of them fuse alike; each pass is a file
 * of its own and can be switched off.
 */
#ifndef NX_FUSE_FUSE_H
#define NX_FUSE_FUSE_H

#include "model/graph.h"

#define NX_AFFINE_MAX 4

/* Bits of the passes; a plugin's own passes begin at NX_FUSE_FREE. */
enum nx_fuse_pass {
	NX_FUSE_AFFINE = 1 << 0,     /* BatchNormalization, Mul and Add of constants */
	NX_FUSE_RESIDUAL = 1 << 1,   /* the sum with another tensor behind a convolution */
	NX_FUSE_GATE = 1 << 2,       /* x * sigmoid(x), x * hardsigmoid(x) */
	NX_FUSE_ACTIVATION = 1 << 3, /* one activation at the end */
	NX_FUSE_PAD = 1 << 4,        /* zero padding in front of a convolution */
	NX_FUSE_FREE = 1 << 8,
};

struct nx_pass {
	const char *name;
	unsigned bit;
};

/*
 * The bits of a list "residual+gate" of passes, of this module or of the plugin's 'own' (n_own);
 * 'device' names the plugin in messages.  NX_EUSAGE naming all that are known.
 */
int nx_passes_parse(const char *list, const char *device, const struct nx_pass *own, size_t n_own,
	unsigned *bits, struct nx_err *err);

enum nx_act_kind {
	NX_ACT_NONE,
	NX_ACT_RELU, /* alpha: the slope below 0 */
	NX_ACT_ELU,  /* alpha */
	NX_ACT_SIGMOID,
	NX_ACT_TANH,
	NX_ACT_HARDSWISH,
	NX_ACT_SWISH, /* x * sigmoid(x) */
	NX_ACT_SOFTPLUS,
	NX_ACT_EXP,
	NX_ACT_ABS,
	NX_ACT_SQRT,
	NX_ACT_CLIP, /* alpha, beta: the bounds */
};

struct nx_act {
	enum nx_act_kind kind;
	float alpha, beta;
};

struct nx_group {
	int head; /* node */
	int pad;  /* node: zero padding in front of the head, or -1 */
	int last; /* node; all inputs of the group are there when its turn comes */
	int out;  /* value the group makes */
	size_t n_nodes;
	int node[NX_AFFINE_MAX + 5];
	size_t n_affine;
	int affine[NX_AFFINE_MAX]; /* nodes: BatchNormalization, Mul or Add of a constant */
	int residual;              /* value added before the activation, or NX_NO_VALUE */
	struct nx_act act;
};

struct nx_fusion {
	size_t n_groups;
	struct nx_group *group;
	int *group_of; /* of each node; -1: it stands alone */
};

/* Plans a closed graph without the passes whose bits are in 'off'.  Every convolution, matrix
 * product and batch normalisation of fp32 heads a group, if only of itself. */
void nx_fusion_init(struct nx_fusion *f, const struct nx_graph *g, unsigned off);
void nx_fusion_release(struct nx_fusion *f);

/* The activation a single-input node is, or NX_ACT_NONE; fp32 only. */
struct nx_act nx_act_of(const struct nx_graph *g, const struct nx_node *n);

/* Elements of a constant fp32 value; NULL and a count of 0 where it is none. */
const float *nx_const_f32(const struct nx_graph *g, int value, int64_t *count);

/* The scale and shift of a group's affine nodes for 'channels' channels. */
void nx_affine(const struct nx_graph *g, const struct nx_group *group, int64_t channels,
	float *scale, float *shift);

/* Zeros a Pad node adds in front (side 0) or behind (side 1) along an axis; -1 unknown. */
int64_t nx_pad_of(const struct nx_graph *g, const struct nx_node *pad, int axis, int side);

bool nx_node_is(const struct nx_node *n, const char *op);
/* Whether a node only says in other dimensions what its first input holds in row-major order. */
bool nx_node_is_view(const struct nx_node *n);
bool nx_value_is_f32(const struct nx_graph *g, int value);

#endif
