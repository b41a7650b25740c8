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

START_TEST(tally_counts_intervals_and_totals)
{
	struct nx_tally *t = nx_tally_new("route", "r0", 0);
	struct nx_session_stats *s = nx_tally_session(t, "a");
	struct nx_stats line;

	ck_assert_ptr_eq(s, nx_tally_session(t, "a"));
	nx_session_stats_count(s, NX_IN_SLO, NX_REASON_NONE, 5000000);
	nx_session_stats_count(s, NX_DROPPED, NX_REASON_DEADLINE, 0);
	nx_session_stats_batch(s, 2);
	nx_tally_line(t, 4, 2 * NX_NS_PER_S, &line);
	ck_assert_uint_eq(line.n_sessions, 1);
	ck_assert_double_eq(line.session[0].rate, 1);
	ck_assert_uint_eq(line.session[0].now.dropped, 1);
	ck_assert_str_eq(line.session[0].reasons[0].reason, "deadline");
	ck_assert_int_eq(line.session[0].batches[0].batch, 2);
	ck_assert_double_eq_tol(line.session[0].latency_ms.p99, 5, 0.1);
	nx_stats_release(&line);

	nx_tally_rotate(t, 2 * NX_NS_PER_S);
	nx_session_stats_receive(s, 1);
	nx_tally_line(t, 4, 3 * NX_NS_PER_S, &line);
	ck_assert_uint_eq(line.session[0].now.received, 1);
	ck_assert_uint_eq(line.session[0].total.received, 3);
	ck_assert(!line.session[0].has_latency);
	nx_stats_release(&line);
	nx_tally_free(&t);
}
END_TEST

START_TEST(tally_metrics_escape_labels)
{
	struct nx_tally *t = nx_tally_new("route", "r0", 0);
	struct nx_buf text = NX_BUF_INIT;

	nx_session_stats_count(nx_tally_session(t, "a\"b"), NX_IN_SLO, NX_REASON_NONE, 1);
	nx_tally_metrics(t, 9, &text);
	ck_assert_ptr_nonnull(strstr(
		text.data, "nexus_requests_total{session=\"a\\\"b\",outcome=\"in_slo\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "nexus_plan_epoch 9\n"));
	nx_buf_release(&text);
	nx_tally_free(&t);
}
END_TEST

UNIT_MAIN("stats", histogram_error_is_bounded, histogram_quantiles_and_merge,
	arrivals_uniform_are_even, arrivals_poisson_have_their_mean_and_variance,
	arrivals_of_rate_0_never_come, tally_counts_intervals_and_totals,
	tally_metrics_escape_labels)
