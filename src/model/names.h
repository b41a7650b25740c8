/* SPDX-License-Identifier: Apache-2.0 */
/* Names to indices: a hash table with open addressing that borrows its strings. */
#ifndef NX_MODEL_NAMES_H
#define NX_MODEL_NAMES_H

#include <stddef.h>

struct nx_names {
	struct {
		const char *name;
		int index;
	} * slots;
	size_t n, cap; /* cap is a power of two */
};

/* The index of 'name', or -1. */
int nx_names_get(const struct nx_names *t, const char *name);
/* Adds a name that is not there yet; it must outlive the table. */
void nx_names_add(struct nx_names *t, const char *name, int index);
void nx_names_release(struct nx_names *t);

#endif
