/* SPDX-License-Identifier: Apache-2.0 */
/* What the emitters of single nodes share, and those with a file of their own. */
#ifndef NX_PLUGINS_CPU_NODES_H
#define NX_PLUGINS_CPU_NODES_H

#include "plugins/cpu/build.h"

/* Element i of an attribute that is a list, 'dflt' where it has none. */
int64_t cpu_ints_at(const struct nx_node *n, const char *name, int i, int64_t dflt);

/* Makes a descriptor from a source layout; NULL where it cannot be. */
typedef dnnl_primitive_desc_t cpu_describe_fn(
	struct cpu_build *b, const void *op, const dnnl_memory_desc_t *src);

/* Appends the step that 'describe' makes of the node's first input: tries the layout that is
 * there, then channels last; a slow form only if there is no other.  Of codes if the operator is
 * the same for them, as 'codes' says. */
int cpu_emit_channelwise(struct cpu_build *b, const struct nx_node *n, cpu_describe_fn *describe,
	const void *op, bool codes, struct nx_err *err);

/* As cpu_emit_node, for one operator each. */
int cpu_emit_pool(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_resize(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_softplus(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_slice(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
/* A Transpose that is the middle of a channel shuffle; makes the value behind it. */
int cpu_emit_shuffle(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_concat(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
int cpu_emit_transpose(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);

#endif
