/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the executables of one worker share: they never run at the same time, so one piece of
 * memory serves the activations of them all, of every batch size and every model.
 */
#ifndef NX_PLUGINS_CPU_LANE_H
#define NX_PLUGINS_CPU_LANE_H

#include "plugins/cpu/exec.h"

#include <pthread.h>

struct cpu_lane {
	/* Held while an executable runs and while the memory moves: a model may be compiled while
	 * another one runs. */
	pthread_mutex_t lock;
	char *data;
	size_t bytes, n, cap;
	struct nx_plugin_exec **exec; /* those that use it */
};

void cpu_lane_init(struct cpu_lane *lane);
void cpu_lane_release(struct cpu_lane *lane); /* no executable uses it any more */

/* Makes room for e->need bytes; the memory may move (cpu_exec_run looks).  NX_EOS. */
int cpu_lane_join(struct cpu_lane *lane, struct nx_plugin_exec *e, struct nx_err *err);
/* What only this executable needed goes back to the system. */
void cpu_lane_leave(struct cpu_lane *lane, struct nx_plugin_exec *e);

#endif
