/* SPDX-License-Identifier: Apache-2.0 */
/* Squishy bin packing: shares of sessions onto as few devices of one type as can be. */
#ifndef NX_SCHED_PACK_H
#define NX_SCHED_PACK_H

#include "sched/node.h"

struct nx_bin {
	const struct nx_item **item; /* borrowed */
	size_t n, cap;
	double load; /* sum of the floors: never more than the occupancy of any cycle */
};

struct nx_packing {
	struct nx_bin *bin;
	size_t n, cap;
};

#define NX_PACKING_INIT    \
	{                  \
		NULL, 0, 0 \
	}

void nx_packing_release(struct nx_packing *p);
void nx_packing_add(struct nx_packing *p, const struct nx_item *it); /* in a bin of its own */
void nx_bin_add(struct nx_bin *bin, const struct nx_item *it);
/* Whether the bin can take one more. */
bool nx_bin_takes(const struct nx_bin *bin, const struct nx_item *it, double memory_bytes);

/* Each needs items that fit a device alone, and p empty.
 *
 * The Nexus paper's greedy (SOSP'19, Algorithm 1, ScheduleResidue): every item by itself at the
 * largest b with b/r + l(b) <= SLO, then best fit decreasing on occupancy, a merged node running
 * at the shorter duty cycle.  Its holes closed: an item without such a b, or whose occupancy
 * there is above 1, takes its best cycle instead. */
void nx_pack_paper(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p);
/* Best fit decreasing on floors, with the exact test of nx_node_fits. */
void nx_pack_exact(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p);
/* Empties bins into the others, moving single items aside where that helps, until none can be
 * emptied or the work is worth more than it gives. */
void nx_pack_improve(struct nx_packing *p, double memory_bytes);
/* Branch and bound from the packing that is there; bounded work, so exact only for few items. */
void nx_pack_search(
	const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p);

/* The best of all: never more bins than nx_pack_paper. */
void nx_pack(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p);

#endif
