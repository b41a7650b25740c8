/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device types and their counts.
 *
 * Rounds: every rate that has no place yet goes to the next device type of its session's list;
 * each type packs all it was given as if there were enough devices; what is on devices beyond its
 * count is given back, the emptiest devices first, and tries the next type in the next round.
 * Rates only ever move on to later types, so this ends.
 */
#include "sched/place.h"
#include "sched/pack.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

struct nx_slot *nx_placement_add(struct nx_placement *pl, size_t type)
{
	pl->slot = nx_grow(pl->slot, &pl->cap, pl->n + 1, sizeof *pl->slot);
	pl->slot[pl->n] = (struct nx_slot){ .type = type };
	return &pl->slot[pl->n++];
}

void nx_slot_add(struct nx_slot *s, size_t demand, double rate)
{
	s->part = nx_grow(s->part, &s->cap, s->n + 1, sizeof *s->part);
	s->part[s->n++] = (struct nx_part){ demand, rate };
}

void nx_placement_release(struct nx_placement *pl)
{
	for (size_t i = 0; i < pl->n; i++)
		free(pl->slot[i].part);
	for (size_t i = 0; pl->why_left && i < pl->n_demands; i++)
		free(pl->why_left[i]);
	free(pl->slot);
	free(pl->left);
	free(pl->why_left);
	*pl = (struct nx_placement){ 0 };
}

static int by_demand(const void *a, const void *b)
{
	const struct nx_item *x = *(const struct nx_item *const *)a;
	const struct nx_item *y = *(const struct nx_item *const *)b;

	return x->demand < y->demand ? -1 : x->demand > y->demand;
}

static int fuller_bin(const void *a, const void *b)
{
	const struct nx_bin *x = a, *y = b;

	if (x->load != y->load)
		return x->load < y->load ? 1 : -1;
	return by_demand(&x->item[0], &y->item[0]);
}

/* Appends the bins, the fullest first, sessions in the workload's order. */
static void add_bins(struct nx_packing *pack, size_t type, struct nx_placement *pl)
{
	for (size_t i = 0; i < pack->n; i++)
		qsort(pack->bin[i].item, pack->bin[i].n, sizeof *pack->bin[i].item, by_demand);
	if (pack->n)
		qsort(pack->bin, pack->n, sizeof *pack->bin, fuller_bin);
	for (size_t i = 0; i < pack->n; i++) {
		struct nx_slot *s = nx_placement_add(pl, type);

		for (size_t j = 0; j < pack->bin[i].n; j++)
			nx_slot_add(s, pack->bin[i].item[j]->demand, pack->bin[i].item[j]->rate);
	}
}

/* Gives items that are large enough halves to be divided into. */
static void make_halves(
	const struct nx_problem *p, struct nx_item *item, size_t n, struct nx_item *half)
{
	for (size_t i = 0; i < n; i++) {
		const struct nx_item *it = &item[i];
		const struct nx_demand *d = &p->demand[it->demand];

		if (it->floor < NX_DIVIDE_FLOOR)
			continue;
		half[i] = *it;
		half[i].rate = it->rate / 2;
		half[i].floor = nx_curve_floor(it->curve, it->max_batch, d->slo_ms, half[i].rate);
		half[i].value = it->value / 2;
		half[i].whole = it;
		item[i].half = &half[i];
	}
}

void nx_place_shares(struct nx_problem *p, size_t type, const struct nx_part *share, size_t n,
	struct nx_placement *pl)
{
	struct nx_packing pack = NX_PACKING_INIT;
	struct nx_item *item = nx_alloc(n + 1, sizeof *item);
	struct nx_item *half = nx_alloc(n + 1, sizeof *half);
	size_t n_items = 0;

	for (size_t i = 0; i < n; i++) {
		const struct nx_option *o = nx_demand_option(&p->demand[share[i].demand], type);
		double left = share[i].rate, rest;

		for (double w = nx_whole_devices(left, o->max_rate, &rest); w > 0; w--) {
			struct nx_slot *s = nx_placement_add(pl, type);

			s->whole = true;
			nx_slot_add(s, share[i].demand, left < o->max_rate ? left : o->max_rate);
			left -= o->max_rate;
		}
		/* 'left' and not 'rest': the last bits are those of a placement that was kept */
		if (rest > 0)
			item[n_items++] = nx_demand_item(p, share[i].demand, o, left);
	}
	if (p->work.divide)
		make_halves(p, item, n_items, half);
	const struct nx_pack_job job = { .item = item,
		.n = n_items,
		.memory_bytes = p->type[type].memory_bytes,
		.divide = p->work.divide,
		.work = &p->work };
	pl->proved = nx_pack(&job, &pack);
	add_bins(&pack, type, pl);
	nx_packing_release(&pack);
	free(half);
	free(item);
}

/* ---- rounds -------------------------------------------------------------------------------- */

struct rounds {
	struct nx_problem *p;
	struct nx_placement *per_type; /* one a type */
	double **given;                /* [type][demand]: rate that the type was given */
	double *left;                  /* of each demand: looking for a type */
	size_t *next;                  /* of each demand: the option to try */
	bool *changed;                 /* of each type */
};

static size_t option_index(const struct nx_demand *d, size_t type)
{
	size_t i = 0;

	while (d->option[i].type != type)
		i++;
	return i;
}

/* Takes 'rate' of a demand away from a type. */
static void give_back(struct rounds *r, size_t type, size_t demand, double rate)
{
	size_t i = option_index(&r->p->demand[demand], type);

	r->given[type][demand] -= rate;
	if (r->given[type][demand] < NX_SCHED_EPS * rate)
		r->given[type][demand] = 0;
	r->left[demand] += rate;
	if (r->next[demand] <= i)
		r->next[demand] = i + 1;
}

static void offer(struct rounds *r)
{
	for (size_t i = 0; i < r->p->n_demands; i++) {
		const struct nx_demand *d = &r->p->demand[i];

		if (r->left[i] <= 0 || r->next[i] >= d->n_options)
			continue;
		size_t type = d->option[r->next[i]].type;
		r->given[type][i] += r->left[i];
		r->left[i] = 0;
		r->changed[type] = true;
	}
}

/* Packs what a type was given; true if some of it had to be given back. */
static bool fill_type(struct rounds *r, size_t type)
{
	struct nx_problem *p = r->p;
	struct nx_placement *pl = &r->per_type[type];
	double most = NX_MAX_DEVICES, planned = 0;
	struct nx_part *share = nx_alloc(p->n_demands + 1, sizeof *share);
	size_t n = 0;
	bool over = false;

	if (p->type[type].count >= 0 && p->type[type].count < NX_MAX_DEVICES)
		most = (double)p->type[type].count;
	nx_placement_release(pl);
	for (size_t i = 0; i < p->n_demands; i++) {
		double rate = r->given[type][i];

		if (rate <= 0)
			continue;
		/* more whole devices than there are: not even tried */
		double best = nx_demand_option(&p->demand[i], type)->max_rate, rest;
		double whole = nx_whole_devices(rate, best, &rest);
		if (whole > most - planned) {
			whole = most - planned;
			give_back(r, type, i, rate - whole * best);
			rate = whole * best;
			over = true;
		}
		planned += whole;
		if (rate > 0)
			share[n++] = (struct nx_part){ i, rate };
	}
	nx_place_shares(p, type, share, n, pl);
	free(share);
	for (; (double)pl->n > most; over = true) {
		struct nx_slot *s = &pl->slot[--pl->n];

		for (size_t i = 0; i < s->n; i++)
			give_back(r, type, s->part[i].demand, s->part[i].rate);
		free(s->part);
	}
	return over;
}

/* What is left has no type any more: says why. */
static void explain_left(const struct nx_problem *p, struct nx_placement *out)
{
	for (size_t i = 0; i < p->n_demands; i++) {
		const struct nx_demand *d = &p->demand[i];

		if (out->left[i] <= 0)
			continue;
		const struct nx_stype *t = d->n_options ? &p->type[d->option[0].type] : NULL;
		if (!t)
			out->why_left[i] = nx_strdup(d->reason);
		else if (t->count == 0 && d->n_options == 1)
			out->why_left[i] =
				nx_asprintf("there is no device of type '%s'", t->device);
		else if (t->count >= 0)
			out->why_left[i] = nx_asprintf("all %lld devices of type '%s' are in use%s",
				(long long)t->count, t->device,
				d->n_options > 1 ? ", and those of all other types" : "");
		else
			out->why_left[i] = nx_asprintf(
				"needs more than the %d devices a plan may have", NX_MAX_DEVICES);
	}
}

/* All types' slots in one list. */
static void collect(struct rounds *r, struct nx_placement *out)
{
	for (size_t t = 0; t < r->p->n_types; t++) {
		struct nx_placement *pl = &r->per_type[t];

		for (size_t i = 0; i < pl->n; i++)
			*nx_placement_add(out, t) = pl->slot[i];
		out->proved = r->p->n_types == 1 && pl->proved;
		pl->n = 0; /* the parts moved */
		nx_placement_release(pl);
	}
}

void nx_place(struct nx_problem *p, struct nx_placement *out)
{
	struct rounds r = { .p = p };
	double share = p->work.share;
	bool over = true;

	*out = (struct nx_placement){ .n_demands = p->n_demands };
	out->why_left = nx_alloc(p->n_demands + 1, sizeof *out->why_left);
	r.per_type = nx_alloc(p->n_types + 1, sizeof *r.per_type);
	r.given = nx_alloc(p->n_types + 1, sizeof *r.given);
	r.changed = nx_alloc(p->n_types + 1, sizeof *r.changed);
	r.left = nx_alloc(p->n_demands + 1, sizeof *r.left);
	r.next = nx_alloc(p->n_demands + 1, sizeof *r.next);
	for (size_t t = 0; t < p->n_types; t++)
		r.given[t] = nx_alloc(p->n_demands + 1, sizeof **r.given);
	for (size_t i = 0; i < p->n_demands; i++)
		r.left[i] = p->demand[i].rate;
	while (over) {
		size_t to_do = 0;

		over = false;
		offer(&r);
		for (size_t t = 0; t < p->n_types; t++)
			to_do += r.changed[t];
		for (size_t t = 0; t < p->n_types; t++) {
			p->work.share = share / (double)(to_do ? to_do : 1);
			to_do -= r.changed[t];
			if (r.changed[t])
				over = fill_type(&r, t) || over;
			r.changed[t] = false;
		}
	}
	p->work.share = share;
	out->left = r.left;
	explain_left(p, out);
	collect(&r, out);
	for (size_t t = 0; t < p->n_types; t++)
		free(r.given[t]);
	free(r.per_type);
	free(r.given);
	free(r.changed);
	free(r.next);
}

void nx_place_number(const struct nx_problem *p, struct nx_placement *pl)
{
	size_t *next = nx_alloc(p->n_types + 1, sizeof *next);

	for (size_t i = 0; i < pl->n; i++)
		pl->slot[i].number = next[pl->slot[i].type]++;
	free(next);
}
