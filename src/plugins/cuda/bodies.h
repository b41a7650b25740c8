/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one thread of each kernel does, in the common part of C and CUDA C++: kernels.cu wraps it
 * for the device, and tests run it on the host, thread by thread, so that everything but the
 * wrapping is proved without a GPU.  Blocks that work together do so in phases with a barrier
 * between them.  Threads are numbered in 32 bits, which divide four times as fast as 64.
 */
#ifndef NX_PLUGINS_CUDA_BODIES_H
#define NX_PLUGINS_CUDA_BODIES_H

#include "plugins/cuda/body_chain.h"
#include "plugins/cuda/body_global.h"
#include "plugins/cuda/body_picture.h"
#include "plugins/cuda/body_rows.h"
#include "plugins/cuda/body_window.h"

#endif
