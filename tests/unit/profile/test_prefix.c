/* SPDX-License-Identifier: Apache-2.0 */
/* Which cut points are measured, which trunks are shared, and what the simulator makes of them. */
#include "../engine/engine_dir.h"
#include "../engine/graphs.h"
#include "profile/prefix.h"
#include "unit.h"

#include <stdio.h>

#define CUTS 20

/* Cuts "PREFIX0" … of that much work each; 'shared' of them are of everybody. */
static struct nx_cuts ladder(const char *prefix, size_t shared, double step, struct nx_cut *cut)
{
	for (size_t i = 0; i < CUTS; i++) {
		cut[i] = (struct nx_cut){ .value = (int)i,
			.node = (char *)"n",
			.weights_bytes = 100 * (i + 1),
			.work = step * (double)(i + 1) };
		snprintf(cut[i].digest, sizeof cut[i].digest, "%s%zu", i < shared ? "" : prefix, i);
	}
	return (struct nx_cuts){ CUTS, step * (CUTS + 0.5), cut };
}

START_TEST(chosen_cuts_are_spread_and_end_deepest)
{
	struct nx_cut cut[CUTS];
	struct nx_cuts cuts = ladder("a", 0, 1000, cut);
	size_t chosen[CUTS];

	for (size_t max = 0; max <= CUTS; max++) {
		size_t n = nx_prefix_choose(&cuts, NULL, 0, max, chosen);
		ck_assert_uint_le(n, max);
		ck_assert(max == 0 || chosen[n - 1] == CUTS - 1);
		for (size_t i = 1; i < n; i++)
			ck_assert_uint_lt(chosen[i - 1], chosen[i]);
		for (size_t i = 0; i < n; i++)
			ck_assert_double_ge(cut[chosen[i]].work, 0.05 * cuts.work);
	}
	/* At most one in a quarter more of work, but for the deepest. */
	size_t n = nx_prefix_choose(&cuts, NULL, 0, CUTS, chosen);
	ck_assert_uint_lt(n, CUTS);
	for (size_t i = 2; i + 1 < n; i++)
		ck_assert_double_gt(cut[chosen[i]].work, 1.25 * cut[chosen[i - 2]].work);
}
END_TEST

START_TEST(known_cuts_come_first_and_an_empty_suffix_only_then)
{
	struct nx_cut cut[CUTS];
	struct nx_cuts cuts = ladder("a", 0, 1000, cut);
	const char *const known[] = { "a7", "a19", "b3" };
	size_t chosen[CUTS];

	cuts.work = cut[CUTS - 1].work;
	ck_assert_uint_eq(nx_prefix_choose(&cuts, NULL, 0, 1, chosen), 1);
	ck_assert_uint_eq(chosen[0], CUTS - 2);
	ck_assert_uint_eq(nx_prefix_choose(&cuts, known, 3, 3, chosen), 3);
	ck_assert_uint_eq(chosen[0], 7);
	ck_assert_uint_eq(chosen[1], CUTS - 2);
	ck_assert_uint_eq(chosen[2], CUTS - 1);
}
END_TEST

/* Two models of one trunk that go on differently list the same cuts of it. */
START_TEST(models_of_one_trunk_agree)
{
	struct nx_cut a[CUTS], b[CUTS];
	struct nx_cuts first = ladder("a", 12, 1000, a), second = ladder("b", 12, 1000, b);
	size_t in_a[CUTS], in_b[CUTS], both = 0;

	for (size_t i = 12; i < CUTS; i++)
		b[i].work += 7000;
	second.work += 7000;
	size_t n = nx_prefix_choose(&first, NULL, 0, CUTS, in_a);
	size_t m = nx_prefix_choose(&second, NULL, 0, CUTS, in_b);
	for (size_t i = 0; i < n && in_a[i] < 12; i++) {
		size_t k = 0;
		while (k < m && in_b[k] != in_a[i])
			k++;
		bool deep = a[in_a[i]].work >= 0.05 * second.work;
		ck_assert(k < m || !deep);
		both += deep;
	}
	ck_assert_uint_ge(both, 4);
}
END_TEST

START_TEST(the_deepest_trunk_of_each_set_is_found)
{
	struct nx_cut cut[4][CUTS];
	struct nx_cuts cuts[4] = { ladder("a", 5, 1000, cut[0]), ladder("b", 5, 1000, cut[1]),
		ladder("c", 0, 1000, cut[2]), ladder("a", 5, 1000, cut[3]) };
	struct nx_shared_list list;

	/* 0 and 3 share "a" to their ends, 0, 1 and 3 the first five, 2 nothing. */
	nx_shared_find(cuts, 4, &list);
	ck_assert_uint_eq(list.n, 2);
	ck_assert_str_eq(list.item[0].cut.digest, "a19");
	ck_assert_uint_eq(list.item[0].n_models, 2);
	ck_assert_uint_eq(list.item[0].model[1], 3);
	ck_assert_str_eq(list.item[1].cut.digest, "4");
	ck_assert_uint_eq(list.item[1].n_models, 3);
	ck_assert_uint_eq(list.item[1].model[1], 1);
	nx_shared_release(&list);
	nx_shared_find(cuts + 2, 1, &list);
	ck_assert_uint_eq(list.n, 0);
	nx_shared_release(&list);
}
END_TEST

START_TEST(the_simulator_divides_by_work)
{
	static const int batch[] = { 1, 4 };
	const struct nx_measure_opts opts = { .batch = batch, .n_batches = 2, .rel_error = 1 };
	struct nx_latency_point point[2] = { { .batch = 1, .mean_ms = 10 }, { 4, 40, 0, 0, 1 } };
	struct nx_profile p = { .latency = { 2, point, true }, .weights_bytes = 150 };
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	struct nx_cut cut[CUTS];
	struct nx_cuts cuts = ladder("a", 0, 1000, cut);
	const size_t chosen[] = { 1, 9 };
	char *dir = plugin_dir();

	cuts.work = 20000;
	ck_assert_int_eq(nx_engine_open("sim", dir, &e, &err), 0);
	ck_assert_int_eq(nx_prefix_measure(e, NULL, &cuts, chosen, 2, &opts, &p, &err), 0);
	ck_assert_uint_eq(p.n_prefix, 2);
	ck_assert_str_eq(p.prefix[1].digest, "a9");
	ck_assert_double_eq(p.prefix[0].latency.point[0].mean_ms, 1);
	ck_assert_double_eq(p.prefix[1].latency.point[1].mean_ms, 20);
	ck_assert_double_eq(p.prefix[1].suffix.point[1].mean_ms, 20);
	/* No trunk weighs more than its model. */
	ck_assert_uint_eq(p.prefix[1].weights_bytes, 150);
	p.latency.point = NULL;
	nx_profile_release(&p);
	nx_engine_close(&e);
	free(dir);
}
END_TEST

/* x -> conv -> relu -> conv, the last one of random weights. */
static struct nx_model network(const char *name, uint64_t seed)
{
	struct nx_model m = { .name = (char *)name };
	struct nx_graph *g = graph(SHAPE(NX_DIM_OPEN, 3, 12, 12));

	nx_rng_init(&rng, 3);
	int x = NODE(g, "Relu", NODE(g, "Conv", g->in[0], weights(g, SHAPE(8, 3, 3, 3))));
	nx_rng_init(&rng, seed);
	output(g, NODE(g, "Conv", x, weights(g, SHAPE(4, 8, 3, 3))));
	m.graph = g;
	return m;
}

START_TEST(prefixes_are_measured_on_a_device)
{
	static const int batch[] = { 1, 2, 3, 4, 5 };
	struct nx_model m[2] = { network("a", 5), network("b", 6) };
	const struct nx_model *models[] = { &m[0], &m[1] };
	struct nx_measure_opts opts = { batch, 5, .rel_error = 0.5, .time_cap_ms = 50, .seed = 1 };
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	struct nx_shared_list list;
	struct nx_cuts cuts[2];
	struct nx_profile p;
	size_t chosen[4];
	char *dir = plugin_dir();

	ck_assert_int_eq(nx_engine_open("cpu", dir, &e, &err), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(nx_prefix_cuts(m[i].graph, &cuts[i], &err), 0);
	ck_assert_int_eq(nx_profile_measure(e, &m[0], &opts, NULL, NULL, &p, &err), 0);
	size_t n = nx_prefix_choose(&cuts[0], NULL, 0, 4, chosen);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(nx_prefix_measure(e, &m[0], &cuts[0], chosen, n, &opts, &p, &err), 0);
	ck_assert_uint_eq(p.prefix[0].latency.n, 3);
	ck_assert_uint_eq(p.prefix[0].suffix.n, 3);
	ck_assert_int_eq((int)p.prefix[0].latency.point[1].batch, 3);
	ck_assert_int_eq((int)p.prefix[0].suffix.point[2].batch, 5);
	nx_profile_release(&p);

	nx_shared_find(cuts, 2, &list);
	ck_assert_uint_eq(list.n, 1);
	ck_assert_int_eq(nx_shared_measure(e, models, &list.item[0], NULL, 5, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		double f = nx_shared_fraction(&list.item[0], i);
		ck_assert(f > 0 && f < 1);
	}
	nx_shared_release(&list);
	nx_engine_close(&e);
	for (int i = 0; i < 2; i++) {
		nx_cuts_release(&cuts[i]);
		nx_graph_free(&m[i].graph);
	}
	free(dir);
}
END_TEST

UNIT_MAIN("profile/prefix", chosen_cuts_are_spread_and_end_deepest,
	known_cuts_come_first_and_an_empty_suffix_only_then, models_of_one_trunk_agree,
	the_deepest_trunk_of_each_set_is_found, the_simulator_divides_by_work,
	prefixes_are_measured_on_a_device)
