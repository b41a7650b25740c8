/* SPDX-License-Identifier: Apache-2.0 */
/* An open GPU: what all executables on it share. */
#ifndef NX_PLUGINS_CUDA_DEVICE_H
#define NX_PLUGINS_CUDA_DEVICE_H

#include "plugins/cuda/dnn.h"
#include "plugins/cuda/lt.h"
#include "plugins/cuda/program.h"
#include "plugins/plugin.h"

#include <cuda_runtime_api.h>

#define CU_WORKSPACE_BYTES ((size_t)256 << 20) /* of one stream, for cuDNN and cuBLASLt */

/* Constants on the device, found by what they hold. */
struct cu_weights {
	char digest[NX_DIGEST_SIZE];
	size_t bytes, refs;
	void *data;
};

struct nx_plugin_device {
	const struct nx_host *host;
	int ordinal;
	unsigned off; /* passes left out */

	cudaStream_t stream; /* all work is in order: one batch runs at a time */
	struct cu_dnn *dnn;
	struct cu_lt *lt;
	void *workspace;
	size_t n_weights, cap_weights;
	struct cu_weights **weights;
	/* After an error that outlives the call (a kernel that read where it must not, a device
	 * that fell off the bus) nothing works in this process any more. */
	bool lost;
	bool precompiled_only; /* cuDNN's run-time compiler does not work here */
};

/* 0, or the error with what was tried; marks the device as lost where it is. */
int cu_check(struct nx_plugin_device *dev, cudaError_t e, const char *what, struct nx_err *err);

int cu_device_list(
	const struct nx_host *host, struct nx_device_info *infos, int max, struct nx_err *err);
int cu_device_open(const struct nx_host *host, const char *args, struct nx_plugin_device **out,
	struct nx_device_info *info, struct nx_err *err);
void cu_device_close(struct nx_plugin_device **dev);

/* The constant of a program's buffer on the device; one reference. */
int cu_weights_get(struct nx_plugin_device *dev, const struct cu_buf *buf, struct cu_weights **out,
	struct nx_err *err);
void cu_weights_put(struct nx_plugin_device *dev, struct cu_weights *w);

#endif
