/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"

#include "core/rng.h"

#include "unit.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void formats(double v, const char *want)
{
	char text[32];

	nx_json_format_number(v, text);
	ck_assert_str_eq(text, want);
}

START_TEST(formats_numbers)
{
	formats(0, "0");
	formats(-0.0, "-0");
	formats(1, "1");
	formats(0.1, "0.1");
	formats(-2.5, "-2.5");
	formats(9.2, "9.2"); /* at 16 digits it is 9.199999999999999 */
	formats(150000000000.0, "150000000000");
	formats(9007199254740992.0, "9007199254740992");
	formats(1e15, "1000000000000000");
	formats(1e16, "1e16");
	formats(1e300, "1e300");
	formats(1e-7, "1e-7");
	formats(1.5e-10, "1.5e-10");
	formats(0.1 + 0.2, "0.30000000000000004");
	formats(1.0 / 3, "0.3333333333333333");
	formats(1.7976931348623157e308, "1.7976931348623157e308");
	formats(5e-324, "5e-324");
	formats(-2.2250738585072014e-308, "-2.2250738585072014e-308");
}
END_TEST

static double random_double(struct nx_rng *rng)
{
	for (;;) {
		uint64_t bits = nx_rng_u64(rng);
		double v;

		memcpy(&v, &bits, sizeof v);
		if (isfinite(v))
			return v;
	}
}

/* As bits, so that -0 and 0 differ. */
static bool same(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

START_TEST(numbers_read_back_equal)
{
	struct nx_rng rng;
	struct nx_jscan s;
	char text[32];

	nx_rng_init(&rng, 1);
	for (int i = 0; i < 300000; i++) {
		double v = random_double(&rng);
		if (i % 3 == 1) /* as measured figures are: few digits */
			v = floor(nx_rng_uniform(&rng) * 1e6) / 1000;
		else if (i % 3 == 2)
			v = nx_rng_uniform(&rng) * 1e5 - 5e4;
		nx_json_format_number(v, text);
		ck_assert_uint_le(strlen(text), 24);
		ck_assert_msg(same(strtod(text, NULL), v), "%s", text);
		/* Our own reader agrees with strtod on its short cut too. */
		nx_jscan_init(&s, text, strlen(text));
		ck_assert_int_eq(nx_jscan_next(&s), NX_JT_NUMBER);
		ck_assert_msg(same(s.number, v), "%s", text);
	}
}
END_TEST

START_TEST(ignores_the_locale)
{
	struct nx_jscan s;
	char text[32];

	/* Without such a locale this only repeats what is tested above. */
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		setlocale(LC_ALL, "fr_FR.UTF-8");
	nx_json_format_number(1234.5678901234567, text);
	ck_assert_str_eq(text, "1234.5678901234567");
	nx_jscan_init(&s, text, strlen(text));
	ck_assert_int_eq(nx_jscan_next(&s), NX_JT_NUMBER);
	ck_assert_double_eq(s.number, 1234.5678901234567);
	setlocale(LC_ALL, "C");
}
END_TEST

static void write_sample(struct nx_jw *w)
{
	nx_jw_object(w);
	nx_jw_kstring(w, "format", "nexus-x/1");
	nx_jw_kstring(w, "none", NULL);
	nx_jw_key(w, "list");
	nx_jw_array(w);
	nx_jw_object_inline(w);
	nx_jw_kint(w, "a", 1);
	nx_jw_key(w, "box");
	nx_jw_array(w);
	nx_jw_number(w, 1.5);
	nx_jw_null(w);
	nx_jw_end(w);
	nx_jw_end(w);
	nx_jw_object_inline(w);
	nx_jw_end(w);
	nx_jw_end(w);
	nx_jw_key(w, "empty");
	nx_jw_array(w);
	nx_jw_end(w);
	nx_jw_key(w, "raw");
	nx_jw_raw(w, "[0]", 3);
	nx_jw_key(w, "in");
	nx_jw_object(w);
	nx_jw_kbool(w, "yes", true);
	nx_jw_knumber(w, "n", 0.25);
	nx_jw_end(w);
	nx_jw_key(w, "pair");
	nx_jw_array_inline(w);
	nx_jw_int(w, -1);
	nx_jw_bool(w, false);
	nx_jw_end(w);
	nx_jw_end(w);
}

static void check_style(enum nx_jstyle style, const char *want)
{
	struct nx_buf b = NX_BUF_INIT;
	struct nx_jw w;

	nx_jw_init(&w, &b, style);
	write_sample(&w);
	ck_assert_str_eq(b.data, want);
	nx_buf_release(&b);
}

START_TEST(lays_out)
{
	check_style(NX_JPRETTY, "{\n"
				"  \"format\": \"nexus-x/1\",\n"
				"  \"list\": [\n"
				"    { \"a\": 1, \"box\": [1.5, null] },\n"
				"    {}\n"
				"  ],\n"
				"  \"empty\": [],\n"
				"  \"raw\": [0],\n"
				"  \"in\": {\n"
				"    \"yes\": true,\n"
				"    \"n\": 0.25\n"
				"  },\n"
				"  \"pair\": [-1, false]\n"
				"}\n");
	check_style(NX_JCOMPACT,
		"{\"format\":\"nexus-x/1\",\"list\":[{\"a\":1,\"box\":[1.5,null]},{}],\"empty\":[],"
		"\"raw\":[0],\"in\":{\"yes\":true,\"n\":0.25},\"pair\":[-1,false]}\n");
}
END_TEST

static void writes_string(const char *s, const char *want)
{
	struct nx_buf b = NX_BUF_INIT;
	struct nx_jw w;

	nx_jw_init(&w, &b, NX_JCOMPACT);
	nx_jw_string(&w, s);
	ck_assert_str_eq(b.data, want);
	nx_buf_release(&b);
}

START_TEST(escapes_strings)
{
	writes_string("", "\"\"");
	writes_string("a\"b\\c/", "\"a\\\"b\\\\c/\"");
	writes_string("\b\f\n\r\t\x01\x7f", "\"\\b\\f\\n\\r\\t\\u0001\x7f\"");
	writes_string("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		"\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	writes_string("\xff"
		      "a\xc3",
		"\"\xef\xbf\xbd"
		"a\xef\xbf\xbd\"");
	writes_string("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

START_TEST(values_read_back_equal)
{
	static const char text[] = "{\"a\":[1,[],{\"b\":\"\\\"\"}],\"c\":{\"d\":null,\"e\":false}}";
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf b = NX_BUF_INIT;
	struct nx_jdoc *doc;
	struct nx_jw w;

	ck_assert_int_eq(nx_jdoc_parse(text, sizeof text - 1, "t", &doc, &err), 0);
	nx_jv_format(nx_jdoc_root(doc), &b);
	ck_assert_str_eq(b.data, text);
	nx_buf_clear(&b);
	nx_jv_format(nx_jv_get(nx_jdoc_root(doc), "a")->items, &b);
	ck_assert_str_eq(b.data, "1");
	nx_buf_clear(&b);
	nx_jw_init(&w, &b, NX_JPRETTY);
	nx_jw_object_inline(&w);
	nx_jw_key(&w, "v");
	nx_jw_value(&w, nx_jdoc_root(doc));
	nx_jw_end(&w);
	ck_assert_str_eq(b.data,
		"{ \"v\": { \"a\": [1, [], { \"b\": \"\\\"\" }], \"c\": { \"d\": null, \"e\": false } } }\n");
	nx_buf_release(&b);
	nx_jdoc_free(&doc);
}
END_TEST

UNIT_MAIN("json/write", formats_numbers, numbers_read_back_equal, ignores_the_locale, lays_out,
	escapes_strings, values_read_back_equal)
