/* SPDX-License-Identifier: Apache-2.0 */
/* Writing nexus-stats/1 and nexus-bench/1. */
#include "formats/stats.h"

#include <inttypes.h>
#include <stdio.h>

static void write_count(struct nx_jw *j, const char *key, uint64_t n)
{
	nx_jw_kint(j, key, (int64_t)n);
}

static void write_counts(struct nx_jw *j, const struct nx_outcome_counts *c)
{
	write_count(j, "received", c->received);
	write_count(j, "in_slo", c->in_slo);
	write_count(j, "late", c->late);
	write_count(j, "dropped", c->dropped);
	write_count(j, "rejected", c->rejected);
	write_count(j, "failed", c->failed);
}

static void write_latency(struct nx_jw *j, const struct nx_percentiles *p)
{
	nx_jw_key(j, "latency_ms");
	nx_jw_object(j);
	nx_jw_knumber(j, "p50", p->p50);
	nx_jw_knumber(j, "p90", p->p90);
	nx_jw_knumber(j, "p99", p->p99);
	nx_jw_knumber(j, "p999", p->p999);
	nx_jw_knumber(j, "max", p->max);
	nx_jw_end(j);
}

static void write_batches(struct nx_jw *j, const struct nx_stats_session *s)
{
	nx_jw_key(j, "batches");
	nx_jw_object(j);
	for (size_t i = 0; i < s->n_batches; i++) {
		char key[24];

		snprintf(key, sizeof key, "%" PRId64, s->batches[i].batch);
		write_count(j, key, s->batches[i].count);
	}
	nx_jw_end(j);
}

static void write_reasons(struct nx_jw *j, const struct nx_stats_session *s)
{
	nx_jw_key(j, "reasons");
	nx_jw_object(j);
	for (size_t i = 0; i < s->n_reasons; i++)
		write_count(j, s->reasons[i].reason, s->reasons[i].count);
	nx_jw_end(j);
}

/* with_total: a run has a beginning, so counts since then; a load test is counted once. */
static void write_sessions(
	struct nx_jw *j, const struct nx_stats_session *session, size_t n, bool with_total)
{
	nx_jw_key(j, "sessions");
	nx_jw_array(j);
	for (size_t i = 0; i < n; i++) {
		const struct nx_stats_session *s = &session[i];

		nx_jw_object_inline(j);
		nx_jw_kstring(j, "session", s->session);
		nx_jw_knumber(j, "rate", s->rate);
		write_counts(j, &s->now);
		if (with_total) {
			nx_jw_key(j, "total");
			nx_jw_object(j);
			write_counts(j, &s->total);
			nx_jw_end(j);
		}
		if (s->has_latency)
			write_latency(j, &s->latency_ms);
		if (s->n_batches)
			write_batches(j, s);
		if (s->n_reasons)
			write_reasons(j, s);
		nx_jw_end(j);
	}
	nx_jw_end(j);
}

void nx_stats_format(const struct nx_stats *s, struct nx_jw *j)
{
	nx_jw_object(j);
	nx_jw_kstring(j, "format", "nexus-stats/1");
	nx_jw_kstring(j, "time", s->time);
	nx_jw_kstring(j, "source", s->source);
	nx_jw_kstring(j, "id", s->id);
	nx_jw_knumber(j, "interval_ms", s->interval_ms);
	nx_jw_kint(j, "epoch", s->epoch);
	write_sessions(j, s->session, s->n_sessions, true);
	nx_jw_key(j, "edges");
	nx_jw_array(j);
	for (size_t i = 0; i < s->n_edges; i++) {
		nx_jw_object_inline(j);
		nx_jw_kstring(j, "query", s->edge[i].query);
		nx_jw_kstring(j, "stage", s->edge[i].stage);
		nx_jw_knumber(j, "gamma", s->edge[i].gamma);
		write_count(j, "parents", s->edge[i].parents);
		nx_jw_end(j);
	}
	nx_jw_end(j);
	nx_jw_key(j, "backends");
	nx_jw_array(j);
	for (size_t i = 0; i < s->n_backends; i++) {
		nx_jw_object_inline(j);
		nx_jw_kstring(j, "backend", s->backend[i].backend);
		nx_jw_knumber(j, "busy", s->backend[i].busy);
		nx_jw_end(j);
	}
	nx_jw_end(j);
	nx_jw_end(j);
}

void nx_stats_print(const struct nx_stats *s, struct nx_buf *out)
{
	struct nx_jw j;

	nx_jw_init(&j, out, NX_JCOMPACT);
	nx_stats_format(s, &j);
}

void nx_bench_format(const struct nx_bench *b, struct nx_jw *j)
{
	nx_jw_object(j);
	nx_jw_kstring(j, "format", "nexus-bench/1");
	nx_jw_kstring(j, "kind", b->kind);
	nx_jw_key(j, "offered");
	nx_jw_object_inline(j);
	nx_jw_kstring(j, "arrivals", b->arrivals);
	nx_jw_knumber(j, "rate", b->rate);
	nx_jw_knumber(j, "duration_ms", b->duration_ms);
	write_count(j, "seed", b->seed);
	write_count(j, "requests", b->offered);
	nx_jw_end(j);
	write_sessions(j, b->session, b->n_sessions, false);
	nx_jw_knumber(j, "goodput", b->goodput);
	nx_jw_knumber(j, "in_slo_fraction", b->in_slo_fraction);
	if (b->max_rate >= 0)
		nx_jw_knumber(j, "max_rate", b->max_rate);
	nx_jw_end(j);
}
