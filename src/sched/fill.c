/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling one device.
 *
 * With the duty cycle d given, squishy packing is a knapsack: item i takes l(ceil(r d)) of d and is
 * worth its value.  So a few duty cycles are tried, and at each the items of the best value per
 * millisecond are gone through by depth first search, cut by Dantzig's bound and by a count.  The
 * first item must be in: the cycles are those where its batches are full, which waste nothing of
 * it, and shorter ones for the sake of the others; a cycle that alone wastes more than the best
 * device so far is passed over.
 */
#include "sched/fill.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define CYCLES     40 /* of the first item that are tried, and SHORTER ones */
#define SHORTER    40
#define TAIL       24   /* items that the search chooses among; what comes before is taken as is */
#define TAIL_STEPS 60   /* of the search */
#define MORE_VALUE 1e-9 /* a better device is better by this */

/* An item that has room in the cycle that is looked at. */
struct nx_fill_pick {
	double ms, value, rate; /* rate: value per ms */
	size_t at;              /* twice the place in the pool; and 1: half of it */
};

struct nx_fill_cycles {
	double *cycle;
	size_t n;
};

void nx_fill_remember(struct nx_fill *f, const struct nx_item *item, size_t n)
{
	f->base = item;
	f->n_base = n;
	f->known = nx_alloc(2 * n + 1, sizeof *f->known);
}

void nx_fill_release(struct nx_fill *f)
{
	for (size_t i = 0; i < 2 * f->n_base; i++)
		free(f->known[i].cycle);
	free(f->known);
	free(f->pick);
	free(f->chosen);
	free(f->best);
	free(f->now);
	free(f->cycle);
	*f = (struct nx_fill){ 0 };
}

static void reserve(struct nx_fill *f, size_t n)
{
	f->pick = nx_grow(f->pick, &f->cap_pick, n, sizeof *f->pick);
	if (!f->cycle)
		f->cycle = nx_alloc(2 * (CYCLES + SHORTER) + 2, sizeof *f->cycle);
	if (n <= f->cap)
		return;
	free(f->chosen);
	free(f->best);
	free(f->now);
	f->cap = 2 * n;
	f->chosen = nx_alloc(f->cap, sizeof *f->chosen);
	f->best = nx_alloc(f->cap, sizeof *f->best);
	f->now = nx_alloc(f->cap, sizeof *f->now);
}

/* ---- cycles -------------------------------------------------------------------------------- */

/* The duty cycles to try for an item, the one that wastes least of it first.  Pairs of cycle and
 * share of the device; returns how many. */
static int longer_use(const void *a, const void *b)
{
	const double *x = a, *y = b;

	if (x[1] != y[1])
		return x[1] < y[1] ? -1 : 1;
	return x[0] < y[0] ? 1 : x[0] > y[0] ? -1 : 0;
}

static size_t make_cycles(const struct nx_item *it, double *cycle)
{
	double last = 0;
	size_t n = 0;
	int64_t step = it->max_batch / CYCLES + 1;

	for (int64_t b = 1; b <= it->max_batch; b += step) {
		double ms = nx_curve_ms(it->curve, b), d = 1000 * (double)b / it->rate;
		bool cut = d > it->slo_ms - ms;

		if (cut)
			d = it->slo_ms - ms;
		if (cut && it->rate * d <= 1000 * (double)(b - 1))
			break;
		if (ms <= d * (1 + NX_SCHED_EPS)) {
			cycle[2 * n] = d;
			cycle[2 * n++ + 1] = ms / d;
			last = d;
		}
		if (cut)
			break;
	}
	for (size_t k = 0; k < SHORTER; k++) {
		last *= 0.97;
		double b = nx_item_rows(it, last);
		if (b > (double)it->max_batch)
			continue;
		double ms = nx_curve_ms(it->curve, (int64_t)b);
		if (ms > last)
			break;
		cycle[2 * n] = last;
		cycle[2 * n++ + 1] = ms / last;
	}
	qsort(cycle, n, 2 * sizeof *cycle, longer_use);
	return n;
}

/* The same, from memory if there is one: pairs that are good until the next call. */
static const double *cycles_of(struct nx_fill *f, const struct nx_item *it, size_t *n)
{
	if (!f->known) {
		*n = make_cycles(it, f->cycle);
		return f->cycle;
	}
	size_t at = it->whole ? f->n_base + (size_t)(it->whole - f->base) : (size_t)(it - f->base);
	struct nx_fill_cycles *known = &f->known[at];
	if (!known->cycle) {
		known->n = make_cycles(it, f->cycle);
		known->cycle = nx_alloc(2 * known->n + 1, sizeof *known->cycle);
		memcpy(known->cycle, f->cycle, 2 * known->n * sizeof *known->cycle);
	}
	*n = known->n;
	return known->cycle;
}

/* ---- the knapsack of one cycle --------------------------------------------------------------- */

static int richer(const void *a, const void *b)
{
	const struct nx_fill_pick *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Moves the k picks of the highest rate to the front, in no order (quickselect). */
static void select_richest(struct nx_fill_pick *pick, size_t n, size_t k)
{
	size_t low = 0, high = n;

	while (high - low > 1) {
		const struct nx_fill_pick pivot = pick[low + (high - low) / 2];
		size_t i = low, j = high - 1;

		for (;;) {
			while (richer(&pick[i], &pivot) < 0)
				i++;
			while (richer(&pick[j], &pivot) > 0)
				j--;
			if (i >= j)
				break;
			struct nx_fill_pick t = pick[i];
			pick[i++] = pick[j];
			pick[j--] = t;
		}
		/* everything before i is no poorer than the pivot */
		if (k <= i)
			high = i == high ? i - 1 : i;
		else
			low = i;
		if (k == low || k == high)
			break;
	}
}

/* What a place of a pick means. */
static const struct nx_item *item_at(const struct nx_fill_item *pool, size_t at)
{
	const struct nx_item *it = pool[at / 2].it;

	return at % 2 ? it->half : it;
}

struct knapsack {
	const struct nx_fill_item *pool;
	const struct nx_fill_pick *pick;
	size_t n;
	double memory_bytes; /* 0: not limited */
	size_t *now, n_now;  /* chosen: places in the pool */
	size_t *best, n_best;
	double best_value;
	int steps;
};

/* What one more item takes of the memory, in a cycle of d. */
static double more_memory(const struct knapsack *k, size_t at, double d)
{
	const struct nx_item *it = item_at(k->pool, at);
	int64_t b = (int64_t)nx_item_rows(it, d);
	double bytes = (double)it->curve->row[b - 1].run * it->row_bytes;

	for (size_t i = 0; i < k->n_now; i++)
		if (item_at(k->pool, k->now[i])->weights_id == it->weights_id)
			return bytes;
	return bytes + it->weights_bytes;
}

/* Dantzig's bound for what is left of the picks. */
static double bound_from(const struct knapsack *k, size_t i, double room_ms)
{
	double value = 0;

	for (; i < k->n && room_ms > 0; i++) {
		if (k->pick[i].ms > room_ms)
			return value + k->pick[i].rate * room_ms;
		value += k->pick[i].value;
		room_ms -= k->pick[i].ms;
	}
	return value;
}

/* Whether the other half, or the whole of which this is half, is in already. */
static bool has_session(const struct knapsack *k, size_t at)
{
	const struct nx_item *it = item_at(k->pool, at);

	if (!it->half && !it->whole)
		return false;
	for (size_t i = 0; i < k->n_now; i++)
		if (item_at(k->pool, k->now[i])->demand == it->demand)
			return true;
	return false;
}

static void search(
	struct knapsack *k, size_t i, double room_ms, double value, double bytes, double d)
{
	if (value > k->best_value + MORE_VALUE) {
		k->best_value = value;
		k->n_best = k->n_now;
		memcpy(k->best, k->now, k->n_now * sizeof *k->now);
	}
	for (; i < k->n; i++) {
		if (k->pick[i].ms > room_ms)
			continue;
		if (has_session(k, k->pick[i].at))
			continue;
		if (k->steps-- <= 0 ||
			value + bound_from(k, i, room_ms) <= k->best_value + MORE_VALUE)
			return;
		double more = 0;
		if (k->memory_bytes > 0) {
			more = more_memory(k, k->pick[i].at, d);
			if (bytes + more > k->memory_bytes)
				continue;
		}
		k->now[k->n_now++] = k->pick[i].at;
		search(k, i + 1, room_ms - k->pick[i].ms, value + k->pick[i].value, bytes + more,
			d);
		k->n_now--;
	}
}

static bool fits_cycle(const struct nx_item *it, double d, double room_ms, double *ms)
{
	double b = nx_item_rows(it, d);

	if (b > (double)it->max_batch)
		return false;
	*ms = nx_curve_ms(it->curve, (int64_t)b);
	return *ms <= room_ms && d <= (it->slo_ms - *ms) * (1 + NX_SCHED_EPS);
}

/* Collects what has room beside the first item in a cycle of d. */
static size_t collect(
	struct nx_fill *f, const struct nx_fill_item *pool, size_t n, double d, double room_ms)
{
	size_t m = 0;

	f->work += n;
	for (size_t i = 1; i < n; i++) {
		const struct nx_item *it = pool[i].it;
		double value = pool[i].value, ms;

		if (d > it->slo_ms)
			continue;
		if (fits_cycle(it, d, room_ms, &ms))
			f->pick[m++] = (struct nx_fill_pick){ ms, value, value / ms, 2 * i };
		if (f->divide && it->half && fits_cycle(it->half, d, room_ms, &ms))
			f->pick[m++] =
				(struct nx_fill_pick){ ms, value / 2, value / 2 / ms, 2 * i + 1 };
	}
	return m;
}

/* The best device at cycle d; its items are in k->best if it beats what is there. */
static void fill_cycle(struct nx_fill *f, struct knapsack *k, size_t n, double d, double first_ms)
{
	double room = d * (1 + NX_SCHED_EPS) - first_ms, value = k->pool[0].value, bytes = 0;
	size_t m = collect(f, k->pool, n, d, room), top = m, i = 0;

	k->n_now = 0;
	if (k->memory_bytes > 0)
		bytes = more_memory(k, 0, d);
	k->now[k->n_now++] = 0;
	for (size_t want = 64; want < m; want *= 4) {
		double sum = 0;

		select_richest(f->pick, m, want);
		for (size_t j = 0; j < want; j++)
			sum += f->pick[j].ms;
		top = want;
		if (sum > 2 * room)
			break;
		top = m;
	}
	qsort(f->pick, top, sizeof *f->pick, richer);
	/* many small ones: the richest are in, the search is about the end */
	for (double ahead = 0; i + TAIL < top; i++) {
		ahead = 0;
		for (size_t j = i; j < i + TAIL; j++)
			ahead += f->pick[j].ms;
		if (ahead > room)
			break;
		if (has_session(k, f->pick[i].at))
			continue;
		double more = k->memory_bytes > 0 ? more_memory(k, f->pick[i].at, d) : 0;
		if (k->memory_bytes > 0 && bytes + more > k->memory_bytes)
			continue;
		bytes += more;
		room -= f->pick[i].ms;
		value += f->pick[i].value;
		k->now[k->n_now++] = f->pick[i].at;
	}
	k->pick = f->pick;
	k->n = top;
	k->steps = TAIL_STEPS;
	search(k, i, room, value, bytes, d);
}

static int ascending(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Hands out what was chosen: adds it to the bin, and takes it from the pool. */
static size_t take(
	struct nx_fill *f, struct nx_fill_item *pool, size_t n, size_t n_best, struct nx_bin *bin)
{
	size_t kept = 0, next = 0;

	qsort(f->best, n_best, sizeof *f->best, ascending);
	for (size_t i = 0; i < n; i++) {
		bool chosen = next < n_best && f->best[next] / 2 == i;
		bool half = chosen && f->best[next] % 2;

		next += chosen;
		if (chosen)
			nx_bin_add(bin, half ? pool[i].it->half : pool[i].it);
		if (half)
			pool[kept++] = (struct nx_fill_item){ pool[i].it->half, pool[i].value / 2 };
		else if (!chosen)
			pool[kept++] = pool[i];
	}
	return kept;
}

double nx_fill_cycle(struct nx_fill *f, const struct nx_item *it)
{
	reserve(f, 1);
	return make_cycles(it, f->cycle) ? f->cycle[0] : 0;
}

size_t nx_fill_bin(struct nx_fill *f, struct nx_fill_item *pool, size_t n, struct nx_bin *bin)
{
	reserve(f, 2 * n);
	size_t n_cycles;
	const double *cycle = cycles_of(f, pool[0].it, &n_cycles);
	struct knapsack k = { .pool = pool,
		.memory_bytes = f->memory_bytes,
		.now = f->now,
		.best = f->best,
		.best_value = pool[0].value,
		.n_best = 1 };

	f->best[0] = 0;
	for (size_t c = 0; c < n_cycles; c++) {
		double d = cycle[2 * c], use = cycle[2 * c + 1];

		/* the others cannot be worth more than the room they are left */
		if (k.best_value >= 1 - use + pool[0].value - 1e-3)
			break;
		fill_cycle(f, &k, n, d, use * d);
	}
	return take(f, pool, n, k.n_best, bin);
}
