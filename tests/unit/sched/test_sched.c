/* SPDX-License-Identifier: Apache-2.0 */
/* Whole plans: cases P1-P8, re-planning, limits, lower bounds. */
#include "helper.h"

#define POINT(b, ms) "{\"batch\":" #b ",\"mean_ms\":" #ms "}"
#define PAPER(m, p, q, r)                                                                 \
	"{\"format\":\"nexus-profile/1\",\"model\":\"" m "\",\"device\":\"NVIDIA H200\"," \
	"\"interpolate\":false,\"latency\":[" POINT(4, p) "," POINT(8, q) "," POINT(16, r) "]}\n"

/* P1: the profiles of the paper's table. */
static const char paper_profiles[] =
	PAPER("A", 50, 75, 100) PAPER("B", 50, 90, 125) PAPER("C", 60, 95, 125);

static void plan_abc(double a, double b, double c, const char *devices, struct nx_plan *previous,
	struct nx_plan *plan)
{
	char *w = nx_asprintf("{\"format\":\"nexus-workload/1\",%s\"sessions\":["
			      "{\"session\":\"a\",\"model\":\"A\",\"slo_ms\":200,\"rate\":%.17g},"
			      "{\"session\":\"b\",\"model\":\"B\",\"slo_ms\":250,\"rate\":%.17g},"
			      "{\"session\":\"c\",\"model\":\"C\",\"slo_ms\":250,\"rate\":%.17g}]}",
		devices, a, b, c);

	make_plan(paper_profiles, w, previous, plan);
	free(w);
}

START_TEST(p1_whole_devices)
{
	static const double rate[] = { 160, 128, 128 };
	struct nx_plan p;

	plan_abc(160, 128, 128, "", NULL, &p);
	ck_assert_uint_eq(p.n_backends, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(p.backend[i].n_sessions, 1);
		ck_assert_int_eq(p.backend[i].session[0].batch, 16);
		ck_assert_double_eq(p.backend[i].session[0].rate, rate[i]);
		ck_assert_double_eq(p.backend[i].occupancy, 1);
	}
	ck_assert_double_eq(p.gap, 0);
	nx_plan_release(&p);
}
END_TEST

START_TEST(p2_two_share)
{
	struct nx_plan p;

	plan_abc(64, 32, 32, "", NULL, &p);
	ck_assert_uint_eq(p.n_backends, 2);
	ck_assert_double_eq(p.backend[0].duty_cycle_ms, 125);
	ck_assert_double_eq(p.backend[0].occupancy, 1);
	ck_assert_int_eq(hosted(&p, 0, "a")->batch, 8);
	ck_assert_int_eq(hosted(&p, 0, "b")->batch, 4);
	ck_assert_int_eq(hosted(&p, 1, "c")->batch, 4);
	ck_assert_double_eq_tol(p.backend[1].occupancy, 0.48, 1e-12);
	ck_assert_double_eq_tol(p.lower_bound, 1.48, 1e-9);
	ck_assert_str_eq(p.backend[0].backend, "h200-0");
	nx_plan_release(&p);
}
END_TEST

START_TEST(p3_infeasible_residue)
{
	struct nx_plan p;

	plan_abc(1000, 1000, 1000, "", NULL, &p);
	ck_assert_uint_eq(p.n_backends, 23);
	ck_assert_double_eq_tol(p.lower_bound, 22.5, 1e-9);
	for (size_t i = 0; i < p.n_backends; i++)
		ck_assert_double_le(p.backend[i].occupancy, 1 + 1e-9);
	nx_plan_release(&p);
}
END_TEST

START_TEST(p4_whole_and_shared)
{
	struct nx_plan p;

	plan_abc(224, 160, 160, "", NULL, &p);
	ck_assert_uint_eq(p.n_backends, 5);
	ck_assert_double_eq_tol(p.lower_bound, 4.48, 1e-9);
	nx_plan_release(&p);
}
END_TEST

static void p5_workload(char **profiles, struct nx_buf *workload)
{
	*profiles = nx_asprintf("%s", "");
	nx_buf_adds(workload, "{\"format\":\"nexus-workload/1\",\"sessions\":[");
	for (int i = 0; i < 5; i++) {
		char model[] = { (char)('a' + i), '\0' };
		char *one = affine(model, 10, 20, 8);
		char *all = nx_asprintf("%s%s", *profiles, one);

		nx_buf_addf(workload,
			"%s{\"session\":\"%s\",\"model\":\"%s\",\"slo_ms\":100,\"rate\":2}",
			i ? "," : "", model, model);
		free(one);
		free(*profiles);
		*profiles = all;
	}
	nx_buf_adds(workload, "]}");
}

START_TEST(p5_low_rates)
{
	struct nx_buf w = NX_BUF_INIT;
	struct nx_plan p;
	char *profiles;

	p5_workload(&profiles, &w);
	make_plan(profiles, w.data, NULL, &p);
	ck_assert_uint_eq(p.n_backends, 3);
	ck_assert_double_eq_tol(p.lower_bound, 15.0 / 7, 1e-6);
	ck_assert_int_eq(p.backend[2].session[0].batch, 1);
	ck_assert_double_eq(p.backend[2].duty_cycle_ms, 70);
	nx_plan_release(&p);
	free(profiles);
	nx_buf_release(&w);
}
END_TEST

START_TEST(p6_better_than_greedy)
{
	char *ssd = affine("ssd", 5, 18, 64), *vgg = affine("vgg", 4, 3, 64);
	char *profiles = nx_asprintf("%s%s", ssd, vgg);
	struct nx_plan p;

	make_plan(profiles,
		"{\"format\":\"nexus-workload/1\",\"sessions\":["
		"{\"session\":\"s\",\"model\":\"ssd\",\"slo_ms\":75,\"rate\":40},"
		"{\"session\":\"v132\",\"model\":\"vgg\",\"slo_ms\":150,\"rate\":132},"
		"{\"session\":\"v27\",\"model\":\"vgg\",\"slo_ms\":50,\"rate\":27},"
		"{\"session\":\"v45\",\"model\":\"vgg\",\"slo_ms\":200,\"rate\":45}]}",
		NULL, &p);
	ck_assert_uint_eq(p.n_backends, 2);
	ck_assert_double_eq_tol(p.lower_bound, 1.545, 1e-3);
	nx_plan_release(&p);
	free(profiles);
	free(ssd);
	free(vgg);
}
END_TEST

START_TEST(p8_three_partition)
{
	static const int a[] = { 6, 6, 8, 6, 7, 7, 6, 6, 8 };
	struct nx_buf profiles = NX_BUF_INIT, w = NX_BUF_INIT;
	struct nx_plan p;

	nx_buf_adds(&w, "{\"format\":\"nexus-workload/1\",\"sessions\":[");
	for (int i = 0; i < 9; i++) {
		nx_buf_addf(&profiles,
			"{\"format\":\"nexus-profile/1\",\"model\":\"m%d\",\"device\":\"d\","
			"\"latency\":[{\"batch\":1,\"mean_ms\":%d}]}",
			i, 40 + a[i]);
		nx_buf_addf(&w,
			"%s{\"session\":\"s%d\",\"model\":\"m%d\",\"slo_ms\":%d,\"rate\":7}",
			i ? "," : "", i, i, 180 + a[i]);
	}
	nx_buf_adds(&w, "]}");
	make_plan(profiles.data, w.data, NULL, &p);
	ck_assert_uint_eq(p.n_backends, 3);
	nx_plan_release(&p);
	nx_buf_release(&profiles);
	nx_buf_release(&w);
}
END_TEST

/* A thousand sessions of which two share a device but not three: the floors add up to 428.6. */
START_TEST(conflicts_prove_what_floors_do_not)
{
	struct nx_buf profiles = NX_BUF_INIT, w = NX_BUF_INIT;
	struct nx_plan p;

	nx_buf_adds(&w, "{\"format\":\"nexus-workload/1\",\"sessions\":[");
	for (int i = 0; i < 1000; i++) {
		nx_buf_addf(&profiles,
			"{\"format\":\"nexus-profile/1\",\"model\":\"m%d\",\"device\":\"d\","
			"\"latency\":[{\"batch\":1,\"mean_ms\":30},{\"batch\":8,\"mean_ms\":100}]}",
			i);
		nx_buf_addf(&w,
			"%s{\"session\":\"s%d\",\"model\":\"m%d\",\"slo_ms\":100,\"rate\":2}",
			i ? "," : "", i, i);
	}
	nx_buf_adds(&w, "]}");
	make_plan(profiles.data, w.data, NULL, &p);
	ck_assert_uint_eq(p.n_backends, 500);
	ck_assert_str_eq(p.bound, "conflicts");
	ck_assert_double_eq(p.lower_bound, 500);
	ck_assert_double_eq(p.gap, 0);
	ck_assert_double_eq_tol(p.bounds.occupancy, 3000.0 / 7, 1e-5);
	nx_plan_release(&p);
	nx_buf_release(&profiles);
	nx_buf_release(&w);
}
END_TEST

/* n times a device's throughput needs n devices, also where the throughput is no round figure. */
START_TEST(exact_multiples)
{
	char *profile = affine("m", 1.7, 3.1, 13);

	for (int n = 1; n <= 9; n++) {
		char *w = nx_asprintf("{\"format\":\"nexus-workload/1\",\"sessions\":[{"
				      "\"session\":\"s\",\"model\":\"m\",\"slo_ms\":60,"
				      "\"rate\":%.17g}]}",
			n * 1000 * 13 / (1.7 * 13 + 3.1));
		struct nx_plan p;

		make_plan(profile, w, NULL, &p);
		ck_assert_uint_eq(p.n_backends, n);
		ck_assert_double_eq(p.gap, 0);
		nx_plan_release(&p);
		free(w);
	}
	free(profile);
}
END_TEST

START_TEST(rate_zero_needs_no_device)
{
	struct nx_plan p;

	plan_abc(0, 32, 0, "", NULL, &p);
	ck_assert_uint_eq(p.n_backends, 1);
	ck_assert_uint_eq(p.n_routes, 3);
	ck_assert_uint_eq(p.route[0].n_to, 0);
	ck_assert_uint_eq(p.n_unserved, 0);
	nx_plan_release(&p);
}
END_TEST

START_TEST(device_count_is_a_limit)
{
	struct nx_plan p;

	plan_abc(
		224, 160, 160, "\"devices\":[{\"device\":\"NVIDIA H200\",\"count\":4}],", NULL, &p);
	ck_assert_uint_eq(p.n_backends, 4);
	ck_assert_uint_eq(p.n_unserved, 1);
	ck_assert_double_eq(p.unserved[0].rate, 32);
	ck_assert_str_eq(p.unserved[0].reason, "all 4 devices of type 'NVIDIA H200' are in use");
	nx_plan_release(&p);
	plan_abc(1e12, 1e12, 1, "", NULL, &p);
	ck_assert_uint_le(p.n_backends, 100000);
	ck_assert_uint_ge(p.n_unserved, 2);
	nx_plan_release(&p);
}
END_TEST

START_TEST(replan_moves_nothing_and_then_little)
{
	struct nx_plan first, same, more, shuffled;

	plan_abc(224, 160, 160, "", NULL, &first);
	plan_abc(224, 160, 160, "", &first, &same);
	ck_assert_int_eq(same.moved, 0);
	ck_assert_int_eq(same.epoch, first.epoch + 1);
	plan_abc(230, 161, 163, "", &first, &more);
	ck_assert_int_le(more.moved, 1);
	ck_assert_uint_le(more.n_backends, 6);
	/* names follow the sessions, wherever the backend stands in the list */
	struct nx_plan_backend swap = first.backend[0];
	first.backend[0] = first.backend[4];
	first.backend[4] = swap;
	plan_abc(224, 160, 160, "", &first, &shuffled);
	ck_assert_int_eq(shuffled.moved, 0);
	nx_plan_release(&first);
	nx_plan_release(&same);
	nx_plan_release(&more);
	nx_plan_release(&shuffled);
}
END_TEST

/* Nothing in ten seconds is less than one in ten seconds, not never. */
START_TEST(unseen_sessions_keep_a_place)
{
	struct nx_wl_session sessions[] = { { .session = (char *)"busy", .rate = 50 },
		{ .session = (char *)"rare", .rate = 0.01 } };
	struct nx_workload w = { .session = sessions, .n_sessions = 2 };
	struct nx_stats_session s[] = { { .session = (char *)"busy" },
		{ .session = (char *)"rare" } };
	struct nx_stats observed = { .interval_ms = 10000, .session = s, .n_sessions = 2 };

	nx_sched_observe(&w, &observed);
	ck_assert_double_eq(sessions[0].rate, 0.1);
	ck_assert_double_eq(sessions[1].rate, 0.01);
}
END_TEST

/* A router that carries the stages' requests without knowing the query. */
START_TEST(gammas_from_the_rates_of_stages)
{
	struct nx_workload w = { 0 };
	struct nx_stats_session s[] = { { .session = (char *)"q/det", .rate = 10 },
		{ .session = (char *)"q/car", .rate = 30 } };
	struct nx_stats observed = { .interval_ms = 1000, .session = s, .n_sessions = 2 };

	parse_workload("{\"format\":\"nexus-workload/1\","
		       "\"queries\":[{\"query\":\"q\",\"slo_ms\":9,\"rate\":1,\"stages\":["
		       "{\"stage\":\"det\",\"model\":\"m\"},{\"stage\":\"car\",\"model\":\"m\","
		       "\"after\":\"det\",\"gamma\":1}]}]}",
		&w);
	nx_sched_observe(&w, &observed);
	ck_assert_double_eq(w.query[0].rate, 10);
	ck_assert_double_eq(w.query[0].stage[1].gamma, 3);
	nx_workload_release(&w);
}
END_TEST

START_TEST(observed_rates_replace)
{
	struct nx_workload w = { 0 };
	struct nx_stats_session s[] = { { .session = "x", .rate = 7 },
		{ .session = "q/det", .rate = 11 } };
	struct nx_stats_edge e[] = { { .query = "q", .stage = "car", .gamma = 2.5 } };
	struct nx_stats observed = { .session = s, .n_sessions = 2, .edge = e, .n_edges = 1 };

	parse_workload("{\"format\":\"nexus-workload/1\",\"sessions\":["
		       "{\"session\":\"x\",\"model\":\"m\",\"slo_ms\":9,\"rate\":1},"
		       "{\"session\":\"y\",\"model\":\"m\",\"slo_ms\":9,\"rate\":3}],"
		       "\"queries\":[{\"query\":\"q\",\"slo_ms\":9,\"rate\":1,\"stages\":["
		       "{\"stage\":\"det\",\"model\":\"m\"},{\"stage\":\"car\",\"model\":\"m\","
		       "\"after\":\"det\",\"gamma\":1}]}]}",
		&w);
	nx_sched_observe(&w, &observed);
	ck_assert_double_eq(w.session[0].rate, 7);
	ck_assert_double_eq(w.session[1].rate, 3);
	ck_assert_double_eq(w.query[0].rate, 11);
	ck_assert_double_eq(w.query[0].stage[0].gamma, 1);
	ck_assert_double_eq(w.query[0].stage[1].gamma, 2.5);
	nx_workload_release(&w);
}
END_TEST

UNIT_MAIN("sched/sched", p1_whole_devices, p2_two_share, p3_infeasible_residue, p4_whole_and_shared,
	p5_low_rates, conflicts_prove_what_floors_do_not, p6_better_than_greedy, p8_three_partition,
	exact_multiples, rate_zero_needs_no_device, device_count_is_a_limit,
	replan_moves_nothing_and_then_little, gammas_from_the_rates_of_stages,
	observed_rates_replace, unseen_sessions_keep_a_place)
