/* SPDX-License-Identifier: Apache-2.0 */
/* What of a load needs no clock: when requests are due, how they are booked, where to search. */
#include "bench/ledger.h"
#include "bench/search.h"
#include "bench/streams.h"
#include "bench/table.h"
#include "core/clock.h"

#include "unit.h"

#include <math.h>
#include <string.h>

#define S(x) ((uint64_t)(x)*NX_NS_PER_S)

/* ---- streams --------------------------------------------------------------------------------- */

START_TEST(uniform_streams_have_exact_counts)
{
	static const double rate[] = { 100, 0, 33, 7, 250 };
	size_t count[5] = { 0 }, counted[5] = { 0 }, id;
	struct nx_streams s;
	uint64_t due, last = 0;

	nx_streams_init(&s, NX_ARRIVE_UNIFORM, rate, 5, 42, S(12));
	while (nx_streams_take(&s, UINT64_MAX - 1, &id, &due)) {
		ck_assert_uint_ge(due, last);
		ck_assert_uint_lt(due, S(12));
		count[id]++;
		counted[id] += due >= S(2);
		last = due;
	}
	ck_assert_uint_eq(nx_streams_next(&s), UINT64_MAX);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(count[i], (size_t)rate[i] * 12);
		ck_assert_uint_eq(counted[i], (size_t)rate[i] * 10);
	}
	nx_streams_release(&s);
}
END_TEST

START_TEST(nothing_is_given_before_it_is_due)
{
	static const double rate[] = { 10, 10 };
	struct nx_streams s;
	uint64_t due;
	size_t id, n = 0;

	nx_streams_init(&s, NX_ARRIVE_POISSON, rate, 2, 1, S(100));
	for (uint64_t now = 0; now < S(101); now += NX_NS_PER_MS * 37) {
		while (nx_streams_take(&s, now, &id, &due)) {
			ck_assert_uint_le(due, now);
			ck_assert_uint_gt(due + NX_NS_PER_MS * 37, now);
			n++;
		}
		ck_assert_uint_gt(nx_streams_next(&s), now);
	}
	/* 2000 expected with a standard deviation of 45. */
	ck_assert_uint_gt(n, 1700);
	ck_assert_uint_lt(n, 2300);
	nx_streams_release(&s);
}
END_TEST

static void record(enum nx_arrival_kind kind, const double *rate, size_t n, uint64_t seed,
	size_t which, uint64_t *due, size_t most)
{
	struct nx_streams s;
	size_t id, k = 0;
	uint64_t at;

	nx_streams_init(&s, kind, rate, n, seed, S(3600));
	while (k < most && nx_streams_take(&s, UINT64_MAX - 1, &id, &at)) {
		if (id == which)
			due[k++] = at;
	}
	ck_assert_uint_eq(k, most);
	nx_streams_release(&s);
}

START_TEST(a_stream_is_its_own)
{
	static const double rate[] = { 20, 20, 20 };
	uint64_t first[50], again[50], other[50];

	record(NX_ARRIVE_POISSON, rate, 1, 9, 0, first, 50);
	record(NX_ARRIVE_POISSON, rate, 3, 9, 0, again, 50);
	ck_assert_mem_eq(first, again, sizeof first);
	record(NX_ARRIVE_POISSON, rate, 3, 9, 1, other, 50);
	ck_assert_mem_ne(first, other, sizeof first);
	record(NX_ARRIVE_POISSON, rate, 1, 10, 0, other, 50);
	ck_assert_mem_ne(first, other, sizeof first);
}
END_TEST

START_TEST(many_streams_stay_in_order)
{
	double rate[1000];
	struct nx_streams s;
	uint64_t due, last = 0;
	size_t id, n = 0;

	for (size_t i = 0; i < 1000; i++)
		rate[i] = (double)(i % 17);
	nx_streams_init(&s, NX_ARRIVE_POISSON, rate, 1000, 5, S(1));
	for (; nx_streams_take(&s, S(1), &id, &due); n++) {
		ck_assert_uint_ge(due, last);
		ck_assert(rate[id] > 0);
		last = due;
	}
	ck_assert_uint_gt(n, 7000);
	nx_streams_release(&s);
}
END_TEST

/* ---- ledger ---------------------------------------------------------------------------------- */

static const char *const names[] = { "a", "b" };
static const struct nx_verdict in_slo = { NX_IN_SLO, NX_REASON_NONE };

START_TEST(warm_up_is_not_counted)
{
	struct nx_ledger l;
	struct nx_bench b = { .max_rate = -1 };

	nx_ledger_init(&l, names, 2, S(1));
	ck_assert(nx_ledger_open(&l, 0, S(1) - 1, 10));
	ck_assert(nx_ledger_open(&l, 0, S(1), 10));
	ck_assert(nx_ledger_open(&l, 1, S(2), 10));
	nx_ledger_fail(&l, 1, 0, NX_REASON_QUEUE_FULL);
	ck_assert_uint_eq(l.open, 3);
	ck_assert_uint_eq(l.open_bytes, 30);
	nx_ledger_close(&l, 0, S(1) - 1, 10, in_slo, 5);
	nx_ledger_close(&l, 0, S(1), 10, in_slo, 5);
	nx_ledger_close(
		&l, 1, S(2), 10, (struct nx_verdict){ NX_REJECTED, NX_REASON_ADMISSION }, 0);
	ck_assert_uint_eq(l.open, 0);
	ck_assert_uint_eq(l.open_bytes, 0);
	nx_ledger_sum(&l, 500, &b);
	ck_assert_uint_eq(b.offered, 2);
	ck_assert_double_eq(b.goodput, 2);
	ck_assert_double_eq(b.in_slo_fraction, 0.5);
	ck_assert_uint_eq(b.n_sessions, 2);
	ck_assert_str_eq(b.session[1].session, "b");
	ck_assert_uint_eq(b.session[1].now.rejected, 1);
	ck_assert_uint_eq(b.session[1].n_reasons, 1);
	ck_assert_str_eq(b.session[1].reasons[0].reason, "admission");
	ck_assert_double_eq(b.session[0].rate, 2);
	nx_bench_release(&b);
	nx_ledger_release(&l);
}
END_TEST

START_TEST(too_much_outstanding_fails)
{
	struct nx_ledger l;
	struct nx_bench b = { .max_rate = -1 };

	nx_ledger_init(&l, names, 1, 0);
	for (int i = 0; i < NX_LEDGER_MAX_OPEN; i++)
		ck_assert(nx_ledger_open(&l, 0, 0, 1));
	ck_assert(!nx_ledger_open(&l, 0, 0, 1));
	nx_ledger_close(&l, 0, 0, 1, in_slo, 1);
	ck_assert(nx_ledger_open(&l, 0, 0, 1));
	for (int i = 0; i < NX_LEDGER_MAX_OPEN; i++)
		nx_ledger_close(&l, 0, 0, 1, in_slo, 1);
	ck_assert(!nx_ledger_open(&l, 0, 0, NX_LEDGER_MAX_BYTES + 1));
	ck_assert(nx_ledger_open(&l, 0, 0, NX_LEDGER_MAX_BYTES));
	ck_assert(!nx_ledger_open(&l, 0, 0, 1));
	nx_ledger_close(&l, 0, 0, NX_LEDGER_MAX_BYTES, in_slo, 1);
	nx_ledger_sum(&l, 1000, &b);
	ck_assert_uint_eq(b.offered, NX_LEDGER_MAX_OPEN + 5);
	ck_assert_uint_eq(b.session[0].now.failed, 3);
	ck_assert_str_eq(b.session[0].reasons[0].reason, "queue_full");
	nx_bench_release(&b);
	nx_ledger_release(&l);
}
END_TEST

START_TEST(nothing_offered_is_no_success)
{
	struct nx_ledger l;
	struct nx_bench b = { .max_rate = -1 };

	nx_ledger_init(&l, names, 2, 0);
	nx_ledger_sum(&l, 0, &b);
	ck_assert_double_eq(b.in_slo_fraction, 0);
	ck_assert_double_eq(b.goodput, 0);
	nx_bench_release(&b);
	nx_ledger_release(&l);
}
END_TEST

/* ---- search ---------------------------------------------------------------------------------- */

/* What the search makes of a server that passes up to 'limit'; the number of probes in *n. */
static double search(double start, double min, double max, double limit, int *n)
{
	struct nx_search s;
	double x;

	nx_search_init(&s, start, min, max);
	for (*n = 0; (x = nx_search_next(&s)) > 0; ++*n) {
		ck_assert_int_lt(*n, 100);
		ck_assert(x >= min && x <= max);
		nx_search_report(&s, x <= limit);
	}
	return s.passed;
}

START_TEST(search_finds_the_limit)
{
	static const double limits[] = { 0.011, 0.5, 0.99, 1, 1.01, 1.9999, 2, 17.3, 900 };
	int n;

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		double found = search(1, 0.01, 1000, limits[i], &n);
		ck_assert(found <= limits[i]);
		ck_assert(found * 1.03 >= limits[i]);
		ck_assert_int_le(n, 2 + 10 + 5);
	}
}
END_TEST

START_TEST(search_ends_at_its_bounds)
{
	int n;

	ck_assert_double_eq(search(1, 0.01, 50, 1e9, &n), 50);
	ck_assert_double_eq(search(1, 0.01, 50, 0, &n), 0);
	ck_assert_double_eq(search(1, 1, 1, 5, &n), 1);
	ck_assert_int_eq(n, 1);
}
END_TEST

/* ---- table ----------------------------------------------------------------------------------- */

START_TEST(table_is_aligned)
{
	struct nx_stats_session session[2] = {
		{ .session = (char *)"a/very/long/name",
			.rate = 10,
			.now = { 4, 2, 1, 0, 1, 0 },
			.has_latency = 1,
			.latency_ms = { 1, 2, 3, 4, 5 } },
		{ .session = (char *)"b" },
	};
	struct nx_bench b = { .session = session,
		.n_sessions = 2,
		.goodput = 5,
		.rate = 20,
		.in_slo_fraction = 0.25,
		.max_rate = 12 };
	struct nx_buf out = NX_BUF_INIT;

	nx_bench_table(&b, &out);
	size_t width = strcspn(out.data, "\n");
	const char *row = out.data + width + 1;
	ck_assert_uint_eq(strcspn(row, "\n"), width);
	ck_assert_ptr_nonnull(strstr(row, " 50.00% "));
	row += width + 1;
	ck_assert_uint_eq(strcspn(row, "\n"), width);
	ck_assert_str_eq(row + width + 1,
		"goodput 5.0/s of 20.0/s offered, 25.00% in SLO\nmaximum rate 12.0/s\n");
	nx_buf_release(&out);
}
END_TEST

UNIT_MAIN("bench/schedule", uniform_streams_have_exact_counts, nothing_is_given_before_it_is_due,
	a_stream_is_its_own, many_streams_stay_in_order, warm_up_is_not_counted,
	too_much_outstanding_fails, nothing_offered_is_no_success, search_finds_the_limit,
	search_ends_at_its_bounds, table_is_aligned)
