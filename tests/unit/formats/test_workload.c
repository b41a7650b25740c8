/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/workload.h"

#include "golden.h"

GOLDEN(workload, nx_workload_parse((const struct nx_jdoc *const *)&doc, 1, out, &err))

#define HEAD "{\"format\": \"nexus-workload/1\", "

static const char workload_text[] =
	"{\n"
	"  \"format\": \"nexus-workload/1\",\n"
	"  \"devices\": [\n"
	"    { \"device\": \"NVIDIA H200\", \"count\": 16, \"memory_bytes\": 150000000000, \"cost\": 1.5 },\n"
	"    { \"device\": \"cpu\", \"cost\": 1, \"addresses\": [\"unix:/run/a\", \"http://h:1\"] }\n"
	"  ],\n"
	"  \"sessions\": [\n"
	"    { \"session\": \"lpr\", \"model\": \"lpr-net\", \"precision\": \"fp16\", \"threads\": 2, \"slo_ms\": 100, \"rate\": 320 }\n"
	"  ],\n"
	"  \"queries\": [\n"
	"    {\n"
	"      \"query\": \"traffic\",\n"
	"      \"slo_ms\": 400,\n"
	"      \"rate\": 20,\n"
	"      \"stages\": [\n"
	"        { \"stage\": \"detect\", \"model\": \"ssd\" },\n"
	"        { \"stage\": \"car\", \"model\": \"gn\", \"after\": \"detect\", \"gamma\": 1.8, \"select\": \".detections[] | select(.label==\\\"car\\\")\" }\n"
	"      ]\n"
	"    }\n"
	"  ]\n"
	"}\n";

START_TEST(comes_out_as_it_went_in)
{
	keep_workload(workload_text);
	keep_workload("{\"format\":\"nexus-workload/1\",\"sessions\":[],\"queries\":[]}\n");
}
END_TEST

START_TEST(fills_in_defaults)
{
	struct nx_workload w;

	read_workload(HEAD
		"\"devices\": [{\"device\": \"x\"}],\n\"queries\": [{\"query\": \"q\", \"slo_ms\": 1,"
		"\"rate\": 0, \"stages\":\n[{\"stage\": \"c\", \"model\": \"m\", \"after\": \"b\"},\n"
		"{\"stage\": \"b\", \"model\": \"m\", \"after\": \"a\"}, {\"stage\": \"a\", \"model\": \"m\"}]}]}",
		&w);
	ck_assert_int_eq(w.device[0].count, -1);
	ck_assert_double_eq(w.device[0].cost, 1);
	ck_assert_uint_eq(w.device[0].memory_bytes, 0);
	const struct nx_wl_query *q = &w.query[0];
	ck_assert_int_eq(q->index, 0);
	/* Parents first. */
	ck_assert_str_eq(q->stage[0].stage, "a");
	ck_assert_int_eq(q->stage[0].parent, -1);
	ck_assert_str_eq(q->stage[1].stage, "b");
	ck_assert_int_eq(q->stage[1].parent, 0);
	ck_assert_int_eq(q->stage[1].line, 4);
	ck_assert_int_eq(q->stage[0].index, 2);
	ck_assert_int_eq(q->stage[2].index, 0);
	ck_assert_str_eq(q->stage[2].stage, "c");
	ck_assert_int_eq(q->stage[2].parent, 1);
	ck_assert_double_eq(q->stage[2].gamma, 1);
	nx_workload_release(&w);
}
END_TEST

START_TEST(names_all_mistakes)
{
	refuse_workload(HEAD
		"\"sessions\": [\n{\"session\": \"a\", \"model\": \"m\", \"slo_ms\": -5, \"rate\": 1},\n"
		"{\"session\": \"a\", \"slo_ms\": 1e13, \"rate\": -1}, 7],\n\"devices\": [{\"device\": "
		"\"\", \"count\": -1}]}",
		"t.json:4: .devices[0].device: must not be empty\n"
		"t.json:4: .devices[0].count: must be 0 to 1000000 (got -1)\n"
		"t.json:3: .sessions[2]: must be an object (got 7)");
	refuse_workload(HEAD
		"\"sessions\": [\n{\"session\": \"a\", \"model\": \"m\", \"slo_ms\": -5, \"rate\": 1},\n"
		"{\"session\": \"a\", \"slo_ms\": 1e13, \"rate\": -1}]}",
		"t.json:2: .sessions[0].slo_ms: must be > 0 (got -5)\n"
		"t.json:3: .sessions[1].model: is missing\n"
		"t.json:3: .sessions[1].slo_ms: must be 0 to 1000000000000 (got 10000000000000)\n"
		"t.json:3: .sessions[1].rate: must be 0 to 1000000000000 (got -1)\n"
		"t.json:3: .sessions[1].session: must be unique (got \"a\" again)");
	refuse_workload("{\"format\": \"nexus-plan/1\"}",
		"t.json:1: .format: must be \"nexus-workload/1\" (got \"nexus-plan/1\")");
	refuse_workload(HEAD "\"sessions\": {}}", "t.json:1: .sessions: must be an array (got {})");
}
END_TEST

#define QUERY(stages)                                                                            \
	HEAD "\"queries\": [{\"query\": \"q\", \"slo_ms\": 1, \"rate\": 1, \"stages\": [" stages \
	     "]}]}"
#define STAGE(name, rest) "{\"stage\": \"" name "\", \"model\": \"m\"" rest "}"

START_TEST(refuses_odd_trees)
{
	refuse_workload(QUERY(""), "t.json:1: .queries[0].stages: must have at least one stage");
	refuse_workload(QUERY(STAGE("a", "") "," STAGE("b", "")),
		"t.json:1: .queries[0].stages[1].after: is missing: a query has one first stage only");
	refuse_workload(QUERY(STAGE("a", ",\"after\":\"b\"") "," STAGE("b", ",\"after\":\"a\"")),
		"t.json:1: .queries[0].stages: must have one stage without \"after\"");
	refuse_workload(QUERY(STAGE("r", "") "," STAGE("a", ",\"after\":\"b\"") "," STAGE(
				"b", ",\"after\":\"a\"")),
		"t.json:1: .queries[0].stages[1].after: must not lead in a circle\n"
		"t.json:1: .queries[0].stages[2].after: must not lead in a circle");
	refuse_workload(QUERY(STAGE("r", "") "," STAGE("a", ",\"after\":\"x\"")),
		"t.json:1: .queries[0].stages[1].after: must be a stage of this query (got \"x\")");
	refuse_workload(QUERY(STAGE("r", "") "," STAGE("r", ",\"after\":\"r\"")),
		"t.json:1: .queries[0].stages[1].stage: must be unique (got \"r\" again)");
	refuse_workload(QUERY(STAGE("r", ",\"gamma\":2,\"select\":\".\"")),
		"t.json:1: .queries[0].stages[0].gamma: must be 1 for a stage without \"after\"\n"
		"t.json:1: .queries[0].stages[0].select: needs a stage to come after");
	refuse_workload(QUERY(STAGE("r", "") "," STAGE("a/b", ",\"after\":\"r\",\"gamma\":-1")),
		"t.json:1: .queries[0].stages[1].stage: must not contain '/' (got \"a/b\")\n"
		"t.json:1: .queries[0].stages[1].gamma: must be 0 to 1000000000000 (got -1)");
	refuse_workload(HEAD
		"\"sessions\": [{\"session\": \"q/a\", \"model\": \"m\", \"slo_ms\": 1, \"rate\": 1}],"
		"\"queries\": [{\"query\": \"q\", \"slo_ms\": 1, \"rate\": 1, \"stages\": [" STAGE(
			"a", "") "]}]}",
		"t.json:1: .queries[0].stages[0].stage: \"q/a\" is the name of a session too");
}
END_TEST

START_TEST(adds_up_streams)
{
	static const char text[] = HEAD
		"\"sessions\": [{\"session\": \"a\", \"model\": \"m\", \"slo_ms\": 1, \"rate\": 1}]}\n" HEAD
		"\"sessions\": [{\"session\": \"b\", \"model\": \"m\", \"slo_ms\": 1, \"rate\": 1}],\n"
		"\"devices\": [{\"device\": \"d\"}]}\n" HEAD
		"\"sessions\": [\n{\"session\": \"a\", \"model\": \"m\", \"slo_ms\": 1, \"rate\": 1}]}\n";
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc **docs;
	struct nx_workload w;
	size_t n;

	ck_assert_int_eq(nx_jdocs_parse(text, sizeof text - 1, "s", &docs, &n, &err), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(nx_workload_parse((const struct nx_jdoc *const *)docs, 2, &w, &err), 0);
	ck_assert_uint_eq(w.n_sessions, 2);
	ck_assert_str_eq(w.session[1].session, "b");
	ck_assert_uint_eq(w.n_devices, 1);
	nx_workload_release(&w);
	ck_assert_int_eq(
		nx_workload_parse((const struct nx_jdoc *const *)docs, 3, &w, &err), -NX_EDATA);
	ck_assert_str_eq(err.msg, "s:5: .sessions[0].session: must be unique (got \"a\" again)");
	nx_jdocs_free(&docs, n);
	ck_assert_int_eq(nx_workload_load("/nonexistent", &w, &err), -NX_ENOINPUT);
	ck_assert_int_eq(nx_workload_load("/dev/null", &w, &err), -NX_EDATA);
	ck_assert_str_eq(err.msg, "/dev/null:1: empty, expected JSON");
}
END_TEST

START_TEST(survives_damage)
{
	batter_workload(workload_text);
}
END_TEST

UNIT_MAIN("formats/workload", comes_out_as_it_went_in, fills_in_defaults, names_all_mistakes,
	refuses_odd_trees, adds_up_streams, survives_damage)
