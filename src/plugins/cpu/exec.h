/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An executable: steps in order over buffers.  While it is built, buffers only have sizes and
 * the steps that use them; cpu_exec_finish() then lays those that do not live at the same time
 * over each other in one arena, so that running allocates nothing.
 */
#ifndef NX_PLUGINS_CPU_EXEC_H
#define NX_PLUGINS_CPU_EXEC_H

#include "plugins/cpu/dnn.h"
#include "plugins/cpu/precision.h"
#include "plugins/plugin.h"

enum cpu_buf_kind {
	CPU_ARENA,  /* ours, between two steps */
	CPU_INPUT,  /* the caller's, given to each run */
	CPU_OUTPUT, /* likewise */
	CPU_CONST,  /* a constant of the graph */
	CPU_PACKED, /* of the packed weights */
};

struct cpu_buf {
	enum cpu_buf_kind kind;
	size_t bytes;
	size_t offset;              /* in the arena */
	size_t index;               /* of the input or output */
	struct nx_tensor *constant; /* a reference */
	const void *packed;         /* data of packed weights, which the executable holds */
	int first, last;            /* steps that use it; first > last: none */
};

/* Where a step finds one of its tensors.  buf < 0: 'memory' alone says (packed weights). */
struct cpu_operand {
	int buf;
	int arg; /* oneDNN's DNNL_ARG_… */
	dnnl_memory_desc_t md;
	dnnl_memory_t memory; /* oneDNN steps only */
	void *ptr;
};

struct cpu_step;
typedef int cpu_step_fn(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err);

struct cpu_step {
	cpu_step_fn *run;
	struct nx_node *node; /* a copy, since the graph goes; NULL for changes of layout */
	size_t n, cap;
	struct cpu_operand *op;
	bool is_dnn;

	char kernel[48];       /* what computes it */
	char *class;           /* of a convolution, as in a tuning; NULL otherwise */
	int head;              /* its node in the graph */
	dnnl_primitive_t prim; /* oneDNN steps */
	size_t scratch_bytes;
	dnnl_memory_t scratch;
	dnnl_exec_arg_t *args;

	void *own; /* what else the step needs; one block */

	size_t outer;  /* joining steps: how often a chunk of each source is copied */
	size_t *chunk; /* bytes */

	struct nx_tensor *tensor;    /* reference steps: one for each operand */
	const struct nx_tensor **in; /* into 'tensor', as the node lists them; NULL: left out */
	struct nx_tensor **out;
};

struct cpu_weights;
struct cpu_lane;

struct nx_plugin_exec {
	struct nx_plugin_device *dev;
	int64_t opset;
	enum cpu_precision precision;
	size_t n_bufs, cap_bufs, n_steps, cap_steps, n_weights, cap_weights;
	struct cpu_buf *buf;
	struct cpu_step **step;
	struct cpu_weights **weights; /* held while the executable lives */
	dnnl_stream_t stream;
	/* The arena, and behind it the scratchpad of the step that runs, are in the worker's lane. */
	int worker;
	struct cpu_lane *lane;
	size_t arena_bytes, scratch_bytes, need;
	const char *base; /* where the lane's memory was when operands got their addresses */
	/* Operands whose address is the caller's and changes with every run. */
	struct cpu_binding {
		struct cpu_operand *op;
		const struct cpu_buf *buf;
	} * binding;
	size_t n_bindings;
};

/* Index of a new buffer. */
int cpu_buf_new(struct nx_plugin_exec *e, enum cpu_buf_kind kind, size_t bytes);
/* Index of a new buffer that is a constant of the graph; holds a reference. */
int cpu_buf_const(struct nx_plugin_exec *e, struct nx_tensor *constant);

/* Appends an empty step. */
struct cpu_step *cpu_step_new(
	struct nx_plugin_exec *e, cpu_step_fn *run, const char *kernel, const struct nx_node *node);
/* Adds an operand in a buffer to the last step; md may be NULL for steps that are no oneDNN's. */
void cpu_step_use(struct nx_plugin_exec *e, int arg, int buf, const dnnl_memory_desc_t *md);
/* Adds shared weights. */
void cpu_step_use_memory(struct nx_plugin_exec *e, int arg, dnnl_memory_t memory);

/* Appends the step that runs 'pd' (consumed, also on failure); operands follow. */
int cpu_step_primitive(struct nx_plugin_exec *e, dnnl_primitive_desc_t pd,
	const struct nx_node *node, struct nx_err *err);
/* Appends a step that copies 'outer' times a chunk of each source, in turn, to one target:
 * operands follow, the target last.  chunk has 'sources' entries. */
void cpu_step_join(struct nx_plugin_exec *e, const struct nx_node *node, size_t outer,
	const size_t *chunk, size_t sources);

/* Plans the arena and binds every operand. */
int cpu_exec_finish(struct nx_plugin_exec *e, struct nx_err *err);
int cpu_exec_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err);
void cpu_exec_steps(const struct nx_plugin_exec *e, nx_plugin_step_fn *fn, void *arg);
/* What n executables of a device hold together. */
void cpu_exec_memory(
	const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem);
/* The same, and the thread's CPU time each step took, added to ns[n_steps]. */
int cpu_exec_time(struct nx_plugin_exec *e, const void *const *in, void *const *out, double *ns,
	struct nx_err *err);
/* CPU time of the calling thread: what others do on this core does not count. */
double cpu_time_ns(void);
void cpu_exec_free(struct nx_plugin_exec **e);

#endif
