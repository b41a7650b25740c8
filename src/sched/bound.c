/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lower bounds.
 *
 * Fractional: a session of rate R keeps at least R / T devices busy, T the best throughput of any
 * device for it.  Occupancy floor: whole devices count 1 each, and the rest of its rate takes at
 * least its floor of whatever device it is on (see nx_curve_floor); both add up over sessions.
 *
 * Where the plan has a choice, the bound takes the best of each: the least over device types and
 * profiles; and for a stage of a query the widest budget that any split leaves it, or, for the
 * query as a whole, the least sum of R l(b) / b over all splits, which the dynamic programme
 * gives.  Floors never rise with the budget, so this holds for every split.
 */
#include "sched/bound.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

/* Devices that a demand takes at least. */
struct share {
	double fractional, floor;
};

/* The least over all profiles and types. */
static struct share demand_share(struct nx_problem *p, const struct nx_demand *d, double rate)
{
	struct share least = { INFINITY, INFINITY };
	size_t first = nx_index_find(&p->models, d->model), types = 0;
	const struct nx_profile *profile;

	for (size_t t = 0; t < p->n_types; t++) {
		bool usable = false;

		for (size_t at = first; (profile = nx_problem_match(p, d, t, &at)) != NULL;) {
			struct nx_option o = nx_problem_option(p, profile, t, d->widest_slo_ms);

			if (o.max_batch == 0)
				continue;
			struct share s = { rate / o.max_rate,
				nx_option_devices(&o, d->widest_slo_ms, rate) };
			usable = true;
			if (s.fractional < least.fractional)
				least.fractional = s.fractional;
			if (s.floor < least.floor)
				least.floor = s.floor;
		}
		types += usable;
	}
	/* A rate divided over several types need not fill whole devices of any one of them. */
	if (types > 1)
		least.floor = least.fractional;
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

struct nx_bound nx_bound_of(struct nx_problem *p, const double *left)
{
	double fractional = 0, floors = 0;

	for (size_t i = 0; i < p->n_demands;) {
		const struct nx_demand *d = &p->demand[i];
		size_t n = d->query == NX_INDEX_NONE ? 1 : p->query[d->query].wl->n_stages;
		struct share sum = { 0, 0 };

		for (size_t j = i; j < i + n; j++) {
			double rate = p->demand[j].rate - left[j];

			if (rate <= 0 || p->demand[j].n_options == 0)
				continue;
			struct share s = demand_share(p, &p->demand[j], rate);
			sum.fractional += s.fractional;
			sum.floor += s.floor;
		}
		if (d->query != NX_INDEX_NONE) {
			double devices = query_devices(p, &p->query[d->query], left);

			sum.fractional = fmax(sum.fractional, devices);
			sum.floor = fmax(sum.floor, devices);
		}
		fractional += sum.fractional;
		floors += sum.floor;
		i += n;
	}
	/* a sum's last bits must not make its ceiling one more */
	fractional = floor(fractional * 1e6 + 0.5) / 1e6;
	floors = floor(floors * 1e6 + 0.5) / 1e6;
	if (floors > fractional)
		return (struct nx_bound){ floors, "occupancy floor" };
	return (struct nx_bound){ fractional, "fractional" };
}
