/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"

#include "core/rng.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct nx_jdoc *parse(const char *text)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc;

	ck_assert_msg(nx_jdoc_parse(text, strlen(text), "t.json", &doc, &err) == 0, "%s: %s", text,
		err.msg);
	return doc;
}

/* The message that refuses the text. */
static void refused(const char *text, size_t len, const char *message)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc;

	ck_assert_int_eq(nx_jdoc_parse(text, len, "t.json", &doc, &err), -NX_EDATA);
	ck_assert_ptr_null(doc);
	ck_assert_str_eq(err.msg, message);
}

#define REFUSED(text, message) refused((text), sizeof(text) - 1, (message))

static const char nested[] = "{\n"
			     "  \"format\": \"nexus-x/1\",\n"
			     "  \"sessions\": [\n"
			     "    {\"session\": \"a\", \"slo_ms\": 5},\n"
			     "    {\n"
			     "      \"session\": \"b\",\n"
			     "      \"slo_ms\":\n"
			     "        -5\n"
			     "    }\n"
			     "  ], \"a b\": [[], [1, [2]]]\n"
			     "}\n";

START_TEST(reads_values)
{
	struct nx_jdoc *doc =
		parse("{\"b\": [1, -2.5e3, true, false, null], \"a\": \"\\u00e9\\n\"}");
	const struct nx_jv *root = nx_jdoc_root(doc), *b = nx_jv_get(root, "b");

	ck_assert_int_eq(root->kind, NX_JOBJECT);
	ck_assert_uint_eq(root->n, 2);
	ck_assert_str_eq(root->keys[0], "a");
	ck_assert_str_eq(root->items[0].string, "\xc3\xa9\n");
	ck_assert_uint_eq(b->n, 5);
	ck_assert_double_eq(b->items[1].number, -2500);
	ck_assert(b->items[2].boolean && !b->items[3].boolean);
	ck_assert_int_eq(b->items[4].kind, NX_JNULL);
	ck_assert_ptr_eq(b->items[4].parent, b);
	ck_assert_ptr_null(nx_jv_get(root, "c"));
	ck_assert_ptr_null(nx_jv_get(NULL, "c"));
	ck_assert_ptr_null(nx_jv_get(b, "c"));
	nx_jdoc_free(&doc);
	ck_assert_ptr_null(doc);
}
END_TEST

static void check_place(const struct nx_jv *v, const char *path, int line)
{
	struct nx_buf b = NX_BUF_INIT;

	nx_jv_path(v, &b);
	ck_assert_str_eq(b.data, path);
	ck_assert_int_eq(v->line, line);
	nx_buf_release(&b);
}

START_TEST(knows_paths_and_lines)
{
	struct nx_jdoc *doc = parse(nested);
	const struct nx_jv *root = nx_jdoc_root(doc), *s = nx_jv_get(root, "sessions");
	const struct nx_jv *odd = nx_jv_get(root, "a b");

	check_place(root, ".", 1);
	check_place(s, ".sessions", 3);
	check_place(&s->items[1], ".sessions[1]", 5);
	check_place(nx_jv_get(&s->items[1], "slo_ms"), ".sessions[1].slo_ms", 8);
	check_place(nx_jv_get(&s->items[0], "slo_ms"), ".sessions[0].slo_ms", 4);
	check_place(&odd->items[1].items[1].items[0], ".\"a b\"[1][1][0]", 10);
	nx_jdoc_free(&doc);

	doc = parse("\n[[1,\n2]]");
	check_place(&nx_jdoc_root(doc)->items[0].items[1], ".[0][1]", 3);
	nx_jdoc_free(&doc);
	/* A key written with escapes is found by what it means. */
	doc = parse("{\"\\u0062\": 1,\n\"\\u0061\": 2}");
	check_place(nx_jv_get(nx_jdoc_root(doc), "a"), ".a", 2);
	nx_jdoc_free(&doc);
}
END_TEST

START_TEST(reads_streams)
{
	static const char text[] = "{\"a\":1}\n{\"a\":\n2} [3] \"x\"\"y\" 4\n";
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc **docs;
	size_t n;

	ck_assert_int_eq(nx_jdocs_parse(text, sizeof text - 1, "s", &docs, &n, &err), 0);
	ck_assert_uint_eq(n, 6);
	check_place(nx_jv_get(nx_jdoc_root(docs[1]), "a"), ".a", 3);
	ck_assert_str_eq(nx_jdoc_root(docs[4])->string, "y");
	ck_assert_double_eq(nx_jdoc_root(docs[5])->number, 4);
	ck_assert_str_eq(nx_jdoc_source(docs[5]), "s");
	nx_jdocs_free(&docs, n);

	ck_assert_int_eq(nx_jdocs_parse(" \n", 2, "s", &docs, &n, &err), 0);
	ck_assert_uint_eq(n, 0);
	nx_jdocs_free(&docs, n);
	ck_assert_int_eq(nx_jdocs_parse("{}\n\n}", 5, "s", &docs, &n, &err), -NX_EDATA);
	ck_assert_str_eq(err.msg, "s:3: unexpected character");
	ck_assert_ptr_null(docs);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(refuses_damage)
{
	REFUSED("", "t.json:1: empty, expected JSON");
	REFUSED("{} {}", "t.json:1: unexpected text behind the value");
	REFUSED("\n[nan]", "t.json:2: unknown word");
	REFUSED("[NaN]", "t.json:1: unknown word");
	REFUSED("[Infinity]", "t.json:1: unknown word");
	REFUSED("[\n1e999]", "t.json:2: number is too large");
	REFUSED("[-1e999]", "t.json:1: number is too large");
	REFUSED("[01]", "t.json:1: bad number");
	REFUSED("[1.]", "t.json:1: bad number");
	REFUSED("[+1]", "t.json:1: unknown word");
	REFUSED("[.5]", "t.json:1: unknown word");
	REFUSED("truefalse", "t.json:1: unknown word");
	REFUSED("[1,]", "t.json:1: unexpected character");
	REFUSED("[1 2]", "t.json:1: expected ',' or ']'");
	REFUSED("{\"a\" 1}", "t.json:1: expected ':' behind a key");
	REFUSED("{a: 1}", "t.json:1: expected a key in double quotes");
	REFUSED("{\"a\": 1,}", "t.json:1: expected a key in double quotes");
	REFUSED("{'a': 1}", "t.json:1: expected a key in double quotes");
	REFUSED("[\"\t\"]", "t.json:1: control character in a string");
	REFUSED("[\"\\x\"]", "t.json:1: bad escape in a string");
	REFUSED("[\"\\u12g4\"]", "t.json:1: bad escape in a string");
	REFUSED("[\"\xc3\x28\"]", "t.json:1: string is not UTF-8");
	REFUSED("[\"\xed\xa0\x80\"]", "t.json:1: string is not UTF-8");
	REFUSED("\xef\xbb\xbf{}", "t.json:1: unexpected character");
	REFUSED("[\"a\0b\"]", "t.json:1: control character in a string");
	REFUSED("[1]\0", "t.json:1: unexpected text behind the value");
	REFUSED("[\n\"a\\u0000b\"]", "t.json:2: string with \\u0000 or half a surrogate pair");
	REFUSED("[\"\\ud800\"]", "t.json:1: string with \\u0000 or half a surrogate pair");
	REFUSED("{\"\\udc00\":1}", "t.json:1: string with \\u0000 or half a surrogate pair");
	REFUSED("{\"a\": 1,\n \"b\": {\"a\": 2},\n \"\\u0061\": 3}", "t.json:3: duplicate key 'a'");
	REFUSED("[{\"b\": {\"x\": 1, \"x\":\n1}}]", "t.json:1: duplicate key 'x'");
	REFUSED("/* no */ {}", "t.json:1: unexpected character");
}
END_TEST

START_TEST(survives_hostile_texts)
{
	enum { DEEP = 100000 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc;
	char *deep = malloc(DEEP);

	memset(deep, '[', DEEP);
	refused(deep, DEEP, "t.json:1: nested too deep");
	memset(deep, '9', DEEP);
	refused(deep, DEEP, "t.json:1: number is too large");
	/* As deep as may be. */
	memset(deep, '[', 64);
	memset(deep + 64, ']', 64);
	ck_assert_int_eq(nx_jdoc_parse(deep, 128, "t", &doc, &err), 0);
	nx_jdoc_free(&doc);
	free(deep);
	/* Cut at every byte: only the whole is right. */
	for (size_t len = 0; len < strlen(nested) - 2; len++) {
		char *cut = malloc(len + 1); /* its own block, so that reading behind it is seen */
		memcpy(cut, nested, len);
		ck_assert_int_eq(nx_jdoc_parse(cut, len, "t", &doc, &err), -NX_EDATA);
		free(cut);
	}
}
END_TEST

START_TEST(survives_random_damage)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc **docs;
	struct nx_rng rng;
	size_t n;

	nx_rng_init(&rng, 7);
	for (int i = 0; i < 20000; i++) {
		char text[sizeof nested];
		memcpy(text, nested, sizeof text);
		for (uint64_t k = nx_rng_below(&rng, 4); k-- > 0;)
			text[nx_rng_below(&rng, sizeof text - 1)] = (char)nx_rng_u64(&rng);
		nx_jdocs_parse(text, sizeof text - 1, "t", &docs, &n, &err);
		nx_jdocs_free(&docs, n);
	}
}
END_TEST

static void check_members(struct nx_jcheck *c, const struct nx_jv *v)
{
	static const char *const colors[] = { "RGB", "BGR", "GRAY" };
	const struct nx_jv *a;
	char *s = NULL;
	double d = -1;
	int64_t i = -1;
	bool b;
	int e;

	ck_assert(!nx_jget_number(c, v, "rate", NX_REQUIRED, 0, 1e12, &d));
	ck_assert(!nx_jget_above(c, v, "slo_ms", NX_REQUIRED, 0, &d));
	ck_assert(!nx_jget_int(c, v, "count", NX_OPTIONAL, 0, 10, &i));
	ck_assert(!nx_jget_int(c, v, "big", NX_OPTIONAL, 0, INT64_MAX, &i));
	ck_assert(!nx_jget_string(c, v, "name", NX_REQUIRED, &s));
	ck_assert(!nx_jget_string(c, v, "gone", NX_REQUIRED, &s));
	ck_assert(!nx_jget_string(c, v, "gone", NX_OPTIONAL, &s));
	ck_assert(!nx_jget_number(c, v, "null", NX_OPTIONAL, 0, 1, &d));
	ck_assert(!nx_jget_enum(c, v, "color", NX_OPTIONAL, colors, 3, &e));
	ck_assert(!nx_jget_bool(c, v, "slo_ms", NX_OPTIONAL, &b));
	ck_assert(!nx_jget_array(c, v, "name", NX_OPTIONAL, &a));
	ck_assert(!nx_jget_object(c, v, "name", NX_OPTIONAL, &a));
	ck_assert_double_eq(d, -1);
	ck_assert_int_eq(i, -1);
	ck_assert_ptr_null(s);
}

START_TEST(reports_all_mistakes)
{
	struct nx_jdoc *doc =
		parse("{\"rate\": \"fast\", \"slo_ms\": -5,\n\"count\": 2.5, \"big\": 1e300,"
		      "\n\"name\": 7, \"color\": \"red\", \"null\": null}");
	struct nx_err err = NX_ERR_INIT;
	struct nx_jcheck c;

	nx_jcheck_init(&c, doc);
	ck_assert_int_eq(nx_jcheck_result(&c, &err), 0);
	check_members(&c, nx_jdoc_root(doc));
	ck_assert_uint_eq(c.n, 10);
	ck_assert_int_eq(nx_jcheck_result(&c, &err), -NX_EDATA);
	ck_assert_str_eq(err.msg,
		"t.json:1: .rate: must be a number (got \"fast\")\n"
		"t.json:1: .slo_ms: must be > 0 (got -5)\n"
		"t.json:2: .count: must be a whole number (got 2.5)\n"
		"t.json:2: .big: must be 0 to 9007199254740992 (got 1e300)\n"
		"t.json:3: .name: must be a string (got 7)\n"
		"t.json:1: .gone: is missing\n"
		"t.json:3: .color: must be \"RGB\", \"BGR\" or \"GRAY\" (got \"red\")\n"
		"t.json:1: .slo_ms: must be true or false (got -5)\n"
		"t.json:3: .name: must be an array (got 7)\n"
		"t.json:3: .name: must be an object (got 7)");
	nx_jcheck_release(&c);
	nx_jdoc_free(&doc);
}
END_TEST

START_TEST(reads_right_members)
{
	static const char *const colors[] = { "RGB", "BGR" };
	struct nx_jdoc *doc =
		parse("{\"d\": 0, \"i\": -3, \"s\": \"x\", \"b\": true, \"e\": \"BGR\","
		      "\"a\": [], \"o\": {}}");
	const struct nx_jv *v = nx_jdoc_root(doc), *in;
	struct nx_jcheck c;
	char *s = NULL;
	double d = -1;
	int64_t i = -1;
	bool b = false;
	int e = -1;

	nx_jcheck_init(&c, doc);
	ck_assert(nx_jget_number(&c, v, "d", NX_REQUIRED, 0, 1, &d));
	ck_assert_double_eq(d, 0);
	ck_assert(nx_jget_int(&c, v, "i", NX_REQUIRED, -3, -3, &i));
	ck_assert_int_eq(i, -3);
	ck_assert(nx_jget_string(&c, v, "s", NX_REQUIRED, &s));
	ck_assert(nx_jget_string(&c, v, "e", NX_REQUIRED, &s));
	ck_assert_str_eq(s, "BGR");
	ck_assert(nx_jget_bool(&c, v, "b", NX_REQUIRED, &b) && b);
	ck_assert(nx_jget_enum(&c, v, "e", NX_REQUIRED, colors, 2, &e));
	ck_assert_int_eq(e, 1);
	ck_assert(nx_jget_array(&c, v, "a", NX_REQUIRED, &in) && in->n == 0);
	ck_assert(nx_jget_object(&c, v, "o", NX_REQUIRED, &in) && in->n == 0);
	ck_assert_uint_eq(c.n, 0);
	free(s);
	nx_jcheck_release(&c);
	nx_jdoc_free(&doc);
}
END_TEST

START_TEST(cuts_long_reports)
{
	struct nx_jdoc *doc = parse("{}");
	struct nx_err err = NX_ERR_INIT;
	struct nx_jcheck c;

	nx_jcheck_init(&c, doc);
	for (int i = 0; i < 1000; i++)
		nx_jcheck_fail(&c, nx_jdoc_root(doc), "key", "is wrong, mistake %d", i);
	ck_assert_int_eq(nx_jcheck_result(&c, &err), -NX_EDATA);
	size_t lines = 0;
	for (const char *p = err.msg; (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_ge(lines, 10);
	char tail[40];
	snprintf(tail, sizeof tail, "\nand %zu more", 1000 - lines);
	ck_assert_str_eq(err.msg + strlen(err.msg) - strlen(tail), tail);
	nx_jcheck_release(&c);
	nx_jdoc_free(&doc);
}
END_TEST

static void check_format(const char *text, const char *message)
{
	struct nx_jdoc *doc = parse(text);
	struct nx_err err = NX_ERR_INIT;
	struct nx_jcheck c;

	nx_jcheck_init(&c, doc);
	ck_assert(nx_jcheck_format(&c, nx_jdoc_root(doc), "nexus-plan", 1) == !*message);
	nx_jcheck_result(&c, &err);
	ck_assert_str_eq(err.msg, message);
	nx_jcheck_release(&c);
	nx_jdoc_free(&doc);
}

START_TEST(keeps_mistakes_on_their_lines)
{
	struct nx_jdoc *doc = parse("{\"a\\nb\": 1}");
	struct nx_err err = NX_ERR_INIT;
	struct nx_jcheck c;

	nx_jcheck_init(&c, doc);
	nx_jcheck_fail(&c, &nx_jdoc_root(doc)->items[0], NULL, "is called '%s'", "a\nb\033[2J");
	ck_assert_int_eq(nx_jcheck_result(&c, &err), -NX_EDATA);
	ck_assert_str_eq(err.msg, "t.json:1: .\"a\\nb\": is called 'a?b?[2J'");
	nx_jcheck_release(&c);
	nx_jdoc_free(&doc);
}
END_TEST

START_TEST(checks_the_format)
{
	check_format("{\"format\": \"nexus-plan/1\"}", "");
	check_format("{}", "t.json:1: .format: is missing");
	check_format("[1]", "t.json:1: .: must be an object (got [1])");
	check_format("{\n\"format\": \"nexus-plan/2\"}",
		"t.json:2: .format: must be \"nexus-plan/1\" (got \"nexus-plan/2\")");
}
END_TEST

UNIT_MAIN("json/doc", reads_values, knows_paths_and_lines, reads_streams, refuses_damage,
	survives_hostile_texts, survives_random_damage, reports_all_mistakes, reads_right_members,
	cuts_long_reports, keeps_mistakes_on_their_lines, checks_the_format)
