/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "stats/arrivals.h"
#include "stats/histogram.h"
#include "stats/tally.h"

#include "unit.h"

#include <math.h>
#include <string.h>

/* Any value is reported at most 1/64 too large and never too small. */
START_TEST(histogram_error_is_bounded)
{
	struct nx_rng rng;

	nx_rng_init(&rng, 7);
	for (int i = 0; i < 20000; i++) {
		static struct nx_histogram h;
		uint64_t v = nx_rng_u64(&rng) >> (17 + nx_rng_below(&rng, 47));
		nx_histogram_clear(&h);
		nx_histogram_add(&h, v);
		nx_histogram_add(&h, UINT64_C(1) << 47); /* so that max does not hide the bucket */
		uint64_t q = nx_histogram_quantile(&h, 0.5);
		ck_assert_uint_ge(q, v);
		ck_assert_uint_le(q - v, v / 64);
	}
}
END_TEST

START_TEST(histogram_quantiles_and_merge)
{
	static struct nx_histogram a, b;

	for (uint64_t i = 1; i <= 1000; i++)
		nx_histogram_add(i % 2 ? &a : &b, i * 1000);
	nx_histogram_merge(&a, &b);
	ck_assert_uint_eq(a.count, 1000);
	ck_assert_double_eq_tol((double)nx_histogram_quantile(&a, 0.99), 990e3, 990e3 / 64);
	ck_assert_uint_eq(nx_histogram_quantile(&a, 1), 1000000);
	ck_assert_uint_eq(nx_histogram_quantile(&a, 0), nx_histogram_quantile(&a, 0.001));
	ck_assert_uint_eq(nx_histogram_count_to(&a, 1000000), 1000);
	ck_assert_uint_eq(nx_histogram_count_to(&a, 10), 0);
}
END_TEST

START_TEST(arrivals_uniform_are_even)
{
	struct nx_arrivals a;

	nx_arrivals_init(&a, NX_ARRIVE_UNIFORM, 250, 3);
	uint64_t last = nx_arrivals_next(&a);
	ck_assert_uint_lt(last, 4000000);
	for (int i = 0; i < 1000; i++) {
		uint64_t t = nx_arrivals_next(&a);
		ck_assert_uint_ge(t - last, 3999999);
		ck_assert_uint_le(t - last, 4000001);
		last = t;
	}
}
END_TEST

START_TEST(arrivals_poisson_have_their_mean_and_variance)
{
	struct nx_arrivals a;
	double sum = 0, squares = 0;
	uint64_t last = 0;
	const int n = 200000;

	nx_arrivals_init(&a, NX_ARRIVE_POISSON, 1000, 4);
	for (int i = 0; i < n; i++) {
		uint64_t t = nx_arrivals_next(&a);
		double gap = (double)(t - last);
		sum += gap;
		squares += gap * gap;
		last = t;
	}
	double mean = sum / n;
	ck_assert_double_eq_tol(mean, 1e6, 1e4);
	ck_assert_double_eq_tol(sqrt(squares / n - mean * mean), 1e6, 2e4);
}
END_TEST

START_TEST(arrivals_of_rate_0_never_come)
{
	struct nx_arrivals a;

	nx_arrivals_init(&a, NX_ARRIVE_UNIFORM, 0, 1);
	ck_assert_uint_eq(nx_arrivals_next(&a), UINT64_MAX);
	nx_arrivals_init(&a, NX_ARRIVE_POISSON, 0, 1);
	ck_assert_uint_eq(nx_arrivals_next(&a), UINT64_MAX);
}
END_TEST

static void count(struct nx_tally *t)
{
	struct nx_tally_session *s = nx_tally_session(t, "a \"b\"");

	ck_assert_ptr_eq(s, nx_tally_session(t, "a \"b\""));
	nx_tally_received(s, 4);
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

	nx_tally_line(t, 7, now_ms * NX_NS_PER_MS, rotate, st);
	nx_stats_print(st, &line);
	nx_stats_release(st);
	ck_assert_msg(!nx_jdoc_parse(line.data, line.len, "line", &doc, &err), "%s", err.msg);
	memset(st, 0, sizeof *st);
	ck_assert_msg(!nx_stats_parse(doc, st, &err), "%s", err.msg);
	nx_jdoc_free(&doc);
	nx_buf_release(&line);
}

START_TEST(tally_as_a_line)
{
	struct nx_tally *t = nx_tally_new("serve", "gpu-0", "gpu-0", 0);
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
	struct nx_tally *t = nx_tally_new("serve", "gpu-0", "gpu-0", 0);
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

UNIT_MAIN("stats", histogram_error_is_bounded, histogram_quantiles_and_merge,
	arrivals_uniform_are_even, arrivals_poisson_have_their_mean_and_variance,
	arrivals_of_rate_0_never_come, tally_as_a_line, tally_as_metrics)
