/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staying with the previous plan.
 *
 * Loading a model takes longer than an epoch's gain, so a device keeps its sessions while it can.
 * First the previous placement is tried with the new rates: each device is offered its old
 * sessions again, whole devices first; what finds no place there is put where there is room, and
 * only then on new devices.  If that needs no more devices than the fresh plan, it is the plan.
 * Otherwise the fresh plan is taken, and its devices get the names of those old ones that they
 * have most sessions in common with.
 */
#include "sched/place.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MATCH_TRIES 256 /* backends of a session that a slot may be named after */

struct stick {
	struct nx_problem *p;
	const struct nx_plan *previous;
	struct nx_index demands; /* session -> demand */
	size_t *type;            /* of each previous backend; NX_INDEX_NONE: no longer there */
	double *left;            /* of each demand: still without a place */
	bool *same;              /* of each demand: its rate is what it was */
	struct nx_placement kept;
	size_t *backend_of; /* of each kept slot: the previous backend */
};

static void stick_init(struct stick *s, struct nx_problem *p, const struct nx_plan *previous)
{
	*s = (struct stick){ .p = p, .previous = previous };
	for (size_t i = 0; i < p->n_demands; i++)
		nx_index_add(&s->demands, p->demand[i].session, i);
	nx_index_sort(&s->demands);
	s->type = nx_alloc(previous->n_backends + 1, sizeof *s->type);
	for (size_t i = 0; i < previous->n_backends; i++) {
		size_t t = 0;

		while (t < p->n_types &&
			strcmp(p->type[t].device, previous->backend[i].device) != 0)
			t++;
		s->type[i] = t < p->n_types ? t : NX_INDEX_NONE;
	}
}

static void stick_release(struct stick *s)
{
	nx_index_release(&s->demands);
	nx_placement_release(&s->kept);
	free(s->type);
	free(s->left);
	free(s->same);
	free(s->backend_of);
}

/* The demand and its option for a session of previous backend b; NULL if it has none there. */
static const struct nx_option *old_option(const struct stick *s, size_t b, size_t i, size_t *demand)
{
	const struct nx_plan_backend *old = &s->previous->backend[b];

	if (s->type[b] == NX_INDEX_NONE)
		return NULL;
	*demand = nx_index_get(&s->demands, old->session[i].session);
	return *demand == NX_INDEX_NONE ? NULL
					: nx_demand_option(&s->p->demand[*demand], s->type[b]);
}

/* What a demand had in the previous plan. */
struct had {
	double sum;
	double rest, other; /* of its first two shares that fill no device */
	size_t n_rests;
};

static void add_share(struct had *h, double rate, double max_rate)
{
	h->sum += rate;
	if (rate >= max_rate * (1 - NX_SCHED_EPS))
		return;
	if (h->n_rests++ == 0)
		h->rest = rate;
	else
		h->other = rate;
}

/* Whole devices and one rest or two halves of it, as this planner divides a rate (see
 * sched/bound.h). */
static bool is_ours(const struct had *h, double max_rate)
{
	return h->n_rests <= 1 || (h->n_rests == 2 && nx_rate_equal(h->rest, h->other) &&
					  h->rest + h->other < max_rate);
}

/* Finds the demands whose rates did not change: they keep their old shares to the last bit. */
static void find_same(struct stick *s)
{
	struct had *had = nx_alloc(s->p->n_demands + 1, sizeof *had);

	s->same = nx_alloc(s->p->n_demands + 1, sizeof *s->same);
	for (size_t b = 0; b < s->previous->n_backends; b++) {
		for (size_t i = 0; i < s->previous->backend[b].n_sessions; i++) {
			size_t d;
			const struct nx_option *o = old_option(s, b, i, &d);

			if (o)
				add_share(&had[d], s->previous->backend[b].session[i].rate,
					o->max_rate);
		}
	}
	for (size_t i = 0; i < s->p->n_demands; i++) {
		const struct nx_demand *d = &s->p->demand[i];

		s->same[i] = d->n_options && is_ours(&had[i], d->option[0].max_rate) &&
			     nx_rate_equal(had[i].sum, d->rate);
	}
	free(had);
}

/* Adds a share to the slot if it has room for it; the type must be an option of the demand. */
static bool slot_take(const struct nx_problem *p, struct nx_slot *slot, size_t demand, double rate)
{
	const struct nx_option *o = nx_demand_option(&p->demand[demand], slot->type);
	struct nx_item more = nx_demand_item(p, demand, o, rate);

	if (slot->load + more.floor > 1 + 1e-6)
		return false;
	struct nx_item *item = nx_alloc(slot->n + 1, sizeof *item);
	const struct nx_item **at = nx_alloc(slot->n + 1, sizeof *at);
	for (size_t i = 0; i < slot->n; i++) {
		const struct nx_part *part = &slot->part[i];

		o = nx_demand_option(&p->demand[part->demand], slot->type);
		item[i] = nx_demand_item(p, part->demand, o, part->rate);
		at[i] = &item[i];
	}
	at[slot->n] = &more;
	bool takes = nx_node_fits(at, slot->n + 1, p->type[slot->type].memory_bytes);
	free(at);
	free(item);
	if (takes) {
		nx_slot_add(slot, demand, rate);
		slot->load += more.floor;
	}
	return takes;
}

/* Gives a backend its old sessions back, as far as there is rate and room. */
static void keep_backend(struct stick *s, size_t b, bool whole)
{
	const struct nx_plan_backend *old = &s->previous->backend[b];
	struct nx_slot slot = { .type = s->type[b], .whole = whole };

	for (size_t i = 0; i < old->n_sessions; i++) {
		size_t d;
		const struct nx_option *o = old_option(s, b, i, &d);

		if (!o || s->left[d] <= 0)
			continue;
		double most = s->same[d] ? old->session[i].rate : o->max_rate;
		bool last = s->left[d] < most * (1 + (s->same[d] ? -1 : 1) * NX_SCHED_EPS);
		double rate = last ? s->left[d] : most;
		if (whole)
			nx_slot_add(&slot, d, rate);
		else if (!slot_take(s->p, &slot, d, rate))
			continue;
		s->left[d] -= rate;
		if (s->left[d] <= 2 * NX_SCHED_EPS * s->p->demand[d].rate)
			s->left[d] = 0;
	}
	if (slot.n == 0)
		return;
	*nx_placement_add(&s->kept, slot.type) = slot;
	s->backend_of[s->kept.n - 1] = b;
}

/* Whether the backend ran one session alone and can be filled with it again. */
static bool is_whole(const struct stick *s, size_t b)
{
	size_t d;
	const struct nx_option *o;

	if (s->previous->backend[b].n_sessions != 1)
		return false;
	o = old_option(s, b, 0, &d);
	if (o && s->same[d])
		return s->previous->backend[b].session[0].rate >= o->max_rate * (1 - NX_SCHED_EPS);
	return o && s->left[d] >= o->max_rate * (1 - NX_SCHED_EPS);
}

/* Puts a share of a demand on a kept device that has room for it, if there is one. */
static bool find_room(struct stick *s, size_t demand, size_t type, double rate)
{
	for (size_t i = 0; i < s->kept.n; i++) {
		struct nx_slot *slot = &s->kept.slot[i];

		if (!slot->whole && slot->type == type && slot_take(s->p, slot, demand, rate))
			return true;
	}
	return false;
}

/* What found no place on its old devices: where there is room, else on new ones. */
static void place_rest(struct stick *s)
{
	bool divide = s->p->work.divide;

	s->p->work.divide = false; /* some have been divided already */
	for (size_t t = 0; t < s->p->n_types; t++) {
		struct nx_part *share = nx_alloc(s->p->n_demands + 1, sizeof *share);
		size_t n = 0;

		for (size_t i = 0; i < s->p->n_demands; i++) {
			const struct nx_demand *d = &s->p->demand[i];
			double rest;

			if (s->left[i] <= 0 || d->option[0].type != t)
				continue;
			nx_whole_devices(s->left[i], d->option[0].max_rate, &rest);
			if (rest > 0 && find_room(s, i, t, rest))
				s->left[i] -= rest;
			if (s->left[i] > 2 * NX_SCHED_EPS * d->rate)
				share[n++] = (struct nx_part){ i, s->left[i] };
		}
		nx_place_shares(s->p, t, share, n, &s->kept);
		free(share);
	}
	s->p->work.divide = divide;
}

/* "<slug>-<number>" of a slot's type, or -1. */
static long number_of(const char *name, const char *slug)
{
	size_t len = strlen(slug);
	char *end;

	if (strncmp(name, slug, len) != 0 || name[len] != '-' || name[len + 1] < '0' ||
		name[len + 1] > '9' || strlen(name + len) > 8)
		return -1;
	long number = strtol(name + len + 1, &end, 10);
	return *end || (name[len + 1] == '0' && end > name + len + 2) ? -1 : number;
}

/* Names slot i after each previous backend in from[i] (NX_INDEX_NONE: a new device). */
static void name_slots(const struct stick *s, struct nx_placement *pl, const size_t *from)
{
	bool *used = nx_alloc((pl->n + s->previous->n_backends) * 2 + 2, sizeof *used);
	size_t limit = (pl->n + s->previous->n_backends) * 2 + 2;

	for (size_t t = 0; t < s->p->n_types; t++) {
		memset(used, 0, limit);
		for (size_t i = 0; i < pl->n; i++) {
			struct nx_slot *slot = &pl->slot[i];

			if (from[i] == NX_INDEX_NONE)
				continue;
			const struct nx_plan_backend *old = &s->previous->backend[from[i]];
			long number = number_of(old->backend, s->p->type[t].slug);

			/* also of another type: it keeps its name, whatever that looks like */
			if (number >= 0 && (size_t)number < limit)
				used[number] = true;
			if (slot->type != t)
				continue;
			slot->address = old->address;
			slot->name = number < 0 ? old->backend : NULL;
			slot->number = number < 0 ? 0 : (size_t)number;
		}
		for (size_t i = 0, next = 0; i < pl->n; i++) {
			if (pl->slot[i].type != t || from[i] != NX_INDEX_NONE)
				continue;
			while (used[next])
				next++;
			pl->slot[i].number = next++;
		}
	}
	free(used);
}

/* ---- the fresh plan's names ----------------------------------------------------------------- */

struct match {
	size_t slot, backend, common;
};

static int better_match(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	if (x->common != y->common)
		return x->common < y->common ? 1 : -1;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->backend < y->backend ? -1 : x->backend > y->backend;
}

static int by_pair(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->backend < y->backend ? -1 : x->backend > y->backend;
}

/* Which previous backend each slot is named after, and the other way round. */
struct naming {
	size_t *from; /* NX_INDEX_NONE: none yet */
	bool *taken;
};

/* The sessions of previous backends that are not taken; those of one session alone, or all. */
static struct nx_index free_hosts(const struct stick *s, const struct naming *to, bool alone)
{
	struct nx_index hosts = NX_INDEX_INIT;

	for (size_t b = 0; b < s->previous->n_backends; b++) {
		const struct nx_plan_backend *old = &s->previous->backend[b];

		for (size_t i = 0; i < old->n_sessions && !to->taken[b]; i++)
			if (!alone || old->n_sessions == 1)
				nx_index_add(&hosts, old->session[i].session, b);
	}
	nx_index_sort(&hosts);
	return hosts;
}

/* Devices of one session each match perfectly, and there may be thousands of one session: they are
 * paired off first, in their order, so that all pairs need not be looked at. */
static void match_alone(const struct stick *s, const struct nx_placement *pl, struct naming *to)
{
	struct nx_index hosts = free_hosts(s, to, true);
	size_t *skip = nx_alloc(hosts.n + 1, sizeof *skip); /* at the first of a name: taken ones */

	for (size_t i = 0; i < pl->n; i++) {
		const char *name = s->p->demand[pl->slot[i].part[0].demand].session;
		size_t first = nx_index_find(&hosts, name);

		if (pl->slot[i].n != 1 || first == NX_INDEX_NONE)
			continue;
		size_t at = first + skip[first];
		while (at < hosts.n && strcmp(hosts.entry[at].name, name) == 0 &&
			s->type[hosts.entry[at].value] != pl->slot[i].type)
			at++;
		if (at == hosts.n || strcmp(hosts.entry[at].name, name) != 0)
			continue;
		/* what was passed over is of another type: it waits for its turn */
		size_t b = hosts.entry[at].value;
		for (; at > first + skip[first]; at--)
			hosts.entry[at].value = hosts.entry[at - 1].value;
		skip[first]++;
		to->from[i] = b;
		to->taken[b] = true;
	}
	free(skip);
	nx_index_release(&hosts);
}

/* All pairs of a slot and a previous backend of its type that share a session; of slots and
 * backends that are still free, and of a session on very many backends, some. */
static struct match *find_matches(
	const struct stick *s, const struct nx_placement *pl, const struct naming *to, size_t *n)
{
	struct nx_index hosts = free_hosts(s, to, false);
	struct match *m = NULL;
	size_t cap = 0, kept = 0;

	*n = 0;
	for (size_t i = 0; i < pl->n; i++) {
		for (size_t j = 0; j < pl->slot[i].n && to->from[i] == NX_INDEX_NONE; j++) {
			const char *name = s->p->demand[pl->slot[i].part[j].demand].session;
			size_t at = nx_index_find(&hosts, name);

			for (size_t tries = 0; tries < MATCH_TRIES && at < hosts.n &&
					       strcmp(hosts.entry[at].name, name) == 0;
				tries++, at++) {
				if (s->type[hosts.entry[at].value] != pl->slot[i].type)
					continue;
				m = nx_grow(m, &cap, *n + 1, sizeof *m);
				m[(*n)++] = (struct match){ i, hosts.entry[at].value, 1 };
			}
		}
	}
	nx_index_release(&hosts);
	if (*n)
		qsort(m, *n, sizeof *m, by_pair);
	for (size_t i = 0; i < *n; i++) {
		if (kept && by_pair(&m[kept - 1], &m[i]) == 0)
			m[kept - 1].common++;
		else
			m[kept++] = m[i];
	}
	*n = kept;
	return m;
}

static void match_names(const struct stick *s, struct nx_placement *pl)
{
	size_t n;
	struct naming to = { nx_alloc(pl->n + 1, sizeof *to.from),
		nx_alloc(s->previous->n_backends + 1, sizeof *to.taken) };

	for (size_t i = 0; i < pl->n; i++)
		to.from[i] = NX_INDEX_NONE;
	match_alone(s, pl, &to);
	struct match *m = find_matches(s, pl, &to, &n);
	if (n)
		qsort(m, n, sizeof *m, better_match);
	for (size_t i = 0; i < n; i++) {
		if (to.taken[m[i].backend] || to.from[m[i].slot] != NX_INDEX_NONE)
			continue;
		to.taken[m[i].backend] = true;
		to.from[m[i].slot] = m[i].backend;
	}
	name_slots(s, pl, to.from);
	free(to.taken);
	free(to.from);
	free(m);
}

/* ---- both ----------------------------------------------------------------------------------- */

/* Whether the kept placement may replace the fresh one: no more devices of any type. */
static bool no_worse(const struct stick *s, const struct nx_placement *fresh)
{
	double cost = 0;

	if (s->kept.n > fresh->n)
		return false;
	for (size_t t = 0; t < s->p->n_types; t++) {
		int64_t now = 0, then = 0;

		for (size_t i = 0; i < s->kept.n; i++)
			now += s->kept.slot[i].type == t;
		for (size_t i = 0; i < fresh->n; i++)
			then += fresh->slot[i].type == t;
		if (s->p->type[t].count >= 0 && now > s->p->type[t].count)
			return false;
		cost += (double)(now - then) * s->p->type[t].cost;
	}
	return cost <= NX_SCHED_EPS;
}

static bool try_keep(struct stick *s, const struct nx_placement *fresh)
{
	const size_t n_old = s->previous->n_backends;
	bool *done = nx_alloc(n_old + 1, sizeof *done);

	find_same(s);
	s->left = nx_alloc(s->p->n_demands + 1, sizeof *s->left);
	s->backend_of = nx_alloc(n_old + 1, sizeof *s->backend_of);
	for (size_t i = 0; i < s->p->n_demands; i++) {
		s->left[i] = s->p->demand[i].n_options ? s->p->demand[i].rate : 0;
		if (s->p->demand[i].n_options && fresh->left[i] > 0) {
			free(done);
			return false; /* something is not served: too few devices to be choosy */
		}
	}
	for (size_t b = 0; b < n_old; b++) {
		done[b] = is_whole(s, b);
		if (done[b])
			keep_backend(s, b, true);
	}
	for (size_t b = 0; b < n_old; b++)
		if (!done[b] && s->type[b] != NX_INDEX_NONE)
			keep_backend(s, b, false);
	free(done);
	size_t n_kept = s->kept.n;
	place_rest(s);
	s->backend_of = nx_realloc(s->backend_of, s->kept.n + 1, sizeof *s->backend_of);
	for (size_t i = n_kept; i < s->kept.n; i++)
		s->backend_of[i] = NX_INDEX_NONE;
	return no_worse(s, fresh);
}

void nx_place_stick(struct nx_problem *p, const struct nx_plan *previous, struct nx_placement *pl)
{
	struct stick s;

	stick_init(&s, p, previous);
	if (try_keep(&s, pl)) {
		struct nx_placement fresh = *pl;

		s.kept.left = fresh.left;
		s.kept.why_left = fresh.why_left;
		s.kept.n_demands = fresh.n_demands;
		fresh.left = NULL;
		fresh.why_left = NULL;
		*pl = s.kept;
		s.kept = fresh;
		name_slots(&s, pl, s.backend_of);
	} else {
		match_names(&s, pl);
	}
	stick_release(&s);
}
