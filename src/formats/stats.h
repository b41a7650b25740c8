/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-stats/1 and nexus-bench/1: what happened (see nexus-formats(5)). */
#ifndef NX_FORMATS_STATS_H
#define NX_FORMATS_STATS_H

#include "core/err.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

struct nx_outcome_counts {
	uint64_t received, in_slo, late, dropped, rejected, failed;
};

struct nx_percentiles {
	double p50, p90, p99, p999, max; /* ms */
};

struct nx_stats_session {
	char *session;
	double rate; /* received per second of the interval */
	struct nx_outcome_counts now, total;
	int has_latency;
	struct nx_percentiles latency_ms;
	struct nx_batch_count {
		int64_t batch;
		uint64_t count;
	} * batches;
	size_t n_batches;
	/* drops by reason: "deadline", "admission", "queue_full", "drain", … (an added key) */
	struct nx_reason_count {
		char *reason;
		uint64_t count;
	} * reasons;
	size_t n_reasons;
};

struct nx_stats_edge {
	char *query, *stage;
	double gamma;
	uint64_t parents; /* outputs of the stage before that were looked at in the interval */
	double weight;    /* in a mean over ids, when read: parents, 1 if not told; not written */
};

struct nx_stats_backend {
	char *backend;
	double busy; /* 0..1 */
};

struct nx_stats {
	char *time, *source, *id; /* source: "route" or "serve" */
	double interval_ms;
	int64_t epoch;
	struct nx_stats_session *session;
	size_t n_sessions;
	struct nx_stats_edge *edge;
	size_t n_edges;
	struct nx_stats_backend *backend;
	size_t n_backends;
};

int nx_stats_parse(const struct nx_jdoc *doc, struct nx_stats *s, struct nx_err *err);
void nx_stats_release(struct nx_stats *s);
void nx_stats_format(const struct nx_stats *s, struct nx_jw *j);
void nx_stats_print(const struct nx_stats *s, struct nx_buf *out); /* the same as one line */

/* What nexus-plan --stats uses: of a file (or "-") the last line of source "route" of each id,
 * summed over ids: rates and totals add up, gammas are weighted by parents. */
int nx_stats_load_observed(const char *path, struct nx_stats *sum, struct nx_err *err);

struct nx_bench {
	char *kind;     /* "load" or "find-max" */
	char *arrivals; /* "uniform" or "poisson" */
	double rate, duration_ms;
	uint64_t seed, offered; /* seed at most 2^53: JSON numbers are doubles */
	struct nx_stats_session *session;
	size_t n_sessions;
	double goodput, in_slo_fraction;
	double max_rate; /* < 0: not searched */
};

void nx_bench_format(const struct nx_bench *b, struct nx_jw *j);
int nx_bench_parse(const struct nx_jdoc *doc, struct nx_bench *b, struct nx_err *err);
void nx_bench_release(struct nx_bench *b);

#endif
