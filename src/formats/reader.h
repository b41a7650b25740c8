/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of the formats share; for the files of this folder. */
#ifndef NX_FORMATS_READER_H
#define NX_FORMATS_READER_H

#include "core/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No figure of a format may be larger: sums and products of them stay exact enough. */
#define NX_FMT_MAX        1e12
#define NX_FMT_BATCH_MAX  1000000000
#define NX_FMT_BYTES_MAX  1000000000000000
#define NX_FMT_STAGES_MAX 1000

/* Reads all values of 'path' ("-" is standard input).  NX_EDATA when there is none, too. */
int nx_fmt_load(const char *path, struct nx_jdoc ***docs, size_t *n, struct nx_err *err);

/* A string that must not be empty; a new string in *out. */
bool nx_fmt_name(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	char **out);
/* A name that becomes a part of a longer one: without '/' too. */
bool nx_fmt_part(struct nx_jcheck *c, const struct nx_jv *v, const char *key, char **out);

/* A figure above 0, or of at least 0, and at most NX_FMT_MAX. */
bool nx_fmt_above_zero(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, double *out);
bool nx_fmt_figure(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	double *out);
bool nx_fmt_bytes(struct nx_jcheck *c, const struct nx_jv *v, const char *key, uint64_t *out);
bool nx_fmt_count(struct nx_jcheck *c, const struct nx_jv *v, const char *key, uint64_t *out);

/* Room for the elements of array 'key', which must be objects: 'size' zeroed bytes each, their
 * number in *n, the array in *items.  NULL and 0 when it is missing or no such array. */
void *nx_fmt_objects(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, size_t size, const struct nx_jv **items, size_t *n);
/* As above for an array of strings that are not empty. */
char **nx_fmt_strings(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need, size_t *n);
void nx_fmt_strings_free(char ***strings, size_t *n);
void nx_fmt_write_strings(struct nx_jw *w, const char *key, char *const *strings, size_t n);

/* Names with the place where each stands; borrowed, so that what they came from must live. */
struct nx_fmt_names {
	struct nx_fmt_named {
		const char *name;
		const struct nx_jdoc *doc;
		const struct nx_jv *at;
		size_t order;
	} * item;
	size_t n, cap;
};

void nx_fmt_names_add(struct nx_fmt_names *s, const char *name, const struct nx_jdoc *doc,
	const struct nx_jv *at);
/* Sorts them, after which _has works; _unique also notes a mistake at member 'key' of each
 * repetition. */
void nx_fmt_names_sort(struct nx_fmt_names *s);
void nx_fmt_names_unique(struct nx_fmt_names *s, struct nx_jcheck *c, const char *key);
bool nx_fmt_names_has(const struct nx_fmt_names *s, const char *name);
void nx_fmt_names_release(struct nx_fmt_names *s);

/* A stage of any format, as far as its place in the tree goes. */
struct nx_fmt_stage {
	const char *name, *after; /* borrowed */
	int order;                /* result: its place in the document */
	int parent;               /* result: the place of its parent among the ordered; -1: none */
};

/* Puts the n stages of array 'stages' into the order of their tree, parents first.  Notes repeated
 * names, an unknown 'after', circles, and a number of first stages other than one; true if there
 * was nothing of the kind. */
bool nx_fmt_order_stages(
	struct nx_jcheck *c, const struct nx_jv *stages, struct nx_fmt_stage *stage, size_t n);

#endif
