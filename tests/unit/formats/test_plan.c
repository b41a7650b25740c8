/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/plan.h"

#include "golden.h"

GOLDEN(plan, nx_plan_parse(doc, out, &err))

static const char plan_text[] =
	"{\n"
	"  \"format\": \"nexus-plan/1\",\n"
	"  \"epoch\": 7,\n"
	"  \"created\": \"2026-11-22T17:00:00Z\",\n"
	"  \"backends\": [\n"
	"    {\n"
	"      \"backend\": \"h200-0\",\n"
	"      \"device\": \"NVIDIA H200\",\n"
	"      \"address\": \"http://127.0.0.1:8001\",\n"
	"      \"dispatch\": \"pooled\",\n"
	"      \"duty_cycle_ms\": 125,\n"
	"      \"occupancy\": 0.944,\n"
	"      \"memory_bytes\": 3100000000,\n"
	"      \"sessions\": [\n"
	"        { \"session\": \"a\", \"model\": \"A\", \"digest\": \"sha256:00\", \"precision\": \"fp16\", \"threads\": 2, \"slo_ms\": 200, \"rate\": 64, \"batch\": 8, \"exec_ms\": 75 },\n"
	"        { \"session\": \"q/d\", \"model\": \"D\", \"slo_ms\": 200, \"rate\": 20, \"batch\": 4, \"exec_ms\": 50.25 }\n"
	"      ],\n"
	"      \"prefix_groups\": [\n"
	"        { \"prefix\": \"sha256:11\", \"batch\": 12, \"exec_ms\": 75, \"sessions\": [\"a\", \"q/d\"] }\n"
	"      ]\n"
	"    },\n"
	"    {\n"
	"      \"backend\": \"idle\",\n"
	"      \"device\": \"cpu\",\n"
	"      \"duty_cycle_ms\": 0,\n"
	"      \"occupancy\": 0,\n"
	"      \"memory_bytes\": 0,\n"
	"      \"sessions\": []\n"
	"    }\n"
	"  ],\n"
	"  \"routes\": [\n"
	"    { \"session\": \"a\", \"to\": [{ \"backend\": \"h200-0\", \"rate\": 64 }] },\n"
	"    { \"session\": \"q/d\", \"to\": [{ \"backend\": \"h200-0\", \"rate\": 20 }] }\n"
	"  ],\n"
	"  \"queries\": [\n"
	"    {\n"
	"      \"query\": \"q\",\n"
	"      \"slo_ms\": 400,\n"
	"      \"rate\": 20,\n"
	"      \"stages\": [\n"
	"        { \"stage\": \"d\", \"session\": \"q/d\", \"model\": \"D\", \"slo_ms\": 230, \"gamma\": 1 },\n"
	"        { \"stage\": \"e\", \"session\": \"q/e\", \"model\": \"E\", \"after\": \"d\", \"select\": \".detections[]\", \"slo_ms\": 170, \"gamma\": 0.4 }\n"
	"      ]\n"
	"    }\n"
	"  ],\n"
	"  \"summary\": {\n"
	"    \"devices\": 2,\n"
	"    \"lower_bound\": 1.59,\n"
	"    \"gap\": 0,\n"
	"    \"moved\": 3,\n"
	"    \"unserved\": [\n"
	"      { \"session\": \"q/e\", \"rate\": 8, \"reason\": \"no device left\" }\n"
	"    ]\n"
	"  }\n"
	"}\n";

START_TEST(comes_out_as_it_went_in)
{
	keep_plan(plan_text);
	keep_plan(
		"{\"format\":\"nexus-plan/1\",\"epoch\":0,\"backends\":[],\"routes\":[],\"queries\":[],"
		"\"summary\":{\"devices\":0,\"lower_bound\":0,\"gap\":0,\"moved\":0,\"unserved\":[]}}\n");
}
END_TEST

START_TEST(is_looked_up)
{
	struct nx_plan p;

	read_plan(plan_text, &p);
	ck_assert_int_eq(p.query[0].stage[1].parent, 0);
	ck_assert_str_eq(nx_plan_find_backend(&p, "idle")->device, "cpu");
	ck_assert_ptr_null(nx_plan_find_backend(&p, "x"));
	ck_assert_double_eq(nx_plan_find_query(&p, "q")->slo_ms, 400);
	ck_assert_ptr_null(nx_plan_find_query(&p, "a"));
	ck_assert_uint_eq(nx_plan_find_route(&p, "q/d")->n_to, 1);
	ck_assert_ptr_null(nx_plan_find_route(&p, "q/e"));
	ck_assert_str_eq(nx_plan_find_session(&p, "q/d")->model, "D");
	ck_assert_ptr_null(nx_plan_find_session(&p, "q/e"));

	setenv("NEXUS_RUNTIME_DIR", "/run/here", 1);
	char *address = nx_plan_address(&p.backend[0]);
	ck_assert_str_eq(address, "http://127.0.0.1:8001");
	free(address);
	address = nx_plan_address(&p.backend[1]);
	ck_assert_str_eq(address, "unix:/run/here/idle.sock");
	free(address);
	nx_plan_release(&p);
}
END_TEST

#define HEAD "{\"format\": \"nexus-plan/1\", "
#define BACKEND(name)                                                                \
	"{\"backend\": \"" name                                                      \
	"\", \"device\": \"d\", \"duty_cycle_ms\": 1, \"sessions\": [{\"session\": " \
	"\"a\", \"model\": \"A\", \"slo_ms\": 2, \"rate\": 1, \"batch\": 1, \"exec_ms\": 1}]"
#define STAGES(rest)                                                                                    \
	"\"queries\": [{\"query\": \"q\", \"slo_ms\": 1, \"rate\": 1, \"stages\": [{\"stage\": \"s\", " \
	"\"slo_ms\": 1, " rest "}]}]"

START_TEST(takes_the_model_from_a_backend)
{
	struct nx_plan p;

	read_plan(HEAD
		"\"backends\": [" BACKEND("x") "}], \"routes\": [{\"session\": \"a\", \"to\": "
					       "[{\"backend\": \"x\", \"rate\": 1}]}], " STAGES(
						       "\"session\": \"a\"") "}",
		&p);
	ck_assert_str_eq(p.query[0].stage[0].model, "A");
	ck_assert_double_eq(p.query[0].stage[0].gamma, 1);
	nx_plan_release(&p);
	/* A query that is refused as a whole needs no routes. */
	read_plan(HEAD
		"\"backends\": [], \"routes\": [], " STAGES(
			"\"session\": \"a\", \"model\": \"A\"") ", \"summary\": {\"unserved\": [{\"query\": \"q\", \"rate\": 1, \"reason\": \"\"}]}}",
		&p);
	nx_plan_release(&p);
}
END_TEST

START_TEST(refuses_loose_ends)
{
	refuse_plan("{\"format\": \"nexus-plan/1\"}",
		"t.json:1: .backends: is missing\nt.json:1: .routes: is missing");
	refuse_plan(HEAD "\"backends\": [" BACKEND("x") "},\n" BACKEND("x") "}, " BACKEND(
			    "../y") "}], \"routes\": []}",
		"t.json:2: .backends[2].backend: must not contain '/' (got \"../y\")\n"
		"t.json:2: .backends[1].backend: must be unique (got \"x\" again)\n"
		"t.json:2: .backends[1].sessions[0].session: must be unique (got \"x/a\" again)");
	refuse_plan(HEAD
		"\"backends\": [" BACKEND(
			"x") ", \"prefix_groups\": [{\"prefix\": \"p\", \"batch\": 0, "
			     "\"exec_ms\": 1, \"sessions\": [\"a\", \"b\"]}]}], \"routes\": [{\"session\": \"b\", \"to\": "
			     "[{\"backend\": \"x\", \"rate\": 1}, {\"backend\": \"z\", \"rate\": 1}]},"
			     "{\"session\": \"b\", \"to\": []}]}",
		"t.json:1: .backends[0].prefix_groups[0].batch: must be 1 to 1000000000 (got 0)\n"
		"t.json:1: .routes[1].session: must be unique (got \"b\" again)\n"
		"t.json:1: .backends[0].prefix_groups[0].sessions: \"b\" is no session of this backend\n"
		"t.json:1: .routes[0].to[0].backend: \"x\" does not run session \"b\"\n"
		"t.json:1: .routes[0].to[1].backend: must be a backend of this plan (got \"z\")");
	refuse_plan(HEAD "\"backends\": [], \"routes\": [], " STAGES("\"session\": \"b\"") "}",
		"t.json:1: .queries[0].stages: session \"b\" has no route and is not in .summary.unserved\n"
		"t.json:1: .queries[0].stages: stage \"s\" has no model");
	refuse_plan(HEAD
		"\"backends\": [], \"routes\": [], \"summary\": {\"unserved\": [{\"rate\": 1, \"reason\": \"r\"},"
		"{\"session\": \"s\", \"query\": \"q\", \"rate\": 1}]}}",
		"t.json:1: .summary.unserved[0]: must name either a session or a query\n"
		"t.json:1: .summary.unserved[1].reason: is missing\n"
		"t.json:1: .summary.unserved[1]: must name either a session or a query");
	refuse_plan(HEAD
		"\"backends\": [{\"backend\": \"b\", \"device\": \"d\", \"duty_cycle_ms\": 1, "
		"\"dispatch\": \"fast\", \"sessions\": []}], \"routes\": []}",
		"t.json:1: .backends[0].dispatch: must be \"pooled\" (got \"fast\")");
}
END_TEST

START_TEST(survives_damage)
{
	batter_plan(plan_text);
}
END_TEST

UNIT_MAIN("formats/plan", comes_out_as_it_went_in, is_looked_up, takes_the_model_from_a_backend,
	refuses_loose_ends, survives_damage)
