/* SPDX-License-Identifier: Apache-2.0 */
/* Cases Q1-Q3: published figures, or found by trying all splits. */
#include "sched/split.h"

#include "core/alloc.h"

#include "unit.h"

#include <math.h>

/* Options l(b) = alpha b + beta, b <= 64, each taking 'times' l(b); cost in devices. */
static struct nx_split_stage affine_stage(
	int parent, double alpha, double beta, double rate, double times)
{
	struct nx_split_stage s = { parent, nx_alloc(64, sizeof *s.option), 64 };

	for (int b = 1; b <= 64; b++) {
		double ms = alpha * b + beta;

		s.option[b - 1] = (struct nx_split_option){ times * ms, rate * ms / b / 1000, b };
	}
	return s;
}

static int64_t chosen(const struct nx_split_stage *s, const struct nx_split_result *r, size_t i)
{
	return s[i].option[r->choice[i]].tag;
}

static void free_stages(struct nx_split_stage *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i].option);
}

START_TEST(q1_two_stages_listed_batches)
{
	static const struct {
		double gamma, devices;
		int64_t x_batch, y_batch;
	} want[] = { { 0.1, 3.6666667, 36, 24 }, { 1, 6.5, 25, 40 }, { 10, 25, 16, 60 } };
	static const double ms[] = { 80, 100, 120 };
	static const int64_t x[] = { 16, 25, 36 }, y[] = { 24, 40, 60 };

	for (size_t i = 0; i < NX_ARRAY_LEN(want); i++) {
		struct nx_split_option ox[3], oy[3];
		size_t choice[2];
		struct nx_split_result r = { .choice = choice };

		for (int k = 0; k < 3; k++) {
			ox[k] = (struct nx_split_option){ ms[k], ms[k] / (double)x[k], x[k] };
			oy[k] = (struct nx_split_option){ ms[k],
				want[i].gamma * ms[k] / (double)y[k], y[k] };
		}
		struct nx_split_stage s[] = { { -1, ox, 3 }, { 0, oy, 3 } };
		ck_assert_int_eq(nx_split(s, 2, 200, &r), 0);
		ck_assert_double_eq_tol(r.cost, want[i].devices, 1e-6);
		ck_assert_int_eq(chosen(s, &r, 0), want[i].x_batch);
		ck_assert_int_eq(chosen(s, &r, 1), want[i].y_batch);
		ck_assert_double_eq(r.least_ms, 160);
		ck_assert_int_eq(nx_split(s, 2, 159, &r), -NX_ENO);
	}
}
END_TEST

START_TEST(q2_gamma_moves_the_split)
{
	static const struct {
		double times, gamma, devices;
		int64_t x, y;
	} want[] = { { 1, 0.1, 0.9467, 10, 3 }, { 1, 1, 1.0763, 8, 19 }, { 1, 10, 2.1429, 6, 35 },
		{ 2, 0.1, 1.1600, 4, 1 }, { 2, 1, 1.3556, 3, 9 }, { 2, 10, 2.6941, 2, 17 } };

	for (size_t i = 0; i < NX_ARRAY_LEN(want); i++) {
		struct nx_split_stage s[] = { affine_stage(-1, 8, 12, 100, want[i].times),
			affine_stage(0, 1, 5, 100 * want[i].gamma, want[i].times) };
		size_t choice[2];
		struct nx_split_result r = { .choice = choice };

		ck_assert_int_eq(nx_split(s, 2, 100, &r), 0);
		ck_assert_double_eq_tol(r.cost, want[i].devices, 6e-5);
		ck_assert_int_eq(chosen(s, &r, 0), want[i].x);
		ck_assert_int_eq(chosen(s, &r, 1), want[i].y);
		ck_assert(r.exact);
		free_stages(s, 2);
	}
}
END_TEST

START_TEST(q3_fork)
{
	struct nx_split_stage s[] = { affine_stage(-1, 6, 10, 200, 1),
		affine_stage(0, 1.5, 6, 50, 1), affine_stage(0, 2.5, 8, 100, 1) };
	size_t choice[3];
	struct nx_split_result r = { .choice = choice };

	ck_assert_int_eq(nx_split(s, 3, 400, &r), 0);
	ck_assert_double_eq_tol(r.cost, 1.592163, 1e-6);
	ck_assert_int_eq(chosen(s, &r, 0), 44);
	ck_assert_int_eq(chosen(s, &r, 1), 64);
	ck_assert_int_eq(chosen(s, &r, 2), 47);
	free_stages(s, 3);
}
END_TEST

/* A tree of four stages, each with few options, against all combinations. */
START_TEST(equals_brute_force)
{
	static const int parent[] = { -1, 0, 1, 0 };

	for (unsigned seed = 1; seed <= 200; seed++) {
		struct nx_split_option o[4][4];
		struct nx_split_stage s[4];
		double best = INFINITY;
		unsigned x = seed * 2654435761u;

		for (int i = 0; i < 4; i++) {
			for (int k = 0; k < 4; k++) {
				x = x * 1664525 + 1013904223;
				o[i][k].time_ms = 1 + (x >> 24);
				x = x * 1664525 + 1013904223;
				o[i][k].cost = 1 + (x >> 24);
			}
			s[i] = (struct nx_split_stage){ parent[i], o[i], 4 };
		}
		for (int c = 0; c < 256; c++) {
			const struct nx_split_option *p = &o[0][c & 3], *q = &o[1][c >> 2 & 3];
			const struct nx_split_option *u = &o[2][c >> 4 & 3], *v = &o[3][c >> 6];

			if (p->time_ms + q->time_ms + u->time_ms <= 300 &&
				p->time_ms + v->time_ms <= 300)
				best = fmin(best, p->cost + q->cost + u->cost + v->cost);
		}
		size_t choice[4];
		struct nx_split_result r = { .choice = choice };
		int rc = nx_split(s, 4, 300, &r);

		ck_assert_int_eq(rc, best < INFINITY ? 0 : -NX_ENO);
		if (rc == 0)
			ck_assert_double_eq_tol(r.cost, best, 1e-9);
	}
}
END_TEST

START_TEST(stretch_fills_every_path)
{
	const int parent[] = { -1, 0, 0, 2 };
	const double time[] = { 10, 20, 5, 5 };
	double b[4];

	nx_split_stretch(parent, time, 4, 90, b);
	for (int i = 0; i < 4; i++)
		ck_assert_double_ge(b[i], time[i]);
	ck_assert_double_eq_tol(b[0], 30, 1e-5);
	ck_assert_double_eq_tol(b[0] + b[1], 90, 1e-5);
	ck_assert_double_eq_tol(b[0] + b[2] + b[3], 90, 1e-5);
	ck_assert_double_le(b[0] + b[1], 90);
	ck_assert_double_le(b[0] + b[2] + b[3], 90);
}
END_TEST

UNIT_MAIN("sched/split", q1_two_stages_listed_batches, q2_gamma_moves_the_split, q3_fork,
	equals_brute_force, stretch_fills_every_path)
