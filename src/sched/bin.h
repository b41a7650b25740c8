/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and what is on them, while packing. */
#ifndef NX_SCHED_BIN_H
#define NX_SCHED_BIN_H

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
struct nx_bin *nx_packing_open(struct nx_packing *p);                /* a new bin, to be filled */
void nx_packing_add(struct nx_packing *p, const struct nx_item *it); /* in a bin of its own */
void nx_bin_add(struct nx_bin *bin, const struct nx_item *it);
void nx_bin_remove(struct nx_bin *bin, size_t i);
void nx_packing_compact(struct nx_packing *p); /* takes out empty bins */
/* Whether the bin can take one more. */
bool nx_bin_takes(const struct nx_bin *bin, const struct nx_item *it, double memory_bytes);

#endif
