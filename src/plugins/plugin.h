/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the engine and a device plugin: the only header both see besides the
 * graph.  A plugin is a shared object with one exported symbol, nx_plugin_entry, loaded with
 * RTLD_NOW | RTLD_LOCAL from the plugin folder beside the program (never from the current
 * directory).  All calls return 0 or -NX_E… and fill *err; no call aborts, prints or exits.
 *
 * Compatibility: 'abi' must match; 'size' lets the table grow at its end.
 */
#ifndef NX_PLUGINS_PLUGIN_H
#define NX_PLUGINS_PLUGIN_H

#include "core/err.h"
#include "model/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_PLUGIN_ABI    2u
#define NX_PLUGIN_SYMBOL "nx_plugin_entry"

struct nx_plugin_device; /* an open device; one thread at a time may compile on it */
struct nx_plugin_exec;   /* a graph compiled for one batch size; one thread at a time may run it */

/* What a plugin says of a device. */
struct nx_device_info {
	char name[128];        /* the device *type* profiles carry: "NVIDIA H200", CPU model name */
	char spec[64];         /* what -d takes: "cpu", "cuda:0", "sim" */
	char precision[16];    /* what it computes in by default: "fp32", "fp16" */
	uint64_t memory_bytes; /* total; 0 unknown */
	int threads_max;       /* cores a CPU device may use; 1 elsewhere */
	int threads;           /* executables the engine runs side by side; at least 1 */
	/* Rows per executable that run fastest on this device: a batch is cut into pieces of at
	 * most this many rows (CPUs), 0 where a batch runs whole, padded up (GPUs). */
	int micro_batch;
	/* Runs nothing, so that an executable costs nothing: there is one for every batch size,
	 * and compile gets the graph of one row (or NULL) whatever the batch. */
	bool simulated;
};

/* What the host gives a plugin: nothing else of the host may be called. */
struct nx_host {
	size_t size;
	void (*log)(int level, const char *text); /* enum nx_log_level */
	uint64_t (*now_ns)(void);
};

/* How to compile.  'cost' is only for devices that run nothing (sim). */
struct nx_compile_opts {
	size_t size;
	const char *precision; /* NULL: the device's default */
	/* Below the device's 'threads'.  Executables of one worker never run at the same time, so
	 * that a plugin may let them share memory. */
	int worker;
	bool part;         /* the graph is a part of the model: what it lacks the rest may have */
	const char *model; /* name, for messages and caches */
	const char *digest;
	const double *cost_ms; /* sim: cost_ms[b - 1] is the latency at batch b, or NULL */
	size_t n_cost;
	/* What tune() once gave for this model, NULL for nothing.  It comes from a file: a plugin
	 * leaves out what it does not understand. */
	const char *tuning;
};

/* What to tune: one model for a ladder of batch sizes. */
struct nx_tune_job {
	size_t size;
	size_t n; /* of the following two; ascending, the first for one row */
	const struct nx_graph *const *graph;
	const int64_t *rows;
	double time_cap_ms; /* processor time to measure for; what was found until then counts */
	void (*put)(void *arg, const char *text); /* called once, with the result */
	void *arg;
};

struct nx_plugin_memory {
	uint64_t weights_bytes;     /* packed weights, and constants that are read as they are */
	uint64_t activations_bytes; /* working memory: one piece a worker */
};

/* A step of an executable. */
struct nx_plugin_step {
	const char *node;   /* name of a node it computes; "" for a change of layout or type */
	const char *op;     /* the node's operator, or "" */
	const char *kernel; /* what computes it, in the plugin's words */
};

typedef void nx_plugin_step_fn(void *arg, const struct nx_plugin_step *step);

struct nx_plugin {
	uint32_t abi;     /* NX_PLUGIN_ABI */
	size_t size;      /* sizeof(struct nx_plugin) when the plugin was built */
	const char *name; /* "cpu", "cuda", "sim" */
	/* What may follow the colon in -d, for --help: one line or NULL. */
	const char *options_help;

	/* Devices present: fills up to 'max' infos, returns how many there are (0 is no error). */
	int (*list)(const struct nx_host *host, struct nx_device_info *infos, int max,
		struct nx_err *err);
	/* Opens "cpu", "cpu:threads=2", "cuda:0", "sim:alpha=1,beta=5": args is what follows the
	 * colon or "". */
	int (*open)(const struct nx_host *host, const char *args, struct nx_plugin_device **dev,
		struct nx_device_info *info, struct nx_err *err);
	void (*close)(struct nx_plugin_device **dev);

	/* Compiles a closed graph (nx_graph_specialize), which may be freed as soon as this has
	 * returned: the executable copies the nodes and holds the constants (nx_const_ref) that it
	 * still needs.  Executables on one device share packed weights, also those of different
	 * models (found by the constants' contents, nx_const_id).  NX_EUNSUPP names all operators
	 * that cannot run.  Only simulated devices accept graph == NULL. */
	int (*compile)(struct nx_plugin_device *dev, const struct nx_graph *graph, int64_t batch,
		const struct nx_compile_opts *opts, struct nx_plugin_exec **exec,
		struct nx_err *err);
	void (*exec_free)(struct nx_plugin_exec **exec);

	/* Runs one batch and returns when it is done.  in[i] and out[i] are host memory, dense row
	 * major, of the graph's input and output shapes, in graph order. */
	int (*run)(struct nx_plugin_exec *exec, const void *const *in, void *const *out,
		struct nx_err *err);
	/* What n executables of one device hold together, each shared part once. */
	void (*memory)(
		const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem);

	/* Rows a piece of this model should have at most on a device with micro_batch > 0, from
	 * its graph of one row; NULL: the device's micro_batch. */
	int (*micro_batch)(const struct nx_plugin_device *dev, const struct nx_graph *one_row,
		const struct nx_compile_opts *opts);

	/* What an executable computes in ("fp32"); NULL: always the device's default. */
	const char *(*precision)(const struct nx_plugin_exec *exec);
	/* Calls fn for each step of an executable, in order; NULL where there are none. */
	void (*steps)(const struct nx_plugin_exec *exec, nx_plugin_step_fn *fn, void *arg);

	/* Finds by measuring how a model runs fastest; the text is for compile and micro_batch.
	 * 'version' names everything but the device that the text is only good for: library,
	 * instruction set, form of the text.  Both NULL where there is nothing to tune. */
	int (*tune)(struct nx_plugin_device *dev, const struct nx_tune_job *job,
		const struct nx_compile_opts *opts, struct nx_err *err);
	const char *(*version)(void);
};

typedef const struct nx_plugin *nx_plugin_entry_fn(void);

/* For a plugin's source file: NX_PLUGIN_EXPORT const struct nx_plugin *nx_plugin_entry(void). */
#define NX_PLUGIN_EXPORT __attribute__((visibility("default")))

#endif
