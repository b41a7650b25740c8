/* SPDX-License-Identifier: Apache-2.0 */
#include "http_util.h"
#include "net/oip.h"
#include "unit.h"

#include <math.h>

#define NO_HEAD ((size_t)-1)

static int parse(const char *text, struct nx_oip_request *q, struct nx_err *err)
{
	return nx_oip_parse_request(text, strlen(text), NO_HEAD, NULL, q, err);
}

START_TEST(json_request)
{
	struct nx_oip_request q;
	struct nx_err err = NX_ERR_INIT;
	int64_t big;
	float f;

	ck_assert_int_eq(
		parse("{\"id\":\"a\\\"b\",\"parameters\":{\"timeout\":1500,\"nexus_session\":\"s/t\","
		      "\"priority\":3},\"unknown\":[{}],\"inputs\":["
		      "{\"data\":[[1.5,-2],[3e0,null]],\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP32\"},"
		      "{\"name\":\"n\",\"shape\":[2],\"datatype\":\"INT64\",\"data\":"
		      "[9007199254740993,-9223372036854775808]},"
		      "{\"name\":\"s\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"\",\"caf\\u00e9\"]},"
		      "{\"name\":\"z\",\"shape\":[],\"datatype\":\"BOOL\",\"data\":[true]},"
		      "{\"name\":\"u\",\"shape\":[1],\"datatype\":\"UINT64\",\"data\":[18446744073709551615]}"
		      "],\"outputs\":[{\"name\":\"o\",\"parameters\":{\"binary_data\":true}},"
		      "{\"name\":\"c\",\"parameters\":{\"classification\":5}}]}",
			&q, &err),
		0);
	ck_assert_str_eq(q.id, "a\"b");
	ck_assert_str_eq(q.session, "s/t");
	ck_assert_double_eq(q.deadline_ms, 1.5);
	ck_assert_uint_eq(q.n_inputs, 5);
	ck_assert_uint_eq(q.input[0].bytes, 16);
	memcpy(&f, (const char *)q.input[0].data + 4, 4);
	ck_assert_float_eq(f, -2);
	memcpy(&f, (const char *)q.input[0].data + 12, 4);
	ck_assert(isnan(f));
	memcpy(&big, q.input[1].data, 8);
	ck_assert_int_eq(big, 9007199254740993);
	memcpy(&big, (const char *)q.input[1].data + 8, 8);
	ck_assert_int_eq(big, INT64_MIN);
	ck_assert_uint_eq(q.input[2].bytes, 13);
	ck_assert_mem_eq(q.input[2].data, "\0\0\0\0\5\0\0\0caf\xc3\xa9", 13);
	ck_assert_mem_eq(q.input[3].data, "\1", 1);
	ck_assert_mem_eq(q.input[4].data, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	ck_assert(q.n_outputs == 2 && q.output[0].binary && !q.output[1].binary);
	ck_assert_int_eq(q.output[1].classification, 5);
	ck_assert(!q.binary_output);
	nx_oip_request_release(&q);
}
END_TEST

START_TEST(own_deadline_goes_first)
{
	static const char *const texts[] = {
		"{\"parameters\":{\"timeout\":1,\"nexus_deadline_ms\":40},",
		"{\"parameters\":{\"nexus_deadline_ms\":40,\"timeout\":1},",
	};

	for (int i = 0; i < 2; i++) {
		struct nx_oip_request q;
		struct nx_err err = NX_ERR_INIT;
		char text[300];
		snprintf(text, sizeof text, "%s%s", texts[i],
			"\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}]}");
		ck_assert_int_eq(parse(text, &q, &err), 0);
		ck_assert_double_eq(q.deadline_ms, 40);
		nx_oip_request_release(&q);
	}
}
END_TEST

#define IN(rest) "{\"inputs\":[{\"name\":\"x\"," rest "}]}"

START_TEST(every_error)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "line 1" },
		{ "[]", "must be a JSON object" },
		{ "{}", "inputs are missing" },
		{ "{\"inputs\":[]}", "inputs are missing" },
		{ "{\"inputs\":{}}", "inputs must be an array" },
		{ "{\"inputs\":[1]}", "inputs must be an array" },
		{ "{\"id\":7}", "id must be a string" },
		{ "{\"inputs\":[{\"shape\":[1]}]}", "input 0: line 1: name is missing" },
		{ IN("\"shape\":[1]"), "input 'x': line 1: datatype is missing" },
		{ IN("\"datatype\":\"FP32\""), "shape is missing" },
		{ IN("\"datatype\":\"FP33\""), "datatype 'FP33' is unknown" },
		{ IN("\"datatype\":3"), "datatype must be a string" },
		{ IN("\"shape\":3"), "shape must be an array" },
		{ IN("\"shape\":[-1]"), "shape must be an array" },
		{ IN("\"shape\":[1.5]"), "shape must be an array" },
		{ IN("\"shape\":[1e300]"), "shape must be an array" },
		{ IN("\"shape\":[1,1,1,1,1,1,1,1,1]"), "at most 8" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\""), "neither data nor" },
		{ IN("\"shape\":[2],\"datatype\":\"FP32\",\"data\":[1]"), "has 1 elements" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1,2]"), "more than the 1" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":1"), "must be an array" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[{}]"), "must be an array" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[[1]]"), "nested deeper" },
		{ IN("\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[[1],[2,3,4]]"), "nested" },
		{ IN("\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[1,2,[3,4]]"), "nested" },
		{ IN("\"shape\":[1,1,1],\"datatype\":\"FP32\",\"data\":[[1]]"), "nested" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1e39]"), "is no FP32" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[\"1\"]"), "is no FP32" },
		{ IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[true]"), "is no FP32" },
		{ IN("\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[256]"), "is no UINT8" },
		{ IN("\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[-1]"), "is no UINT8" },
		{ IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[-129]"), "is no INT8" },
		{ IN("\"shape\":[1],\"datatype\":\"INT32\",\"data\":[0.5]"), "is no INT32" },
		{ IN("\"shape\":[1],\"datatype\":\"INT64\",\"data\":[9223372036854775808]"),
			"is no INT64" },
		{ IN("\"shape\":[1],\"datatype\":\"BOOL\",\"data\":[2]"), "is no BOOL" },
		{ IN("\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[1]"), "is no BYTES" },
		{ IN("\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[null]"), "is no BYTES" },
		{ IN("\"shape\":[1],\"datatype\":\"FP16\",\"data\":[1]"), "no JSON form" },
		{ IN("\"shape\":[1e15,1e15],\"datatype\":\"FP32\",\"data\":[1]"), "shorter" },
		{ IN("\"shape\":[100000000],\"datatype\":\"FP32\",\"data\":[1]"), "shorter" },
		{ IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1],\"data\":[1]"), "twice" },
		{ IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1],\"shape\":[9]"), "twice" },
		{ IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1],"
		     "\"parameters\":{\"binary_data_size\":1}"),
			"both data and" },
		{ IN("\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"binary_data_size\":1}"),
			"only 0 bytes are left" },
		{ IN("\"shape\":[1],\"parameters\":{\"binary_data_size\":-1}"), "whole number" },
		{ IN("\"shape\":[1],\"parameters\":{\"binary_data_size\":\"1\"}"), "whole number" },
		{ IN("\"shape\":[1],\"parameters\":{\"shared_memory_region\":\"r\"}"),
			"shared memory" },
		{ IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]") " x", "line 1" },
		{ "{\n\"inputs\":[{\"name\":\n\"x\",}]}", "line 3" },
		{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]",
			"line 1" },
		{ "{\"parameters\":{\"timeout\":-1}}", "timeout" },
		{ "{\"parameters\":{\"nexus_deadline_ms\":\"x\"}}", "nexus_deadline_ms" },
		{ "{\"parameters\":{\"binary_data_output\":1}}", "true or false" },
		{ "{\"outputs\":[{}]}", "an output has no name" },
		{ "{\"outputs\":[{\"parameters\":{\"classification\":-1}}]}", "whole number" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct nx_oip_request q;
		struct nx_err err = NX_ERR_INIT;
		int rc = parse(cases[i].text, &q, &err);
		ck_assert_msg(rc < 0, "case %zu accepted: %s", i, cases[i].text);
		ck_assert_msg(strstr(err.msg, cases[i].says) != NULL, "case %zu: '%s' not in '%s'",
			i, cases[i].says, err.msg);
		nx_oip_request_release(&q);
	}
}
END_TEST

START_TEST(too_many_tensors)
{
	struct nx_buf b = NX_BUF_INIT;
	struct nx_oip_request q;
	struct nx_err err = NX_ERR_INIT;

	nx_buf_adds(&b, "{\"inputs\":[");
	for (int i = 0; i < 65; i++)
		nx_buf_addf(&b,
			"%s{\"name\":\"x%d\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}",
			i ? "," : "", i);
	nx_buf_adds(&b, "]}");
	ck_assert_int_eq(parse(b.data, &q, &err), -NX_EDATA);
	nx_oip_request_release(&q);
	nx_buf_clear(&b);
	nx_buf_adds(&b, "{\"outputs\":[");
	for (int i = 0; i < 65; i++)
		nx_buf_addf(&b, "%s{\"name\":\"x%d\"}", i ? "," : "", i);
	nx_buf_adds(&b, "]}");
	ck_assert_int_eq(parse(b.data, &q, &err), -NX_EDATA);
	nx_oip_request_release(&q);
	nx_buf_release(&b);
}
END_TEST

static int parse_binary(const char *json, const char *rest, size_t rest_len,
	struct nx_oip_request *q, struct nx_err *err)
{
	struct nx_buf b = NX_BUF_INIT;

	nx_buf_adds(&b, json);
	nx_buf_add(&b, rest, rest_len);
	/* an exact copy, so that reading beyond its end is seen */
	char *body = malloc(b.len);
	memcpy(body, b.data, b.len);
	int rc = nx_oip_parse_request(body, b.len, strlen(json), NULL, q, err);
	if (rc == 0)
		for (size_t i = 0; i < q->n_inputs; i++) {
			struct nx_oip_tensor *t = &q->input[i];
			if (t->owned || !t->bytes)
				continue;
			t->owned = malloc(t->bytes);
			memcpy(t->owned, t->data, t->bytes);
			t->data = t->owned;
		}
	free(body);
	nx_buf_release(&b);
	return rc;
}

#define BIN(name, shape, type, size)                                      \
	"{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" type \
	"\",\"parameters\":{\"binary_data_size\":" size "}}"

START_TEST(binary_requests)
{
	struct nx_oip_request q;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(
		parse_binary(
			"{\"inputs\":[" BIN("a", "[2]", "FP16", "4") "," BIN("b", "[2]", "BYTES",
				"11") "],\"parameters\":{\"binary_data_output\":true}}",
			"abcd\1\0\0\0x\2\0\0\0yz", 15, &q, &err),
		0);
	ck_assert_mem_eq(q.input[0].data, "abcd", 4);
	ck_assert_uint_eq(q.input[1].bytes, 11);
	ck_assert(q.binary_output);
	nx_oip_request_release(&q);
	/* one element without its length: a picture */
	ck_assert_int_eq(parse_binary("{\"inputs\":[" BIN("a", "[1]", "BYTES", "5") "]}",
				 "\xff\xd8\xff\xe0!", 5, &q, &err),
		0);
	ck_assert_mem_eq(q.input[0].data, "\5\0\0\0\xff\xd8\xff\xe0!", 9);
	nx_oip_request_release(&q);
	ck_assert_int_eq(
		parse_binary("{\"inputs\":[{\"name\":\"a\",\"shape\":[1],\"datatype\":\"BYTES\"}]}",
			"\xff\xd8\xff", 3, &q, &err),
		0);
	ck_assert_uint_eq(q.input[0].bytes, 7);
	nx_oip_request_release(&q);

	static const struct {
		const char *json, *rest;
		size_t n;
	} bad[] = {
		{ "{\"inputs\":[" BIN("a", "[2]", "FP32", "7") "]}", "1234567", 7 },
		{ "{\"inputs\":[" BIN("a", "[2]", "FP32", "8") "]}", "1234567", 7 },
		{ "{\"inputs\":[" BIN("a", "[2]", "FP32", "8") "]}", "123456789", 9 },
		{ "{\"inputs\":[" BIN("a", "[1]", "FP32", "8") "]}", "12345678", 8 },
		{ "{\"inputs\":[" BIN("a", "[2]", "BYTES", "7") "]}", "\1\0\0\0x\2\0", 7 },
		{ "{\"inputs\":[" BIN("a", "[2]", "BYTES", "9") "]}", "\1\0\0\0x\2\0\0\0", 9 },
		{ "{\"inputs\":[" BIN("a", "[1e15,1e15,1e15]", "INT8", "1") "]}", "x", 1 },
		{ "{\"inputs\":[" BIN("a", "[2305843009213693952,8]", "INT8", "0") "]}", "", 0 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_msg(
			parse_binary(bad[i].json, bad[i].rest, bad[i].n, &q, &err) == -NX_EDATA,
			"case %zu", i);
		nx_oip_request_release(&q);
	}
	ck_assert_int_eq(nx_oip_parse_request("{}", 2, 3, NULL, &q, &err), -NX_EDATA);
	nx_oip_request_release(&q);
}
END_TEST

START_TEST(raw_requests)
{
	struct nx_oip_request q;
	struct nx_err err = NX_ERR_INIT;
	struct nx_oip_raw raw = { "x", NX_F32, { 2, { -1, 3 } } };

	ck_assert_int_eq(
		nx_oip_parse_request("123456789012345678901234", 24, 0, &raw, &q, &err), 0);
	ck_assert(q.n_inputs == 1 && q.binary_output && q.input[0].shape.dim[0] == 2);
	nx_oip_request_release(&q);
	ck_assert_int_eq(nx_oip_parse_request("1234567890123", 13, 0, &raw, &q, &err), -NX_EDATA);
	nx_oip_request_release(&q);
	raw.shape.dim[1] = -1;
	ck_assert_int_eq(nx_oip_parse_request("123456789012", 12, 0, &raw, &q, &err), -NX_EDATA);
	nx_oip_request_release(&q);
	ck_assert_int_eq(nx_oip_parse_request("123456789012", 12, 0, NULL, &q, &err), -NX_EDATA);
	nx_oip_request_release(&q);
	raw = (struct nx_oip_raw){ "picture", NX_STRING, { 1, { -1 } } };
	ck_assert_int_eq(nx_oip_parse_request("jpeg", 4, 0, &raw, &q, &err), 0);
	ck_assert_mem_eq(q.input[0].data, "\4\0\0\0jpeg", 8);
	nx_oip_request_release(&q);
}
END_TEST

START_TEST(request_round_trip)
{
	float x[6] = { 1, 2, 3, 4, 5, 6 };
	struct nx_oip_request q = { .deadline_ms = 12.5, .n_inputs = 1, .n_outputs = 1 }, back;
	struct nx_buf b = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	size_t json_len;
	char name[] = "x", out[] = "y", session[] = "caf\xc3\xa9";

	q.session = session;
	q.input[0] = (struct nx_oip_tensor){ .name = name,
		.dtype = NX_F32,
		.shape = { 2, { 2, 3 } },
		.data = x,
		.bytes = sizeof x };
	q.output[0].name = out;
	nx_buf_adds(&b, "before");
	nx_oip_format_request(&q, &b, &json_len);
	ck_assert_int_eq(
		nx_oip_parse_request(b.data + 6, b.len - 6, json_len, NULL, &back, &err), 0);
	ck_assert_double_eq(back.deadline_ms, 12.5);
	ck_assert_str_eq(back.session, session);
	ck_assert_ptr_null(back.id);
	ck_assert(nx_shape_equal(&back.input[0].shape, &q.input[0].shape));
	ck_assert_mem_eq(back.input[0].data, x, sizeof x);
	ck_assert(back.binary_output && back.output[0].binary);
	nx_oip_request_release(&back);
	nx_buf_release(&b);
}
END_TEST

static void add_extra(void *arg, struct nx_jw *w)
{
	nx_jw_kstring(w, "extra", arg);
}

START_TEST(response_round_trip)
{
	static float x[] = { 0.1f, 16777216, -0.0f, 3.4028235e38f, 1e-45f, 1.0f / 3, NAN,
		INFINITY };
	static double d[] = { 0.1, 1e300 };
	static int64_t n[] = { INT64_MIN, 9007199254740993 };
	static uint64_t u[] = { UINT64_MAX };
	static int8_t s8[] = { -128, 127 };
	static uint16_t h[] = { 0x3c00 };
	static char bytes[] = "\1\0\0\0a\2\0\0\0\"\\";
	struct {
		char *name;
		enum nx_dtype dtype;
		const void *data;
		size_t bytes, count;
		bool binary;
	} t[] = {
		{ "x", NX_F32, x, sizeof x, 8, false },
		{ "d", NX_F64, d, sizeof d, 2, false },
		{ "n", NX_I64, n, sizeof n, 2, false },
		{ "u", NX_U64, u, sizeof u, 1, false },
		{ "s8", NX_I8, s8, sizeof s8, 2, false },
		{ "h", NX_F16, h, sizeof h, 1, false },
		{ "b", NX_STRING, bytes, 11, 2, false },
		{ "bb", NX_STRING, bytes, 11, 2, true },
		{ "xx", NX_F32, x, sizeof x, 8, true },
		{ "o", NX_BOOL, "\1\0", 2, 2, false },
	};
	struct nx_oip_response r = { .n_outputs = sizeof t / sizeof t[0] }, back;
	struct nx_buf b = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	size_t json_len;
	char model[] = "m", id[] = "7", extra[] = "yes";

	r.model = model;
	r.id = id;
	for (size_t i = 0; i < r.n_outputs; i++)
		r.output[i] = (struct nx_oip_tensor){ .name = t[i].name,
			.dtype = t[i].dtype,
			.shape = { 1, { (int64_t)t[i].count } },
			.data = t[i].data,
			.bytes = t[i].bytes,
			.binary = t[i].binary };
	nx_oip_format_response(&r, add_extra, extra, &b, &json_len);
	ck_assert_ptr_nonnull(strstr(b.data, "\"extra\":\"yes\""));
	ck_assert_ptr_nonnull(
		strstr(b.data, "[0.1,16777216,-0,3.4028235e+38,1e-45,0.33333334,null,null]"));
	ck_assert_int_eq(nx_oip_parse_response(b.data, b.len, json_len, &back, &err), 0);
	ck_assert_str_eq(back.model, "m");
	ck_assert_str_eq(back.id, "7");
	ck_assert_uint_eq(back.n_outputs, r.n_outputs);
	for (size_t i = 0; i < r.n_outputs; i++) {
		ck_assert_int_eq(back.output[i].dtype, t[i].dtype);
		ck_assert_uint_eq(back.output[i].bytes, t[i].bytes);
		/* of the JSON floats the last two are NaN now */
		ck_assert_mem_eq(back.output[i].data, t[i].data, t[i].bytes - (i == 0 ? 8 : 0));
	}
	nx_oip_response_release(&back);
	ck_assert_int_lt(nx_oip_parse_response(b.data, b.len - 1, json_len, &back, &err), 0);
	nx_oip_response_release(&back);
	nx_buf_clear(&b);
	r.n_outputs = 5;
	nx_oip_format_response(&r, NULL, NULL, &b, &json_len);
	ck_assert(json_len == NO_HEAD);
	nx_buf_release(&b);
}
END_TEST

/* ---- paths -------------------------------------------------------------------------------------- */

static bool is_ready;

static bool ready(void *arg)
{
	(void)arg;
	return is_ready;
}

static int model(void *arg, const char *name, struct nx_oip_model_info *info)
{
	static const struct nx_oip_io in[] = { { "x", NX_F32, { 2, { -1, 3 } } },
		{ "s", NX_STRING, { 1, { -1 } } } };

	(void)arg;
	if (strcmp(name, "m") != 0 && strcmp(name, "q/car") != 0)
		return -1;
	*info = (struct nx_oip_model_info){ .name = name,
		.platform = "nexus",
		.inputs = in,
		.outputs = in,
		.n_inputs = 2,
		.n_outputs = 1,
		.max_batch = 8 };
	return 0;
}

static const char *model_name(void *arg, size_t i)
{
	(void)arg;
	return i == 0 ? "m" : i == 1 ? "q/car" : NULL;
}

static bool model_ready(void *arg, const char *name)
{
	(void)arg;
	return is_ready && name[0] == 'm';
}

static void infer(void *arg, const char *name, struct nx_http_req *r)
{
	(void)arg;
	reply_text(r, 200, name, strlen(name));
}

static void metrics(void *arg, struct nx_buf *text)
{
	(void)arg;
	nx_buf_adds(text, "nexus_up 1\n");
}

static bool other(void *arg, struct nx_http_req *r)
{
	(void)arg;
	if (strcmp(r->path, "/nexus/v1/stats") != 0)
		return false;
	reply_text(r, 200, "stats", 5);
	return true;
}

static void handler(void *arg, struct nx_http_req *r)
{
	const struct nx_oip_service s = { "nexus-test", ready, model, model_name, model_ready,
		infer, metrics, other, arg };

	nx_oip_dispatch(&s, r);
}

START_TEST(paths)
{
	static const struct {
		const char *request;
		int status;
		const char *says;
	} cases[] = {
		{ "GET /v2", 200, "{\"name\":\"nexus-test\",\"version\":\"" },
		{ "GET /v2/", 200, "\"binary_tensor_data\"" },
		{ "GET /v2/health/live", 200, "{\"live\":true}" },
		{ "GET /v2/health/ready", 200, "{\"ready\":true}" },
		{ "HEAD /v2/health/ready", 200, "" },
		{ "GET /v2/models/m", 200,
			"{\"name\":\"m\",\"versions\":[\"1\"],\"platform\":\"nexus\",\"inputs\":[{\"name\":\"x\","
			"\"datatype\":\"FP32\",\"shape\":[-1,3]},{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1]}]" },
		{ "GET /v2/models/m/versions/1", 200, "\"inputs\"" },
		{ "GET /v2/models/m/versions/2", 404, "only version 1" },
		{ "GET /v2/models/m/ready", 200, "{\"name\":\"m\",\"ready\":true}" },
		{ "GET /v2/models/q%2Fcar/ready", 503, "\"ready\":false" },
		{ "GET /v2/models/q/car", 200, "{\"name\":\"q/car\"" },
		{ "GET /v2/models/m/config", 200,
			"\"max_batch_size\":8,\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_FP32\",\"dims\":[3]},"
			"{\"name\":\"s\",\"data_type\":\"TYPE_STRING\",\"dims\":[]}]" },
		{ "POST /v2/models/m/infer", 200, "m" },
		{ "POST /v2/models/q%2fcar/versions/1/infer", 200, "q/car" },
		{ "POST /v2/models/m/versions/x/infer", 404, "only version 1" },
		{ "GET /v2/models/m/infer", 405, "takes POST" },
		{ "POST /v2/models/m", 405, "takes GET" },
		{ "DELETE /v2/health/live", 405, "takes GET" },
		{ "GET /v2/models/nope", 404, "there is no model 'nope'" },
		{ "GET /v2/models/", 404, "there is no model" },
		{ "GET /v2/models/versions/1", 404, "there is no model" },
		{ "POST /v2/models/m/stats", 405, "" },
		{ "POST /v2/repository/index", 200,
			"[{\"name\":\"m\",\"version\":\"1\",\"state\":\"READY\",\"reason\":\"\"},{\"name\":\"q/car\"" },
		{ "GET /metrics", 200, "nexus_up 1" },
		{ "GET /nexus/v1/stats", 200, "stats" },
		{ "GET /elsewhere", 404, "there is no path '/elsewhere'" },
	};
	struct fixture f;
	struct nx_err err = NX_ERR_INIT;

	is_ready = true;
	memset(&f, 0, sizeof f);
	uv_loop_init(&f.loop);
	ck_assert_int_eq(nx_http_listen(&f.loop, ":0", NULL, handler, &f, &f.server, &err), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[300];
		int status = 0;
		int n = snprintf(text, sizeof text,
			"%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", cases[i].request);
		char *got = raw_exchange(&f, text, (size_t)n, 1000);
		ck_assert_int_eq(sscanf(got, "HTTP/1.1 %d", &status), 1);
		ck_assert_msg(status == cases[i].status && strstr(got, cases[i].says), "%s: %s",
			cases[i].request, got);
		free(got);
	}
	is_ready = false;
	char *got = raw_exchange(&f, "GET /v2/health/ready HTTP/1.0\r\n\r\n", 33, 1000);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 503 "));
	free(got);
	fixture_stop(&f);
}
END_TEST

UNIT_MAIN("net/oip", json_request, own_deadline_goes_first, every_error, too_many_tensors,
	binary_requests, raw_requests, request_round_trip, response_round_trip, paths)
