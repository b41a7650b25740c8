/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the formats: a text is read, written, and must come out as it went in. */
#ifndef NX_TESTS_FORMATS_GOLDEN_H
#define NX_TESTS_FORMATS_GOLDEN_H

#include "core/rng.h"
#include "json/json.h"

#include "unit.h"

#include <string.h>

static inline struct nx_jdoc *golden_doc(const char *text)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc;

	ck_assert_msg(nx_jdoc_parse(text, strlen(text), "t.json", &doc, &err) == 0, "%s", err.msg);
	return doc;
}

/* The text with one token replaced, by another kind of value as a rule; NULL if that is no JSON. */
static inline struct nx_jdoc *golden_damaged(const char *text, unsigned seed)
{
	static const char *const values[] = { "null", "true", "-1", "0", "1e300", "\"\"", "\"a\"",
		"[]", "{}", "[{}]", "{\"a\":1}", "[null]", "2.5" };
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf b = NX_BUF_INIT;
	struct nx_jdoc *doc = NULL;
	struct nx_jscan s;
	struct nx_rng rng;

	nx_rng_init(&rng, seed);
	nx_jscan_init(&s, text, strlen(text));
	enum nx_jtoken t = nx_jscan_next(&s);
	for (uint64_t n = nx_rng_below(&rng, 120); n > 0 && t != NX_JT_END; n--)
		t = nx_jscan_next(&s);
	size_t quote = t == NX_JT_STRING, start = s.start - quote;
	if (t == NX_JT_END || t == NX_JT_KEY || t == NX_JT_OBJECT_END || t == NX_JT_ARRAY_END)
		return NULL;
	nx_jscan_skip(&s, t);
	nx_buf_add(&b, text, start);
	nx_buf_adds(&b, values[nx_rng_below(&rng, sizeof values / sizeof *values)]);
	nx_buf_adds(&b, text + s.pos);
	ck_assert_msg(
		nx_jdoc_parse(b.data, b.len, "t", &doc, &err) == 0, "%s: %s", err.msg, b.data);
	nx_buf_release(&b);
	return doc;
}

/* For a KIND of format whose reader is 'parse' (of doc, out and err) this defines
 *	read_KIND(text, struct *)       which must succeed
 *	refuse_KIND(text, message)      which must fail, with just this message
 *	keep_KIND(text)                 read, then written, is the same text
 *	batter_KIND(text)               survives damage: wrong kinds and figures at every place */
#define GOLDEN(kind, parse)                                                                        \
	static void read_##kind(const char *text, struct nx_##kind *out)                           \
	{                                                                                          \
		struct nx_err err = NX_ERR_INIT;                                                   \
		struct nx_jdoc *doc = golden_doc(text);                                            \
		ck_assert_msg(parse == 0, "%s", err.msg);                                          \
		nx_jdoc_free(&doc);                                                                \
	}                                                                                          \
	static void refuse_##kind(const char *text, const char *message)                           \
	{                                                                                          \
		struct nx_err err = NX_ERR_INIT;                                                   \
		struct nx_##kind x = { 0 }, *out = &x;                                             \
		struct nx_jdoc *doc = golden_doc(text);                                            \
		ck_assert_int_eq(parse, -NX_EDATA);                                                \
		ck_assert_str_eq(err.msg, message);                                                \
		nx_jdoc_free(&doc);                                                                \
	}                                                                                          \
	static void keep_##kind(const char *text)                                                  \
	{                                                                                          \
		struct nx_##kind x = { 0 };                                                        \
		struct nx_buf b = NX_BUF_INIT;                                                     \
		struct nx_jw j;                                                                    \
		read_##kind(text, &x);                                                             \
		nx_jw_init(&j, &b,                                                                 \
			strchr(text, '\n') == text + strlen(text) - 1 ? NX_JCOMPACT : NX_JPRETTY); \
		nx_##kind##_format(&x, &j);                                                        \
		ck_assert_str_eq(b.data, text);                                                    \
		nx_buf_release(&b);                                                                \
		nx_##kind##_release(&x);                                                           \
	}                                                                                          \
	static void batter_##kind(const char *text)                                                \
	{                                                                                          \
		for (unsigned i = 0; i < 20000; i++) {                                             \
			struct nx_err err = NX_ERR_INIT;                                           \
			struct nx_##kind x = { 0 }, *out = &x;                                     \
			struct nx_jdoc *doc = golden_damaged(text, i);                             \
			if (doc && parse == 0)                                                     \
				nx_##kind##_release(&x);                                           \
			nx_jdoc_free(&doc);                                                        \
		}                                                                                  \
	}

#endif
