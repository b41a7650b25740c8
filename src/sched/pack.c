/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packing: the paper's greedy, and the order in which better ways are tried.
 *
 * Each step is asked only while more devices are in use than the floors prove necessary.  Sessions
 * stay whole if they can: dividing comes last and counts only if it saves a device.
 */
#include "sched/pack.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_PART 0.4 /* of the work: before items are divided */

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

struct nx_bin *nx_packing_open(struct nx_packing *p)
{
	p->bin = nx_grow(p->bin, &p->cap, p->n + 1, sizeof *p->bin);
	p->bin[p->n] = (struct nx_bin){ NULL, 0, 0, 0 };
	return &p->bin[p->n++];
}

void nx_packing_add(struct nx_packing *p, const struct nx_item *it)
{
	nx_bin_add(nx_packing_open(p), it);
}

void nx_packing_compact(struct nx_packing *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->bin[i].n)
			p->bin[kept++] = p->bin[i];
		else
			free(p->bin[i].item);
	}
	p->n = kept;
}

void nx_bin_remove(struct nx_bin *bin, size_t i)
{
	bin->load -= bin->item[i]->floor;
	memmove(&bin->item[i], &bin->item[i + 1], (bin->n - i - 1) * sizeof *bin->item);
	bin->n--;
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

	if (bin->load + it->floor > 1 + 1e-6)
		return false; /* the floors of a node that works add up to at most 1 */
	if (!nx_node_fits_at(&it, 1, memory_bytes, duty_ms, &add))
		return false;
	if (duty_ms >= node->duty_ms) {
		*busy_ms = node->busy_ms + add;
		if (*busy_ms > duty_ms * (1 + NX_SCHED_EPS))
			return false;
		if (memory_bytes <= 0)
			return true;
	}
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

/* Floors of one bin add up to at most 1. */
static size_t least_bins(const struct nx_pack_job *job)
{
	double sum = 0;

	for (size_t i = 0; i < job->n; i++) {
		const struct nx_item *it = &job->item[i];
		bool cut = job->divide && it->half && 2 * it->half->floor < it->floor;

		sum += cut ? 2 * it->half->floor : it->floor;
	}
	return (size_t)ceil(sum - 1e-6);
}

/* Keeps the one of fewer bins in p; releases the other. */
static void keep_better(struct nx_packing *p, struct nx_packing *other)
{
	if (other->n < p->n) {
		struct nx_packing worse = *p;

		*p = *other;
		*other = worse;
	}
	nx_packing_release(other);
}

static void copy_packing(const struct nx_packing *from, struct nx_packing *to)
{
	for (size_t i = 0; i < from->n; i++) {
		struct nx_bin *bin = nx_packing_open(to);

		for (size_t j = 0; j < from->bin[i].n; j++)
			nx_bin_add(bin, from->bin[i].item[j]);
	}
}

/* Where an item is. */
static size_t place_in(const struct nx_bin *bin, const struct nx_item *it)
{
	size_t i = 0;

	while (bin->item[i] != it)
		i++;
	return i;
}

/* Makes halves whole where the whole has room beside the others of a half's bin. */
static void join_halves(const struct nx_pack_job *job, struct nx_packing *p)
{
	size_t *first = nx_alloc(job->n + 1, sizeof *first); /* bin of a half, and 1 */

	for (size_t b = 0; b < p->n; b++) {
		for (size_t j = 0; j < p->bin[b].n; j++) {
			const struct nx_item *half = p->bin[b].item[j];
			size_t i = half->whole ? (size_t)(half->whole - job->item) : 0;

			if (!half->whole)
				continue;
			if (!first[i]) {
				first[i] = b + 1;
				continue;
			}
			struct nx_bin *one = &p->bin[first[i] - 1], *two = &p->bin[b];
			size_t at = place_in(one, half);
			one->item[at] = two->item[j] = half->whole;
			bool in_one = nx_node_fits(one->item, one->n, job->memory_bytes);
			bool in_two = nx_node_fits(two->item, two->n, job->memory_bytes);
			one->item[at] = two->item[j] = half;
			if (in_one) {
				nx_bin_remove(two, j--);
				nx_bin_remove(one, at);
				nx_bin_add(one, half->whole);
			} else if (in_two) {
				nx_bin_remove(one, at);
				nx_bin_remove(two, j--);
				nx_bin_add(two, half->whole);
			}
		}
	}
	nx_packing_compact(p);
	free(first);
}

static void divide(const struct nx_pack_job *job, size_t least, struct nx_packing *p)
{
	struct nx_packing q = NX_PACKING_INIT;

	nx_pack_filled(job, &q);
	if (q.n > p->n) {
		nx_packing_release(&q);
		copy_packing(p, &q);
	}
	nx_pack_refine(&q, job, 1 - WHOLE_PART, least);
	if (q.n < p->n)
		join_halves(job, &q);
	keep_better(p, &q);
}

bool nx_pack(const struct nx_pack_job *job, struct nx_packing *p)
{
	struct nx_packing other = NX_PACKING_INIT;
	struct nx_pack_job whole = *job;
	size_t least = least_bins(job);

	whole.divide = false;
	nx_pack_paper(job->item, job->n, job->memory_bytes, p);
	if (job->work->paper || p->n <= least)
		return false;
	nx_pack_filled(&whole, &other);
	keep_better(p, &other);
	if (p->n <= least)
		return false;
	if (nx_pack_sets(job, p))
		return true;
	if (job->work->looks_an_item > 0 || job->work->left)
		nx_pack_search(job->item, job->n, job->memory_bytes, p);
	if (p->n > least)
		nx_pack_refine(p, &whole, WHOLE_PART, least);
	if (p->n > least && job->divide)
		divide(job, least, p);
	return false;
}
