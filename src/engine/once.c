/* SPDX-License-Identifier: Apache-2.0 */
/* One closed graph, run once. */
#include "engine/internal.h"

int nx_engine_run_graph(struct nx_engine *e, const struct nx_graph *g, const char *precision,
	const void *const *in, void *const *out, struct nx_err *err)
{
	const struct nx_compile_opts opts = {
		.size = sizeof opts,
		.precision = precision,
		.model = g->name,
	};
	struct nx_plugin_exec *exec = NULL;

	if (e->info.simulated)
		return nx_err_set(err, NX_EUSAGE, "device '%s' computes nothing", e->info.spec);
	pthread_mutex_lock(&e->compiling);
	int rc = e->lib.ops->compile(e->dev, g, 1, &opts, &exec, err);
	pthread_mutex_unlock(&e->compiling);
	if (rc)
		return rc;
	pthread_mutex_lock(&e->running);
	rc = e->lib.ops->run(exec, in, out, err);
	pthread_mutex_unlock(&e->running);
	pthread_mutex_lock(&e->compiling);
	e->lib.ops->exec_free(&exec);
	pthread_mutex_unlock(&e->compiling);
	return rc;
}
