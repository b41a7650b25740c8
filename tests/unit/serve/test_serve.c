/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the server that need no network: batches without a plan, costs. */
#include "core/clock.h"
#include "serve/lineup.h"

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

UNIT_MAIN("serve", batch_fits_twice_into_the_slo, simulated_costs_come_from_the_plan)
