/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the formats: a text is read, written, and must come out as it went in. */
#ifndef NX_TESTS_FORMATS_GOLDEN_H
#define NX_TESTS_FORMATS_GOLDEN_H

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

/* Defines read_KIND(text, struct *): must succeed; and refuse_KIND(text, message). */
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
	}

#endif
