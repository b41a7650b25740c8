/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning a model on this CPU: see tuning.h for what comes out, descend.h for how. */
#ifndef NX_PLUGINS_CPU_TUNE_H
#define NX_PLUGINS_CPU_TUNE_H

#include "plugins/cpu/build.h"

/* As nx_plugin.tune, in that precision. */
int cpu_tune(struct nx_plugin_device *dev, const struct nx_tune_job *job,
	enum cpu_precision precision, struct nx_err *err);

#endif
