/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/window.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <stdlib.h>
#include <string.h>

const char *nx_outcome_name(enum nx_outcome o)
{
	static const char *const names[NX_OUTCOMES] = { "in_slo", "late", "dropped", "rejected",
		"failed" };

	return names[o];
}

static const char *const reason_names[NX_REASONS] = { "", "deadline", "admission", "queue_full",
	"drain", "backend", "decode", "bad_request", "cancelled" };

const char *nx_reason_name(enum nx_reason r)
{
	return reason_names[r];
}

enum nx_reason nx_reason_from_name(const char *name)
{
	for (int r = 1; r < NX_REASONS; r++) {
		if (strcmp(name, reason_names[r]) == 0)
			return (enum nx_reason)r;
	}
	return NX_REASON_NONE;
}

struct nx_session_stats *nx_session_stats_new(const char *session)
{
	struct nx_session_stats *s = nx_alloc(1, sizeof *s);

	s->session = nx_strdup(session);
	return s;
}

void nx_session_stats_free(struct nx_session_stats **s)
{
	if (!*s)
		return;
	free((*s)->session);
	free(*s);
	*s = NULL;
}

void nx_session_stats_receive(struct nx_session_stats *s, uint64_t n)
{
	s->now.received += n;
	s->total.received += n;
}

static void count(struct nx_outcome_counts *c, enum nx_outcome o)
{
	uint64_t *const at[NX_OUTCOMES] = { &c->in_slo, &c->late, &c->dropped, &c->rejected,
		&c->failed };

	++*at[o];
}

void nx_session_stats_end(
	struct nx_session_stats *s, enum nx_outcome o, enum nx_reason why, uint64_t latency_ns)
{
	count(&s->now, o);
	count(&s->total, o);
	if (why != NX_REASON_NONE) {
		s->reasons_now[why]++;
		s->reasons_total[why]++;
	}
	if (o == NX_IN_SLO || o == NX_LATE) {
		nx_histogram_add(&s->latency_now, latency_ns);
		nx_histogram_add(&s->latency_total, latency_ns);
	}
}

void nx_session_stats_count(
	struct nx_session_stats *s, enum nx_outcome o, enum nx_reason why, uint64_t latency_ns)
{
	nx_session_stats_receive(s, 1);
	nx_session_stats_end(s, o, why, latency_ns);
}

void nx_session_stats_batch(struct nx_session_stats *s, size_t rows)
{
	s->batches_now[rows < NX_STATS_BATCH_MAX ? rows : NX_STATS_BATCH_MAX]++;
	s->batches_total++;
	s->rows_total += rows;
}

static void fill_latency(const struct nx_histogram *h, struct nx_stats_session *out)
{
	out->has_latency = h->count > 0;
	out->latency_ms = (struct nx_percentiles){
		.p50 = nx_ns_to_ms(nx_histogram_quantile(h, 0.5)),
		.p90 = nx_ns_to_ms(nx_histogram_quantile(h, 0.9)),
		.p99 = nx_ns_to_ms(nx_histogram_quantile(h, 0.99)),
		.p999 = nx_ns_to_ms(nx_histogram_quantile(h, 0.999)),
		.max = nx_ns_to_ms(h->max),
	};
}

static void fill_batches(const struct nx_session_stats *s, struct nx_stats_session *out)
{
	size_t cap = 0;

	for (size_t b = 0; b <= NX_STATS_BATCH_MAX; b++) {
		if (s->batches_now[b] == 0)
			continue;
		out->batches =
			nx_grow(out->batches, &cap, out->n_batches + 1, sizeof *out->batches);
		out->batches[out->n_batches++] =
			(struct nx_batch_count){ (int64_t)b, s->batches_now[b] };
	}
}

static void fill_reasons(const struct nx_session_stats *s, struct nx_stats_session *out)
{
	size_t cap = 0;

	for (int r = 1; r < NX_REASONS; r++) {
		if (s->reasons_now[r] == 0)
			continue;
		out->reasons =
			nx_grow(out->reasons, &cap, out->n_reasons + 1, sizeof *out->reasons);
		out->reasons[out->n_reasons++] =
			(struct nx_reason_count){ nx_strdup(reason_names[r]), s->reasons_now[r] };
	}
}

void nx_session_stats_snapshot(
	const struct nx_session_stats *s, double interval_ms, struct nx_stats_session *out)
{
	memset(out, 0, sizeof *out);
	out->session = nx_strdup(s->session);
	out->rate = interval_ms > 0 ? (double)s->now.received * 1000 / interval_ms : 0;
	out->now = s->now;
	out->total = s->total;
	fill_latency(&s->latency_now, out);
	fill_batches(s, out);
	fill_reasons(s, out);
}

void nx_session_stats_reset(struct nx_session_stats *s)
{
	memset(&s->now, 0, sizeof s->now);
	memset(s->reasons_now, 0, sizeof s->reasons_now);
	memset(s->batches_now, 0, sizeof s->batches_now);
	nx_histogram_clear(&s->latency_now);
}

void nx_stats_add_session(
	struct nx_stats *line, struct nx_session_stats *s, double interval_ms, int reset)
{
	line->session = nx_realloc(line->session, line->n_sessions + 1, sizeof *line->session);
	nx_session_stats_snapshot(s, interval_ms, &line->session[line->n_sessions++]);
	if (reset)
		nx_session_stats_reset(s);
}
