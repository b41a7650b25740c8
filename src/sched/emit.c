/* SPDX-License-Identifier: Apache-2.0 */
/* The plan's objects from the slots of a placement. */
#include "sched/emit.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

static char *dup_or_null(const char *s)
{
	return s ? nx_strdup(s) : NULL;
}

static char *slot_name(const struct nx_problem *p, const struct nx_slot *s)
{
	return s->name ? nx_strdup(s->name)
		       : nx_asprintf("%s-%zu", p->type[s->type].slug, s->number);
}

/* Where it listens: the workload's address for that number, else what it had before. */
static char *slot_address(const struct nx_problem *p, const struct nx_slot *s)
{
	const struct nx_wl_device *wl = p->type[s->type].wl;

	if (wl && !s->name && s->number < wl->n_addresses)
		return nx_strdup(wl->addresses[s->number]);
	return dup_or_null(s->address);
}

/* A whole device: its batch follows from the rate, not the other way round. */
static void whole_cycle(const struct nx_item *it, struct nx_cycle *cycle)
{
	int64_t b = it->curve->row[it->max_batch - 1].best;

	cycle->batch[0] = b;
	cycle->busy_ms = cycle->duty_ms = nx_curve_ms(it->curve, b);
	cycle->memory_bytes = it->weights_bytes + (double)it->curve->row[b - 1].run * it->row_bytes;
}

static void emit_session(const struct nx_demand *d, const struct nx_item *it,
	const struct nx_profile *profile, int64_t batch, struct nx_plan_session *s)
{
	*s = (struct nx_plan_session){ .session = nx_strdup(d->session),
		.model = nx_strdup(d->model),
		.digest = dup_or_null(profile->digest),
		.precision = dup_or_null(profile->precision),
		.threads = profile->threads,
		.slo_ms = d->slo_ms,
		.rate = it->rate,
		.batch = it->curve->row[batch - 1].run,
		.exec_ms = nx_curve_ms(it->curve, batch) };
}

static void emit_backend(
	const struct nx_problem *p, const struct nx_slot *slot, struct nx_plan_backend *b)
{
	struct nx_item *item = nx_alloc(slot->n, sizeof *item);
	const struct nx_item **at = nx_alloc(slot->n, sizeof *at);
	struct nx_cycle cycle = { .batch = nx_alloc(slot->n, sizeof *cycle.batch) };
	const struct nx_stype *type = &p->type[slot->type];

	for (size_t i = 0; i < slot->n; i++) {
		const struct nx_demand *d = &p->demand[slot->part[i].demand];

		item[i] = nx_demand_item(p, slot->part[i].demand, nx_demand_option(d, slot->type),
			slot->part[i].rate);
		at[i] = &item[i];
	}
	if (slot->whole)
		whole_cycle(&item[0], &cycle);
	else if (!nx_node_cycle(at, slot->n, type->memory_bytes, &cycle))
		NX_BUG("a placement that does not fit");
	*b = (struct nx_plan_backend){ .backend = slot_name(p, slot),
		.device = nx_strdup(type->device),
		.address = slot_address(p, slot),
		.duty_cycle_ms = cycle.duty_ms,
		.occupancy = cycle.busy_ms / cycle.duty_ms,
		.memory_bytes = (uint64_t)cycle.memory_bytes };
	b->session = nx_alloc(slot->n, sizeof *b->session);
	b->n_sessions = slot->n;
	for (size_t i = 0; i < slot->n; i++) {
		const struct nx_demand *d = &p->demand[slot->part[i].demand];

		emit_session(d, &item[i], nx_demand_option(d, slot->type)->profile, cycle.batch[i],
			&b->session[i]);
	}
	free(cycle.batch);
	free(at);
	free(item);
}

/* Every session has a route; one that is served nowhere has no targets. */
static void emit_routes(
	const struct nx_problem *p, const struct nx_placement *pl, struct nx_plan *plan)
{
	size_t *cap = nx_alloc(p->n_demands + 1, sizeof *cap);

	plan->route = nx_alloc(p->n_demands + 1, sizeof *plan->route);
	plan->n_routes = p->n_demands;
	for (size_t i = 0; i < p->n_demands; i++)
		plan->route[i].session = nx_strdup(p->demand[i].session);
	for (size_t i = 0; i < pl->n; i++) {
		for (size_t j = 0; j < pl->slot[i].n; j++) {
			const struct nx_part *part = &pl->slot[i].part[j];
			struct nx_plan_route *r = &plan->route[part->demand];

			r->to = nx_grow(r->to, &cap[part->demand], r->n_to + 1, sizeof *r->to);
			r->to[r->n_to++] =
				(struct nx_plan_target){ nx_strdup(plan->backend[i].backend),
					part->rate };
		}
	}
	free(cap);
}

static void emit_query(
	const struct nx_problem *p, const struct nx_squery *q, struct nx_plan_query *out)
{
	*out = (struct nx_plan_query){
		.query = nx_strdup(q->wl->query), .slo_ms = q->wl->slo_ms, .rate = q->wl->rate
	};
	out->stage = nx_alloc(q->wl->n_stages, sizeof *out->stage);
	out->n_stages = q->wl->n_stages;
	for (size_t i = 0; i < out->n_stages; i++) {
		const struct nx_wl_stage *s = &q->wl->stage[i];
		const struct nx_demand *d = &p->demand[q->first + i];

		out->stage[i] = (struct nx_plan_stage){ .stage = nx_strdup(s->stage),
			.session = nx_strdup(d->session),
			.model = nx_strdup(s->model),
			.after = dup_or_null(s->after),
			.select = dup_or_null(s->select),
			.slo_ms = d->slo_ms,
			.gamma = s->parent < 0 ? 1 : s->gamma,
			.parent = s->parent };
	}
}

/* Sessions whose rate is not served, or not all of it, and queries that cannot be split.  A query
 * of which a stage fails by memory or count stays: its stage's session is named. */
static void emit_unserved(
	const struct nx_problem *p, const struct nx_placement *pl, struct nx_plan *plan)
{
	plan->unserved = nx_alloc(p->n_demands + p->n_queries + 1, sizeof *plan->unserved);
	for (size_t i = 0; i < p->n_demands; i++) {
		const struct nx_demand *d = &p->demand[i];

		if (pl->left[i] > 0 || d->reason)
			plan->unserved[plan->n_unserved++] = (struct nx_plan_unserved){
				.session = nx_strdup(d->session),
				.rate = pl->left[i],
				.reason = nx_strdup(d->reason ? d->reason : pl->why_left[i])
			};
	}
	for (size_t i = 0; i < p->n_queries; i++) {
		const struct nx_squery *q = &p->query[i];

		if (q->reason)
			plan->unserved[plan->n_unserved++] =
				(struct nx_plan_unserved){ .query = nx_strdup(q->wl->query),
					.rate = q->wl->rate,
					.reason = nx_strdup(q->reason) };
	}
}

static int slot_order(const void *a, const void *b)
{
	const struct nx_slot *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (!x->name != !y->name)
		return x->name ? 1 : -1;
	if (x->name && y->name)
		return strcmp(x->name, y->name);
	return x->number < y->number ? -1 : x->number > y->number;
}

void nx_emit(const struct nx_problem *p, struct nx_placement *pl, struct nx_plan *plan)
{
	if (pl->n)
		qsort(pl->slot, pl->n, sizeof *pl->slot, slot_order);
	plan->backend = nx_alloc(pl->n + 1, sizeof *plan->backend);
	plan->n_backends = pl->n;
	for (size_t i = 0; i < pl->n; i++)
		emit_backend(p, &pl->slot[i], &plan->backend[i]);
	emit_routes(p, pl, plan);
	plan->query = nx_alloc(p->n_queries + 1, sizeof *plan->query);
	for (size_t i = 0; i < p->n_queries; i++)
		if (!p->query[i].reason)
			emit_query(p, &p->query[i], &plan->query[plan->n_queries++]);
	emit_unserved(p, pl, plan);
}

int64_t nx_emit_moved(const struct nx_plan *plan, const struct nx_plan *previous)
{
	struct nx_index hosts = NX_INDEX_INIT, names = NX_INDEX_INIT;
	int64_t moved = 0;

	for (size_t b = 0; b < previous->n_backends; b++) {
		nx_index_add(&names, previous->backend[b].backend, b);
		for (size_t i = 0; i < previous->backend[b].n_sessions; i++)
			nx_index_add(&hosts, previous->backend[b].session[i].session, b);
	}
	nx_index_sort(&names);
	nx_index_sort(&hosts);
	for (size_t b = 0; b < plan->n_backends; b++) {
		size_t old = nx_index_get(&names, plan->backend[b].backend);

		for (size_t i = 0; i < plan->backend[b].n_sessions; i++)
			moved += !nx_index_has(&hosts, plan->backend[b].session[i].session, old);
	}
	nx_index_release(&names);
	nx_index_release(&hosts);
	return moved;
}
