/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents.  The scanner goes first: it is strict, knows lines, and sees what libjq forgets (two
 * members of one name).  Then libjq makes the values, and a copy of them is all that stays.
 */
#include "json/internal.h"

#include "core/alloc.h"

#include <jv.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct nx_jdoc {
	char *source;
	struct nx_jv root;
};

/* ---- what a document must keep to ---------------------------------------------------------- */

/* Keys of the objects that are open, outermost first. */
struct key_stack {
	struct key {
		char *name;
		int line;
	} * key;
	size_t n, cap;
	size_t base[NX_JW_DEPTH + 1]; /* where the keys of depth i begin */
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Forgets the keys of the innermost object; fails if two of them are equal. */
static int close_object(struct key_stack *k, size_t base, const char *source, struct nx_err *err)
{
	int rc = 0;

	if (k->n > base)
		qsort(k->key + base, k->n - base, sizeof *k->key, compare_keys);
	for (size_t i = base + 1; i < k->n && !rc; i++)
		if (strcmp(k->key[i - 1].name, k->key[i].name) == 0)
			rc = nx_err_set(err, NX_EDATA, "%s:%d: duplicate key '%.100s'", source,
				k->key[i].line, k->key[i].name);
	while (k->n > base)
		free(k->key[--k->n].name);
	return rc;
}

static int check_token(struct nx_jscan *s, enum nx_jtoken token, struct key_stack *k,
	const char *source, struct nx_err *err)
{
	if (token == NX_JT_ERROR)
		return nx_err_set(err, NX_EDATA, "%s:%d: %s", source, s->line, s->error);
	if (token == NX_JT_OBJECT)
		k->base[s->depth] = k->n;
	if (token == NX_JT_OBJECT_END)
		return close_object(k, k->base[s->depth + 1], source, err);
	if (token != NX_JT_KEY && token != NX_JT_STRING)
		return 0;

	char *text = nx_jscan_string(s);
	if (!text)
		return nx_err_set(err, NX_EDATA,
			"%s:%d: string with \\u0000 or half a surrogate pair", source, s->line);
	if (token == NX_JT_STRING) {
		free(text);
		return 0;
	}
	k->key = nx_grow(k->key, &k->cap, k->n + 1, sizeof *k->key);
	k->key[k->n++] = (struct key){ text, s->line };
	return 0;
}

/* Walks one top-level value, whose first token is 'token'. */
static int check_value(
	struct nx_jscan *s, enum nx_jtoken token, const char *source, struct nx_err *err)
{
	struct key_stack k = { 0 };
	int rc = check_token(s, token, &k, source, err);

	while (!rc && s->depth > 0)
		rc = check_token(s, nx_jscan_next(s), &k, source, err);
	while (k.n)
		free(k.key[--k.n].name);
	free(k.key);
	return rc;
}

/* ---- from libjq to our tree ---------------------------------------------------------------- */

static void copy_value(struct nx_jv *to, jv from);

static void copy_members(struct nx_jv *to, jv from)
{
	jv keys = jv_keys(jv_copy(from)); /* sorted by bytes, as strcmp sorts */

	to->n = (size_t)jv_array_length(jv_copy(keys));
	to->items = nx_alloc(to->n, sizeof *to->items);
	to->keys = nx_alloc(to->n, sizeof *to->keys);
	for (size_t i = 0; i < to->n; i++) {
		jv key = jv_array_get(jv_copy(keys), (int)i);

		to->keys[i] = nx_strdup(jv_string_value(key));
		to->items[i].parent = to;
		to->items[i].index = i;
		copy_value(&to->items[i], jv_object_get(jv_copy(from), key));
	}
	jv_free(keys);
}

static void copy_elements(struct nx_jv *to, jv from)
{
	to->n = (size_t)jv_array_length(jv_copy(from));
	to->items = nx_alloc(to->n, sizeof *to->items);
	for (size_t i = 0; i < to->n; i++) {
		to->items[i].parent = to;
		to->items[i].index = i;
		copy_value(&to->items[i], jv_array_get(jv_copy(from), (int)i));
	}
}

/* Consumes 'from'.  The scanner has bounded the depth, so recursion is safe here and below. */
static void copy_value(struct nx_jv *to, jv from)
{
	switch (jv_get_kind(from)) {
	case JV_KIND_TRUE:
		to->boolean = true; /* fall through */
	case JV_KIND_FALSE:
		to->kind = NX_JBOOL;
		break;
	case JV_KIND_NUMBER:
		to->kind = NX_JNUMBER;
		to->number = jv_number_value(from);
		break;
	case JV_KIND_STRING:
		to->kind = NX_JSTRING;
		to->string = nx_strdup(jv_string_value(from));
		break;
	case JV_KIND_ARRAY:
		to->kind = NX_JARRAY;
		copy_elements(to, from);
		break;
	case JV_KIND_OBJECT:
		to->kind = NX_JOBJECT;
		copy_members(to, from);
		break;
	default:
		to->kind = NX_JNULL;
	}
	jv_free(from);
}

/* libjq keeps no lines: walks the text, which is known to be right, beside the tree made of it.
 * The scanner has just read the first token of 'v'. */
static void note_lines(struct nx_jscan *s, struct nx_jv *v)
{
	v->line = s->line;
	if (v->kind != NX_JARRAY && v->kind != NX_JOBJECT)
		return;
	for (size_t i = 0; i < v->n; i++) {
		size_t at = i;

		nx_jscan_next(s);
		if (v->kind == NX_JOBJECT) {
			char *key = nx_jscan_string(s);
			at = nx_jv_get(v, key)->index;
			free(key);
			nx_jscan_next(s);
		}
		note_lines(s, &v->items[at]);
	}
	nx_jscan_next(s); /* the bracket at its end */
}

static void release_value(struct nx_jv *v)
{
	for (size_t i = 0; i < v->n; i++) {
		release_value(&v->items[i]);
		if (v->keys)
			free((char *)v->keys[i]);
	}
	free(v->items);
	free(v->keys);
	free((char *)v->string);
}

static struct nx_jdoc *doc_new(
	const char *text, size_t len, int line, const char *source, struct nx_err *err)
{
	if (len > INT_MAX) {
		nx_err_set(err, NX_EDATA, "%s:%d: value of more than 2 GiB", source, line);
		return NULL;
	}
	jv value = jv_parse_sized(text, (int)len);
	if (!jv_is_valid(value)) {
		jv why = jv_invalid_get_msg(value);
		bool said = jv_get_kind(why) == JV_KIND_STRING;

		nx_err_set(err, NX_EDATA, "%s:%d: %.*s", source, line, NX_JSON_MESSAGE_MAX,
			said ? jv_string_value(why) : "no value");
		jv_free(why);
		return NULL;
	}
	struct nx_jdoc *doc = nx_alloc(1, sizeof *doc);
	doc->source = nx_strdup(source);
	copy_value(&doc->root, value);

	struct nx_jscan s;
	nx_jscan_init(&s, text, len);
	s.line = line;
	nx_jscan_next(&s);
	note_lines(&s, &doc->root);
	return doc;
}

void nx_jdoc_free(struct nx_jdoc **doc)
{
	if (!*doc)
		return;
	release_value(&(*doc)->root);
	free((*doc)->source);
	free(*doc);
	*doc = NULL;
}

/* Reads the value that begins with the token just read; NULL on error. */
static struct nx_jdoc *read_value(
	struct nx_jscan *s, enum nx_jtoken token, const char *source, struct nx_err *err)
{
	size_t start = s->start - (token == NX_JT_STRING); /* with its opening quote */
	int line = s->line;

	if (check_value(s, token, source, err))
		return NULL;
	return doc_new(s->text + start, s->pos - start, line, source, err);
}

int nx_jdocs_parse(const char *text, size_t len, const char *source, struct nx_jdoc ***docs,
	size_t *n, struct nx_err *err)
{
	struct nx_jscan s;
	size_t cap = 0;

	*docs = NULL;
	*n = 0;
	nx_jscan_init(&s, text, len);
	for (enum nx_jtoken t; (t = nx_jscan_next(&s)) != NX_JT_END;) {
		struct nx_jdoc *doc = read_value(&s, t, source, err);
		if (!doc) {
			nx_jdocs_free(docs, *n);
			*n = 0;
			return -err->code;
		}
		*docs = nx_grow(*docs, &cap, *n + 1, sizeof **docs);
		(*docs)[(*n)++] = doc;
		s.state = NX_JS_START;
	}
	return 0;
}

void nx_jdocs_free(struct nx_jdoc ***docs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		nx_jdoc_free(&(*docs)[i]);
	free(*docs);
	*docs = NULL;
}

int nx_jdoc_parse(
	const char *text, size_t len, const char *source, struct nx_jdoc **doc, struct nx_err *err)
{
	struct nx_jscan s;

	*doc = NULL;
	nx_jscan_init(&s, text, len);
	enum nx_jtoken t = nx_jscan_next(&s);
	if (t == NX_JT_END)
		return nx_err_set(err, NX_EDATA, "%s:%d: empty, expected JSON", source, s.line);
	struct nx_jdoc *read = read_value(&s, t, source, err);
	if (!read)
		return -err->code;
	if (nx_jscan_next(&s) != NX_JT_END) {
		nx_jdoc_free(&read);
		return nx_err_set(err, NX_EDATA, "%s:%d: %s", source, s.line, s.error);
	}
	*doc = read;
	return 0;
}

/* ---- looking at them ----------------------------------------------------------------------- */

const struct nx_jv *nx_jdoc_root(const struct nx_jdoc *doc)
{
	return &doc->root;
}

const char *nx_jdoc_source(const struct nx_jdoc *doc)
{
	return doc->source;
}

const struct nx_jv *nx_jv_get(const struct nx_jv *v, const char *key)
{
	size_t low = 0, high = v && v->kind == NX_JOBJECT ? v->n : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(key, v->keys[middle]);

		if (order == 0)
			return &v->items[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
