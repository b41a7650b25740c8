/* SPDX-License-Identifier: Apache-2.0 */
/* Names to numbers: a sorted array, several entries a name allowed. */
#ifndef NX_SCHED_INDEX_H
#define NX_SCHED_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct nx_index {
	struct nx_index_entry {
		const char *name; /* borrowed */
		size_t value;
	} * entry;
	size_t n, cap;
};

#define NX_INDEX_INIT      \
	{                  \
		NULL, 0, 0 \
	}
#define NX_INDEX_NONE ((size_t)-1)

void nx_index_add(struct nx_index *x, const char *name, size_t value);
void nx_index_sort(struct nx_index *x); /* after the last add, before the first find */
/* The place of the first entry of that name (values ascend within a name), or NX_INDEX_NONE. */
size_t nx_index_find(const struct nx_index *x, const char *name);
/* The value of the first entry of that name, or NX_INDEX_NONE. */
size_t nx_index_get(const struct nx_index *x, const char *name);
/* Whether there is an entry of that name and value. */
bool nx_index_has(const struct nx_index *x, const char *name, size_t value);
void nx_index_release(struct nx_index *x);

#endif
