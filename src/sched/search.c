/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packings that are proved best, for few items: branch and bound over whole items, and a dynamic
 * programme over sets where items may be divided.
 *
 * Both count what they do instead of looking at a clock, so that the same input gives the same plan
 * on every machine.
 */
#include "sched/pack.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define SEARCH_TESTS 200000 /* feasibility tests; about a tenth of a microsecond an item each */
#define SEARCH_ITEMS 64
#define SETS_QUICK   3e5
#define SETS_STEPS   6.1e7 /* of nx_pack_sets: 10 items that can be divided, 16 that cannot */

static void drop_bin(struct nx_packing *p, size_t i)
{
	free(p->bin[i].item);
	memmove(&p->bin[i], &p->bin[i + 1], (p->n - i - 1) * sizeof *p->bin);
	p->n--;
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
		nx_bin_remove(bin, bin->n - 1);
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

/* ---- all sets ------------------------------------------------------------------------------- */

/*
 * A set says of each item whether none, half or all of it is in: a number of mixed base, three for
 * items that can be divided and two for others.  The sets that fit one device are found by adding
 * to smaller ones that do, as fitting is hereditary; then devices[s], the fewest for set s, is the
 * least of 1 + devices[s - t] over the sets t within s that hold something of the first item of s.
 * At most 6 steps an item that can be divided and 3 one that cannot, multiplied.
 */
struct sets {
	const struct nx_item *item;
	size_t n, size;
	size_t power[NX_SETS_ITEMS + 1];
	bool *fits;
	unsigned char *devices;
	size_t *first; /* the set that is taken off */
	double memory_bytes;
};

static bool can_divide(const struct sets *s, size_t i)
{
	return s->power[i + 1] == 3 * s->power[i];
}

/* How much of item i is in the set: 0, 1, and 2 if it can be divided. */
static size_t digit(const struct sets *s, size_t set, size_t i)
{
	return set / s->power[i] % (can_divide(s, i) ? 3 : 2);
}

static const struct nx_item *part_of(const struct sets *s, size_t set, size_t i)
{
	bool half = can_divide(s, i) && digit(s, set, i) == 1;

	return half ? s->item[i].half : &s->item[i];
}

static bool set_fits(const struct sets *s, size_t set)
{
	const struct nx_item *at[NX_SETS_ITEMS];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		size_t part = digit(s, set, i);

		if (part && !s->fits[set - s->power[i] * part])
			return false;
		if (part)
			at[n++] = part_of(s, set, i);
	}
	return nx_node_fits(at, n, s->memory_bytes);
}

/* Tries all sets within 'set' whose items from i on are still open; 'part' is what is chosen. */
static void take_off(struct sets *s, size_t set, size_t part, size_t i)
{
	if (!s->fits[part])
		return;
	if (i == s->n) {
		if (part && s->devices[set - part] + 1 < s->devices[set]) {
			s->devices[set] = (unsigned char)(s->devices[set - part] + 1);
			s->first[set] = part;
		}
		return;
	}
	size_t most = digit(s, set, i);
	for (size_t k = part == 0 && most > 0; k <= most; k++)
		take_off(s, set, part + k * s->power[i], i + 1);
}

static void add_set(const struct sets *s, size_t set, struct nx_packing *p)
{
	struct nx_bin *bin = nx_packing_open(p);

	for (size_t i = 0; i < s->n; i++)
		if (digit(s, set, i))
			nx_bin_add(bin, part_of(s, set, i));
}

bool nx_pack_sets(const struct nx_pack_job *job, struct nx_packing *p)
{
	struct sets s = { .item = job->item, .n = job->n, .memory_bytes = job->memory_bytes };
	bool quick = !job->work->left && job->work->looks_an_item <= 0;
	double steps = 1, most = quick ? SETS_QUICK : SETS_STEPS;

	if (s.n > NX_SETS_ITEMS)
		return false;
	s.power[0] = 1;
	for (size_t i = 0; i < s.n && steps <= most; i++) {
		bool three = job->divide && job->item[i].half;

		s.power[i + 1] = (three ? 3 : 2) * s.power[i];
		steps *= three ? 6 : 3;
	}
	if (steps > most)
		return false;
	s.size = s.power[s.n];
	s.fits = nx_alloc(s.size, sizeof *s.fits);
	s.devices = nx_alloc(s.size, sizeof *s.devices);
	s.first = nx_alloc(s.size, sizeof *s.first);
	s.fits[0] = true;
	for (size_t set = 1; set < s.size; set++) {
		s.fits[set] = set_fits(&s, set);
		s.devices[set] = 2 * NX_SETS_ITEMS + 1;
		take_off(&s, set, 0, 0);
	}
	if (s.devices[s.size - 1] < p->n) {
		nx_packing_release(p);
		for (size_t set = s.size - 1; set > 0; set -= s.first[set])
			add_set(&s, s.first[set], p);
	}
	free(s.fits);
	free(s.devices);
	free(s.first);
	return true;
}
