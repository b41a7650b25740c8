/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ruin and recreate.
 *
 * A few devices are emptied and their items packed anew, one device after the other, each as full
 * as nx_fill_bin makes it.  The values of items are blurred by chance, so that each attempt comes
 * out differently.  What is better stays: fewer devices or, of as many, fuller ones beside emptier
 * ones, until one is empty.  This is a walk that never gets worse, so it may be stopped at any
 * time.
 *
 * A divided item is two halves of half its value: they cost more than the whole, but fill gaps
 * that the whole does not.  What a device is worth is the sum of its values; as the sum of all is
 * given, the aim is devices that are worth as much as can be.
 */
#include "sched/pack.h"

#include "core/alloc.h"
#include "core/rng.h"

#include <stdlib.h>

#define RUIN_MOST  6     /* devices emptied at once */
#define RUIN_ITEMS 300   /* and items on them, about */
#define RUIN_NEAR  20    /* how far apart they are, half of the time: neighbours have like cycles */
#define REMEMBER   20000 /* items at most, a kilobyte each */
#define BLUR       3.0
#define CHUNK      1500 /* items that are packed together at first */

/* ---- the work that may be done --------------------------------------------------------------- */

double nx_work_usual(uint64_t n)
{
	double each = 5e7 / (double)(n + 1);

	return (each < 30000 ? each : 30000) + 300;
}

struct effort {
	const struct nx_work *work;
	double looks; /* that may be done, where there is no time limit */
	double until; /* the part of the time limit that must be left */
	int asked;
	bool over;
};

static bool is_over(struct effort *e, const struct nx_fill *fill)
{
	if (!e->work->left)
		return (double)fill->work >= e->looks;
	if (!e->over && e->asked++ % 16 == 0)
		e->over = e->work->left(e->work->arg) <= e->until;
	return e->over;
}

/* Puts the item of the highest value first. */
static void best_first(struct nx_fill_item *pool, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (pool[i].value > pool[best].value)
			best = i;
	struct nx_fill_item t = pool[0];
	pool[0] = pool[best];
	pool[best] = t;
}

/* Fills bins until nothing is left in the pool or there are 'most'; returns what is left. */
static size_t fill_bins(struct nx_fill *fill, struct nx_fill_item *pool, size_t n, size_t most,
	struct nx_packing *p)
{
	while (n && p->n < most) {
		best_first(pool, n);
		n = nx_fill_bin(fill, pool, n, nx_packing_open(p));
	}
	return n;
}

struct refine {
	struct nx_packing *p;
	struct nx_fill fill;
	struct nx_rng rng;
	struct nx_fill_item *pool;
	size_t cap;
	size_t bin[RUIN_MOST];
};

/* Devices to empty: an emptier one first, and others at random. */
static size_t choose_bins(struct refine *r)
{
	size_t most = 2 + (size_t)nx_rng_below(&r->rng, RUIN_MOST - 1), n = 0, items = 0;
	size_t total = r->p->n, low = 0, span = total;

	for (int tries = 0; tries < 4 * RUIN_MOST && n < most && n < total && items < RUIN_ITEMS;
		tries++) {
		size_t b = low + (size_t)nx_rng_below(&r->rng, span), i = 0;

		for (int k = 0; n == 0 && k < 2; k++) {
			size_t o = (size_t)nx_rng_below(&r->rng, total);

			if (r->p->bin[o].load < r->p->bin[b].load)
				b = o;
		}
		while (i < n && r->bin[i] != b)
			i++;
		if (i < n)
			continue;
		if (n == 0 && total > 2 * RUIN_NEAR && nx_rng_below(&r->rng, 2)) {
			low = b > RUIN_NEAR ? b - RUIN_NEAR : 0;
			span = total - low < 2 * RUIN_NEAR ? total - low : 2 * RUIN_NEAR;
		}
		items += r->p->bin[b].n;
		r->bin[n++] = b;
	}
	return n;
}

/* Adds an item to the pool; two halves become the whole again. */
static size_t unpack(struct refine *r, size_t n, const struct nx_item *it)
{
	double blur = 1 + BLUR * nx_rng_uniform(&r->rng);

	for (size_t i = 0; it->whole && i < n; i++) {
		if (r->pool[i].it != it)
			continue;
		r->pool[i] = (struct nx_fill_item){ it->whole, it->whole->value * blur };
		return n;
	}
	r->pool[n] = (struct nx_fill_item){ it, it->value * blur };
	return n + 1;
}

static double value_of(const struct nx_bin *bin)
{
	double sum = 0;

	for (size_t i = 0; i < bin->n; i++)
		sum += bin->item[i]->value;
	return sum;
}

/* Puts the bins of q in the place of the k emptied ones. */
static void replace(struct refine *r, size_t k, struct nx_packing *q)
{
	for (size_t i = 0; i < k; i++) {
		struct nx_bin *bin = &r->p->bin[r->bin[i]], old = *bin;

		if (i < q->n) {
			*bin = q->bin[i];
			q->bin[i] = old;
		} else {
			bin->n = 0;
		}
	}
	if (q->n < k)
		nx_packing_compact(r->p);
}

static void attempt(struct refine *r)
{
	struct nx_packing q = NX_PACKING_INIT;
	size_t k = choose_bins(r), n = 0;
	double before = 0, after = 0;

	for (size_t i = 0; i < k; i++) {
		const struct nx_bin *bin = &r->p->bin[r->bin[i]];
		double value = value_of(bin);

		before += value * value;
		r->pool = nx_grow(r->pool, &r->cap, n + bin->n, sizeof *r->pool);
		for (size_t j = 0; j < bin->n; j++)
			n = unpack(r, n, bin->item[j]);
	}
	r->fill.work += 50; /* what an attempt costs besides */
	n = fill_bins(&r->fill, r->pool, n, k, &q);
	for (size_t i = 0; i < q.n; i++)
		after += value_of(&q.bin[i]) * value_of(&q.bin[i]);
	if (n == 0 && (q.n < k || after >= before))
		replace(r, k, &q);
	nx_packing_release(&q);
}

void nx_pack_refine(struct nx_packing *p, const struct nx_pack_job *job, double part, size_t least)
{
	const struct nx_work *work = job->work;
	struct effort e = { .work = work, .looks = part * work->looks_an_item * (double)job->n };
	struct refine r = { .p = p,
		.fill = { .memory_bytes = job->memory_bytes, .divide = job->divide } };

	if (work->left)
		e.until = work->left(work->arg) * (1 - part * work->share);
	if (job->n <= REMEMBER)
		nx_fill_remember(&r.fill, job->item, job->n);
	nx_rng_init(&r.rng, work->seed);
	while (p->n > 1 && p->n > least && !is_over(&e, &r.fill))
		attempt(&r);
	nx_fill_release(&r.fill);
	free(r.pool);
}

/* ---- the start ------------------------------------------------------------------------------ */

struct by_cycle {
	double duty_ms;
	size_t index;
};

static int shorter_cycle(const void *a, const void *b)
{
	const struct by_cycle *x = a, *y = b;

	if (x->duty_ms != y->duty_ms)
		return x->duty_ms < y->duty_ms ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

void nx_pack_filled(const struct nx_pack_job *job, struct nx_packing *p)
{
	struct nx_fill fill = { .memory_bytes = job->memory_bytes, .divide = job->divide };
	struct by_cycle *order = nx_alloc(job->n + 1, sizeof *order);
	struct nx_fill_item *pool = nx_alloc(job->n + 1, sizeof *pool);
	size_t chunks = job->n / CHUNK + 1;

	for (size_t i = 0; i < job->n; i++)
		order[i] = (struct by_cycle){ nx_fill_cycle(&fill, &job->item[i]), i };
	if (job->n)
		qsort(order, job->n, sizeof *order, shorter_cycle);
	for (size_t c = 0, i = 0; c < chunks; c++) {
		size_t n = 0;

		for (; i < job->n * (c + 1) / chunks; i++) {
			const struct nx_item *it = &job->item[order[i].index];

			pool[n++] = (struct nx_fill_item){ it, it->value };
		}
		fill_bins(&fill, pool, n, job->n * 2, p);
	}
	nx_fill_release(&fill);
	free(pool);
	free(order);
}
