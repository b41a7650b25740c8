/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed weights, shared by all executables of a device: an entry is found by the contents of
 * the constants it was made from and the layouts it was packed from and to, so that models with
 * equal layers share them and nothing depends on the graph that is compiled.
 */
#ifndef NX_PLUGINS_CPU_WEIGHTS_H
#define NX_PLUGINS_CPU_WEIGHTS_H

#include "plugins/cpu/exec.h"

struct nx_plugin_device {
	const struct nx_host *host;
	dnnl_engine_t engine;
	dnnl_stream_t stream;  /* for work at compile time */
	unsigned off;          /* passes that are switched off: enum nx_fuse_pass, enum cpu_pass */
	struct cpu_lane *lane; /* of each worker */
	int n_lanes;
	size_t n_weights, cap_weights;
	struct cpu_weights **weights;
};

#define CPU_KEY_MAX 24

/* What packed weights are made of.  'tag' tells uses of the same constants apart. */
struct cpu_key {
	int tag;
	size_t n;
	uint8_t from[CPU_KEY_MAX][NX_CONST_ID_SIZE];
	float scale;
	float epsilon[4]; /* of the batch normalisations folded in */
	/* Of biases in units of codes: scale and zero of the source's codes, and how the weights
	 * that are summed for it lie (elements of a channel side by side). */
	float codes[3];
};

struct cpu_weights {
	struct cpu_key key;
	dnnl_memory_desc_t md, from_md;
	dnnl_memory_t memory; /* over 'data' */
	void *data;
	size_t bytes;
	size_t refs;
};

/* The entry for key and layouts, or NULL; it is held by the executable until that is freed. */
struct cpu_weights *cpu_weights_find(struct nx_plugin_exec *e, const struct cpu_key *key,
	const dnnl_memory_desc_t *md, const dnnl_memory_desc_t *from_md);

/* Makes the entry from 'data', laid out as 'from_md'. */
int cpu_weights_add(struct nx_plugin_exec *e, const struct cpu_key *key,
	const dnnl_memory_desc_t *md, const dnnl_memory_desc_t *from_md, const void *data,
	struct cpu_weights **out, struct nx_err *err);

void cpu_weights_unref(struct nx_plugin_device *dev, struct cpu_weights *w);

#endif
