/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common parts of the readers.  A reader never stops at a mistake: it notes it, leaves the member as
 * it was (zero or its default), and goes on, so that everything wrong with a file is said at once.
 * What was read is thrown away at the end if there was any mistake.
 */
#include "formats/reader.h"

#include "core/alloc.h"
#include "core/fs.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)256 << 20) /* bytes; plans of thousands of devices are a few MB */

int nx_fmt_load(const char *path, struct nx_jdoc ***docs, size_t *n, struct nx_err *err)
{
	const char *source = strcmp(path, "-") == 0 ? "standard input" : path;
	struct nx_buf text = NX_BUF_INIT;

	*docs = NULL;
	*n = 0;
	int rc = nx_fs_read(path, FILE_MAX, &text, err);
	if (!rc)
		rc = nx_jdocs_parse(text.data, text.len, source, docs, n, err);
	nx_buf_release(&text);
	if (!rc && *n == 0)
		rc = nx_err_set(err, NX_EDATA, "%s:1: empty, expected JSON", source);
	return rc;
}

bool nx_fmt_name(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need, char **out)
{
	if (!nx_jget_string(c, v, key, need, out))
		return false;
	if (**out)
		return true;
	nx_jcheck_fail(c, v, key, "must not be empty");
	return false;
}

bool nx_fmt_part(struct nx_jcheck *c, const struct nx_jv *v, const char *key, char **out)
{
	if (!nx_fmt_name(c, v, key, NX_REQUIRED, out))
		return false;
	if (!strchr(*out, '/'))
		return true;
	nx_jcheck_fail(c, v, key, "must not contain '/' (got \"%.40s\")", *out);
	return false;
}

bool nx_fmt_figure(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	double *out)
{
	return nx_jget_number(c, v, key, need, 0, NX_FMT_MAX, out);
}

bool nx_fmt_above_zero(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, double *out)
{
	double x;

	/* Looked at twice for two rules: "> 0" is the one that people break. */
	if (!nx_jget_above(c, v, key, need, 0, &x))
		return false;
	return nx_fmt_figure(c, v, key, need, out);
}

static bool get_unsigned(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, int64_t max, uint64_t *out)
{
	int64_t n;

	if (!nx_jget_int(c, v, key, NX_OPTIONAL, 0, max, &n))
		return false;
	*out = (uint64_t)n;
	return true;
}

bool nx_fmt_bytes(struct nx_jcheck *c, const struct nx_jv *v, const char *key, uint64_t *out)
{
	return get_unsigned(c, v, key, NX_FMT_BYTES_MAX, out);
}

bool nx_fmt_count(struct nx_jcheck *c, const struct nx_jv *v, const char *key, uint64_t *out)
{
	return get_unsigned(c, v, key, INT64_MAX, out);
}

void *nx_fmt_objects(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, size_t size, const struct nx_jv **items, size_t *n)
{
	bool good = true;

	*n = 0;
	if (!nx_jget_array(c, v, key, need, items))
		return NULL;
	for (size_t i = 0; i < (*items)->n; i++)
		good = nx_jcheck_object(c, &(*items)->items[i]) && good;
	if (!good || (*items)->n == 0)
		return NULL;
	*n = (*items)->n;
	return nx_alloc(*n, size);
}

char **nx_fmt_strings(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need, size_t *n)
{
	const struct nx_jv *items;

	*n = 0;
	if (!nx_jget_array(c, v, key, need, &items) || items->n == 0)
		return NULL;
	char **out = nx_alloc(items->n, sizeof *out);
	for (size_t i = 0; i < items->n; i++) {
		const struct nx_jv *s = &items->items[i];

		if (s->kind == NX_JSTRING && *s->string)
			out[(*n)++] = nx_strdup(s->string);
		else
			nx_jcheck_fail(c, s, NULL, "must be a string that is not empty");
	}
	return out;
}

void nx_fmt_strings_free(char ***strings, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*strings)[i]);
	free(*strings);
	*strings = NULL;
	*n = 0;
}

void nx_fmt_write_strings(struct nx_jw *w, const char *key, char *const *strings, size_t n)
{
	nx_jw_key(w, key);
	nx_jw_array_inline(w);
	for (size_t i = 0; i < n; i++)
		nx_jw_string(w, strings[i]);
	nx_jw_end(w);
}

/* ---- names --------------------------------------------------------------------------------- */

void nx_fmt_names_add(
	struct nx_fmt_names *s, const char *name, const struct nx_jdoc *doc, const struct nx_jv *at)
{
	if (!name)
		return;
	s->item = nx_grow(s->item, &s->cap, s->n + 1, sizeof *s->item);
	s->item[s->n] = (struct nx_fmt_named){ name, doc, at, s->n };
	s->n++;
}

static int compare_named(const void *a, const void *b)
{
	const struct nx_fmt_named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

void nx_fmt_names_sort(struct nx_fmt_names *s)
{
	if (s->n)
		qsort(s->item, s->n, sizeof *s->item, compare_named);
}

void nx_fmt_names_unique(struct nx_fmt_names *s, struct nx_jcheck *c, const char *key)
{
	const struct nx_jdoc *doc = c->doc;

	nx_fmt_names_sort(s);
	for (size_t i = 1; i < s->n; i++) {
		const struct nx_fmt_named *x = &s->item[i];

		if (strcmp(x->name, x[-1].name) != 0)
			continue;
		c->doc = x->doc;
		nx_jcheck_fail(c, x->at, key, "must be unique (got \"%.100s\" again)", x->name);
	}
	c->doc = doc;
}

static int compare_name(const void *name, const void *item)
{
	return strcmp(name, ((const struct nx_fmt_named *)item)->name);
}

bool nx_fmt_names_has(const struct nx_fmt_names *s, const char *name)
{
	return s->n && bsearch(name, s->item, s->n, sizeof *s->item, compare_name);
}

void nx_fmt_names_release(struct nx_fmt_names *s)
{
	free(s->item);
	*s = (struct nx_fmt_names){ 0 };
}

/* ---- trees of stages ------------------------------------------------------------------------- */

static int find_stage(const struct nx_fmt_stage *stage, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (stage[i].name && strcmp(stage[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* Resolves 'after' into 'parent', by places in the document; returns whether all are known. */
static bool find_parents(
	struct nx_jcheck *c, const struct nx_jv *stages, struct nx_fmt_stage *stage, size_t n)
{
	size_t roots = 0, before = c->n;

	for (size_t i = 0; i < n; i++) {
		const struct nx_jv *at = &stages->items[i];
		struct nx_fmt_stage *s = &stage[i];

		if (s->name && find_stage(stage, i, s->name) >= 0)
			nx_jcheck_fail(
				c, at, "stage", "must be unique (got \"%.100s\" again)", s->name);
		s->parent = s->after ? find_stage(stage, n, s->after) : -1;
		if (s->after && s->parent < 0)
			nx_jcheck_fail(c, at, "after",
				"must be a stage of this query (got \"%.100s\")", s->after);
		if (!s->after && ++roots > 1)
			nx_jcheck_fail(
				c, at, "after", "is missing: a query has one first stage only");
	}
	if (roots == 0)
		nx_jcheck_fail(c, stages, NULL, "must have one stage without \"after\"");
	return c->n == before;
}

bool nx_fmt_order_stages(
	struct nx_jcheck *c, const struct nx_jv *stages, struct nx_fmt_stage *stage, size_t n)
{
	struct nx_fmt_stage sorted[NX_FMT_STAGES_MAX];
	int place[NX_FMT_STAGES_MAX]; /* of stage i in sorted, -1: none yet */
	size_t placed = 0, before;

	if (n > NX_FMT_STAGES_MAX) {
		nx_jcheck_fail(c, stages, NULL, "must have at most %d stages (got %zu)",
			NX_FMT_STAGES_MAX, n);
		return false;
	}
	if (!find_parents(c, stages, stage, n))
		return false;
	memset(place, -1, sizeof place);
	/* Every round places the stages whose parent has a place; a circle never gets one. */
	do {
		before = placed;
		for (size_t i = 0; i < n; i++) {
			int parent = stage[i].parent;

			if (place[i] >= 0 || (parent >= 0 && place[parent] < 0))
				continue;
			sorted[placed] = stage[i];
			sorted[placed].order = (int)i;
			sorted[placed].parent = parent < 0 ? -1 : place[parent];
			place[i] = (int)placed++;
		}
	} while (placed > before && placed < n);
	for (size_t i = 0; i < n && placed < n; i++)
		if (place[i] < 0)
			nx_jcheck_fail(c, &stages->items[i], "after", "must not lead in a circle");
	if (placed < n)
		return false;
	memcpy(stage, sorted, n * sizeof *stage);
	return true;
}
