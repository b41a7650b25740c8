/* SPDX-License-Identifier: Apache-2.0 */
/* One frame's way through the stages, and its events in order at the end. */
#include "query/internal.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"

#include <stdlib.h>
#include <string.h>

static void run_free(struct run *r)
{
	for (size_t i = 0; i < r->n_items; i++) {
		nx_result_release(&r->item[i].result);
		free(r->item[i].label);
	}
	free(r->item);
	free(r->source);
	nx_frame_release(&r->frame);
	free(r);
}

void run_format_event(const struct run *r, const struct item *it, struct nx_buf *out)
{
	const struct nx_query *q = r->query;
	struct nx_event e = {
		.source = r->source,
		.frame = r->frame.index,
		.time_ms = r->frame.time_ms,
		.query = q->is_query ? q->name : NULL,
		.stage = q->is_query ? q->stage[it->stage].plan->stage : q->name,
		.id = it->id,
		.parent = it->parent < 0 ? -1 : r->item[it->parent].id,
		.outcome = it->outcome,
		.reason = it->reason,
		.latency_ms = it->latency_ms,
		.box = it->has_box ? it->box : NULL,
		.of = it->label,
		.result = it->answered ? &it->result : NULL,
	};

	nx_event_format(&e, out);
}

/* By the parent's place, then by the crop's: items of one parent stand in its order. */
static int by_place(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	if (x->parent_id != y->parent_id)
		return x->parent_id < y->parent_id ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Events in an order that does not depend on which answer came first: stage by stage in plan
 * order (parents come first there), within a stage by the parent's place and then by the crop's. */
static void format_events(struct run *r, struct nx_buf *out)
{
	struct item **list = nx_alloc(r->n_items, sizeof(struct item *));
	int64_t id = 0;

	for (size_t s = 0; s < r->query->n_stages; s++) {
		size_t n = 0;
		for (size_t i = 0; i < r->n_items; i++) {
			struct item *it = &r->item[i];
			if (it->stage != s)
				continue;
			it->parent_id = it->parent < 0 ? -1 : r->item[it->parent].id;
			list[n++] = it;
		}
		qsort(list, n, sizeof *list, by_place);
		for (size_t i = 0; i < n; i++) {
			list[i]->id = id++;
			run_format_event(r, list[i], out);
		}
	}
	free(list);
}

/* The worst outcome of the tree speaks for the frame; an early stage's lateness does not matter
 * when the whole was in time. */
static void judge(const struct run *r, struct nx_query_result *result)
{
	static const char *const order[] = { "dropped", "rejected", "failed" };
	int worst = -1;

	result->latency_ms = nx_ns_to_ms(r->last_ns - r->arrival_ns);
	result->outcome = result->latency_ms <= r->query->slo_ms ? "in_slo" : "late";
	result->reason = NULL;
	for (size_t i = 0; i < r->n_items; i++) {
		for (int k = worst + 1; k < (int)NX_ARRAY_LEN(order); k++) {
			if (strcmp(r->item[i].outcome, order[k]) == 0) {
				worst = k;
				result->outcome = order[k];
				result->reason = r->item[i].reason;
			}
		}
	}
}

static void run_end(struct run *r)
{
	struct nx_buf events = NX_BUF_INIT;
	struct nx_query_result result;

	format_events(r, &events);
	judge(r, &result);
	result.events = events.data;
	result.events_len = events.len;
	r->done(r->arg, &result);
	nx_buf_release(&events);
	run_free(r);
}

static void warn_once(struct run *r, const char *stage, const struct nx_err *err)
{
	if (!r->warned)
		nx_warn("%s: frame %lld: stage '%s': %s", r->source, (long long)r->frame.index,
			stage, err->msg);
	r->warned = true;
}

/* Asks the stages below for what an answered item found. */
static void spawn(struct run *r, size_t item)
{
	size_t stage = r->item[item].stage;
	struct nx_err err = NX_ERR_INIT;

	for (size_t s = 0; s < r->query->n_stages; s++) {
		size_t first = r->n_items;
		if (r->query->stage[s].parent != (int)stage)
			continue;
		if (stage_select(r, s, item, &err)) {
			warn_once(r, r->query->stage[s].plan->stage, &err);
			while (r->n_items > first)
				free(r->item[--r->n_items].label);
			r->item[item].outcome = "failed";
			r->item[item].reason = nx_reason_name(NX_REASON_BAD_REQUEST);
			continue;
		}
		jobs_start(r, first, r->n_items - first);
	}
}

void run_job_done(struct job *j)
{
	struct run *r = j->run;

	if (j->err.code)
		warn_once(r, r->query->stage[j->stage].plan->stage, &j->err);
	for (size_t i = 0; i < j->n; i++) {
		if (r->item[j->first + i].answered)
			spawn(r, j->first + i);
	}
	if (--r->pending == 0)
		run_end(r);
}

void nx_query_submit(struct nx_query *q, struct nx_frame *frame, const char *source,
	uint64_t arrival_ns, nx_query_done_fn *done, void *arg)
{
	struct run *r = nx_alloc(1, sizeof *r);

	r->query = q;
	r->frame = *frame;
	memset(frame, 0, sizeof *frame);
	r->source = nx_strdup(source);
	r->arrival_ns = r->last_ns = arrival_ns;
	r->done = done;
	r->arg = arg;
	r->item = nx_grow(r->item, &r->cap_items, 1, sizeof *r->item);
	r->item[r->n_items++] = (struct item){ .stage = 0, .parent = -1 };
	jobs_start(r, 0, 1);
}
