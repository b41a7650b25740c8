/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An executable: a program bound to device memory, with a kernel chosen for each step, recorded
 * as one CUDA graph between the copies of inputs and outputs.  Nothing is allocated after it has
 * been made.
 */
#ifndef NX_PLUGINS_CUDA_EXEC_H
#define NX_PLUGINS_CUDA_EXEC_H

#include "plugins/cuda/device.h"

/* What a step that has a choice runs with. */
struct cu_bound {
	void *p[CU_STEP_BUFS]; /* device memory */
	struct cu_plan plan;   /* convolutions */
	void *pack;
	struct cu_product *product; /* products */
	int algo;
};

/* Host memory the device reads or writes by itself, and its place on the device. */
struct cu_port {
	size_t bytes;
	void *pinned, *device;
	bool direct; /* of the run at hand: copied to the caller's memory without ours */
};

struct nx_plugin_exec {
	struct nx_plugin_device *dev;
	struct cu_program *program;
	struct cu_bound *bound;      /* of each step */
	struct cu_weights **weights; /* of each buffer; NULL where it is no constant */
	void *arena;
	size_t n_in, n_out;
	struct cu_port *in, *out;
	cudaGraphExec_t graph;
};

/* Binds a program, which it takes, with the choices of a text (or NULL). */
int cu_exec_new(struct nx_plugin_device *dev, struct cu_program *program, const char *tuning,
	struct nx_plugin_exec **out, struct nx_err *err);
void cu_exec_free(struct nx_plugin_exec **e);
int cu_exec_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err);
void cu_exec_memory(
	const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem);

/* ---- for tuning -------------------------------------------------------------------------------- */

/* The same without plans, products and graph: memory alone. */
int cu_exec_bind(struct nx_plugin_device *dev, struct cu_program *program,
	struct nx_plugin_exec **out, struct nx_err *err);
/* Starts step i on the device's stream. */
int cu_exec_step(struct nx_plugin_exec *e, size_t i, struct nx_err *err);
/* Gives a step its kernel: configuration 'number' of the library's list, or the next that works. */
int cu_exec_choose(struct nx_plugin_exec *e, size_t i, size_t number, struct nx_err *err);
/* Gives a convolution a plan, which it takes out of *plan. */
void cu_exec_take(struct nx_plugin_exec *e, size_t i, struct cu_plan *plan);

#endif
