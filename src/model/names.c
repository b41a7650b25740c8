/* SPDX-License-Identifier: Apache-2.0 */
#include "model/names.h"

#include "core/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits (isthe.com/chongo/tech/comp/fnv). */
static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h ^ h >> 32;
}

/* The slot of 'name', or the empty one where it belongs. */
static size_t find(const struct nx_names *t, const char *name)
{
	size_t i = hash(name) & (t->cap - 1);

	while (t->slots[i].name && strcmp(t->slots[i].name, name) != 0)
		i = (i + 1) & (t->cap - 1);
	return i;
}

int nx_names_get(const struct nx_names *t, const char *name)
{
	if (t->n == 0)
		return -1;
	size_t i = find(t, name);
	return t->slots[i].name ? t->slots[i].index : -1;
}

void nx_names_add(struct nx_names *t, const char *name, int index)
{
	if (2 * t->n >= t->cap) {
		struct nx_names bigger = { .n = t->n, .cap = t->cap ? 2 * t->cap : 64 };
		bigger.slots = nx_alloc(bigger.cap, sizeof *bigger.slots);
		for (size_t i = 0; i < t->cap; i++) {
			if (t->slots[i].name)
				bigger.slots[find(&bigger, t->slots[i].name)] = t->slots[i];
		}
		free(t->slots);
		*t = bigger;
	}
	size_t i = find(t, name);
	t->slots[i].name = name;
	t->slots[i].index = index;
	t->n++;
}

void nx_names_release(struct nx_names *t)
{
	free(t->slots);
	*t = (struct nx_names){ 0 };
}
