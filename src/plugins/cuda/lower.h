/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a closed graph to a program.  A value is held plain (row-major) or as a map (channels
 * innermost and padded), and gets the other layout only when a step asks for it.
 */
#ifndef NX_PLUGINS_CUDA_LOWER_H
#define NX_PLUGINS_CUDA_LOWER_H

#include "core/buf.h"
#include "fuse/fuse.h"
#include "plugins/cuda/program.h"

struct cu_lower_opts {
	int type;     /* CU_F32, CU_F16, CU_BF16 */
	unsigned off; /* passes of enum nx_fuse_pass that are left out */
	/* Whether the device has one kernel for a convolution with an activation that is not a
	 * plain ReLU; NULL: it has none, and the activation is a step of its own. */
	bool (*fuses)(void *arg, const struct cu_conv *conv);
	void *arg;
};

/* Makes the program of a closed graph, whose nodes it points to.  NX_EUNSUPP names all nodes that
 * cannot run. */
int cu_lower(const struct nx_graph *g, const struct cu_lower_opts *opts, struct cu_program **out,
	struct nx_err *err);

/* ---- shared by the lower_*.c ----------------------------------------------------------------- */

enum cu_layout { CU_PLAIN, CU_MAP, CU_LAYOUTS };

struct cu_val {
	int buf[CU_LAYOUTS]; /* CU_NO_BUF: not there */
	int raw;             /* an input in the host's type, where that is not the device's */
	int view_of;         /* value with the same elements in row-major order, or NX_NO_VALUE */
	int readers;
	int reader;     /* one of them */
	bool only_conv; /* nothing but convolutions read it */
};

struct cu_build {
	const struct nx_graph *g;
	const struct cu_lower_opts *opts;
	struct cu_program *p;
	struct nx_fusion fusion;
	struct cu_val *val;
	bool *done; /* of each node: part of a chain that has been emitted */
	struct nx_buf refused;
	size_t n_refused;
	bool too_large;
};

#define CU_NOT_MINE 1 /* an emitter's answer: there is no kernel for this node */

/* A value, or a part of one, by strides in elements. */
struct cu_view {
	int buf, type, rank;
	int64_t base;
	int64_t dim[CU_DIMS], stride[CU_DIMS];
};

const struct nx_shape *cu_shape(const struct cu_build *b, int value);
/* The type a value is held in. */
int cu_held_as(const struct cu_build *b, int value);
/* Channels of a map with its padding. */
int64_t cu_padded(const struct cu_build *b, int value);
/* Whether a value can be a map: fp32, rank 3 or 4, not empty. */
bool cu_can_map(const struct cu_build *b, int value);
bool cu_is_map(const struct cu_build *b, int value); /* it is one already, and not plain */
bool cu_is_const(const struct cu_build *b, int value);
/* Whether a value is there when the next step runs. */
bool cu_is_made(const struct cu_build *b, int value);

/* The buffer of a value in a layout; steps that make it are appended. */
int cu_need(struct cu_build *b, int value, enum cu_layout layout);
/* A value as it is held. */
struct cu_view cu_view_of(struct cu_build *b, int value);
/* A new buffer of a value in a layout. */
int cu_make(struct cu_build *b, int value, enum cu_layout layout);
/* The view of a value that has been made in a layout. */
struct cu_view cu_view_in(const struct cu_build *b, int value, enum cu_layout layout);
/* A constant of fp32 numbers, stored as 'type'. */
int cu_const_new(struct cu_build *b, const float *data, size_t n, int type);

/* Copies a view to another of the same dimensions.  'bounds' (of the rank, may be NULL) is what
 * the source has of each dimension and how far it is shifted. */
struct cu_bounds {
	int mode;
	float fill;
	int64_t low[CU_DIMS], n[CU_DIMS];
};
void cu_emit_copy(struct cu_build *b, const struct nx_node *node, const struct cu_view *from,
	const struct cu_view *to, const struct cu_bounds *bounds);
/* The same at once: all of a buffer, which becomes a constant, from another one. */
void cu_fold_copy(struct cu_build *b, const struct cu_view *from, const struct cu_view *to,
	const struct cu_bounds *bounds);
/* The kernel, thread by thread. */
void cu_copy_on_host(const struct cu_copy *c);
/* Makes 'value' a copy of a view of its dimensions, or the view itself where it is the same. */
void cu_emit_view(struct cu_build *b, const struct nx_node *node, int value,
	const struct cu_view *from, enum cu_layout layout, const struct cu_bounds *bounds);

/* A chain of functions that makes 'out'. */
struct cu_source {
	int value;   /* or NX_NO_VALUE: … */
	int channel; /* … a constant buffer of fp32 numbers, one a channel */
};
struct cu_chain {
	int out;
	int n_sources, n_ops;
	struct cu_source source[CU_MAP_SOURCES];
	struct {
		struct cu_act f;
		int source;
	} op[CU_MAP_OPS];
};
void cu_chain_init(struct cu_chain *c, int out, int first);
/* Adds a function; its operand x (and y) are the sources added with it, or NX_NO_VALUE. */
bool cu_chain_add(struct cu_chain *c, struct cu_act f, int x, int y);
void cu_emit_chain(struct cu_build *b, const struct nx_node *node, const struct cu_chain *c);
struct cu_act cu_act_of_group(const struct nx_act *act);

/* Emitters: 0 or CU_NOT_MINE, before any step is appended. */
int cu_emit_conv(struct cu_build *b, const struct nx_group *group);
int cu_emit_gemm(struct cu_build *b, const struct nx_group *group);
int cu_emit_norm(struct cu_build *b, const struct nx_group *group);
int cu_emit_matmul(struct cu_build *b, const struct nx_node *n);
int cu_emit_map(struct cu_build *b, const struct nx_node *n);
int cu_emit_move(struct cu_build *b, const struct nx_node *n);
int cu_emit_rows(struct cu_build *b, const struct nx_node *n);
int cu_emit_window(struct cu_build *b, const struct nx_node *n);
int cu_emit_resize(struct cu_build *b, const struct nx_node *n);

/* Attributes and constant inputs. */
int64_t cu_ints_at(const struct nx_node *n, const char *name, int i, int64_t dflt);
/* The whole numbers of a constant input, or of an attribute where that is NX_NO_VALUE or not
 * given: how many, at most 'max'; -1 if they are not known. */
int cu_ints(const struct cu_build *b, const struct nx_node *n, size_t input, const char *attr,
	int64_t *out, int max);
/* A constant fp32 scalar. */
bool cu_scalar(const struct cu_build *b, int value, float *out);
/* Fills in everything but n of a window of a node; false for shapes that are no maps. */
bool cu_window_of(const struct cu_build *b, const struct nx_node *n, int in, int out,
	const struct nx_shape *kernel, struct cu_window *w);

#endif
