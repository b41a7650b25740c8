/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a packing better: local moves, then branch and bound for what is small.
 *
 * Both count the nodes they test instead of looking at a clock, so that the same input gives the
 * same plan on every machine.
 */
#include "sched/pack.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define IMPROVE_TESTS 400000 /* feasibility tests; about a tenth of a microsecond an item each */
#define SEARCH_TESTS  400000
#define SEARCH_ITEMS  64

static void bin_remove(struct nx_bin *bin, size_t i)
{
	bin->load -= bin->item[i]->floor;
	memmove(&bin->item[i], &bin->item[i + 1], (bin->n - i - 1) * sizeof *bin->item);
	bin->n--;
}

struct improve {
	struct nx_packing *p;
	double memory_bytes;
	long tests; /* still allowed */
};

static bool takes(struct improve *im, const struct nx_bin *bin, const struct nx_item *it)
{
	if (bin->load + it->floor > 1 + 1e-6)
		return false;
	im->tests--;
	return nx_bin_takes(bin, it, im->memory_bytes);
}

/* The fullest bin but two that takes the item, or p->n. */
static size_t best_bin(struct improve *im, const struct nx_item *it, size_t not_a, size_t not_b)
{
	size_t best = im->p->n;

	for (size_t i = 0; i < im->p->n && im->tests > 0; i++) {
		const struct nx_bin *bin = &im->p->bin[i];

		if (i != not_a && i != not_b &&
			(best == im->p->n || bin->load > im->p->bin[best].load) &&
			takes(im, bin, it))
			best = i;
	}
	return best;
}

/* Puts 'it' in the place of an item of bin b that some bin other than 'from' takes. */
static bool swap_in(struct improve *im, const struct nx_item *it, size_t from, size_t b)
{
	struct nx_bin *bin = &im->p->bin[b];

	for (size_t i = 0; i < bin->n && im->tests > 0; i++) {
		const struct nx_item *out = bin->item[i];

		bin_remove(bin, i);
		if (takes(im, bin, it)) {
			size_t to = best_bin(im, out, from, b);

			if (to < im->p->n) {
				nx_bin_add(bin, it);
				nx_bin_add(&im->p->bin[to], out);
				return true;
			}
		}
		nx_bin_add(bin, out); /* at the end: the next item is now in its place */
		memmove(&bin->item[i + 1], &bin->item[i], (bin->n - 1 - i) * sizeof *bin->item);
		bin->item[i] = out;
	}
	return false;
}

/* Moves an item of bin 'from' elsewhere, if need be by moving another one aside. */
static bool place_elsewhere(struct improve *im, const struct nx_item *it, size_t from)
{
	size_t to = best_bin(im, it, from, from);

	if (to < im->p->n) {
		nx_bin_add(&im->p->bin[to], it);
		return true;
	}
	for (size_t b = 0; b < im->p->n && im->tests > 0; b++)
		if (b != from && swap_in(im, it, from, b))
			return true;
	return false;
}

static void drop_bin(struct nx_packing *p, size_t i)
{
	free(p->bin[i].item);
	memmove(&p->bin[i], &p->bin[i + 1], (p->n - i - 1) * sizeof *p->bin);
	p->n--;
}

/* Empties bin 'from'.  What could be moved stays moved even if the rest cannot: it is a packing of
 * as many bins, and a better start for the next attempt. */
static bool empty_bin(struct improve *im, size_t from)
{
	struct nx_bin *bin = &im->p->bin[from];

	while (bin->n > 0) {
		const struct nx_item *it = bin->item[bin->n - 1];

		if (!place_elsewhere(im, it, from))
			return false;
		bin_remove(bin, bin->n - 1);
	}
	drop_bin(im->p, from);
	return true;
}

static int lighter_bin(const void *a, const void *b)
{
	const struct nx_bin *x = a, *y = b;

	if (x->load != y->load)
		return x->load < y->load ? -1 : 1;
	return x->item[0]->demand < y->item[0]->demand ? -1 : 1;
}

void nx_pack_improve(struct nx_packing *p, double memory_bytes)
{
	struct improve im = { p, memory_bytes, IMPROVE_TESTS };
	bool again = true;

	while (again && im.tests > 0) {
		again = false;
		qsort(p->bin, p->n, sizeof *p->bin, lighter_bin);
		for (size_t i = 0; i < p->n && im.tests > 0 && !again; i++)
			again = empty_bin(&im, i);
	}
}

/* ---- branch and bound ---------------------------------------------------------------------- */

/*
 * Items in descending order of floor; each goes into one of the open bins or opens a new one.
 * Subsets of feasible nodes are feasible, so a bin that does not take an item never will, and
 * every packing is reached.  Cut: bins needed by what is left, where the open bins' room is
 * given away for free.
 */
struct search {
	const struct nx_item *order[SEARCH_ITEMS];
	double rest[SEARCH_ITEMS + 1]; /* sum of the floors from here on */
	size_t n;
	double memory_bytes;
	long tests;
	struct nx_packing now;
	size_t best; /* bins of the best packing so far */
	unsigned char bin[SEARCH_ITEMS], best_bin[SEARCH_ITEMS];
	bool found;
};

static double room(const struct search *s)
{
	double sum = 0;

	for (size_t i = 0; i < s->now.n; i++)
		sum += 1 - s->now.bin[i].load;
	return sum;
}

static void search_from(struct search *s, size_t i)
{
	if (s->tests <= 0)
		return;
	if (i == s->n) {
		s->best = s->now.n;
		s->found = true;
		memcpy(s->best_bin, s->bin, sizeof s->bin);
		return;
	}
	double spare = (double)(s->best - 1) - (double)s->now.n;
	if (s->rest[i] > room(s) + spare + 1e-6)
		return;
	for (size_t b = 0; b < s->now.n && s->tests > 0; b++) {
		struct nx_bin *bin = &s->now.bin[b];

		if (bin->load + s->order[i]->floor > 1 + 1e-6)
			continue;
		s->tests--;
		if (!nx_bin_takes(bin, s->order[i], s->memory_bytes))
			continue;
		s->bin[i] = (unsigned char)b;
		nx_bin_add(bin, s->order[i]);
		search_from(s, i + 1);
		bin = &s->now.bin[b];
		bin_remove(bin, bin->n - 1);
	}
	if (s->now.n + 1 < s->best) {
		s->bin[i] = (unsigned char)s->now.n;
		nx_packing_add(&s->now, s->order[i]);
		search_from(s, i + 1);
		drop_bin(&s->now, s->now.n - 1);
	}
}

static int larger_first(const void *a, const void *b)
{
	const struct nx_item *x = *(const struct nx_item *const *)a;
	const struct nx_item *y = *(const struct nx_item *const *)b;

	if (x->floor != y->floor)
		return x->floor < y->floor ? 1 : -1;
	return x->demand < y->demand ? -1 : x->demand > y->demand;
}

void nx_pack_search(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p)
{
	if (n > SEARCH_ITEMS || p->n < 2)
		return;
	struct search s = {
		.n = n, .memory_bytes = memory_bytes, .tests = SEARCH_TESTS, .best = p->n
	};

	for (size_t i = 0; i < n; i++)
		s.order[i] = &item[i];
	qsort(s.order, n, sizeof s.order[0], larger_first);
	for (size_t i = n; i-- > 0;)
		s.rest[i] = s.rest[i + 1] + s.order[i]->floor;
	search_from(&s, 0);
	nx_packing_release(&s.now);
	if (!s.found)
		return;
	nx_packing_release(p);
	for (size_t i = 0; i < n; i++) {
		if (s.best_bin[i] < p->n)
			nx_bin_add(&p->bin[s.best_bin[i]], s.order[i]);
		else
			nx_packing_add(p, s.order[i]);
	}
}
