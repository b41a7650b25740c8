/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokenizer: one pass, no memory, no recursion.  Request bodies are read by it on the hot
 * path, and documents are held to its rules before libjq, which is laxer ("nan", 01, ill-formed
 * UTF-8, the last of two equal keys), sees them.
 */
#include "json/internal.h"

#include "core/alloc.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void nx_jscan_init(struct nx_jscan *s, const char *text, size_t len)
{
	*s = (struct nx_jscan){ .text = text, .len = len, .state = NX_JS_START, .line = 1 };
}

static enum nx_jtoken fail(struct nx_jscan *s, const char *why)
{
	s->state = NX_JS_ERROR;
	s->error = why;
	return NX_JT_ERROR;
}

static void skip_space(struct nx_jscan *s)
{
	for (; s->pos < s->len; s->pos++) {
		char c = s->text[s->pos];

		if (c == '\n')
			s->line++;
		else if (c != ' ' && c != '\t' && c != '\r')
			return;
	}
}

/* The byte at the cursor, -1 at the end. */
static int peek(const struct nx_jscan *s)
{
	return s->pos < s->len ? (unsigned char)s->text[s->pos] : -1;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at text[pos], or -1. */
static int hex4(const char *text, size_t pos, size_t end)
{
	int v = 0;

	if (end - pos < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int d = hex_digit((unsigned char)text[pos + i]);
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* The cursor stands on a backslash: steps over the escape. */
static bool skip_escape(struct nx_jscan *s)
{
	s->pos++;
	int c = peek(s);
	if (c == 'u') {
		if (hex4(s->text, s->pos + 1, s->len) < 0)
			return false;
		s->pos += 5;
		return true;
	}
	s->pos++;
	return c > 0 && strchr("\"\\/bfnrt", c);
}

/* The cursor stands on the opening quote; leaves start and end around the text inside. */
static enum nx_jtoken scan_string(struct nx_jscan *s, enum nx_jtoken token)
{
	bool ascii = true;

	s->start = ++s->pos;
	for (;;) {
		int c = peek(s);
		if (c < 0)
			return fail(s, "unfinished string");
		if (c == '"')
			break;
		if (c < 0x20)
			return fail(s, "control character in a string");
		if (c == '\\') {
			if (!skip_escape(s))
				return fail(s, "bad escape in a string");
			continue;
		}
		ascii = ascii && c < 0x80;
		s->pos++;
	}
	s->end = s->pos++;
	if (!ascii && !nx_text_is_utf8(s->text + s->start, s->end - s->start))
		return fail(s, "string is not UTF-8");
	s->state = token == NX_JT_KEY ? NX_JS_COLON : NX_JS_AFTER;
	return token;
}

static bool is_word(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '.' || c == '+' || c == '-';
}

static bool skip_digits(struct nx_jscan *s)
{
	size_t from = s->pos;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->pos++;
	return s->pos > from;
}

/* The grammar of RFC 8259, section 6. */
static bool skip_number(struct nx_jscan *s)
{
	if (peek(s) == '-')
		s->pos++;
	if (peek(s) == '0')
		s->pos++;
	else if (!skip_digits(s))
		return false;
	if (peek(s) == '.') {
		s->pos++;
		if (!skip_digits(s))
			return false;
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->pos++;
		if (peek(s) == '+' || peek(s) == '-')
			s->pos++;
		if (!skip_digits(s))
			return false;
	}
	return !is_word(peek(s));
}

static enum nx_jtoken scan_number(struct nx_jscan *s)
{
	if (!skip_number(s))
		return fail(s, "bad number");
	s->end = s->pos;
	s->number = nx_json_parse_number(s->text + s->start, s->end - s->start);
	if (!isfinite(s->number))
		return fail(s, "number is too large");
	s->state = NX_JS_AFTER;
	return NX_JT_NUMBER;
}

static enum nx_jtoken scan_word(struct nx_jscan *s)
{
	static const struct {
		const char *word;
		enum nx_jtoken token;
	} words[] = { { "true", NX_JT_TRUE }, { "false", NX_JT_FALSE }, { "null", NX_JT_NULL } };

	while (is_word(peek(s)))
		s->pos++;
	s->end = s->pos;
	for (size_t i = 0; i < NX_ARRAY_LEN(words); i++) {
		if (nx_jscan_is(s, words[i].word)) {
			s->state = NX_JS_AFTER;
			return words[i].token;
		}
	}
	return fail(s, s->end > s->start ? "unknown word" : "unexpected character");
}

static enum nx_jtoken open_nested(struct nx_jscan *s, int c)
{
	if (s->depth == NX_JW_DEPTH)
		return fail(s, "nested too deep");
	s->stack[s->depth++] = (char)c;
	s->end = ++s->pos;
	s->state = c == '{' ? NX_JS_FIRST_KEY : NX_JS_FIRST_ITEM;
	return c == '{' ? NX_JT_OBJECT : NX_JT_ARRAY;
}

static enum nx_jtoken close_nested(struct nx_jscan *s)
{
	char open = s->stack[--s->depth];

	s->end = ++s->pos;
	s->state = NX_JS_AFTER;
	return open == '{' ? NX_JT_OBJECT_END : NX_JT_ARRAY_END;
}

static enum nx_jtoken scan_value(struct nx_jscan *s)
{
	int c = peek(s);

	s->start = s->pos;
	if (c < 0)
		return fail(s, "unexpected end of the text");
	if (c == '{' || c == '[')
		return open_nested(s, c);
	if (c == '"')
		return scan_string(s, NX_JT_STRING);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	return scan_word(s);
}

static enum nx_jtoken scan_key(struct nx_jscan *s)
{
	if (peek(s) < 0)
		return fail(s, "unexpected end of the text");
	if (peek(s) != '"')
		return fail(s, "expected a key in double quotes");
	return scan_string(s, NX_JT_KEY);
}

/* Behind a complete value. */
static enum nx_jtoken scan_after(struct nx_jscan *s)
{
	int c = peek(s);

	if (s->depth == 0)
		return c < 0 ? NX_JT_END : fail(s, "unexpected text behind the value");
	if (c < 0)
		return fail(s, "unexpected end of the text");

	bool object = s->stack[s->depth - 1] == '{';
	if (c == (object ? '}' : ']'))
		return close_nested(s);
	if (c != ',')
		return fail(s, object ? "expected ',' or '}'" : "expected ',' or ']'");
	s->pos++;
	skip_space(s);
	return object ? scan_key(s) : scan_value(s);
}

enum nx_jtoken nx_jscan_next(struct nx_jscan *s)
{
	if (s->state == NX_JS_ERROR)
		return NX_JT_ERROR;
	skip_space(s);
	s->start = s->end = s->pos;
	switch (s->state) {
	case NX_JS_START:
		return peek(s) < 0 ? NX_JT_END : scan_value(s);
	case NX_JS_FIRST_ITEM:
		return peek(s) == ']' ? close_nested(s) : scan_value(s);
	case NX_JS_FIRST_KEY:
		return peek(s) == '}' ? close_nested(s) : scan_key(s);
	case NX_JS_COLON:
		if (peek(s) != ':')
			return fail(s, "expected ':' behind a key");
		s->pos++;
		skip_space(s);
		return scan_value(s);
	default:
		return scan_after(s);
	}
}

int nx_jscan_skip(struct nx_jscan *s, enum nx_jtoken first)
{
	if (first == NX_JT_STRING || (first >= NX_JT_NUMBER && first <= NX_JT_NULL))
		return 0;
	if (first != NX_JT_OBJECT && first != NX_JT_ARRAY)
		return -1;

	int outside = s->depth - 1;
	while (s->depth > outside)
		if (nx_jscan_next(s) == NX_JT_ERROR)
			return -1;
	return 0;
}

/* Writes a code point as UTF-8; returns the bytes used. */
static size_t put_utf8(char *to, int c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The code point of the \u escape whose digits are at *pos, joining surrogates; -1 if it is half
 * a pair or NUL, which C strings cannot hold. */
static int read_unicode(const char *text, size_t *pos, size_t end)
{
	int c = hex4(text, *pos, end);

	*pos += 4;
	if (c >= 0xd800 && c < 0xdc00) {
		if (end - *pos < 6 || text[*pos] != '\\' || text[*pos + 1] != 'u')
			return -1;
		int low = hex4(text, *pos + 2, end);
		if (low < 0xdc00 || low > 0xdfff)
			return -1;
		*pos += 6;
		return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return c == 0 || (c >= 0xdc00 && c <= 0xdfff) ? -1 : c;
}

char *nx_jscan_string(const struct nx_jscan *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *text = s->text;
	char *out =
		nx_alloc(s->end - s->start + 1, 1); /* an escape is never shorter than it means */
	size_t n = 0;

	for (size_t i = s->start; i < s->end;) {
		if (text[i] != '\\') {
			out[n++] = text[i++];
			continue;
		}
		i += 2;
		const char *simple = strchr(from, text[i - 1]);
		if (simple) {
			out[n++] = to[simple - from];
			continue;
		}
		int c = read_unicode(text, &i, s->end);
		if (c < 0) {
			free(out);
			return NULL;
		}
		n += put_utf8(out + n, c);
	}
	return out;
}

bool nx_jscan_is(const struct nx_jscan *s, const char *word)
{
	size_t len = strlen(word);

	return s->end - s->start == len && memcmp(s->text + s->start, word, len) == 0;
}
