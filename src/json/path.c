/* SPDX-License-Identifier: Apache-2.0 */
/* Values as people see them: paths as jq writes them, and compact text. */
#include "json/internal.h"

#include "core/text.h"

#include <ctype.h>

static bool is_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static void add_step(const struct nx_jv *v, struct nx_buf *out)
{
	if (v->parent->kind == NX_JARRAY) {
		nx_buf_addf(out, "[%zu]", v->index);
		return;
	}
	const char *key = v->parent->keys[v->index];
	nx_buf_addc(out, '.');
	if (is_identifier(key)) {
		nx_buf_adds(out, key);
	} else {
		struct nx_jw w;

		nx_jw_init(&w, out, NX_JCOMPACT);
		nx_jw_string(&w, key);
	}
}

static void add_path(const struct nx_jv *v, struct nx_buf *out)
{
	if (!v->parent)
		return;
	add_path(v->parent, out);
	add_step(v, out);
}

void nx_jv_path(const struct nx_jv *v, struct nx_buf *out)
{
	size_t before = out->len;

	add_path(v, out);
	/* The root is "."; and a path of jq begins with one. */
	if (out->len == before) {
		nx_buf_addc(out, '.');
	} else if (out->data[before] == '[') {
		nx_buf_addc(out, '.');
		for (size_t i = out->len - 1; i > before; i--)
			out->data[i] = out->data[i - 1];
		out->data[before] = '.';
	}
}

void nx_jv_format(const struct nx_jv *v, struct nx_buf *out)
{
	struct nx_jw w;

	nx_jw_init(&w, out, NX_JCOMPACT);
	nx_jw_value(&w, v);
	/* The writer ends a text with a newline; this is a piece of one. */
	if (v->kind == NX_JARRAY || v->kind == NX_JOBJECT)
		out->data[--out->len] = '\0';
}
