/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_PLUGINS_CUDA_TUNE_H
#define NX_PLUGINS_CUDA_TUNE_H

#include "plugins/cuda/device.h"

/* The program of a graph as the device and the options want it. */
int cu_lower_for(struct nx_plugin_device *dev, const struct nx_graph *graph,
	const struct nx_compile_opts *opts, struct cu_program **out, struct nx_err *err);

/* As the plugin's tune(): the text is that of choices.h. */
int cu_tune(struct nx_plugin_device *dev, const struct nx_tune_job *job,
	const struct nx_compile_opts *opts, struct nx_err *err);

#endif
