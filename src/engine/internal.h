/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share. */
#ifndef NX_ENGINE_INTERNAL_H
#define NX_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "engine/loader.h"
#include "engine/workers.h"

#include <pthread.h>

struct nx_engine {
	struct nx_plugin_lib lib;
	struct nx_plugin_device *dev;
	struct nx_device_info info;
	struct nx_workers *workers;
	pthread_mutex_t compiling; /* around every compile and exec_free */
	pthread_mutex_t running;   /* a device runs one batch at a time */
};

#endif
