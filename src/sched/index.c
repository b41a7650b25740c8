/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/index.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

void nx_index_add(struct nx_index *x, const char *name, size_t value)
{
	x->entry = nx_grow(x->entry, &x->cap, x->n + 1, sizeof *x->entry);
	x->entry[x->n++] = (struct nx_index_entry){ name, value };
}

static int by_name(const void *a, const void *b)
{
	const struct nx_index_entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->value < y->value ? -1 : x->value > y->value);
}

void nx_index_sort(struct nx_index *x)
{
	if (x->n)
		qsort(x->entry, x->n, sizeof *x->entry, by_name);
}

size_t nx_index_find(const struct nx_index *x, const char *name)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(x->entry[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->n && strcmp(x->entry[low].name, name) == 0 ? low : NX_INDEX_NONE;
}

size_t nx_index_get(const struct nx_index *x, const char *name)
{
	size_t at = nx_index_find(x, name);

	return at == NX_INDEX_NONE ? NX_INDEX_NONE : x->entry[at].value;
}

bool nx_index_has(const struct nx_index *x, const char *name, size_t value)
{
	struct nx_index_entry key = { name, value };

	return x->n && bsearch(&key, x->entry, x->n, sizeof *x->entry, by_name);
}

void nx_index_release(struct nx_index *x)
{
	free(x->entry);
	*x = (struct nx_index)NX_INDEX_INIT;
}
