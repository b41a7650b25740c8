/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the server that need no network: batches without a plan, costs, the tally. */
#include "core/clock.h"
#include "serve/lineup.h"
#include "serve/tally.h"

#include "unit.h"

#include <string.h>

static struct nx_latency_point points[] = { { 1, 10, -1, -1, 0 }, { 4, 16, -1, -1, 0 },
	{ 8, 32, -1, -1, 0 } };
static const struct nx_latency curve = { 3, points, true };

static int choose(double slo_ms, size_t n_models, uint32_t *batch, struct nx_err *err)
{
	const struct nx_alone alone = { NULL, slo_ms, n_models };

	return nx_alone_batch(&alone, &curve, "m", batch, err);
}

START_TEST(batch_fits_twice_into_the_slo)
{
	struct nx_err err = NX_ERR_INIT;
	uint32_t b;

	ck_assert_int_eq(choose(40, 1, &b, &err), 0);
	ck_assert_uint_eq(b, 5); /* l(5) = 20 */
	ck_assert_int_eq(choose(39.9, 1, &b, &err), 0);
	ck_assert_uint_eq(b, 4);
	ck_assert_int_eq(choose(10, 1, &b, &err), 0);
	ck_assert_uint_eq(b, 1); /* not twice, but one request alone is in time */
	ck_assert_int_eq(choose(1e9, 1, &b, &err), 0);
	ck_assert_uint_eq(b, 8);
	ck_assert_int_eq(choose(48, 2, &b, &err), 0);
	ck_assert_uint_eq(b, 4); /* two models: three turns */
	ck_assert_int_eq(choose(9.9, 1, &b, &err), -NX_ENO);
	ck_assert_ptr_nonnull(strstr(err.msg, "'m' takes 10 ms"));
}
END_TEST

/* Two points of a model in a plan make its line; one alone is half fixed. */
START_TEST(simulated_costs_come_from_the_plan)
{
	struct nx_plan_session s[] = {
		{ .session = "a", .model = "m", .batch = 8, .exec_ms = 75 },
		{ .session = "b", .model = "m", .batch = 4, .exec_ms = 50 },
		{ .session = "c", .model = "n", .batch = 4, .exec_ms = 8 },
	};
	struct nx_plan_backend backend = {
		.backend = "x", .device = "sim", .session = s, .n_sessions = 3
	};
	const struct nx_plan plan = { .backend = &backend, .n_backends = 1 };
	double cost[8];

	nx_cost_from_plan(&plan, &backend, &s[1], 8, cost);
	ck_assert_double_eq_tol(cost[0], 31.25, 1e-9);
	ck_assert_double_eq_tol(cost[3], 50, 1e-9);
	ck_assert_double_eq_tol(cost[7], 75, 1e-9);
	nx_cost_from_plan(&plan, &backend, &s[2], 4, cost);
	ck_assert_double_eq_tol(cost[0], 5, 1e-9);
	ck_assert_double_eq_tol(cost[3], 8, 1e-9);
}
END_TEST

static void count(struct nx_tally *t)
{
	struct nx_tally_session *s = nx_tally_session(t, "a \"b\"");

	ck_assert_ptr_eq(s, nx_tally_session(t, "a \"b\""));
	for (int i = 0; i < 4; i++)
		nx_tally_received(s);
	nx_tally_ended(s, NX_IN_SLO, NX_REASON_NONE, 8 * NX_NS_PER_MS);
	nx_tally_ended(s, NX_LATE, NX_REASON_NONE, 80 * NX_NS_PER_MS);
	nx_tally_ended(s, NX_REJECTED, NX_REASON_ADMISSION, 0);
	nx_tally_batch(t, s, 2, 5 * NX_NS_PER_MS);
}

static void read_line(struct nx_tally *t, uint64_t now_ms, bool rotate, struct nx_stats *st)
{
	struct nx_buf line = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc = NULL;

	nx_tally_line(t, 7, now_ms * NX_NS_PER_MS, rotate, &line);
	ck_assert_msg(!nx_jdoc_parse(line.data, line.len, "line", &doc, &err), "%s", err.msg);
	memset(st, 0, sizeof *st);
	ck_assert_msg(!nx_stats_parse(doc, st, &err), "%s", err.msg);
	nx_jdoc_free(&doc);
	nx_buf_release(&line);
}

START_TEST(tally_as_a_line)
{
	struct nx_tally *t = nx_tally_new("serve", "gpu-0", 0);
	struct nx_stats st;

	count(t);
	read_line(t, 10, true, &st);
	ck_assert_str_eq(st.id, "gpu-0");
	ck_assert_int_eq(st.epoch, 7);
	ck_assert_double_eq_tol(st.interval_ms, 10, 1e-9);
	ck_assert_double_eq_tol(st.backend[0].busy, 0.5, 1e-9);
	ck_assert_uint_eq(st.n_sessions, 1);
	ck_assert_double_eq_tol(st.session[0].rate, 400, 1e-6);
	ck_assert_uint_eq(st.session[0].now.late, 1);
	ck_assert_int_eq(st.session[0].batches[0].batch, 2);
	nx_stats_release(&st);
	read_line(t, 20, false, &st);
	ck_assert_uint_eq(st.session[0].now.received, 0);
	ck_assert_uint_eq(st.session[0].total.received, 4);
	ck_assert_double_eq(st.backend[0].busy, 0);
	nx_stats_release(&st);
	nx_tally_free(&t);
}
END_TEST

static void has(const struct nx_buf *text, const char *line)
{
	ck_assert_msg(strstr(text->data, line) != NULL, "no '%s' in:\n%s", line, text->data);
}

START_TEST(tally_as_metrics)
{
	struct nx_tally *t = nx_tally_new("serve", "gpu-0", 0);
	struct nx_buf text = NX_BUF_INIT;

	count(t);
	nx_tally_metrics(t, 7, &text);
	has(&text, "\nnexus_requests_total{session=\"a \\\"b\\\"\",outcome=\"late\"} 1\n");
	has(&text, ",reason=\"admission\"} 1\n");
	has(&text, ",le=\"0.01\"} 1\n");
	has(&text, ",le=\"0.1\"} 2\n");
	has(&text, "nexus_request_duration_seconds_count{session=\"a \\\"b\\\"\"} 2\n");
	has(&text, "nexus_batch_size_sum{session=\"a \\\"b\\\"\"} 2\n");
	has(&text, "\nnexus_plan_epoch 7\n");
	has(&text, "\nnexus_device_busy_seconds_total 0.005\n");
	nx_buf_release(&text);
	nx_tally_free(&t);
}
END_TEST

UNIT_MAIN("serve", batch_fits_twice_into_the_slo, simulated_costs_come_from_the_plan,
	tally_as_a_line, tally_as_metrics)
