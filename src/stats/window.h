/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a session's requests: counted since the start and in the current interval.
 * serve, route and bench all count here, so that their numbers mean the same.  Not thread-safe:
 * each belongs to one loop thread.
 */
#ifndef NX_STATS_WINDOW_H
#define NX_STATS_WINDOW_H

#include "formats/stats.h"
#include "stats/histogram.h"

#include <stddef.h>
#include <stdint.h>

enum nx_outcome { NX_IN_SLO, NX_LATE, NX_DROPPED, NX_REJECTED, NX_FAILED, NX_OUTCOMES };
const char *nx_outcome_name(enum nx_outcome o); /* "in_slo", … */

/* Why a request was not answered. */
enum nx_reason {
	NX_REASON_NONE,
	NX_REASON_DEADLINE,  /* given up: it could not be answered in time any more */
	NX_REASON_ADMISSION, /* refused on arrival: it could not be answered in time */
	NX_REASON_QUEUE_FULL,
	NX_REASON_DRAIN,       /* the server is going away */
	NX_REASON_BACKEND,     /* no backend, or it broke off or answered nonsense */
	NX_REASON_DECODE,      /* the picture cannot be decoded */
	NX_REASON_BAD_REQUEST, /* the client's mistake */
	NX_REASON_CANCELLED,   /* the client has gone */
	NX_REASONS
};
const char *nx_reason_name(enum nx_reason r); /* "deadline", …; "" for none */
/* The reason of that name, or NX_REASON_NONE. */
enum nx_reason nx_reason_from_name(const char *name);

#define NX_STATS_BATCH_MAX 1024 /* larger batches count as this */

struct nx_session_stats {
	char *session;
	struct nx_outcome_counts now, total;
	uint64_t reasons_now[NX_REASONS], reasons_total[NX_REASONS];
	struct nx_histogram latency_now, latency_total; /* of answered requests, ns */
	uint64_t batches_now[NX_STATS_BATCH_MAX + 1];
	uint64_t batches_total, rows_total;
};

struct nx_session_stats *nx_session_stats_new(const char *session);
void nx_session_stats_free(struct nx_session_stats **s);

/* A request came in. */
void nx_session_stats_receive(struct nx_session_stats *s, uint64_t n);
/* It ended; latency_ns counts for answered ones (in_slo, late).  One that was never received
 * (counted at its end alone) is received first by the caller. */
void nx_session_stats_end(
	struct nx_session_stats *s, enum nx_outcome o, enum nx_reason why, uint64_t latency_ns);
/* Receives and ends n requests at once. */
void nx_session_stats_count(
	struct nx_session_stats *s, enum nx_outcome o, enum nx_reason why, uint64_t latency_ns);
/* A batch of 'rows' rows ran. */
void nx_session_stats_batch(struct nx_session_stats *s, size_t rows);

/* Fills *out (owned strings and arrays: release with nx_stats_release of the whole) with the
 * interval of interval_ms and the totals; reset starts the next interval.  nx_stats_add_session appends to a
 * line. */
void nx_session_stats_snapshot(
	const struct nx_session_stats *s, double interval_ms, struct nx_stats_session *out);
void nx_session_stats_reset(struct nx_session_stats *s);
/* Appends a snapshot to line->session and resets when 'reset'. */
void nx_stats_add_session(
	struct nx_stats *line, struct nx_session_stats *s, double interval_ms, int reset);

#endif
