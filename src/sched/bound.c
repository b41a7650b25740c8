/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lower bounds.
 *
 * Fractional: a session of rate R keeps at least R / T devices busy, T the best throughput of any
 * device for it.  Occupancy floor: whole devices count 1 each, and the rest of its rate takes at
 * least its floor of whatever device it is on (see nx_curve_floor); both add up over sessions.
 *
 * Conflicts: floors of one device add up to at most 1, so as in bin packing they may be replaced by
 * f(floor) of a dual feasible function f, for which that holds too (Lueker 1983; Fekete and
 * Schepers 2001): f(x) = floor((k + 1) x) / k.  With k = 1 rests of more than half a device count
 * as one each: no two of them share; k = 2 says that of more than a third only two do; and so on.
 *
 * Cost: the floors times the costs of the types, each session at its cheapest.
 *
 * A rest that may be divided counts as what is less, itself or its two halves.
 *
 * Where the plan has a choice, the bounds take the best of each: the least over device types and
 * profiles; and for a stage of a query the widest budget that any split leaves it, or, for the
 * query as a whole, the least sum of R l(b) / b over all splits, which the dynamic programme
 * gives.  Floors never rise with the budget, so this holds for every split.
 */
#include "sched/bound.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

#define CONFLICTS 12   /* dual feasible functions, k = 1.. */
#define NEAR      1e-6 /* to a whole number: not above it */

/* Devices that a demand takes at least. */
struct share {
	double fractional, floor;
	double conflict[CONFLICTS];
	double cost; /* least of the devices */
};

static double conflict(double floor_, int k)
{
	double n = floor((k + 1) * floor_ + NEAR);

	return (k + 1) * floor_ - n < NEAR ? floor_ : n / k;
}

/* Of one profile on one type, as nx_option_devices. */
static struct share option_share(const struct nx_option *o, double slo_ms, double rate)
{
	double rest, whole = nx_whole_devices(rate, o->max_rate, &rest);
	double one = nx_curve_floor(o->curve, o->max_batch, slo_ms, rest);
	double half = nx_curve_floor(o->curve, o->max_batch, slo_ms, rest / 2);
	struct share s = { rate / o->max_rate, whole + fmin(one, 2 * half), { 0 }, 0 };

	for (int k = 0; k < CONFLICTS; k++)
		s.conflict[k] = whole + fmin(conflict(one, k + 1), 2 * conflict(half, k + 1));
	return s;
}

/* The least over all profiles and types. */
static struct share demand_share(struct nx_problem *p, const struct nx_demand *d, double rate)
{
	struct share least = { INFINITY, INFINITY, { 0 }, INFINITY };
	double least_price = INFINITY; /* of a request per second */
	size_t first = nx_index_find(&p->models, d->model), types = 0;
	const struct nx_profile *profile;

	for (int k = 0; k < CONFLICTS; k++)
		least.conflict[k] = INFINITY;
	for (size_t t = 0; t < p->n_types; t++) {
		bool usable = false;

		for (size_t at = first; (profile = nx_problem_match(p, d, t, &at)) != NULL;) {
			struct nx_option o = nx_problem_option(p, profile, t, d->widest_slo_ms);

			if (o.max_batch == 0)
				continue;
			struct share s = option_share(&o, d->widest_slo_ms, rate);
			usable = true;
			least.cost = fmin(least.cost, p->type[t].cost * s.floor);
			least_price = fmin(least_price, p->type[t].cost / o.max_rate);
			least.fractional = fmin(least.fractional, s.fractional);
			least.floor = fmin(least.floor, s.floor);
			for (int k = 0; k < CONFLICTS; k++)
				least.conflict[k] = fmin(least.conflict[k], s.conflict[k]);
		}
		types += usable;
	}
	/* A rate divided over several types need not fill whole devices of any one of them. */
	if (types > 1 && !p->one_type)
		least = (struct share){ least.fractional, least.fractional, { 0 },
			rate * least_price };
	return least;
}

/* The devices of a query by the dynamic programme; negative where that is no bound. */
static double query_devices(
	const struct nx_problem *p, const struct nx_squery *q, const double *left)
{
	if (!q->exact)
		return -1;
	for (size_t i = 0; i < q->wl->n_stages; i++)
		if (left[q->first + i] > 0 || p->demand[q->first + i].n_options == 0)
			return -1;
	return q->devices;
}

/* A sum's last bits must not make its ceiling one more. */
static double rounded(double sum)
{
	return floor(sum * 1e6 + 0.5) / 1e6;
}

void nx_bound_of(struct nx_problem *p, const double *left, struct nx_plan_bounds *out)
{
	struct share all = { 0 };

	for (size_t i = 0; i < p->n_demands;) {
		const struct nx_demand *d = &p->demand[i];
		size_t n = d->query == NX_INDEX_NONE ? 1 : p->query[d->query].wl->n_stages;
		struct share sum = { 0 };

		for (size_t j = i; j < i + n; j++) {
			double rate = p->demand[j].rate - left[j];

			if (rate <= 0 || p->demand[j].n_options == 0)
				continue;
			struct share s = demand_share(p, &p->demand[j], rate);
			sum.fractional += s.fractional;
			sum.floor += s.floor;
			all.cost += s.cost;
			for (int k = 0; k < CONFLICTS; k++)
				all.conflict[k] += s.conflict[k];
		}
		if (d->query != NX_INDEX_NONE) {
			double devices = query_devices(p, &p->query[d->query], left);

			sum.fractional = fmax(sum.fractional, devices);
			sum.floor = fmax(sum.floor, devices);
		}
		all.fractional += sum.fractional;
		all.floor += sum.floor;
		i += n;
	}
	*out = (struct nx_plan_bounds){ rounded(all.fractional), rounded(all.floor), 0, -1,
		rounded(all.cost) };
	for (int k = 0; k < CONFLICTS; k++)
		out->conflicts = fmax(out->conflicts, rounded(all.conflict[k]));
}

double nx_bound_best(const struct nx_plan_bounds *b, const char **kind)
{
	double best = b->fractional;

	*kind = "fractional";
	if (b->occupancy > best) {
		best = b->occupancy;
		*kind = "occupancy floor";
	}
	if (ceil(b->conflicts) > ceil(best)) {
		best = b->conflicts;
		*kind = "conflicts";
	}
	if (b->search > ceil(best)) {
		best = b->search;
		*kind = "exhaustive search";
	}
	return best;
}
