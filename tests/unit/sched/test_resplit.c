/* SPDX-License-Identifier: Apache-2.0 */
/* Splits of queries walked downhill. */
#include "helper.h"
#include "sched/resplit.h"

#include "core/rng.h"

static double models[][2] = { { 6, 10 }, { 1.5, 6 }, { 2.5, 8 }, { 8, 12 }, { 1, 5 } };

/* A few random queries of three stages, one after the other or side by side. */
static char *make_queries(struct nx_rng *rng, int n)
{
	struct nx_buf w = NX_BUF_INIT;

	nx_buf_adds(&w, "{\"format\":\"nexus-workload/1\",\"queries\":[");
	for (int i = 0; i < n; i++)
		nx_buf_addf(&w,
			"%s{\"query\":\"q%d\",\"slo_ms\":%g,\"rate\":%g,\"stages\":["
			"{\"stage\":\"a\",\"model\":\"m%d\"},"
			"{\"stage\":\"b\",\"model\":\"m%d\",\"after\":\"a\",\"gamma\":%g},"
			"{\"stage\":\"c\",\"model\":\"m%d\",\"after\":\"%s\",\"gamma\":%g}]}",
			i ? "," : "", i, 200 + 200 * nx_rng_uniform(rng),
			2 + 30 * nx_rng_uniform(rng), (int)nx_rng_below(rng, 5),
			(int)nx_rng_below(rng, 5), 0.2 + 3 * nx_rng_uniform(rng),
			(int)nx_rng_below(rng, 5), nx_rng_below(rng, 2) ? "a" : "b",
			0.2 + 2 * nx_rng_uniform(rng));
	nx_buf_adds(&w, "]}");
	return w.data;
}

static size_t devices(struct nx_problem *p, double *floors)
{
	struct nx_placement pl;

	*floors = 0;
	nx_place(p, &pl);
	for (size_t i = 0; i < p->n_demands; i++) {
		const struct nx_demand *d = &p->demand[i];

		ck_assert_double_eq(pl.left[i], 0);
		*floors += nx_option_devices(&d->option[0], d->slo_ms, d->rate);
	}
	size_t n = pl.n;
	nx_placement_release(&pl);
	return n;
}

/* The sum along every path is the query's SLO at most. */
static void check_budgets(const struct nx_problem *p)
{
	for (size_t i = 0; i < p->n_queries; i++) {
		const struct nx_squery *q = &p->query[i];

		for (size_t v = 0; v < q->wl->n_stages; v++) {
			double sum = 0;

			for (int at = (int)v; at >= 0; at = q->wl->stage[at].parent)
				sum += p->demand[q->first + (size_t)at].slo_ms;
			ck_assert_double_le(sum, q->wl->slo_ms * (1 + 1e-12));
		}
	}
}

START_TEST(walks_downhill)
{
	struct nx_buf text = NX_BUF_INIT;
	struct nx_profiles set = { 0 };
	size_t before = 0, after = 0;
	double floors_before = 0, floors_after = 0;
	struct nx_rng rng;

	for (int i = 0; i < 5; i++) {
		char name[] = { 'm', (char)('0' + i), '\0' };
		char *profile = affine(name, models[i][0], models[i][1], 64);

		nx_buf_adds(&text, profile);
		free(profile);
	}
	parse_profiles(text.data, &set);
	nx_rng_init(&rng, 11);
	for (int round = 0; round < 20; round++) {
		char *queries = make_queries(&rng, 3);
		struct nx_err err = NX_ERR_INIT;
		struct nx_workload w = { 0 };
		struct nx_problem p;
		double was, is;

		parse_workload(queries, &w);
		ck_assert_int_eq(
			nx_problem_init(&p, &w, &set, NX_SPLIT_THROUGHPUT, "workload", &err), 0);
		p.work = (struct nx_work){ .divide = true, .share = 1 };
		size_t first = devices(&p, &was);
		nx_resplit(&p);
		size_t second = devices(&p, &is);
		ck_assert_uint_le(second, first);
		check_budgets(&p);
		before += first;
		after += second;
		floors_before += was;
		floors_after += is;
		nx_problem_release(&p);
		nx_workload_release(&w);
		free(queries);
	}
	ck_assert_uint_lt(after, before);
	ck_assert_double_lt(floors_after, floors_before);
	nx_profiles_release(&set);
	nx_buf_release(&text);
}
END_TEST

UNIT_MAIN("sched/resplit", walks_downhill)
