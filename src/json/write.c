/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming writer.  Every misuse is a bug of the caller and stops the program. */
#include "json/internal.h"

#include "core/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void nx_jw_init(struct nx_jw *w, struct nx_buf *out, enum nx_jstyle style)
{
	*w = (struct nx_jw){ .out = out, .style = style };
}

static void new_line(struct nx_jw *w)
{
	nx_buf_addc(w->out, '\n');
	for (int i = 0; i < w->depth; i++)
		nx_buf_adds(w->out, "  ");
}

static bool is_inline(const struct nx_jw *w)
{
	return w->depth > 0 && w->level[w->depth - 1].inline_;
}

/* The comma and white space in front of a key or an element. */
static void separate(struct nx_jw *w)
{
	if (w->depth == 0)
		return;

	bool first = w->level[w->depth - 1].empty;
	w->level[w->depth - 1].empty = false;
	if (!first)
		nx_buf_addc(w->out, ',');
	if (w->style == NX_JCOMPACT)
		return;
	if (!is_inline(w))
		new_line(w);
	else if (!first || w->level[w->depth - 1].object)
		nx_buf_addc(w->out, ' ');
}

/* In front of every value. */
static void begin_value(struct nx_jw *w)
{
	if (w->depth > 0 && w->level[w->depth - 1].object) {
		NX_ASSERT(w->after_key);
		w->after_key = false;
	} else {
		separate(w);
	}
}

static void open_level(struct nx_jw *w, bool object, bool inline_)
{
	begin_value(w);
	NX_ASSERT(w->depth < NX_JW_DEPTH);
	inline_ = inline_ || is_inline(w);
	w->level[w->depth].object = object;
	w->level[w->depth].empty = true;
	w->level[w->depth].inline_ = inline_;
	w->depth++;
	nx_buf_addc(w->out, object ? '{' : '[');
}

void nx_jw_object(struct nx_jw *w)
{
	open_level(w, true, false);
}

void nx_jw_object_inline(struct nx_jw *w)
{
	open_level(w, true, true);
}

void nx_jw_array(struct nx_jw *w)
{
	open_level(w, false, false);
}

void nx_jw_array_inline(struct nx_jw *w)
{
	open_level(w, false, true);
}

void nx_jw_end(struct nx_jw *w)
{
	NX_ASSERT(w->depth > 0 && !w->after_key);
	w->depth--;

	bool object = w->level[w->depth].object;
	if (w->style == NX_JPRETTY && !w->level[w->depth].empty) {
		if (!w->level[w->depth].inline_)
			new_line(w);
		else if (object)
			nx_buf_addc(w->out, ' ');
	}
	nx_buf_addc(w->out, object ? '}' : ']');
	if (w->depth == 0)
		nx_buf_addc(w->out, '\n');
}

/* Bytes of the well-formed UTF-8 sequence at s, or 0. */
static size_t utf8_length(const char *s)
{
	size_t left = strnlen(s, 4);

	for (size_t n = 2; n <= left; n++)
		if (nx_text_is_utf8(s, n))
			return n;
	return 0;
}

static void add_escaped(struct nx_buf *out, const char *s)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";

	while (*s) {
		unsigned char c = (unsigned char)*s;
		const char *escape = strchr(plain, c);
		size_t n = 1;

		if (escape) {
			nx_buf_addc(out, '\\');
			nx_buf_addc(out, letter[escape - plain]);
		} else if (c < 0x20) {
			nx_buf_addf(out, "\\u%04x", c);
		} else if (c < 0x80) {
			nx_buf_addc(out, (char)c);
		} else if ((n = utf8_length(s)) > 0) {
			nx_buf_add(out, s, n);
		} else {
			nx_buf_adds(out, "\xef\xbf\xbd");
			n = 1;
		}
		s += n;
	}
}

static void add_quoted(struct nx_buf *out, const char *s)
{
	nx_buf_addc(out, '"');
	add_escaped(out, s);
	nx_buf_addc(out, '"');
}

void nx_jw_key(struct nx_jw *w, const char *key)
{
	NX_ASSERT(w->depth > 0 && w->level[w->depth - 1].object && !w->after_key);
	separate(w);
	add_quoted(w->out, key);
	nx_buf_adds(w->out, w->style == NX_JCOMPACT ? ":" : ": ");
	w->after_key = true;
}

void nx_jw_string(struct nx_jw *w, const char *s)
{
	begin_value(w);
	add_quoted(w->out, s);
}

void nx_jw_number(struct nx_jw *w, double v)
{
	char text[32];

	NX_ASSERT(isfinite(v));
	begin_value(w);
	nx_json_format_number(v, text);
	nx_buf_adds(w->out, text);
}

void nx_jw_int(struct nx_jw *w, int64_t v)
{
	begin_value(w);
	nx_buf_addf(w->out, "%" PRId64, v);
}

void nx_jw_bool(struct nx_jw *w, bool v)
{
	begin_value(w);
	nx_buf_adds(w->out, v ? "true" : "false");
}

void nx_jw_null(struct nx_jw *w)
{
	begin_value(w);
	nx_buf_adds(w->out, "null");
}

void nx_jw_raw(struct nx_jw *w, const char *json, size_t len)
{
	begin_value(w);
	nx_buf_add(w->out, json, len);
}

void nx_jw_value(struct nx_jw *w, const struct nx_jv *v)
{
	switch (v->kind) {
	case NX_JNULL:
		nx_jw_null(w);
		return;
	case NX_JBOOL:
		nx_jw_bool(w, v->boolean);
		return;
	case NX_JNUMBER:
		nx_jw_number(w, v->number);
		return;
	case NX_JSTRING:
		nx_jw_string(w, v->string);
		return;
	case NX_JARRAY:
	case NX_JOBJECT:
		break;
	}
	open_level(w, v->kind == NX_JOBJECT, false);
	for (size_t i = 0; i < v->n; i++) {
		if (v->kind == NX_JOBJECT)
			nx_jw_key(w, v->keys[i]);
		nx_jw_value(w, &v->items[i]);
	}
	nx_jw_end(w);
}

void nx_jw_kstring(struct nx_jw *w, const char *key, const char *s)
{
	if (!s)
		return;
	nx_jw_key(w, key);
	nx_jw_string(w, s);
}

void nx_jw_knumber(struct nx_jw *w, const char *key, double v)
{
	nx_jw_key(w, key);
	nx_jw_number(w, v);
}

void nx_jw_kint(struct nx_jw *w, const char *key, int64_t v)
{
	nx_jw_key(w, key);
	nx_jw_int(w, v);
}

void nx_jw_kbool(struct nx_jw *w, const char *key, bool v)
{
	nx_jw_key(w, key);
	nx_jw_bool(w, v);
}
