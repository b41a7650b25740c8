/* SPDX-License-Identifier: Apache-2.0 */
/* Executables that are only made to be measured, with random numbers to run on. */
#ifndef NX_PLUGINS_CPU_TRIAL_H
#define NX_PLUGINS_CPU_TRIAL_H

#include "plugins/cpu/build.h"

struct cpu_trial {
	struct nx_plugin_exec *exec;
	const struct nx_graph *graph;
	void **in, **out; /* of graph->n_in and n_out tensors */
	double best_ns;   /* its shortest run when it was compared with another one */
};

/* Compiles, makes inputs (the same for equal shapes) and runs once.  The graph must outlive the
 * trial. */
int cpu_trial_init(struct cpu_trial *t, struct nx_plugin_device *dev, const struct nx_graph *g,
	const struct cpu_how *how, struct nx_err *err);
void cpu_trial_release(struct cpu_trial *t);

/* The shortest run of 'b' over the shortest of 'a', by the thread's CPU time, the two running in
 * turns; infinite if one fails. */
double cpu_trial_ratio(struct cpu_trial *a, struct cpu_trial *b);

/* Largest difference of the fp32 outputs of the last runs over the largest output of 'a';
 * infinite where one is not finite and the other something else. */
double cpu_trial_error(const struct cpu_trial *a, const struct cpu_trial *b);

#endif
