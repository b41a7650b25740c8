/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/table.h"

#include <inttypes.h>
#include <string.h>

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

static void add_latency(struct nx_buf *out, const struct nx_stats_session *s)
{
	const struct nx_percentiles *p = &s->latency_ms;

	if (s->has_latency)
		nx_buf_addf(out, " %8.1f %8.1f %8.1f", p->p50, p->p90, p->p99);
	else
		nx_buf_addf(out, " %8s %8s %8s", "-", "-", "-");
}

void nx_bench_table(const struct nx_bench *b, struct nx_buf *out)
{
	int width = (int)strlen("session");

	for (size_t i = 0; i < b->n_sessions; i++) {
		size_t len = strlen(b->session[i].session);
		if (len > (size_t)width && len < 60)
			width = (int)len;
	}
	nx_buf_addf(out, "%-*s %9s %9s %8s %8s %8s %8s %8s %8s %8s %8s\n", width, "session", "rate",
		"requests", "in SLO", "p50 ms", "p90 ms", "p99 ms", "dropped", "rejected", "late",
		"failed");
	for (size_t i = 0; i < b->n_sessions; i++) {
		const struct nx_stats_session *s = &b->session[i];
		const struct nx_outcome_counts *c = &s->now;
		nx_buf_addf(out, "%-*s %9.1f %9" PRIu64 " %7.2f%%", width, s->session, s->rate,
			c->received, percent(c->in_slo, c->received));
		add_latency(out, s);
		nx_buf_addf(out, " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
			c->dropped, c->rejected, c->late, c->failed);
	}
	nx_buf_addf(out, "goodput %.1f/s of %.1f/s offered, %.2f%% in SLO\n", b->goodput, b->rate,
		100 * b->in_slo_fraction);
	if (b->max_rate >= 0)
		nx_buf_addf(out, "maximum rate %.1f/s\n", b->max_rate);
}
