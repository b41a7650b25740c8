/* SPDX-License-Identifier: Apache-2.0 */
/* Observed rates and gammas in the place of the expected ones. */
#include "sched/sched.h"
#include "sched/index.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The observed rate of a session, or 'otherwise'. */
static double observed_rate(const struct nx_index *sessions, const struct nx_stats *observed,
	const char *name, double otherwise)
{
	size_t at = nx_index_get(sessions, name);

	return at == NX_INDEX_NONE ? otherwise : observed->session[at].rate;
}

static void observe_gammas(struct nx_wl_query *q, const struct nx_stats *observed)
{
	for (size_t i = 0; i < observed->n_edges; i++) {
		const struct nx_stats_edge *e = &observed->edge[i];

		if (strcmp(e->query, q->query) != 0)
			continue;
		for (size_t j = 0; j < q->n_stages; j++)
			if (q->stage[j].parent >= 0 && strcmp(q->stage[j].stage, e->stage) == 0)
				q->stage[j].gamma = e->gamma;
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
		observe_gammas(q, observed);
	}
	nx_index_release(&sessions);
}
