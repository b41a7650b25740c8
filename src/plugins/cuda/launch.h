/* SPDX-License-Identifier: Apache-2.0 */
/* Our kernels on the device. */
#ifndef NX_PLUGINS_CUDA_LAUNCH_H
#define NX_PLUGINS_CUDA_LAUNCH_H

#include "plugins/cuda/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts the kernel of a step on a cudaStream_t; 'args' is its struct with pointers to device
 * memory.  Returns a cudaError_t: 0 when it was started. */
int cu_launch(enum cu_step_kind kind, const void *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
