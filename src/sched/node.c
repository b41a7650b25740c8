/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact feasibility of a node.
 *
 * With duty cycle d an item of rate r runs b(d) = ceil(r d) rows.  The node works if
 *     F(d) = sum of l(b(d)) <= d          (capacity) and
 *     d <= D(d) = min of slo - l(b(d))    (latency).
 * F never falls and D never rises in d, so if any d works, the least d with F(d) <= d does, and
 * that is found as in response-time analysis of real-time tasks: start below it and iterate
 * d := F(d), which climbs to the least fixed point and never passes it.  The paper tries only
 * d = b / r of the session with the shortest cycle; trying all breakpoints one by one would be
 * exact too but slower.
 *
 * The least cycle leaves no idle time; the plan wants the opposite, the cycle with the lowest
 * occupancy.  Between two breakpoints the batches do not change, so only the right end of each
 * piece (or D, where that comes first) can be best: nx_node_cycle walks these, from the least
 * cycle on.
 */
#include "sched/node.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

#define PIECE_LOOKS 4000000 /* at items, over all pieces of a node that are looked at one by one */

struct weights {
	size_t id;
	double bytes;
};

static int by_id(const void *a, const void *b)
{
	const struct weights *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Memory of a node in batches of batch[], or of what arrives in a cycle where that is NULL. */
static double node_memory(
	const struct nx_item *const *item, size_t n, const int64_t *batch, double duty_ms)
{
	enum { USUAL = 32 };
	struct weights few[USUAL], *w = n > USUAL ? nx_alloc(n, sizeof *w) : few;
	double bytes = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t b = batch ? batch[i] : (int64_t)nx_item_rows(item[i], duty_ms);

		w[i] = (struct weights){ item[i]->weights_id, item[i]->weights_bytes };
		bytes += (double)item[i]->curve->row[b - 1].run * item[i]->row_bytes;
	}
	qsort(w, n, sizeof *w, by_id);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || w[i].id != w[i - 1].id)
			bytes += w[i].bytes;
	if (w != few)
		free(w);
	return bytes;
}

/* F(d) and D(d); false if some item would need a batch that it may not run. */
static bool evaluate(const struct nx_item *const *item, size_t n, double duty_ms, double *busy_ms,
	double *latest_ms)
{
	*busy_ms = 0;
	*latest_ms = INFINITY;
	for (size_t i = 0; i < n; i++) {
		double b = nx_item_rows(item[i], duty_ms);

		if (b > (double)item[i]->max_batch)
			return false;
		double ms = nx_curve_ms(item[i]->curve, (int64_t)b);
		*busy_ms += ms;
		if (item[i]->slo_ms - ms < *latest_ms)
			*latest_ms = item[i]->slo_ms - ms;
	}
	return true;
}

/* The least duty cycle that works. */
static bool least_cycle(
	const struct nx_item *const *item, size_t n, double memory_bytes, double *duty_ms)
{
	double d = 0, busy, latest;

	for (;;) {
		if (!evaluate(item, n, d, &busy, &latest) || busy > latest + NX_SCHED_EPS * busy)
			return false;
		if (busy <= d * (1 + NX_SCHED_EPS))
			break;
		d = busy;
	}
	*duty_ms = d;
	return memory_bytes <= 0 || node_memory(item, n, NULL, d) <= memory_bytes;
}

bool nx_node_fits(const struct nx_item *const *item, size_t n, double memory_bytes)
{
	double d;

	return least_cycle(item, n, memory_bytes, &d);
}

bool nx_node_fits_at(const struct nx_item *const *item, size_t n, double memory_bytes,
	double duty_ms, double *busy_ms)
{
	*busy_ms = 0;
	/* the last to come are the first to be too much */
	for (size_t i = n; i-- > 0;) {
		double b = nx_item_rows(item[i], duty_ms);

		if (b > (double)item[i]->max_batch)
			return false;
		double ms = nx_curve_ms(item[i]->curve, (int64_t)b);
		*busy_ms += ms;
		if (*busy_ms > duty_ms * (1 + NX_SCHED_EPS) ||
			duty_ms > (item[i]->slo_ms - ms) * (1 + NX_SCHED_EPS))
			return false;
	}
	return memory_bytes <= 0 || node_memory(item, n, NULL, duty_ms) <= memory_bytes;
}

/* The right end of the piece that d is in: when the first of the batches is full. */
static double piece_end(const struct nx_item *const *item, size_t n, double d)
{
	double end = INFINITY;

	for (size_t i = 0; i < n; i++) {
		double full = 1000 * nx_item_rows(item[i], d) / item[i]->rate;

		if (full < end)
			end = full;
	}
	return end;
}

bool nx_node_cycle(
	const struct nx_item *const *item, size_t n, double memory_bytes, struct nx_cycle *cycle)
{
	double d, busy, latest, best = INFINITY;
	size_t looks = 0;

	if (!least_cycle(item, n, memory_bytes, &d))
		return false;
	while (evaluate(item, n, d, &busy, &latest) && d <= latest * (1 + NX_SCHED_EPS)) {
		double end = piece_end(item, n, d);
		double right = end < latest ? end : latest;

		if (memory_bytes > 0 && node_memory(item, n, NULL, d) > memory_bytes)
			break;
		if (busy <= right * (1 + NX_SCHED_EPS) && busy / right < best * (1 - 1e-12)) {
			best = busy / right;
			cycle->duty_ms = right;
			cycle->busy_ms = busy;
			for (size_t i = 0; i < n; i++)
				cycle->batch[i] = (int64_t)nx_item_rows(item[i], d);
		}
		if (end >= latest)
			break;
		/* just inside the next piece; or, where thousands of sessions make millions of
		 * them, in one that is not far */
		looks += n;
		d = looks < PIECE_LOOKS ? end * (1 + 2 * NX_SCHED_EPS) : end * 1.001;
	}
	cycle->memory_bytes = node_memory(item, n, cycle->batch, 0);
	return best < INFINITY;
}
