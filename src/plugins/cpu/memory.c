/* SPDX-License-Identifier: Apache-2.0 */
/* What executables hold: packed weights and lanes are shared, so each counts once. */
#include "plugins/cpu/exec.h"
#include "plugins/cpu/weights.h"

#include "core/alloc.h"

#include <stdlib.h>

struct part {
	const void *what;
	size_t bytes;
};

/* Equal parts together, the largest first. */
static int by_part(const void *pa, const void *pb)
{
	const struct part *a = pa, *b = pb;
	uintptr_t x = (uintptr_t)a->what, y = (uintptr_t)b->what;

	if (x != y)
		return x < y ? -1 : 1;
	return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

static uint64_t sum(struct part *part, size_t n)
{
	uint64_t bytes = 0;

	qsort(part, n, sizeof *part, by_part);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || part[i].what != part[i - 1].what)
			bytes += part[i].bytes;
	return bytes;
}

void cpu_exec_memory(
	const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem)
{
	struct part *weights, *lanes = nx_alloc(n, sizeof *lanes);
	size_t n_weights = 0, most = 0;

	for (size_t i = 0; i < n; i++)
		most += exec[i]->n_weights + exec[i]->n_bufs;
	weights = nx_alloc(most, sizeof *weights);
	for (size_t i = 0; i < n; i++) {
		const struct nx_plugin_exec *e = exec[i];
		for (size_t k = 0; k < e->n_weights; k++)
			weights[n_weights++] = (struct part){ e->weights[k], e->weights[k]->bytes };
		for (size_t k = 0; k < e->n_bufs; k++)
			if (e->buf[k].kind == CPU_CONST)
				weights[n_weights++] =
					(struct part){ e->buf[k].constant, e->buf[k].bytes };
		lanes[i] = (struct part){ e->lane, e->need };
	}
	mem->weights_bytes = sum(weights, n_weights);
	mem->activations_bytes = sum(lanes, n);
	free(weights);
	free(lanes);
}
