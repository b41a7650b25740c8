/* SPDX-License-Identifier: Apache-2.0 */
/* Curves, and the exact test of what fits a device against trying all cycles. */
#include "core/rng.h"

#include "items.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(sparse_profile_pads_up)
{
	const struct nx_latency_point p[] = { { .batch = 4, .mean_ms = 50 },
		{ .batch = 8, .mean_ms = 75 }, { .batch = 16, .mean_ms = 100 } };
	struct nx_curve c = curve_of(p, 3, false);

	ck_assert_int_eq(c.max, 16);
	ck_assert_double_eq(nx_curve_ms(&c, 1), 50);
	ck_assert_double_eq(nx_curve_ms(&c, 5), 75);
	ck_assert_int_eq(c.row[4].run, 8);
	ck_assert_int_eq(nx_curve_max_batch(&c, 200), 16);
	ck_assert_int_eq(nx_curve_max_batch(&c, 199.9), 8);
	ck_assert_int_eq(nx_curve_max_batch(&c, 99), 0);
	ck_assert_double_eq(nx_curve_max_rate(&c, 16), 160);
	nx_curve_release(&c);
}
END_TEST

/* Where a larger batch is quicker, it runs instead. */
START_TEST(falling_profile_takes_the_quicker_batch)
{
	const struct nx_latency_point p[] = { { .batch = 1, .mean_ms = 9 },
		{ .batch = 2, .mean_ms = 5 }, { .batch = 4, .mean_ms = 6 } };
	struct nx_curve c = curve_of(p, 3, true);

	ck_assert_double_eq(nx_curve_ms(&c, 1), 5);
	ck_assert_int_eq(c.row[0].run, 2);
	ck_assert_double_eq(nx_curve_ms(&c, 3), 5.5);
	nx_curve_release(&c);
}
END_TEST

START_TEST(whole_profile_above_the_table)
{
	const struct nx_latency_point p[] = { { .batch = 1000000000, .mean_ms = 7 } };
	struct nx_curve c = curve_of(p, 1, false);

	ck_assert_int_eq(c.max, NX_CURVE_MAX_BATCH);
	ck_assert_double_eq(nx_curve_ms(&c, c.max), 7);
	ck_assert_int_eq(c.row[0].run, 1000000000);
	nx_curve_release(&c);
}
END_TEST

START_TEST(p5_low_rate)
{
	struct nx_curve c = affine_curve(10, 20, 8);
	struct nx_item it = item_of(&c, 100, 2);
	const struct nx_item *three[] = { &it, &it, &it };
	int64_t batch[3];
	struct nx_cycle cycle = { .batch = batch };

	ck_assert_double_eq_tol(it.floor, 30.0 / 70, 1e-12);
	ck_assert(nx_node_cycle(three, 1, 0, &cycle));
	ck_assert_double_eq(cycle.duty_ms, 70);
	ck_assert_int_eq(batch[0], 1);
	ck_assert(nx_node_fits(three, 2, 0));
	ck_assert(!nx_node_fits(three, 3, 0));
	nx_curve_release(&c);
}
END_TEST

/* 75 + 50 fill 125 ms exactly, as do rates whose products are not exact in binary. */
START_TEST(equality_does_not_flip)
{
	for (int k = 1; k <= 300; k++) {
		double scale = 1 / (3.0 + k * 0.7);
		const struct nx_latency_point pa[] = { { .batch = 8, .mean_ms = 75 * scale } };
		const struct nx_latency_point pb[] = { { .batch = 4, .mean_ms = 50 * scale } };
		struct nx_curve a = curve_of(pa, 1, false), b = curve_of(pb, 1, false);
		struct nx_item ia = item_of(&a, 200 * scale, 64 / scale);
		struct nx_item ib = item_of(&b, 250 * scale, 32 / scale);
		const struct nx_item *both[] = { &ia, &ib };

		ck_assert(nx_node_fits(both, 2, 0));
		ib.rate *= 1 + 1e-6;
		ck_assert(!nx_node_fits(both, 2, 0));
		nx_curve_release(&a);
		nx_curve_release(&b);
	}
}
END_TEST

/* Memory counts weights once for items of one model, and a row's bytes for each row. */
START_TEST(memory_is_a_limit)
{
	struct nx_curve c = affine_curve(1, 5, 64);
	struct nx_item a = item_of(&c, 100, 50), b = item_of(&c, 200, 50);
	const struct nx_item *both[] = { &a, &b };
	int64_t batch[2];
	struct nx_cycle cycle = { .batch = batch };

	a.weights_bytes = b.weights_bytes = 1000;
	a.row_bytes = b.row_bytes = 10;
	ck_assert(nx_node_cycle(both, 2, 0, &cycle));
	ck_assert_double_eq(cycle.memory_bytes, 1000 + 10 * (double)(batch[0] + batch[1]));
	ck_assert(nx_node_fits(both, 2, 1020));
	ck_assert(!nx_node_fits(both, 2, 1019));
	ck_assert(nx_node_cycle(both, 2, 1020, &cycle));
	ck_assert_double_le(cycle.memory_bytes, 1020);
	b.weights_id = 1;
	ck_assert(!nx_node_fits(both, 2, 1020));
	nx_curve_release(&c);
}
END_TEST

/* Whether some cycle works, and the least occupancy, by trying every breakpoint and deadline. */
static bool try_all(const struct nx_item *it, size_t n, double *least)
{
	bool fits = false;

	*least = INFINITY;
	for (size_t s = 0; s < n; s++) {
		for (int64_t k = 1; k <= 2 * it[s].max_batch; k++) {
			int64_t b = (k + 1) / 2;
			double d = k % 2 ? 1000 * (double)b / it[s].rate
					 : it[s].slo_ms - nx_curve_ms(it[s].curve, b);
			double busy = 0;
			bool ok = true;

			for (size_t i = 0; i < n && ok; i++) {
				int64_t need = (int64_t)ceil(it[i].rate * d / 1000 - 1e-9);

				need = need < 1 ? 1 : need;
				ok = need <= it[i].max_batch &&
				     d + nx_curve_ms(it[i].curve, need) <= it[i].slo_ms + 1e-9;
				if (ok)
					busy += nx_curve_ms(it[i].curve, need);
			}
			if (ok && busy <= d * (1 + 1e-9)) {
				fits = true;
				*least = fmin(*least, busy / d);
			}
		}
	}
	return fits;
}

START_TEST(fits_equals_trying_all_cycles)
{
	struct nx_curve c[] = { affine_curve(1, 5, 64), affine_curve(3, 9, 64),
		affine_curve(5, 18, 64), affine_curve(4, 3, 64), affine_curve(0.1, 1, 64) };
	struct nx_rng rng;
	size_t n_fit = 0;

	nx_rng_init(&rng, 1);
	for (int round = 0; round < 3000; round++) {
		struct nx_item it[4];
		const struct nx_item *at[4];
		size_t n = 1 + (size_t)nx_rng_below(&rng, 4);
		double floors = 0, least;

		for (size_t i = 0; i < n; i++) {
			it[i] = item_of(&c[nx_rng_below(&rng, 5)],
				50 + (double)nx_rng_below(&rng, 150),
				1 + (double)nx_rng_below(&rng, 120));
			at[i] = &it[i];
			floors += it[i].floor;
		}
		int64_t batch[4];
		struct nx_cycle cycle = { .batch = batch };
		bool fits = try_all(it, n, &least);

		ck_assert_int_eq(nx_node_fits(at, n, 0), fits);
		ck_assert_int_eq(nx_node_cycle(at, n, 0, &cycle), fits);
		n_fit += fits;
		if (!fits)
			continue;
		ck_assert_double_eq_tol(cycle.busy_ms / cycle.duty_ms, least, 1e-8);
		ck_assert_double_le(floors, least + 1e-8);
	}
	ck_assert_uint_gt(n_fit, 300);
	ck_assert_uint_lt(n_fit, 2800);
	for (size_t i = 0; i < 5; i++)
		nx_curve_release(&c[i]);
}
END_TEST

/* Millions of cycles could be looked at here: the walk must end, in one that works. */
START_TEST(thousands_of_quick_sessions_end)
{
	enum { N = 3000 };
	struct nx_curve c = affine_curve(1e-4, 1e-5, 4096);
	struct nx_item *it = calloc(N, sizeof *it);
	const struct nx_item **at = calloc(N, sizeof *at);
	struct nx_cycle cycle = { .batch = calloc(N, sizeof *cycle.batch) };
	double busy = 0;

	ck_assert(it && at && cycle.batch);
	for (size_t i = 0; i < N; i++) {
		it[i] = item_of(&c, 1e6, 100 + 0.37 * (double)i);
		it[i].weights_bytes = 1;
		it[i].weights_id = i % 7;
		at[i] = &it[i];
	}
	ck_assert(nx_node_cycle(at, N, 8, &cycle));
	ck_assert_double_eq(cycle.memory_bytes, 7);
	for (size_t i = 0; i < N; i++) {
		ck_assert_double_le(it[i].rate * cycle.duty_ms / 1000,
			(double)cycle.batch[i] * (1 + NX_SCHED_EPS));
		busy += nx_curve_ms(&c, cycle.batch[i]);
	}
	ck_assert_double_le(busy, cycle.duty_ms);
	free(cycle.batch);
	free(at);
	free(it);
	nx_curve_release(&c);
}
END_TEST

UNIT_MAIN("sched/node", sparse_profile_pads_up, falling_profile_takes_the_quicker_batch,
	whole_profile_above_the_table, p5_low_rate, equality_does_not_flip, memory_is_a_limit,
	fits_equals_trying_all_cycles, thousands_of_quick_sessions_end)
