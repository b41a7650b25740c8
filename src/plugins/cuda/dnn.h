/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuDNN's graph API: plans for convolutions.  Plans can be listed, finalised and measured in
 * bytes for a device that is only described (JSON, as cuDNN itself writes it), without a GPU or a
 * driver; running them needs a handle.
 */
#ifndef NX_PLUGINS_CUDA_DNN_H
#define NX_PLUGINS_CUDA_DNN_H

#include "core/err.h"
#include "plugins/cuda/program.h"

struct cu_dnn;

/* For the device that is current in this thread; 'stream' is a cudaStream_t. */
int cu_dnn_open(void *stream, struct cu_dnn **out, struct nx_err *err);
/* For a described device: plans cannot run. */
int cu_dnn_open_described(const char *json, struct cu_dnn **out, struct nx_err *err);
void cu_dnn_close(struct cu_dnn **dnn);

/* The version of the library that is loaded, as 91900. */
size_t cu_dnn_version(void);

enum cu_plan_note {
	CU_PLAN_TENSOR_CORES = 1 << 0,
	CU_PLAN_COMPILED_HERE = 1 << 1, /* by NVRTC, when it was finalised */
};

struct cu_plan {
	void *descriptor; /* finalised */
	size_t number;    /* among the configurations listed; the same in every process that has
			   * the same cuDNN and kind of device */
	int64_t engine;   /* cuDNN's number */
	unsigned notes;   /* enum cu_plan_note */
	size_t workspace; /* bytes */
};

struct cu_plans {
	size_t n, cap;
	struct cu_plan *plan;
	size_t listed; /* configurations the heuristics named, whether or not they could be used */
};

/*
 * The plans of a convolution that heuristics A and FALLBACK name, in their order and within
 * 'workspace' bytes, from configuration 'first' on; none is no error.  At most 'max' are
 * finalised, which takes time for those that are compiled here.
 */
int cu_dnn_plans(struct cu_dnn *dnn, const struct cu_conv *conv, size_t workspace, size_t first,
	size_t max, struct cu_plans *out, struct nx_err *err);
void cu_plans_release(struct cu_plans *plans);
void cu_plan_free(struct cu_plan *plan); /* one that was taken out of a list, or none */

/* How many configurations heuristics name for a convolution; finalises nothing. */
size_t cu_dnn_count(struct cu_dnn *dnn, const struct cu_conv *conv);

/* Where a plan finds its tensors: y, x, weights, bias, residual (or NULL), device memory. */
int cu_dnn_pack(const struct cu_conv *conv, void *const *p, void *workspace, void **pack,
	struct nx_err *err);
void cu_dnn_pack_free(void **pack);
int cu_dnn_run(struct cu_dnn *dnn, const struct cu_plan *plan, void *pack, struct nx_err *err);

#endif
