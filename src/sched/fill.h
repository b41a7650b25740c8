/* SPDX-License-Identifier: Apache-2.0 */
/* One device filled as well as can be around a given item. */
#ifndef NX_SCHED_FILL_H
#define NX_SCHED_FILL_H

#include "sched/bin.h"

/* An item and what it is worth to have it placed; values of a full device add up to about 1. */
struct nx_fill_item {
	const struct nx_item *it;
	double value;
};

/* Room that nx_fill_bin needs; grows, freed by nx_fill_release. */
struct nx_fill {
	struct nx_fill_pick *pick;
	size_t cap_pick;
	size_t *chosen, *best, *now;
	size_t cap;
	double *cycle;
	/* Of items that are filled in again and again: known cycles, and the array they are of. */
	const struct nx_item *base;
	size_t n_base;
	struct nx_fill_cycles *known;
	double memory_bytes; /* of the device; 0: not limited */
	bool divide;         /* items that can be divided may be */
	uint64_t work;       /* counts looks at items */
};

/* Remembers what is found out about item[0..n) and their halves; they must stay as they are. */
void nx_fill_remember(struct nx_fill *f, const struct nx_item *item, size_t n);

void nx_fill_release(struct nx_fill *f);

/* The duty cycle that an item wastes least in, alone. */
double nx_fill_cycle(struct nx_fill *f, const struct nx_item *it);

/* Chooses items of pool[0..n) that fit one device together, pool[0] always among them, and are
 * worth as much as can be found; moves them to 'bin', leaves the others in the pool, in their
 * order, and returns how many are left.  Of an item that can be divided one half may be chosen;
 * then the other stays.  pool[0] must fit alone.  Tries the duty cycles at which batches of
 * pool[0] are full, and some shorter ones; at each a knapsack of batch latencies is solved by a
 * bounded search.  O(cycles * n). */
size_t nx_fill_bin(struct nx_fill *f, struct nx_fill_item *pool, size_t n, struct nx_bin *bin);

#endif
