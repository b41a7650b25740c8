/* SPDX-License-Identifier: Apache-2.0 */
#include "query/internal.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A session on its own is a query of one stage. */
static void single_stage(struct nx_query *q, const struct nx_plan_session *ps)
{
	q->single = (struct nx_plan_stage){ .stage = ps->session,
		.session = ps->session,
		.model = ps->model,
		.slo_ms = ps->slo_ms,
		.gamma = 1,
		.parent = -1 };
	q->slo_ms = ps->slo_ms;
	q->n_stages = 1;
	q->stage = nx_alloc(1, sizeof *q->stage);
	q->stage[0].plan = &q->single;
	q->stage[0].parent = -1;
}

static void all_stages(struct nx_query *q, const struct nx_plan_query *pq)
{
	q->is_query = true;
	q->slo_ms = pq->slo_ms;
	q->n_stages = pq->n_stages;
	q->stage = nx_alloc(pq->n_stages, sizeof *q->stage);
	for (size_t i = 0; i < pq->n_stages; i++) {
		q->stage[i].plan = &pq->stage[i];
		q->stage[i].parent = pq->stage[i].parent;
	}
}

static int not_found(const struct nx_plan *plan, const char *name, struct nx_err *err)
{
	struct nx_buf names = NX_BUF_INIT;

	for (size_t i = 0; i < plan->n_queries; i++)
		nx_buf_addf(&names, "%s'%s'", i ? ", " : "", plan->query[i].query);
	for (size_t i = 0; i < plan->n_routes; i++)
		nx_buf_addf(&names, "%s'%s'", names.len ? ", " : "", plan->route[i].session);
	int rc = nx_err_set(err, NX_ENOTFOUND,
		"the plan has no query or session '%s'; it has: %.700s", name,
		names.len ? names.data : "none");
	nx_buf_release(&names);
	return rc;
}

int nx_query_new(uv_loop_t *loop, const struct nx_plan *plan, const char *name, const char *models,
	nx_infer_fn *infer, void *carrier, struct nx_query **out, struct nx_err *err)
{
	const struct nx_plan_query *pq = nx_plan_find_query(plan, name);
	const struct nx_plan_session *ps = nx_plan_find_session(plan, name);
	struct nx_query *q = nx_alloc(1, sizeof *q);
	int rc = 0;

	q->loop = loop;
	q->name = nx_strdup(name);
	q->infer = infer;
	q->carrier = carrier;
	if (pq)
		all_stages(q, pq);
	else if (ps)
		single_stage(q, ps);
	else
		rc = not_found(plan, name, err);
	for (size_t i = 0; rc == 0 && i < q->n_stages; i++)
		rc = stage_init(&q->stage[i], q, plan, models, err);
	if (rc) {
		nx_query_free(&q);
		return rc;
	}
	*out = q;
	return 0;
}

void nx_query_free(struct nx_query **qp)
{
	struct nx_query *q = *qp;

	if (!q)
		return;
	for (size_t i = 0; i < q->n_stages; i++)
		stage_release(&q->stage[i]);
	free(q->stage);
	free(q->name);
	free(q);
	*qp = NULL;
}

void nx_query_observe(struct nx_query *q, double interval_ms, struct nx_stats *stats)
{
	for (size_t i = 0; i < q->n_stages; i++) {
		struct stage *s = &q->stage[i];
		nx_stats_add_session(stats, s->stats, interval_ms, 1);
		if (s->parent < 0 || s->parents == 0)
			continue;
		stats->edge = nx_realloc(stats->edge, stats->n_edges + 1, sizeof *stats->edge);
		stats->edge[stats->n_edges++] = (struct nx_stats_edge){ .query = nx_strdup(q->name),
			.stage = nx_strdup(s->plan->stage),
			.gamma = (double)s->requests / (double)s->parents,
			.parents = s->parents };
		s->parents = s->requests = 0;
	}
}
