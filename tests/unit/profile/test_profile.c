/* SPDX-License-Identifier: Apache-2.0 */
/* Sample statistics, lists of batch sizes, and a measurement of the simulated device. */
#include "profile/profile.h"
#include "profile/samples.h"
#include "unit.h"

#include "core/alloc.h"
#include "model/build.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(statistics_match_their_definitions)
{
	struct nx_samples s = { 0 };
	struct nx_latency_point p;

	ck_assert(isinf(nx_samples_rel_error(&s)));
	for (int i = 1; i <= 100; i++)
		nx_samples_add(&s, 101 - i);
	ck_assert_double_eq_tol(nx_samples_std(&s), 29.011491975882, 1e-9);
	/* t(0.975, 99) = 1.98422. */
	ck_assert_double_eq_tol(nx_samples_rel_error(&s), 1.98422 * 2.9011491975882 / 50.5, 1e-5);
	nx_samples_summary(&s, &p);
	ck_assert_double_eq_tol(p.mean_ms, 50.5, 1e-12);
	ck_assert_double_eq(p.p99_ms, 99);
	ck_assert_int_eq(p.samples, 100);
	nx_samples_clear(&s);
	for (int i = 0; i < 3; i++)
		nx_samples_add(&s, 7);
	ck_assert_double_eq(nx_samples_rel_error(&s), 0);
	nx_samples_summary(&s, &p);
	ck_assert_double_eq(p.p99_ms, 7);
	nx_samples_release(&s);
}
END_TEST

/* A small spread on a large mean keeps its digits. */
START_TEST(variance_survives_a_large_mean)
{
	struct nx_samples s = { 0 };

	for (int i = 0; i < 1000; i++)
		nx_samples_add(&s, 1e9 + i % 2);
	ck_assert_double_eq_tol(nx_samples_std(&s), 0.50025, 1e-4);
	nx_samples_release(&s);
}
END_TEST

static void check_list(const char *text, const char *want)
{
	struct nx_err err = NX_ERR_INIT;
	int *batches = NULL;
	size_t n = 0;
	char got[256] = "";

	int rc = nx_measure_parse_batches(text, &batches, &n, &err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t len = strlen(got);
		snprintf(got + len, sizeof got - len, "%d ", batches[i]);
	}
	ck_assert_str_eq(rc ? "bad" : got, want);
	ck_assert_int_eq(rc, strcmp(want, "bad") ? 0 : -NX_EUSAGE);
	free(batches);
}

START_TEST(lists_of_batch_sizes)
{
	check_list("1,2,4", "1 2 4 ");
	check_list("8,1..3,2", "1 2 3 8 ");
	check_list("5..5", "5 ");
	check_list("65536", "65536 ");
	static const char *const bad[] = { "", "0", "-1", "1,", ",1", "1,,2", "4..2", "1..", "a",
		"1.5", "65537", "99999999999999999999", "1 2" };
	for (size_t i = 0; i < NX_ARRAY_LEN(bad); i++)
		check_list(bad[i], "bad");
}
END_TEST

static struct nx_engine *open_sim(const char *spec)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;

	exe[len < 0 ? 0 : len] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(exe, '/') = '\0';
	char *dir = nx_asprintf("%s/lib/nexus", exe);
	ck_assert_msg(nx_engine_open(spec, dir, &e, &err) == 0, "%s", err.msg);
	free(dir);
	return e;
}

static struct nx_graph *identity(void)
{
	struct nx_graph *g = nx_graph_new("toy");
	int x = nx_graph_add_value(g, "x"), y = nx_graph_add_value(g, "y");
	struct nx_node *n = nx_graph_add_node(g, "Relu", "relu", 1, 1);

	g->opset = 13;
	g->values[x].dtype = NX_F32;
	g->values[x].shape = (struct nx_shape){ 2, { NX_DIM_OPEN, 4 } };
	g->values[x].known = true;
	n->in[0] = x;
	n->out[0] = y;
	nx_graph_add_io(&g->in, &g->n_in, x);
	nx_graph_add_io(&g->out, &g->n_out, y);
	return g;
}

static void count_progress(void *arg, const struct nx_measure_progress *p)
{
	int *seen = arg;

	ck_assert_uint_lt(p->index, p->n_batches);
	ck_assert_int_ge(p->samples, 1);
	seen[p->index]++;
}

START_TEST(measures_the_line_of_the_simulator)
{
	struct nx_engine *e = open_sim("sim:alpha=0.5,beta=1,name=Toy");
	struct nx_model model = { .name = nx_strdup("toy"), .graph = identity() };
	const int batch[] = { 1, 3 };
	const struct nx_measure_opts opts = {
		.batch = batch, .n_batches = 2, .rel_error = 1, .time_cap_ms = 1e4, .seed = 1
	};
	struct nx_profile p;
	struct nx_err err = NX_ERR_INIT;
	int seen[2] = { 0 };

	ck_assert_msg(nx_profile_measure(e, &model, &opts, count_progress, seen, &p, &err) == 0,
		"%s", err.msg);
	ck_assert_str_eq(p.device, "Toy");
	ck_assert_str_eq(p.plugin, "sim");
	ck_assert_uint_eq(p.latency.n, 2);
	for (int i = 0; i < 2; i++) {
		const struct nx_latency_point *q = &p.latency.point[i];
		ck_assert_int_eq(q->batch, batch[i]);
		ck_assert_double_ge(q->mean_ms, 1 + 0.5 * batch[i]);
		ck_assert_double_ge(q->p99_ms, q->mean_ms - q->std_ms);
		ck_assert_int_ge(q->samples, 10);
		ck_assert_int_eq(seen[i], q->samples);
	}
	nx_profile_release(&p);
	nx_graph_free(&model.graph);
	free(model.name);
	nx_engine_close(&e);
}
END_TEST

START_TEST(a_time_cap_ends_it)
{
	struct nx_engine *e = open_sim("sim:alpha=0,beta=20,noise=0.5");
	struct nx_model model = { .name = nx_strdup("toy"), .graph = identity() };
	const int batch[] = { 1 };
	const struct nx_measure_opts opts = {
		.batch = batch, .n_batches = 1, .rel_error = 1e-6, .time_cap_ms = 100, .seed = 1
	};
	struct nx_profile p;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(nx_profile_measure(e, &model, &opts, NULL, NULL, &p, &err), 0);
	ck_assert_int_ge(p.latency.point[0].samples, 1);
	ck_assert_int_le(p.latency.point[0].samples, 1000);
	nx_profile_release(&p);
	nx_engine_close(&e);

	/* A device that fails is an error, and nothing leaks. */
	e = open_sim("sim:alpha=0,beta=0,fail=1");
	ck_assert_int_eq(nx_profile_measure(e, &model, &opts, NULL, NULL, &p, &err), -NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(err.msg, "batch 1"));
	nx_graph_free(&model.graph);
	free(model.name);
	nx_engine_close(&e);
}
END_TEST

UNIT_MAIN("profile", statistics_match_their_definitions, variance_survives_a_large_mean,
	lists_of_batch_sizes, measures_the_line_of_the_simulator, a_time_cap_ends_it)
