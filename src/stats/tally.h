/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters of a server: sessions by name, kept over reloads, as nexus-stats/1 lines and as
 * Prometheus metrics.  Belongs to one loop thread.
 */
#ifndef NX_STATS_TALLY_H
#define NX_STATS_TALLY_H

#include "core/buf.h"
#include "stats/window.h"

struct nx_tally;

/* 'source' and 'id' as in nexus-stats/1. */
struct nx_tally *nx_tally_new(const char *source, const char *id, uint64_t now_ns);
void nx_tally_free(struct nx_tally **t);

/* Finds or adds; valid as long as the tally. */
struct nx_session_stats *nx_tally_session(struct nx_tally *t, const char *name);

/* Fills *line (release it) with the time since the last rotation; the caller may add edges and
 * backends before it is formatted. */
void nx_tally_line(const struct nx_tally *t, int64_t epoch, uint64_t now_ns, struct nx_stats *line);
/* Milliseconds since the last rotation. */
double nx_tally_interval_ms(const struct nx_tally *t, uint64_t now_ns);
/* Begins a new interval. */
void nx_tally_rotate(struct nx_tally *t, uint64_t now_ns);

/* Appends what is common to all servers as Prometheus text: requests by outcome, drops by
 * reason, durations, batch sizes, plan epoch, build. */
void nx_tally_metrics(const struct nx_tally *t, int64_t epoch, struct nx_buf *out);

#endif
