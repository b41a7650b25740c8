/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"

#include "unit.h"

#include <string.h>

static int collect(void *arg, const char *json, size_t len, struct nx_err *err)
{
	struct nx_buf *b = arg;

	(void)err;
	nx_buf_add(b, json, len);
	nx_buf_addc(b, '\n');
	return 0;
}

static int stop_at_once(void *arg, const char *json, size_t len, struct nx_err *err)
{
	(void)json;
	(void)len;
	++*(int *)arg;
	return nx_err_set(err, NX_EIO, "full");
}

static void runs(const char *program, const char *input, const char *want, const char *message)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf out = NX_BUF_INIT;
	struct nx_jq *jq;

	ck_assert_msg(nx_jq_compile(program, &jq, &err) == 0, "%s", err.msg);
	/* Twice: a run leaves nothing behind for the next. */
	for (int i = 0; i < 2; i++) {
		err.msg[0] = '\0';
		nx_buf_clear(&out);
		nx_buf_adds(&out, "");
		int rc = nx_jq_run(jq, input, strlen(input), collect, &out, &err);
		ck_assert_int_eq(rc, *message ? -NX_EDATA : 0);
		ck_assert_str_eq(out.data, want);
		ck_assert_str_eq(err.msg, message);
	}
	nx_buf_release(&out);
	nx_jq_free(&jq);
	ck_assert_ptr_null(jq);
}

START_TEST(filters)
{
	runs(".", "{\"b\": 1, \"a\": [1.5, null]}", "{\"b\":1,\"a\":[1.5,null]}\n", "");
	runs(".detections[] | select(.label==\"car\")",
		"{\"detections\":[{\"label\":\"car\",\"n\":1},{\"label\":\"bus\"}]}",
		"{\"label\":\"car\",\"n\":1}\n", "");
	runs("empty", "1", "", "");
	runs(".[]", "[1,\"x\",{}]", "1\n\"x\"\n{}\n", "");
}
END_TEST

START_TEST(reports_failures)
{
	runs("1, error(\"boom\")", "null", "1\n", "jq program failed: boom");
	runs("error({a: 1})", "null", "", "jq program failed: {\"a\":1}");
	runs(".a", "[]", "", "jq program failed: Cannot index array with string \"a\"");
	runs("1, halt, 2", "null", "1\n", "");
	runs("\"bye\\n\" | halt_error", "null", "", "jq program stopped: bye\n");
}
END_TEST

START_TEST(refuses_bad_input)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf out = NX_BUF_INIT;
	struct nx_jq *jq;
	static char long_text[5000];

	memset(long_text, 'x', sizeof long_text);
	ck_assert_int_eq(nx_jq_compile(".", &jq, &err), 0);
	ck_assert_int_eq(
		nx_jq_run(jq, long_text, sizeof long_text, collect, &out, &err), -NX_EDATA);
	ck_assert_uint_lt(strlen(err.msg), 300);
	ck_assert_int_eq(nx_jq_run(jq, "", 0, collect, &out, &err), -NX_EDATA);
	ck_assert_int_eq(nx_jq_run(jq, "{", 1, collect, &out, &err), -NX_EDATA);
	ck_assert_uint_eq(out.len, 0);
	nx_jq_free(&jq);
}
END_TEST

static void no_program(const char *program, const char *message)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jq *jq;

	ck_assert_int_eq(nx_jq_compile(program, &jq, &err), -NX_EUSAGE);
	ck_assert_ptr_null(jq);
	ck_assert_msg(strstr(err.msg, message) != NULL, "%s", err.msg);
}

START_TEST(refuses_bad_programs)
{
	no_program(".a |", "bad jq program '.a |': syntax error");
	no_program("nothing_like_it(1)", "nothing_like_it/1 is not defined");
	no_program("import \"x\" as x; .", "module not found");
	no_program("(", "syntax error");
}
END_TEST

START_TEST(stops_when_told)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jq *jq;
	int calls = 0;

	ck_assert_int_eq(nx_jq_compile("range(1000000000)", &jq, &err), 0);
	ck_assert_int_eq(nx_jq_run(jq, "null", 4, stop_at_once, &calls, &err), -NX_EIO);
	ck_assert_int_eq(calls, 1);
	ck_assert_str_eq(err.msg, "full");
	nx_jq_free(&jq);
}
END_TEST

UNIT_MAIN("json/jq", filters, reports_failures, refuses_bad_input, refuses_bad_programs,
	stops_when_told)
