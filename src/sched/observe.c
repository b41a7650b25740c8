/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Observed rates and gammas in the place of the expected ones.
 *
 * What was not seen at all in an interval may still come: nothing in T seconds says that the rate is
 * under about one in T, not that it is zero.  So it counts as one in that time (or as expected, if
 * that is less) and keeps its place; a plan that dropped it would refuse the next request.
 */
#include "sched/sched.h"
#include "sched/index.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* 'observed', or if that is nothing: one in 'amount', at most what was expected. */
static double seen(double observed, double amount, double expected)
{
	if (observed > 0 || amount <= 0)
		return observed;
	return expected < 1 / amount ? expected : 1 / amount;
}

/* The observed rate of a session, or 'otherwise'. */
static double observed_rate(const struct nx_index *sessions, const struct nx_stats *observed,
	const char *name, double otherwise)
{
	size_t at = nx_index_get(sessions, name);

	if (at == NX_INDEX_NONE)
		return otherwise;
	return seen(observed->session[at].rate, observed->interval_ms / 1000, otherwise);
}

/* The observed session of a stage, or NULL. */
static const struct nx_stats_session *stage_session(const struct nx_index *sessions,
	const struct nx_stats *observed, const struct nx_wl_query *q,
	const struct nx_wl_stage *stage)
{
	char *name = nx_asprintf("%s/%s", q->query, stage->stage);
	size_t at = nx_index_get(sessions, name);

	free(name);
	return at == NX_INDEX_NONE ? NULL : &observed->session[at];
}

/* Who runs a query measures its edges; a router that only carries the stages' requests has seen
 * how many there were of each. */
static void gammas_of_rates(
	struct nx_wl_query *q, const struct nx_index *sessions, const struct nx_stats *observed)
{
	for (size_t i = 0; i < q->n_stages; i++) {
		struct nx_wl_stage *s = &q->stage[i];
		const struct nx_stats_session *own, *above;

		if (s->parent < 0)
			continue;
		own = stage_session(sessions, observed, q, s);
		above = stage_session(sessions, observed, q, &q->stage[s->parent]);
		if (own && above && above->rate > 0)
			s->gamma = seen(own->rate / above->rate,
				above->rate * observed->interval_ms / 1000, s->gamma);
	}
}

static void gammas_of_edges(struct nx_wl_query *q, const struct nx_stats *observed)
{
	for (size_t i = 0; i < observed->n_edges; i++) {
		const struct nx_stats_edge *e = &observed->edge[i];

		if (strcmp(e->query, q->query) != 0)
			continue;
		for (size_t j = 0; j < q->n_stages; j++)
			if (q->stage[j].parent >= 0 && strcmp(q->stage[j].stage, e->stage) == 0)
				q->stage[j].gamma =
					seen(e->gamma, (double)e->parents, q->stage[j].gamma);
	}
}

void nx_sched_observe(struct nx_workload *workload, const struct nx_stats *observed)
{
	struct nx_index sessions = NX_INDEX_INIT;

	for (size_t i = 0; i < observed->n_sessions; i++)
		nx_index_add(&sessions, observed->session[i].session, i);
	nx_index_sort(&sessions);
	for (size_t i = 0; i < workload->n_sessions; i++) {
		struct nx_wl_session *s = &workload->session[i];

		s->rate = observed_rate(&sessions, observed, s->session, s->rate);
	}
	for (size_t i = 0; i < workload->n_queries; i++) {
		struct nx_wl_query *q = &workload->query[i];
		char *root = nx_asprintf("%s/%s", q->query, q->n_stages ? q->stage[0].stage : "");

		q->rate = observed_rate(&sessions, observed, root, q->rate);
		free(root);
		gammas_of_rates(q, &sessions, observed);
		gammas_of_edges(q, observed);
	}
	nx_index_release(&sessions);
}
