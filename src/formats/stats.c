/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading nexus-stats/1 and nexus-bench/1; stats_write.c writes them.
 *
 * A router prints its counters at an interval, and there may be several routers: what was observed
 * of a session is the last line of each, added up.
 */
#include "formats/stats.h"

#include "formats/reader.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- sessions ------------------------------------------------------------------------------ */

static void read_counts(
	struct nx_jcheck *c, const struct nx_jv *v, struct nx_outcome_counts *counts)
{
	nx_fmt_count(c, v, "received", &counts->received);
	nx_fmt_count(c, v, "in_slo", &counts->in_slo);
	nx_fmt_count(c, v, "late", &counts->late);
	nx_fmt_count(c, v, "dropped", &counts->dropped);
	nx_fmt_count(c, v, "rejected", &counts->rejected);
	nx_fmt_count(c, v, "failed", &counts->failed);
}

static void read_latency(struct nx_jcheck *c, const struct nx_jv *v, struct nx_stats_session *s)
{
	const struct nx_jv *latency;

	if (!nx_jget_object(c, v, "latency_ms", NX_OPTIONAL, &latency))
		return;
	s->has_latency = 1;
	nx_fmt_figure(c, latency, "p50", NX_REQUIRED, &s->latency_ms.p50);
	nx_fmt_figure(c, latency, "p90", NX_REQUIRED, &s->latency_ms.p90);
	nx_fmt_figure(c, latency, "p99", NX_REQUIRED, &s->latency_ms.p99);
	nx_fmt_figure(c, latency, "p999", NX_REQUIRED, &s->latency_ms.p999);
	nx_fmt_figure(c, latency, "max", NX_REQUIRED, &s->latency_ms.max);
}

static int compare_batches(const void *a, const void *b)
{
	const struct nx_batch_count *x = a, *y = b;

	return (x->batch > y->batch) - (x->batch < y->batch);
}

/* {"8": 79}: sizes are keys, because JSON has no other map. */
static void read_batches(struct nx_jcheck *c, const struct nx_jv *v, struct nx_stats_session *s)
{
	const struct nx_jv *batches;

	if (!nx_jget_object(c, v, "batches", NX_OPTIONAL, &batches) || batches->n == 0)
		return;
	s->n_batches = batches->n;
	s->batches = nx_alloc(s->n_batches, sizeof *s->batches);
	for (size_t i = 0; i < batches->n; i++) {
		const char *key = batches->keys[i];
		size_t digits = strspn(key, "0123456789");

		if (*key < '1' || key[digits] || digits > 9)
			nx_jcheck_fail(c, &batches->items[i], NULL, "key must be a batch size");
		else
			s->batches[i].batch = strtoll(key, NULL, 10);
		nx_fmt_count(c, batches, key, &s->batches[i].count);
	}
	qsort(s->batches, s->n_batches, sizeof *s->batches, compare_batches);
}

static void read_reasons(struct nx_jcheck *c, const struct nx_jv *v, struct nx_stats_session *s)
{
	const struct nx_jv *reasons;

	if (!nx_jget_object(c, v, "reasons", NX_OPTIONAL, &reasons) || reasons->n == 0)
		return;
	s->n_reasons = reasons->n;
	s->reasons = nx_alloc(s->n_reasons, sizeof *s->reasons);
	for (size_t i = 0; i < reasons->n; i++) {
		s->reasons[i].reason = nx_strdup(reasons->keys[i]);
		nx_fmt_count(c, reasons, reasons->keys[i], &s->reasons[i].count);
	}
}

static void read_session(struct nx_jcheck *c, const struct nx_jv *v, struct nx_stats_session *s)
{
	static const char *const known[] = { "session", "rate", "received", "in_slo", "late",
		"dropped", "rejected", "failed", "total", "latency_ms", "batches", "reasons" };
	const struct nx_jv *total;

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "session", NX_REQUIRED, &s->session);
	nx_fmt_figure(c, v, "rate", NX_REQUIRED, &s->rate);
	read_counts(c, v, &s->now);
	if (nx_jget_object(c, v, "total", NX_OPTIONAL, &total))
		read_counts(c, total, &s->total);
	read_latency(c, v, s);
	read_batches(c, v, s);
	read_reasons(c, v, s);
}

static struct nx_stats_session *read_sessions(struct nx_jcheck *c, const struct nx_jv *v, size_t *n)
{
	const struct nx_jv *items = NULL;
	struct nx_stats_session *s =
		nx_fmt_objects(c, v, "sessions", NX_REQUIRED, sizeof *s, &items, n);

	for (size_t i = 0; i < *n; i++)
		read_session(c, &items->items[i], &s[i]);
	return s;
}

static void release_sessions(struct nx_stats_session *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < s[i].n_reasons; k++)
			free(s[i].reasons[k].reason);
		free(s[i].reasons);
		free(s[i].batches);
		free(s[i].session);
	}
	free(s);
}

/* ---- nexus-stats/1 ------------------------------------------------------------------------- */

static void read_stats(struct nx_jcheck *c, const struct nx_jv *v, struct nx_stats *s)
{
	static const char *const known[] = { "format", "time", "source", "id", "interval_ms",
		"epoch", "sessions", "edges", "backends" };
	const struct nx_jv *items = NULL;

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "time", NX_REQUIRED, &s->time);
	nx_fmt_name(c, v, "source", NX_REQUIRED, &s->source);
	nx_fmt_name(c, v, "id", NX_REQUIRED, &s->id);
	nx_fmt_figure(c, v, "interval_ms", NX_REQUIRED, &s->interval_ms);
	nx_jget_int(c, v, "epoch", NX_OPTIONAL, 0, INT64_MAX, &s->epoch);
	s->session = read_sessions(c, v, &s->n_sessions);
	s->edge = nx_fmt_objects(c, v, "edges", NX_OPTIONAL, sizeof *s->edge, &items, &s->n_edges);
	for (size_t i = 0; i < s->n_edges; i++) {
		nx_fmt_name(c, &items->items[i], "query", NX_REQUIRED, &s->edge[i].query);
		nx_fmt_name(c, &items->items[i], "stage", NX_REQUIRED, &s->edge[i].stage);
		nx_fmt_figure(c, &items->items[i], "gamma", NX_REQUIRED, &s->edge[i].gamma);
		s->edge[i].weight = 1;
		if (nx_fmt_count(c, &items->items[i], "parents", &s->edge[i].parents))
			s->edge[i].weight = (double)s->edge[i].parents;
	}
	s->backend = nx_fmt_objects(
		c, v, "backends", NX_OPTIONAL, sizeof *s->backend, &items, &s->n_backends);
	for (size_t i = 0; i < s->n_backends; i++) {
		nx_fmt_name(c, &items->items[i], "backend", NX_REQUIRED, &s->backend[i].backend);
		nx_fmt_figure(c, &items->items[i], "busy", NX_REQUIRED, &s->backend[i].busy);
	}
}

int nx_stats_parse(const struct nx_jdoc *doc, struct nx_stats *s, struct nx_err *err)
{
	struct nx_jcheck c;

	*s = (struct nx_stats){ 0 };
	nx_jcheck_init(&c, doc);
	if (nx_jcheck_format(&c, nx_jdoc_root(doc), "nexus-stats", 1))
		read_stats(&c, nx_jdoc_root(doc), s);
	int rc = nx_jcheck_result(&c, err);
	nx_jcheck_release(&c);
	if (rc)
		nx_stats_release(s);
	return rc;
}

void nx_stats_release(struct nx_stats *s)
{
	release_sessions(s->session, s->n_sessions);
	for (size_t i = 0; i < s->n_edges; i++) {
		free(s->edge[i].query);
		free(s->edge[i].stage);
	}
	for (size_t i = 0; i < s->n_backends; i++)
		free(s->backend[i].backend);
	free(s->edge);
	free(s->backend);
	free(s->time);
	free(s->source);
	free(s->id);
	*s = (struct nx_stats){ 0 };
}

/* ---- sums over routers ----------------------------------------------------------------------- */

static void add_counts(struct nx_outcome_counts *to, const struct nx_outcome_counts *from)
{
	to->received += from->received;
	to->in_slo += from->in_slo;
	to->late += from->late;
	to->dropped += from->dropped;
	to->rejected += from->rejected;
	to->failed += from->failed;
}

static void add_session(struct nx_stats *sum, const struct nx_stats_session *s)
{
	struct nx_stats_session *to = NULL;

	for (size_t i = 0; i < sum->n_sessions && !to; i++)
		if (strcmp(sum->session[i].session, s->session) == 0)
			to = &sum->session[i];
	if (!to) {
		sum->session = nx_realloc(sum->session, sum->n_sessions + 1, sizeof *sum->session);
		to = &sum->session[sum->n_sessions++];
		*to = (struct nx_stats_session){ .session = nx_strdup(s->session) };
	}
	to->rate += s->rate;
	add_counts(&to->now, &s->now);
	add_counts(&to->total, &s->total);
}

/* A mean of gammas, each weighted by the outputs it was seen on. */
static void add_edge(struct nx_stats *sum, const struct nx_stats_edge *e)
{
	struct nx_stats_edge *to = NULL;

	for (size_t i = 0; i < sum->n_edges && !to; i++)
		if (strcmp(sum->edge[i].query, e->query) == 0 &&
			strcmp(sum->edge[i].stage, e->stage) == 0)
			to = &sum->edge[i];
	if (!to) {
		sum->edge = nx_realloc(sum->edge, sum->n_edges + 1, sizeof *sum->edge);
		to = &sum->edge[sum->n_edges++];
		*to = *e;
		to->query = nx_strdup(e->query);
		to->stage = nx_strdup(e->stage);
		return;
	}
	if (e->weight > 0)
		to->gamma =
			(to->gamma * to->weight + e->gamma * e->weight) / (to->weight + e->weight);
	to->weight += e->weight;
	to->parents += e->parents;
}

/* Latencies, batches and busy shares are left out: they do not add up. */
static void add_stats(struct nx_stats *sum, const struct nx_stats *s)
{
	if (!sum->time || strcmp(sum->time, s->time) < 0) {
		free(sum->time);
		sum->time = nx_strdup(s->time);
	}
	if (sum->interval_ms < s->interval_ms)
		sum->interval_ms = s->interval_ms;
	if (sum->epoch < s->epoch)
		sum->epoch = s->epoch;
	for (size_t i = 0; i < s->n_sessions; i++)
		add_session(sum, &s->session[i]);
	for (size_t i = 0; i < s->n_edges; i++)
		add_edge(sum, &s->edge[i]);
}

/* Keeps 's', which it takes, as the last word of its id. */
static void keep_last(struct nx_stats **kept, size_t *n, struct nx_stats *s)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp((*kept)[i].id, s->id) == 0) {
			nx_stats_release(&(*kept)[i]);
			(*kept)[i] = *s;
			return;
		}
	}
	*kept = nx_realloc(*kept, *n + 1, sizeof **kept);
	(*kept)[(*n)++] = *s;
}

int nx_stats_load_observed(const char *path, struct nx_stats *sum, struct nx_err *err)
{
	struct nx_jdoc **docs;
	struct nx_stats *kept = NULL;
	size_t n, n_kept = 0;

	*sum = (struct nx_stats){ 0 };
	int rc = nx_fmt_load(path, &docs, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		struct nx_stats s;

		rc = nx_stats_parse(docs[i], &s, err);
		if (!rc && strcmp(s.source, "route") == 0)
			keep_last(&kept, &n_kept, &s);
		else if (!rc)
			nx_stats_release(&s);
	}
	if (!rc && n_kept == 0)
		rc = nx_err_set(
			err, NX_EDATA, "%s: no line of source \"route\"", nx_jdoc_source(docs[0]));
	for (size_t i = 0; i < n_kept; i++) {
		if (!rc)
			add_stats(sum, &kept[i]);
		nx_stats_release(&kept[i]);
	}
	if (!rc) {
		sum->source = nx_strdup("route");
		sum->id = nx_strdup("sum");
	}
	free(kept);
	nx_jdocs_free(&docs, n);
	return rc;
}

/* ---- nexus-bench/1 ------------------------------------------------------------------------- */

static void read_bench(struct nx_jcheck *c, const struct nx_jv *v, struct nx_bench *b)
{
	static const char *const known[] = { "format", "kind", "offered", "sessions", "goodput",
		"in_slo_fraction", "max_rate" };
	static const char *const known_offered[] = { "arrivals", "rate", "duration_ms", "seed",
		"requests" };
	const struct nx_jv *offered;

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "kind", NX_OPTIONAL, &b->kind);
	if (nx_jget_object(c, v, "offered", NX_REQUIRED, &offered)) {
		nx_jcheck_keys(c, offered, known_offered, NX_ARRAY_LEN(known_offered));
		nx_fmt_name(c, offered, "arrivals", NX_REQUIRED, &b->arrivals);
		nx_fmt_figure(c, offered, "rate", NX_REQUIRED, &b->rate);
		nx_fmt_figure(c, offered, "duration_ms", NX_REQUIRED, &b->duration_ms);
		nx_fmt_count(c, offered, "seed", &b->seed);
		nx_fmt_count(c, offered, "requests", &b->offered);
	}
	b->session = read_sessions(c, v, &b->n_sessions);
	nx_fmt_figure(c, v, "goodput", NX_REQUIRED, &b->goodput);
	nx_jget_number(c, v, "in_slo_fraction", NX_REQUIRED, 0, 1, &b->in_slo_fraction);
	nx_fmt_figure(c, v, "max_rate", NX_OPTIONAL, &b->max_rate);
}

int nx_bench_parse(const struct nx_jdoc *doc, struct nx_bench *b, struct nx_err *err)
{
	struct nx_jcheck c;

	*b = (struct nx_bench){ .max_rate = -1 };
	nx_jcheck_init(&c, doc);
	if (nx_jcheck_format(&c, nx_jdoc_root(doc), "nexus-bench", 1))
		read_bench(&c, nx_jdoc_root(doc), b);
	int rc = nx_jcheck_result(&c, err);
	nx_jcheck_release(&c);
	if (rc)
		nx_bench_release(b);
	return rc;
}

void nx_bench_release(struct nx_bench *b)
{
	release_sessions(b->session, b->n_sessions);
	free(b->kind);
	free(b->arrivals);
	*b = (struct nx_bench){ 0 };
}
