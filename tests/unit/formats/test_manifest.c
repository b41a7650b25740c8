/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-model/1. */
#include "formats/manifest.h"

#include "unit.h"

#include <string.h>

static int parse(const char *text, struct nx_manifest **m, struct nx_err *err)
{
	return nx_manifest_parse(text, strlen(text), "manifest.json", m, err);
}

START_TEST(all_keys_are_read)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_manifest *m;

	int rc = parse("{\"format\": \"nexus-model/1\", \"model\": \"ssd\", \"file\": \"n.onnx\","
		       "\"labels\": \"l.txt\", \"input\": {\"size\": [320, 240], "
		       "\"resize\": \"letterbox\", \"pad\": 114, \"align\": \"top-left\", "
		       "\"color\": \"BGR\", \"mean\": [1, 2, 3], \"scale\": 0.5},"
		       "\"output\": {\"kind\": \"regions\", \"softmax\": true, \"score\": 0.25, "
		       "\"nms\": 0.5, \"top_k\": 3, \"frame\": [640, 360], "
		       "\"regions\": [{\"label\": \"a\", \"box\": [0, 1, 2, 3]}]}}",
		&m, &err);
	ck_assert_msg(rc == 0, "%s", err.msg);
	ck_assert_str_eq(m->model, "ssd");
	ck_assert_str_eq(m->file, "n.onnx");
	ck_assert_str_eq(m->labels_file, "l.txt");
	ck_assert(m->input.image && m->input.width == 320 && m->input.height == 240);
	ck_assert(m->input.resize == NX_RESIZE_LETTERBOX && m->input.pad_top_left);
	ck_assert(m->input.color == NX_COLOR_BGR);
	ck_assert_double_eq(m->input.mean[2], 3);
	ck_assert_double_eq(m->input.scale[2], 0.5);
	ck_assert(m->output.kind == NX_OUT_REGIONS && m->output.softmax && m->output.top_k == 3);
	ck_assert_double_eq(m->output.frame[0], 640);
	ck_assert_uint_eq(m->output.n_regions, 1);
	ck_assert_double_eq(m->output.regions[0].box[3], 3);
	nx_manifest_free(&m);
}
END_TEST

START_TEST(what_is_left_out_has_defaults)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_manifest *m;

	ck_assert_int_eq(parse("{\"format\": \"nexus-model/1\", \"model\": \"a\"}", &m, &err), 0);
	ck_assert_str_eq(m->file, "model.onnx");
	ck_assert(!m->input.image && m->output.kind == NX_OUT_TENSOR && m->output.top_k == 5);
	ck_assert_double_eq(m->input.scale[0], 1);
	nx_manifest_free(&m);
}
END_TEST

START_TEST(all_mistakes_are_reported)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_manifest *m;

	int rc = parse("{\"format\": \"nexus-model/1\",\n \"input\": {\"size\": [0, 1.5],\n"
		       "\"color\": \"CMYK\", \"mean\": [1, 2]},\n"
		       "\"output\": {\"kind\": \"detections\"}}",
		&m, &err);
	ck_assert_int_eq(rc, -NX_EDATA);
	ck_assert_ptr_null(m);
	static const char *const parts[] = { "model", "size", "color", "mean", "decode" };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		ck_assert_msg(strstr(err.msg, parts[i]) != NULL, "%s: %s", parts[i], err.msg);
	ck_assert_int_eq(
		parse("{\"format\": \"nexus-model/2\", \"model\": \"a\"}", &m, &err), -NX_EDATA);
	ck_assert_int_eq(parse("[1]", &m, &err), -NX_EDATA);
}
END_TEST

UNIT_MAIN("formats/manifest", all_keys_are_read, what_is_left_out_has_defaults,
	all_mistakes_are_reported)
