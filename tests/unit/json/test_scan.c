/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"

#include "core/rng.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static enum nx_jtoken start(struct nx_jscan *s, const char *text)
{
	nx_jscan_init(s, text, strlen(text));
	return nx_jscan_next(s);
}

START_TEST(yields_tokens)
{
	static const enum nx_jtoken want[] = { NX_JT_OBJECT, NX_JT_KEY, NX_JT_ARRAY, NX_JT_NUMBER,
		NX_JT_TRUE, NX_JT_FALSE, NX_JT_NULL, NX_JT_ARRAY_END, NX_JT_KEY, NX_JT_STRING,
		NX_JT_KEY, NX_JT_OBJECT, NX_JT_OBJECT_END, NX_JT_OBJECT_END, NX_JT_END, NX_JT_END };
	static const char text[] = " {\"a\" : [1.5,true,false,null],\n\"b\":\"x\\ny\", \"c\":{}} ";
	struct nx_jscan s;

	nx_jscan_init(&s, text, sizeof text - 1);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		ck_assert_int_eq(nx_jscan_next(&s), want[i]);
		if (i == 3)
			ck_assert_double_eq(s.number, 1.5);
		if (i == 8)
			ck_assert(nx_jscan_is(&s, "b") && !nx_jscan_is(&s, "bb") && s.line == 2);
		if (i == 9) {
			char *v = nx_jscan_string(&s);
			ck_assert_str_eq(v, "x\ny");
			free(v);
		}
	}
}
END_TEST

START_TEST(skips_values)
{
	struct nx_jscan s;

	ck_assert_int_eq(start(&s, "[[1,{\"a\":[]}],\"x\",2]"), NX_JT_ARRAY);
	enum nx_jtoken t = nx_jscan_next(&s);
	ck_assert_int_eq(nx_jscan_skip(&s, t), 0);
	t = nx_jscan_next(&s);
	ck_assert_int_eq(t, NX_JT_STRING);
	ck_assert_int_eq(nx_jscan_skip(&s, t), 0);
	ck_assert_int_eq(nx_jscan_next(&s), NX_JT_NUMBER);
	t = nx_jscan_next(&s);
	ck_assert_int_eq(t, NX_JT_ARRAY_END);
	ck_assert_int_eq(nx_jscan_skip(&s, t), -1);
	ck_assert_int_eq(nx_jscan_next(&s), NX_JT_END);

	t = start(&s, "[[1,2");
	ck_assert_int_eq(nx_jscan_skip(&s, t), -1);
	ck_assert_str_eq(s.error, "unexpected end of the text");
	ck_assert_int_eq(nx_jscan_next(&s), NX_JT_ERROR);
}
END_TEST

static void unescapes(const char *text, const char *want)
{
	struct nx_jscan s;

	ck_assert_int_eq(start(&s, text), NX_JT_STRING);
	char *v = nx_jscan_string(&s);
	if (want)
		ck_assert_str_eq(v, want);
	else
		ck_assert_ptr_null(v);
	free(v);
}

START_TEST(unescapes_strings)
{
	unescapes("\"\"", "");
	unescapes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
	unescapes(
		"\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	unescapes("\"\\ud83d\"", NULL);
	unescapes("\"\\ud83dx\"", NULL);
	unescapes("\"\\ud83d\\u0041\"", NULL);
	unescapes("\"\\ud83d\\n\\n\\n\"", NULL);
	unescapes("\"\\ude00\"", NULL);
	unescapes("\"\\u0000\"", NULL);
}
END_TEST

/* ---- against libjq, on random documents ------------------------------------------------------ */

static void write_random(struct nx_jw *w, struct nx_rng *rng, int depth)
{
	static const char *const strings[] = { "", "a", "\n\"\\", "caf\xc3\xa9", "\x01",
		"\xf0\x9f\x98\x80" };
	char key[16];

	switch (nx_rng_below(rng, depth > 5 ? 4 : 6)) {
	case 0:
		nx_jw_null(w);
		break;
	case 1:
		nx_jw_bool(w, nx_rng_below(rng, 2));
		break;
	case 2:
		nx_jw_number(w, nx_rng_normal(rng) * 1e3);
		break;
	case 3:
		nx_jw_string(w, strings[nx_rng_below(rng, 6)]);
		break;
	case 4:
		nx_jw_array(w);
		for (uint64_t n = nx_rng_below(rng, 5); n-- > 0;)
			write_random(w, rng, depth + 1);
		nx_jw_end(w);
		break;
	default:
		nx_jw_object(w);
		for (uint64_t i = 0, n = nx_rng_below(rng, 5); i < n; i++) {
			snprintf(key, sizeof key, "%c\n%d", (char)('z' - (char)i), (int)i);
			nx_jw_key(w, key);
			write_random(w, rng, depth + 1);
		}
		nx_jw_end(w);
	}
}

/* Walks the value whose first token is t beside the tree that libjq made. */
static void check_same(struct nx_jscan *s, enum nx_jtoken t, const struct nx_jv *v)
{
	static const enum nx_jtoken close[] = {
		[NX_JARRAY] = NX_JT_ARRAY_END, [NX_JOBJECT] = NX_JT_OBJECT_END
	};

	if (t == NX_JT_NULL) {
		ck_assert_int_eq(v->kind, NX_JNULL);
	} else if (t == NX_JT_TRUE || t == NX_JT_FALSE) {
		ck_assert(v->kind == NX_JBOOL && v->boolean == (t == NX_JT_TRUE));
	} else if (t == NX_JT_NUMBER) {
		ck_assert(v->kind == NX_JNUMBER);
		ck_assert_double_eq(v->number, s->number);
	} else if (t == NX_JT_STRING) {
		char *text = nx_jscan_string(s);
		ck_assert_str_eq(text, v->string);
		free(text);
	} else {
		ck_assert_int_eq(v->kind, t == NX_JT_ARRAY ? NX_JARRAY : NX_JOBJECT);
		size_t n = 0;
		while ((t = nx_jscan_next(s)) != close[v->kind]) {
			ck_assert_uint_lt(n, v->n);
			const struct nx_jv *in = &v->items[n++];
			if (v->kind == NX_JOBJECT) {
				char *key = nx_jscan_string(s);
				in = nx_jv_get(v, key);
				free(key);
				t = nx_jscan_next(s);
			}
			ck_assert_ptr_nonnull(in);
			check_same(s, t, in);
		}
		ck_assert_uint_eq(n, v->n);
	}
}

START_TEST(agrees_with_libjq)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf b = NX_BUF_INIT;
	struct nx_rng rng;

	nx_rng_init(&rng, 3);
	for (int i = 0; i < 3000; i++) {
		struct nx_jdoc *doc;
		struct nx_jscan s;
		struct nx_jw w;

		nx_buf_clear(&b);
		nx_jw_init(&w, &b, i % 2 ? NX_JPRETTY : NX_JCOMPACT);
		nx_jw_array(&w);
		write_random(&w, &rng, 0);
		nx_jw_end(&w);
		ck_assert_msg(nx_jdoc_parse(b.data, b.len, "t", &doc, &err) == 0, "%s: %s", err.msg,
			b.data);
		check_same(&s, start(&s, b.data), nx_jdoc_root(doc));
		ck_assert_int_eq(nx_jscan_next(&s), NX_JT_END);
		nx_jdoc_free(&doc);
	}
	nx_buf_release(&b);
}
END_TEST

UNIT_MAIN("json/scan", yields_tokens, skips_values, unescapes_strings, agrees_with_libjq)
