/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Greedy packing: the paper's, and ours with the exact test.
 *
 * The paper's best fit asks every node, but each time only for one duty cycle, so it stays cheap
 * for ten thousand sessions.  The exact test costs more; it is asked of a bounded number of nodes
 * whose loads leave room, the fullest first.  Neither dominates the other on every input: nx_pack
 * runs both and improves the better one.
 */
#include "sched/pack.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_TRIES 64 /* nodes asked for each item */

void nx_packing_release(struct nx_packing *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->bin[i].item);
	free(p->bin);
	*p = (struct nx_packing)NX_PACKING_INIT;
}

void nx_bin_add(struct nx_bin *bin, const struct nx_item *it)
{
	bin->item = nx_grow(bin->item, &bin->cap, bin->n + 1, sizeof *bin->item);
	bin->item[bin->n++] = it;
	bin->load += it->floor;
}

void nx_packing_add(struct nx_packing *p, const struct nx_item *it)
{
	p->bin = nx_grow(p->bin, &p->cap, p->n + 1, sizeof *p->bin);
	p->bin[p->n] = (struct nx_bin){ NULL, 0, 0, 0 };
	nx_bin_add(&p->bin[p->n++], it);
}

bool nx_bin_takes(const struct nx_bin *bin, const struct nx_item *it, double memory_bytes)
{
	enum { USUAL = 32 };
	const struct nx_item *few[USUAL];
	const struct nx_item **all = few;

	if (bin->load + it->floor > 1 + 1e-6)
		return false; /* the floors of a node that works add up to at most 1 */
	if (bin->n + 1 > USUAL)
		all = nx_alloc(bin->n + 1, sizeof *all);
	if (bin->n)
		memcpy(all, bin->item, bin->n * sizeof *all);
	all[bin->n] = it;
	bool takes = nx_node_fits(all, bin->n + 1, memory_bytes);
	if (all != few)
		free(all);
	return takes;
}

/* ---- the paper's --------------------------------------------------------------------------- */

/* A node of the paper's greedy. */
struct paper_node {
	double duty_ms, busy_ms;
	size_t bin;
};

struct paper_start {
	double duty_ms, occupancy;
	size_t index;
};

/* The paper's residue rule for one item, with its holes closed. */
static struct paper_start paper_residue(const struct nx_item *it, size_t index)
{
	struct paper_start start = { 0, 2, index };

	for (int64_t b = it->max_batch; b > 0; b--) {
		double ms = nx_curve_ms(it->curve, b);
		double duty_ms = 1000 * (double)b / it->rate;

		if (duty_ms + ms <= it->slo_ms * (1 + NX_SCHED_EPS)) {
			start = (struct paper_start){ duty_ms, ms / duty_ms, index };
			break;
		}
	}
	if (start.occupancy > 1 + NX_SCHED_EPS) {
		int64_t batch;
		struct nx_cycle cycle = { .batch = &batch };

		nx_node_cycle(&it, 1, 0, &cycle);
		start.duty_ms = cycle.duty_ms;
		start.occupancy = cycle.busy_ms / cycle.duty_ms;
	}
	return start;
}

static int fuller_start(const void *a, const void *b)
{
	const struct paper_start *x = a, *y = b;

	if (x->occupancy != y->occupancy)
		return x->occupancy < y->occupancy ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

/* Whether the node's bin and one more item run in a cycle of duty_ms. */
static bool paper_merge(const struct nx_bin *bin, const struct paper_node *node,
	const struct nx_item *it, double duty_ms, double memory_bytes, double *busy_ms)
{
	double add;

	if (!nx_node_fits_at(&it, 1, memory_bytes, duty_ms, &add))
		return false;
	if (duty_ms >= node->duty_ms && memory_bytes <= 0) {
		*busy_ms = node->busy_ms + add;
		return *busy_ms <= duty_ms * (1 + NX_SCHED_EPS);
	}
	if (bin->load + it->floor > 1 + 1e-6)
		return false;
	const struct nx_item **all = nx_alloc(bin->n + 1, sizeof *all);
	memcpy(all, bin->item, bin->n * sizeof *all);
	all[bin->n] = it;
	bool fits = nx_node_fits_at(all, bin->n + 1, memory_bytes, duty_ms, busy_ms);
	free(all);
	return fits;
}

void nx_pack_paper(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p)
{
	struct paper_start *start = nx_alloc(n, sizeof *start);
	struct paper_node *node = nx_alloc(n, sizeof *node);

	for (size_t i = 0; i < n; i++)
		start[i] = paper_residue(&item[i], i);
	qsort(start, n, sizeof *start, fuller_start);
	for (size_t i = 0; i < n; i++) {
		const struct nx_item *it = &item[start[i].index];
		struct paper_node best = { 0, 0, p->n };

		for (size_t j = 0; j < p->n; j++) {
			double duty = start[i].duty_ms < node[j].duty_ms ? start[i].duty_ms
									 : node[j].duty_ms;
			double busy;

			if (paper_merge(&p->bin[j], &node[j], it, duty, memory_bytes, &busy) &&
				(best.bin == p->n || busy * best.duty_ms > best.busy_ms * duty))
				best = (struct paper_node){ duty, busy, j };
		}
		if (best.bin == p->n) {
			best.duty_ms = start[i].duty_ms;
			best.busy_ms = start[i].occupancy * start[i].duty_ms;
			nx_packing_add(p, it);
		} else {
			nx_bin_add(&p->bin[best.bin], it);
		}
		node[best.bin] = best;
	}
	free(node);
	free(start);
}

/* ---- ours ---------------------------------------------------------------------------------- */

static int larger_floor(const void *a, const void *b)
{
	const struct nx_item *x = *(const struct nx_item *const *)a;
	const struct nx_item *y = *(const struct nx_item *const *)b;

	if (x->floor != y->floor)
		return x->floor < y->floor ? 1 : -1;
	return x->demand != y->demand ? (x->demand < y->demand ? -1 : 1) : (x < y ? -1 : x > y);
}

/* The bins are kept in ascending order of load. */
static void sift_up(struct nx_packing *p, size_t i)
{
	struct nx_bin moved = p->bin[i];

	for (; i + 1 < p->n && p->bin[i + 1].load < moved.load; i++)
		p->bin[i] = p->bin[i + 1];
	p->bin[i] = moved;
}

static void sift_down(struct nx_packing *p, size_t i)
{
	struct nx_bin moved = p->bin[i];

	for (; i > 0 && p->bin[i - 1].load > moved.load; i--)
		p->bin[i] = p->bin[i - 1];
	p->bin[i] = moved;
}

/* How many of the bins have a load of at most 'load'. */
static size_t bins_up_to(const struct nx_packing *p, double load)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (p->bin[mid].load <= load)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void nx_pack_exact(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p)
{
	const struct nx_item **order = nx_alloc(n, sizeof *order);

	for (size_t i = 0; i < n; i++)
		order[i] = &item[i];
	qsort(order, n, sizeof *order, larger_floor);
	for (size_t i = 0; i < n; i++) {
		size_t fit = p->n, j = bins_up_to(p, 1 + 1e-6 - order[i]->floor);

		for (int tries = 0; j-- > 0 && tries < EXACT_TRIES; tries++) {
			if (nx_bin_takes(&p->bin[j], order[i], memory_bytes)) {
				fit = j;
				break;
			}
		}
		if (fit < p->n) {
			nx_bin_add(&p->bin[fit], order[i]);
			sift_up(p, fit);
		} else {
			nx_packing_add(p, order[i]);
			sift_down(p, p->n - 1);
		}
	}
	free(order);
}

/* The floors of all items add up to at most the number of bins. */
static bool at_bound(const struct nx_item *item, size_t n, const struct nx_packing *p)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += item[i].floor;
	return (double)p->n <= ceil(sum - 1e-6);
}

void nx_pack(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p)
{
	struct nx_packing other = NX_PACKING_INIT;

	nx_pack_exact(item, n, memory_bytes, p);
	if (at_bound(item, n, p))
		return;
	nx_pack_paper(item, n, memory_bytes, &other);
	if (other.n < p->n) {
		struct nx_packing worse = *p;

		*p = other;
		other = worse;
	}
	nx_packing_release(&other);
	if (!at_bound(item, n, p))
		nx_pack_improve(p, memory_bytes);
	if (!at_bound(item, n, p))
		nx_pack_search(item, n, memory_bytes, p);
}
