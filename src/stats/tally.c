/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two clients, two kinds of numbers: nexus-stats/1 is about an interval and comes from
 * nx_session_stats; Prometheus wants buckets since the start with
 * bounds that never change.
 */
#include "stats/tally.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Upper bounds of the Prometheus buckets; the last bucket is +Inf. */
static const double seconds[] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4,
	0.5, 1, 2.5 };
static const double sizes[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256 };

/* Since the start; the intervals are in the session's nx_session_stats. */
struct buckets {
	const double *bound;
	size_t n;
	uint64_t count[NX_ARRAY_LEN(seconds) + 1];
	double sum;
};

struct nx_tally_session {
	struct nx_session_stats *stats;
	struct buckets duration, batch_size, batch_duration;
};

struct nx_tally {
	char *source, *id, *device; /* device NULL: runs nothing itself */
	struct nx_tally_session **session;
	size_t n, cap;
	uint64_t start_ns; /* of the interval */
	uint64_t busy_ns;  /* of the device, in the interval */
	double busy_total_s;
};

struct nx_tally *nx_tally_new(
	const char *source, const char *id, const char *device, uint64_t now_ns)
{
	struct nx_tally *t = nx_alloc(1, sizeof *t);

	t->source = nx_strdup(source);
	t->id = nx_strdup(id);
	t->device = device ? nx_strdup(device) : NULL;
	t->start_ns = now_ns;
	return t;
}

void nx_tally_free(struct nx_tally **pt)
{
	struct nx_tally *t = *pt;

	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		nx_session_stats_free(&t->session[i]->stats);
		free(t->session[i]);
	}
	free(t->session);
	free(t->source);
	free(t->id);
	free(t->device);
	free(t);
	*pt = NULL;
}

struct nx_tally_session *nx_tally_session(struct nx_tally *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->session[i]->stats->session, name) == 0)
			return t->session[i];

	struct nx_tally_session *s = nx_alloc(1, sizeof *s);
	s->stats = nx_session_stats_new(name);
	s->duration = (struct buckets){ .bound = seconds, .n = NX_ARRAY_LEN(seconds) };
	s->batch_duration = s->duration;
	s->batch_size = (struct buckets){ .bound = sizes, .n = NX_ARRAY_LEN(sizes) };
	t->session = nx_grow(t->session, &t->cap, t->n + 1, sizeof *t->session);
	t->session[t->n++] = s;
	return s;
}

static void add_to_bucket(struct buckets *b, double v)
{
	size_t i = 0;

	while (i < b->n && v > b->bound[i])
		i++;
	b->count[i]++;
	b->sum += v;
}

void nx_tally_received(struct nx_tally_session *s, uint64_t n)
{
	nx_session_stats_receive(s->stats, n);
}

void nx_tally_ended(
	struct nx_tally_session *s, enum nx_outcome o, enum nx_reason why, uint64_t latency_ns)
{
	nx_session_stats_end(s->stats, o, why, latency_ns);
	if (o == NX_IN_SLO || o == NX_LATE)
		add_to_bucket(&s->duration, (double)latency_ns / 1e9);
}

void nx_tally_batch(struct nx_tally *t, struct nx_tally_session *s, uint32_t rows, uint64_t ns)
{
	t->busy_ns += ns;
	t->busy_total_s += (double)ns / 1e9;
	nx_session_stats_batch(s->stats, rows);
	add_to_bucket(&s->batch_size, rows);
	add_to_bucket(&s->batch_duration, (double)ns / 1e9);
}

/* ---- nexus-stats/1 -------------------------------------------------------------------------------- */

static void add_device(const struct nx_tally *t, double interval_ns, struct nx_stats *line)
{
	double busy = interval_ns > 0 ? fmin((double)t->busy_ns / interval_ns, 1) : 0;

	line->backend = nx_alloc(1, sizeof *line->backend);
	line->backend[line->n_backends++] = (struct nx_stats_backend){ nx_strdup(t->device), busy };
}

void nx_tally_line(
	struct nx_tally *t, int64_t epoch, uint64_t now_ns, bool rotate, struct nx_stats *line)
{
	double interval_ns = now_ns > t->start_ns ? (double)(now_ns - t->start_ns) : 0;
	char time[NX_RFC3339_SIZE];

	nx_now_rfc3339(time);
	*line = (struct nx_stats){ .time = nx_strdup(time),
		.source = nx_strdup(t->source),
		.id = nx_strdup(t->id),
		.interval_ms = interval_ns / 1e6,
		.epoch = epoch };
	for (size_t i = 0; i < t->n; i++)
		nx_stats_add_session(line, t->session[i]->stats, line->interval_ms, rotate);
	if (t->device)
		add_device(t, interval_ns, line);
	if (rotate) {
		t->start_ns = now_ns;
		t->busy_ns = 0;
	}
}

/* ---- Prometheus ----------------------------------------------------------------------------------- */

/* Session names are the user's: quotes, backslashes and line ends are escaped as Prometheus asks. */
static void add_label(struct nx_buf *out, const char *session)
{
	for (; *session; session++) {
		if (*session == '\\' || *session == '"')
			nx_buf_addc(out, '\\');
		if (*session == '\n')
			nx_buf_adds(out, "\\n");
		else
			nx_buf_addc(out, *session);
	}
}

/* name{session="…" and leaves the brace open. */
static void open_sample(
	struct nx_buf *out, const char *name, const char *suffix, const struct nx_tally_session *s)
{
	nx_buf_addf(out, "%s%s{session=\"", name, suffix);
	add_label(out, s->stats->session);
	nx_buf_addc(out, '"');
}

static void add_head(struct nx_buf *out, const char *name, const char *type, const char *help)
{
	nx_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Prometheus buckets are cumulative, ours are not. */
static void add_histogram(struct nx_buf *out, const char *name, const struct nx_tally_session *s,
	const struct buckets *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= b->n; i++) {
		sum += b->count[i];
		open_sample(out, name, "_bucket", s);
		if (i < b->n)
			nx_buf_addf(
				out, ",le=\"%g\"} %llu\n", b->bound[i], (unsigned long long)sum);
		else
			nx_buf_addf(out, ",le=\"+Inf\"} %llu\n", (unsigned long long)sum);
	}
	open_sample(out, name, "_sum", s);
	nx_buf_addf(out, "} %.9g\n", b->sum);
	open_sample(out, name, "_count", s);
	nx_buf_addf(out, "} %llu\n", (unsigned long long)sum);
}

static void add_count(struct nx_buf *out, const char *name, const struct nx_tally_session *s,
	const char *label, const char *value, uint64_t count)
{
	open_sample(out, name, "", s);
	nx_buf_addf(out, ",%s=\"%s\"} %llu\n", label, value, (unsigned long long)count);
}

static void add_counters(const struct nx_tally *t, struct nx_buf *out)
{
	add_head(out, "nexus_requests_total", "counter", "Requests by outcome.");
	for (size_t i = 0; i < t->n; i++) {
		const struct nx_outcome_counts *c = &t->session[i]->stats->total;
		const uint64_t count[NX_OUTCOMES] = { [NX_IN_SLO] = c->in_slo,
			[NX_LATE] = c->late,
			[NX_DROPPED] = c->dropped,
			[NX_REJECTED] = c->rejected,
			[NX_FAILED] = c->failed };
		for (int o = 0; o < NX_OUTCOMES; o++)
			add_count(out, "nexus_requests_total", t->session[i], "outcome",
				nx_outcome_name((enum nx_outcome)o), count[o]);
	}
	add_head(out, "nexus_drops_total", "counter", "Requests not answered, by reason.");
	for (size_t i = 0; i < t->n; i++)
		for (int r = 1; r < NX_REASONS; r++)
			add_count(out, "nexus_drops_total", t->session[i], "reason",
				nx_reason_name((enum nx_reason)r),
				t->session[i]->stats->reasons_total[r]);
}

void nx_tally_metrics(const struct nx_tally *t, int64_t epoch, struct nx_buf *out)
{
	add_counters(t, out);
	add_head(out, "nexus_request_duration_seconds", "histogram",
		"From arrival to answer, of answered requests.");
	for (size_t i = 0; i < t->n; i++)
		add_histogram(out, "nexus_request_duration_seconds", t->session[i],
			&t->session[i]->duration);
	add_head(out, "nexus_batch_size", "histogram", "Rows of the batches that ran.");
	for (size_t i = 0; i < t->n; i++)
		add_histogram(out, "nexus_batch_size", t->session[i], &t->session[i]->batch_size);
	add_head(
		out, "nexus_batch_duration_seconds", "histogram", "Time of a batch on the device.");
	for (size_t i = 0; i < t->n; i++)
		add_histogram(out, "nexus_batch_duration_seconds", t->session[i],
			&t->session[i]->batch_duration);
	add_head(out, "nexus_device_busy_seconds_total", "counter",
		"Time the device has run batches.");
	nx_buf_addf(out, "nexus_device_busy_seconds_total %.9g\n", t->busy_total_s);
	add_head(out, "nexus_plan_epoch", "gauge", "Epoch of the plan that is served.");
	nx_buf_addf(out, "nexus_plan_epoch %lld\n", (long long)epoch);
	add_head(out, "nexus_build_info", "gauge", "Version of the program.");
	nx_buf_addf(out, "nexus_build_info{version=\"%s\"} 1\n", NX_VERSION);
}
