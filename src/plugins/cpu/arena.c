/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Greedy by size" (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net
 * Inference, 2020): the largest buffer first, each at the lowest place that is free for its whole
 * life.  O(n^2 log n) in the buffers of a graph, near the optimum on real networks.
 */
#include "plugins/cpu/arena.h"

#include "core/alloc.h"

#include <stdlib.h>

#define ALIGN 64u

static int by_size(const void *pa, const void *pb)
{
	const struct cpu_buf *a = *(struct cpu_buf *const *)pa, *b = *(struct cpu_buf *const *)pb;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a > b) - (a < b); /* the order of qsort must not depend on chance */
}

static int by_offset(const void *pa, const void *pb)
{
	const struct cpu_buf *a = *(struct cpu_buf *const *)pa, *b = *(struct cpu_buf *const *)pb;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

/* The lowest place for 'b' between the 'n' neighbours that live when it does. */
static size_t lowest_gap(const struct cpu_buf *b, struct cpu_buf **neighbour, size_t n)
{
	size_t at = 0;

	qsort(neighbour, n, sizeof(struct cpu_buf *), by_offset);
	for (size_t i = 0; i < n; i++) {
		const struct cpu_buf *o = neighbour[i];
		if (at + b->bytes <= o->offset)
			break;
		size_t end = (o->offset + o->bytes + ALIGN - 1) / ALIGN * ALIGN;
		if (end > at)
			at = end;
	}
	return at;
}

size_t cpu_arena_plan(struct cpu_buf *buf, size_t n)
{
	struct cpu_buf **order = nx_alloc(n + 1, sizeof(struct cpu_buf *));
	struct cpu_buf **neighbour = nx_alloc(n + 1, sizeof(struct cpu_buf *));
	size_t count = 0, bytes = 0;

	for (size_t i = 0; i < n; i++)
		if (buf[i].kind == CPU_ARENA && buf[i].first <= buf[i].last)
			order[count++] = &buf[i];
	qsort(order, count, sizeof(struct cpu_buf *), by_size);
	for (size_t i = 0; i < count; i++) {
		size_t near = 0;
		for (size_t k = 0; k < i; k++)
			if (order[k]->first <= order[i]->last && order[i]->first <= order[k]->last)
				neighbour[near++] = order[k];
		order[i]->offset = lowest_gap(order[i], neighbour, near);
		if (order[i]->offset + order[i]->bytes > bytes)
			bytes = order[i]->offset + order[i]->bytes;
	}
	free(order);
	free(neighbour);
	return bytes;
}
