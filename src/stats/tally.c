/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/tally.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Upper bounds of the duration buckets, in seconds; +Inf follows. */
static const double bounds_s[] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3,
	0.4, 0.5, 1, 2.5 };

struct nx_tally {
	char *source, *id;
	struct nx_session_stats **session;
	size_t n, cap;
	uint64_t start_ns; /* of the interval */
};

struct nx_tally *nx_tally_new(const char *source, const char *id, uint64_t now_ns)
{
	struct nx_tally *t = nx_alloc(1, sizeof *t);

	t->source = nx_strdup(source);
	t->id = nx_strdup(id);
	t->start_ns = now_ns;
	return t;
}

void nx_tally_free(struct nx_tally **tp)
{
	struct nx_tally *t = *tp;

	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		nx_session_stats_free(&t->session[i]);
	free(t->session);
	free(t->source);
	free(t->id);
	free(t);
	*tp = NULL;
}

struct nx_session_stats *nx_tally_session(struct nx_tally *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->session[i]->session, name) == 0)
			return t->session[i];
	}
	t->session = nx_grow(t->session, &t->cap, t->n + 1, sizeof(struct nx_session_stats *));
	t->session[t->n] = nx_session_stats_new(name);
	return t->session[t->n++];
}

double nx_tally_interval_ms(const struct nx_tally *t, uint64_t now_ns)
{
	return nx_ns_to_ms(now_ns - t->start_ns);
}

void nx_tally_line(const struct nx_tally *t, int64_t epoch, uint64_t now_ns, struct nx_stats *line)
{
	char now[NX_RFC3339_SIZE];

	memset(line, 0, sizeof *line);
	nx_now_rfc3339(now);
	line->time = nx_strdup(now);
	line->source = nx_strdup(t->source);
	line->id = nx_strdup(t->id);
	line->interval_ms = nx_tally_interval_ms(t, now_ns);
	line->epoch = epoch;
	for (size_t i = 0; i < t->n; i++)
		nx_stats_add_session(line, t->session[i], line->interval_ms, 0);
}

void nx_tally_rotate(struct nx_tally *t, uint64_t now_ns)
{
	for (size_t i = 0; i < t->n; i++)
		nx_session_stats_reset(t->session[i]);
	t->start_ns = now_ns;
}

/* ---- Prometheus ------------------------------------------------------------------------------ */

static void head(struct nx_buf *out, const char *name, const char *type, const char *help)
{
	nx_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value, escaped. */
static void label(struct nx_buf *out, const char *name, const char *value)
{
	nx_buf_addf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			nx_buf_addc(out, '\\');
		if (*value == '\n')
			nx_buf_adds(out, "\\n");
		else
			nx_buf_addc(out, *value);
	}
	nx_buf_addc(out, '"');
}

static void sample(struct nx_buf *out, const char *name, const char *session, const char *key,
	const char *value, double number)
{
	nx_buf_addf(out, "%s{", name);
	label(out, "session", session);
	if (key) {
		nx_buf_addc(out, ',');
		label(out, key, value);
	}
	nx_buf_addf(out, "} %.17g\n", number);
}

static void outcomes(const struct nx_tally *t, struct nx_buf *out)
{
	head(out, "nexus_requests_total", "counter", "Requests by how they ended.");
	for (size_t i = 0; i < t->n; i++) {
		const struct nx_outcome_counts *c = &t->session[i]->total;
		const uint64_t n[NX_OUTCOMES] = { c->in_slo, c->late, c->dropped, c->rejected,
			c->failed };
		for (int o = 0; o < NX_OUTCOMES; o++)
			sample(out, "nexus_requests_total", t->session[i]->session, "outcome",
				nx_outcome_name((enum nx_outcome)o), (double)n[o]);
	}
}

static void drops(const struct nx_tally *t, struct nx_buf *out)
{
	head(out, "nexus_drops_total", "counter", "Requests that were not answered, by reason.");
	for (size_t i = 0; i < t->n; i++) {
		for (int r = 1; r < NX_REASONS; r++)
			sample(out, "nexus_drops_total", t->session[i]->session, "reason",
				nx_reason_name((enum nx_reason)r),
				(double)t->session[i]->reasons_total[r]);
	}
}

static void durations(const struct nx_tally *t, struct nx_buf *out)
{
	static const char name[] = "nexus_request_duration_seconds";

	head(out, name, "histogram", "Time from arrival to answer of requests that were answered.");
	for (size_t i = 0; i < t->n; i++) {
		const struct nx_histogram *h = &t->session[i]->latency_total;
		const char *session = t->session[i]->session;
		for (size_t k = 0; k < NX_ARRAY_LEN(bounds_s); k++) {
			char le[32];
			snprintf(le, sizeof le, "%g", bounds_s[k]);
			sample(out, "nexus_request_duration_seconds_bucket", session, "le", le,
				(double)nx_histogram_count_to(h, (uint64_t)(bounds_s[k] * 1e9)));
		}
		sample(out, "nexus_request_duration_seconds_bucket", session, "le", "+Inf",
			(double)h->count);
		sample(out, "nexus_request_duration_seconds_sum", session, NULL, NULL,
			h->sum / 1e9);
		sample(out, "nexus_request_duration_seconds_count", session, NULL, NULL,
			(double)h->count);
	}
}

static void batches(const struct nx_tally *t, struct nx_buf *out)
{
	head(out, "nexus_batches_total", "counter", "Batches that were run.");
	for (size_t i = 0; i < t->n; i++)
		sample(out, "nexus_batches_total", t->session[i]->session, NULL, NULL,
			(double)t->session[i]->batches_total);
	head(out, "nexus_batch_rows_total", "counter", "Rows of the batches that were run.");
	for (size_t i = 0; i < t->n; i++)
		sample(out, "nexus_batch_rows_total", t->session[i]->session, NULL, NULL,
			(double)t->session[i]->rows_total);
}

void nx_tally_metrics(const struct nx_tally *t, int64_t epoch, struct nx_buf *out)
{
	outcomes(t, out);
	drops(t, out);
	durations(t, out);
	batches(t, out);
	head(out, "nexus_plan_epoch", "gauge", "Epoch of the plan in use.");
	nx_buf_addf(out, "nexus_plan_epoch %lld\n", (long long)epoch);
	head(out, "nexus_build_info", "gauge", "The version that runs.");
	nx_buf_addf(
		out, "nexus_build_info{version=\"%s\",source=\"%s\"} 1\n", NX_VERSION, t->source);
}
