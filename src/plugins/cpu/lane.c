/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/lane.h"

#include "core/alloc.h"

#include <stdlib.h>

void cpu_lane_init(struct cpu_lane *lane)
{
	*lane = (struct cpu_lane){ 0 };
	pthread_mutex_init(&lane->lock, NULL);
}

void cpu_lane_release(struct cpu_lane *lane)
{
	nx_pages_free(lane->data, lane->bytes);
	free(lane->exec);
	pthread_mutex_destroy(&lane->lock);
}

/* Exchanges the memory for one of 'bytes'; what is in it matters to nobody. */
static int resize(struct cpu_lane *lane, size_t bytes)
{
	char *data = bytes ? nx_pages_alloc(bytes) : NULL;

	if (bytes && !data)
		return -1;
	nx_pages_free(lane->data, lane->bytes);
	lane->data = data;
	lane->bytes = bytes;
	return 0;
}

int cpu_lane_join(struct cpu_lane *lane, struct nx_plugin_exec *e, struct nx_err *err)
{
	int rc = 0;

	pthread_mutex_lock(&lane->lock);
	if (e->need > lane->bytes && resize(lane, e->need)) {
		rc = nx_err_set(err, NX_EOS, "no memory for %zu bytes of activations", e->need);
	} else {
		lane->exec = nx_grow(lane->exec, &lane->cap, lane->n + 1, sizeof *lane->exec);
		lane->exec[lane->n++] = e;
		e->lane = lane;
	}
	pthread_mutex_unlock(&lane->lock);
	return rc;
}

void cpu_lane_leave(struct cpu_lane *lane, struct nx_plugin_exec *e)
{
	size_t need = 0, kept = 0;

	pthread_mutex_lock(&lane->lock);
	for (size_t i = 0; i < lane->n; i++) {
		if (lane->exec[i] == e)
			continue;
		lane->exec[kept++] = lane->exec[i];
		need = lane->exec[i]->need > need ? lane->exec[i]->need : need;
	}
	lane->n = kept;
	/* A smaller one that cannot be had leaves the large one, which is right as well. */
	if (need < lane->bytes)
		resize(lane, need);
	pthread_mutex_unlock(&lane->lock);
}
