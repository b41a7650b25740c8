/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query split.
 *
 * f(v, t) is the least cost of the subtree of stage v when t ms are left for it: a staircase that
 * falls in t, kept as the list of its steps.  The children's staircases are added, each option of
 * v shifts that sum by its time and cost, and the lower envelope of the shifts is f(v, .).  The
 * paper walks over a grid of time steps instead; steps of the staircase are exact and usually
 * fewer.  A list is thinned to MAX_STEPS, which keeps its first step, so that a feasible query
 * never becomes infeasible.  Gamma needs no word here: it is in the rates, hence in the costs.
 */
#include "sched/split.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

#define MAX_STEPS 1024
#define EPS       1e-9

struct step {
	double time_ms, cost;
	size_t option;
};

struct stair {
	struct step *step; /* ascending in time, strictly falling in cost */
	size_t n;
};

static int earlier_step(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	return x->option < y->option ? -1 : x->option > y->option;
}

/* Sorts and keeps the lower envelope; thins it.  False if steps were lost by thinning. */
static bool make_stair(struct stair *s)
{
	size_t n = 0;

	qsort(s->step, s->n, sizeof *s->step, earlier_step);
	for (size_t i = 0; i < s->n; i++)
		if (n == 0 || s->step[i].cost < s->step[n - 1].cost * (1 - 1e-12))
			s->step[n++] = s->step[i];
	s->n = n;
	if (n <= MAX_STEPS)
		return true;
	for (size_t i = 0; i < MAX_STEPS; i++)
		s->step[i] = s->step[i * (n - 1) / (MAX_STEPS - 1)];
	s->n = MAX_STEPS;
	return false;
}

/* The last step at or before t; NULL if there is none. */
static const struct step *step_at(const struct stair *s, double t)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->step[mid].time_ms <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &s->step[low - 1] : NULL;
}

/* The sum of the staircases of all children of v; one step at 0 for a leaf. */
static struct stair sum_children(
	const struct nx_split_stage *stage, const struct stair *f, size_t n, size_t v)
{
	struct stair sum = { NULL, 0 };
	size_t total = 1;
	double first = 0;

	for (size_t c = v + 1; c < n; c++) {
		if (stage[c].parent != (int)v)
			continue;
		total += f[c].n;
		if (f[c].n && f[c].step[0].time_ms > first)
			first = f[c].step[0].time_ms;
	}
	sum.step = nx_alloc(total, sizeof *sum.step);
	sum.step[sum.n++] = (struct step){ first, 0, 0 };
	for (size_t c = v + 1; c < n; c++)
		for (size_t i = 0; stage[c].parent == (int)v && i < f[c].n; i++)
			if (f[c].step[i].time_ms > first)
				sum.step[sum.n++].time_ms = f[c].step[i].time_ms;
	for (size_t i = 0; i < sum.n; i++)
		for (size_t c = v + 1; c < n; c++)
			if (stage[c].parent == (int)v)
				sum.step[i].cost += step_at(&f[c], sum.step[i].time_ms)->cost;
	return sum;
}

/* f(v, .) from the children's. */
static bool solve_stage(
	const struct nx_split_stage *stage, struct stair *f, size_t n, size_t v, double limit_ms)
{
	struct stair below = sum_children(stage, f, n, v);
	bool exact = make_stair(&below);

	f[v].step = nx_alloc(stage[v].n * below.n + 1, sizeof *f[v].step);
	f[v].n = 0;
	for (size_t o = 0; o < stage[v].n; o++) {
		for (size_t i = 0; i < below.n; i++) {
			double t = stage[v].option[o].time_ms + below.step[i].time_ms;

			if (t > limit_ms)
				break;
			f[v].step[f[v].n++] =
				(struct step){ t, stage[v].option[o].cost + below.step[i].cost, o };
		}
	}
	free(below.step);
	return make_stair(&f[v]) && exact;
}

/* The root is asked for limit_ms alone, so its staircase is not made, only the one step. */
static bool solve_root(
	const struct nx_split_stage *stage, struct stair *f, size_t n, double limit_ms)
{
	struct stair below = sum_children(stage, f, n, 0);
	bool exact = make_stair(&below);

	f[0].step = nx_alloc(1, sizeof *f[0].step);
	f[0].n = 0;
	for (size_t o = 0; o < stage[0].n; o++) {
		const struct nx_split_option *option = &stage[0].option[o];
		const struct step *rest = step_at(&below, limit_ms - option->time_ms);

		if (rest && (f[0].n == 0 || option->cost + rest->cost < f[0].step->cost)) {
			*f[0].step = (struct step){ 0, option->cost + rest->cost, o };
			f[0].n = 1;
		}
	}
	free(below.step);
	return exact;
}

static int quicker_option(const void *a, const void *b)
{
	const struct nx_split_option *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->cost < y->cost ? -1 : x->cost > y->cost;
}

/* Leaves out options that are both slower and no cheaper than another. */
static void cut_options(struct nx_split_stage *s)
{
	size_t n = 0;

	if (s->n)
		qsort(s->option, s->n, sizeof *s->option, quicker_option);
	for (size_t i = 0; i < s->n; i++)
		if (n == 0 || s->option[i].cost < s->option[n - 1].cost)
			s->option[n++] = s->option[i];
	s->n = n;
}

/* The longest path from each stage down, for given times. */
static void longest_below(const int *parent, const double *time, size_t n, double *path)
{
	for (size_t i = 0; i < n; i++)
		path[i] = 0;
	for (size_t i = n; i-- > 0;) {
		path[i] += time[i];
		if (parent[i] >= 0 && path[i] > path[parent[i]])
			path[parent[i]] = path[i];
	}
}

static double least_time(const struct nx_split_stage *stage, size_t n)
{
	double *path = nx_alloc(2 * n, sizeof *path);
	int *parent = nx_alloc(n, sizeof *parent);

	for (size_t i = 0; i < n; i++) {
		parent[i] = stage[i].parent;
		path[n + i] = stage[i].n ? stage[i].option[0].time_ms : INFINITY;
	}
	longest_below(parent, path + n, n, path);
	double least = path[0];
	free(parent);
	free(path);
	return least;
}

int nx_split(struct nx_split_stage *stage, size_t n, double limit_ms, struct nx_split_result *out)
{
	double limit = limit_ms * (1 + EPS);

	for (size_t i = 0; i < n; i++)
		cut_options(&stage[i]);
	out->exact = true;
	out->cost = 0;
	out->least_ms = least_time(stage, n);
	if (!(out->least_ms <= limit))
		return -NX_ENO;

	struct stair *f = nx_alloc(n, sizeof *f);
	double *left = nx_alloc(n, sizeof *left);
	for (size_t v = n; v-- > 1;)
		out->exact = solve_stage(stage, f, n, v, limit) && out->exact;
	out->exact = solve_root(stage, f, n, limit) && out->exact;
	for (size_t v = 0; v < n; v++) {
		int p = stage[v].parent;

		/* the sum of times came in another order: allow for its last bits */
		left[v] =
			p < 0 ? limit
			      : left[p] - stage[p].option[out->choice[p]].time_ms + EPS * limit_ms;
		out->choice[v] = step_at(&f[v], left[v])->option;
		out->cost += stage[v].option[out->choice[v]].cost;
	}
	for (size_t v = 0; v < n; v++)
		free(f[v].step);
	free(left);
	free(f);
	return 0;
}

void nx_split_stretch(
	const int *parent, const double *time, size_t n, double limit_ms, double *budget)
{
	double *path = nx_alloc(2 * n, sizeof *path);
	double *left = path + n;

	longest_below(parent, time, n, path);
	for (size_t i = 0; i < n; i++) {
		double given = parent[i] < 0 ? limit_ms : left[parent[i]];
		double share = path[i] > 0 ? given * (time[i] / path[i]) : 0;

		/* rounded down, so that the sum of the printed numbers keeps the limit */
		share = floor(share * 1e6) / 1e6;
		budget[i] = share > time[i] ? share : time[i];
		left[i] = given - budget[i];
	}
	free(path);
}
