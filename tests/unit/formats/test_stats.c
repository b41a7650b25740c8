/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/stats.h"

#include "golden.h"

#include "core/fs.h"

#include <stdio.h>
#include <unistd.h>

GOLDEN(stats, nx_stats_parse(doc, out, &err))
GOLDEN(bench, nx_bench_parse(doc, out, &err))

#define COUNTS(n) \
	"\"received\":" #n ",\"in_slo\":1,\"late\":2,\"dropped\":3,\"rejected\":4,\"failed\":5"

static const char stats_text[] =
	"{\"format\":\"nexus-stats/1\",\"time\":\"2026-11-22T17:00:00Z\",\"source\":\"route\","
	"\"id\":\"router-0\",\"interval_ms\":10000,\"epoch\":7,\"sessions\":[{\"session\":\"a\","
	"\"rate\":63.8," COUNTS(638) ",\"total\":{" COUNTS(
		91200) "},\"latency_ms\":{\"p50\":61,"
		       "\"p90\":120,\"p99\":171,\"p999\":190,\"max\":199},\"batches\":{\"8\":79,\"16\":2},"
		       "\"reasons\":{\"admission\":4,\"deadline\":3}}],\"edges\":[{\"query\":\"q\",\"stage\":\"car\","
		       "\"gamma\":1.72,\"parents\":100}],\"backends\":[{\"backend\":\"b\",\"busy\":0.83}]}\n";

START_TEST(stats_come_out_as_they_went_in)
{
	keep_stats(stats_text);
}
END_TEST

START_TEST(stats_name_all_mistakes)
{
	refuse_stats(
		"{\"format\":\"nexus-stats/1\",\"time\":\"t\",\"source\":\"route\",\"id\":\"\","
		"\"interval_ms\":1,\"sessions\":[{\"session\":\"a\",\"rate\":1,\"received\":-1,"
		"\"latency_ms\":{\"p50\":1,\"p90\":1,\"p99\":1,\"p999\":1},\"batches\":{\"x\":1,\"0\":1}}],"
		"\"edges\":[{\"query\":\"q\",\"stage\":\"s\"}]}",
		"t.json:1: .id: must not be empty\n"
		"t.json:1: .sessions[0].received: must be 0 to 9007199254740992 (got -1)\n"
		"t.json:1: .sessions[0].latency_ms.max: is missing\n"
		"t.json:1: .sessions[0].batches.\"0\": key must be a batch size\n"
		"t.json:1: .sessions[0].batches.x: key must be a batch size\n"
		"t.json:1: .edges[0].gamma: is missing");
}
END_TEST

static const char bench_text[] =
	"{\n"
	"  \"format\": \"nexus-bench/1\",\n"
	"  \"kind\": \"find-max\",\n"
	"  \"offered\": { \"arrivals\": \"poisson\", \"rate\": 100, \"duration_ms\": 1000, \"seed\": 7, \"requests\": 98 },\n"
	"  \"sessions\": [\n"
	"    { \"session\": \"a\", \"rate\": 98, \"received\": 98, \"in_slo\": 98, \"late\": 0, \"dropped\": 0, \"rejected\": 0, \"failed\": 0 }\n"
	"  ],\n"
	"  \"goodput\": 98,\n"
	"  \"in_slo_fraction\": 1,\n"
	"  \"max_rate\": 120.5\n"
	"}\n";

START_TEST(benches_come_out_as_they_went_in)
{
	keep_bench(bench_text);
	keep_bench("{\"format\":\"nexus-bench/1\",\"offered\":{\"arrivals\":\"uniform\",\"rate\":1,"
		   "\"duration_ms\":1,\"seed\":0,\"requests\":0},\"sessions\":[],\"goodput\":0,"
		   "\"in_slo_fraction\":0}\n");
	refuse_bench("{\"format\":\"nexus-bench/1\",\"sessions\":[],\"in_slo_fraction\":2}",
		"t.json:1: .offered: is missing\n"
		"t.json:1: .goodput: is missing\n"
		"t.json:1: .in_slo_fraction: must be 0 to 1 (got 2)");
}
END_TEST

static int observe(const char *text, struct nx_stats *sum, struct nx_err *err)
{
	char path[] = "/tmp/nexus-test-stats.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	int rc = nx_stats_load_observed(path, sum, err);
	unlink(path);
	return rc;
}

#define LINE(source, id, rate, received, gamma, parents)                                          \
	"{\"format\":\"nexus-stats/1\",\"time\":\"t" id "\",\"source\":\"" source                 \
	"\",\"id\":\"" id "\",\"interval_ms\":1,\"sessions\":[{\"session\":\"a\",\"rate\":" #rate \
	",\"total\":{\"received\":" #received                                                     \
	"}}],\"edges\":[{\"query\":\"q\",\"stage\":\"s\",\"gamma\":" #gamma                       \
	",\"parents\":" #parents "}]}\n"

START_TEST(observed_rates_add_up)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_stats sum;

	/* The last line of each id of source "route" counts, and no other. */
	ck_assert_int_eq(
		observe(LINE("route", "0", 1000, 9, 9, 9) LINE("route", "1", 30, 5, 2, 300)
				LINE("serve", "2", 77, 7, 7, 7) LINE("route", "0", 10, 8, 1, 100),
			&sum, &err),
		0);
	ck_assert_uint_eq(sum.n_sessions, 1);
	ck_assert_double_eq(sum.session[0].rate, 40);
	ck_assert_uint_eq(sum.session[0].total.received, 13);
	ck_assert_uint_eq(sum.n_edges, 1);
	ck_assert_double_eq(sum.edge[0].gamma, 1.75);
	ck_assert_uint_eq(sum.edge[0].parents, 400);
	ck_assert_str_eq(sum.time, "t1");
	nx_stats_release(&sum);

	/* Nothing was seen by one of them: it says nothing of gamma. */
	ck_assert_int_eq(
		observe(LINE("route", "0", 1, 1, 5, 0) LINE("route", "1", 1, 1, 2, 3), &sum, &err),
		0);
	ck_assert_double_eq(sum.edge[0].gamma, 2);
	nx_stats_release(&sum);

	ck_assert_int_eq(observe(LINE("serve", "0", 1, 1, 1, 1), &sum, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, ": no line of source \"route\""));
	ck_assert_int_eq(observe(LINE("route", "0", 1, 1, 1, 1) "{", &sum, &err), -NX_EDATA);
	ck_assert_int_eq(observe(LINE("route", "0", 1, 1, 1, 1) "{}", &sum, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, ":2: .format: is missing"));
}
END_TEST

START_TEST(survives_damage)
{
	batter_stats(stats_text);
	batter_bench(bench_text);
}
END_TEST

UNIT_MAIN("formats/stats", stats_come_out_as_they_went_in, stats_name_all_mistakes,
	benches_come_out_as_they_went_in, observed_rates_add_up, survives_damage)
