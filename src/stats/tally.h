/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the requests of a server and what its device did: by session, kept by name over
 * reloads, as nexus-stats/1 and as Prometheus metrics.  For the loop thread.
 */
#ifndef NX_STATS_TALLY_H
#define NX_STATS_TALLY_H

#include "core/buf.h"
#include "stats/window.h"

#include <stdbool.h>
#include <stdint.h>

struct nx_tally;         /* of a server */
struct nx_tally_session; /* of one of its sessions */

/* 'source' and 'id' as in nexus-stats/1; 'device' names the backend whose batches are counted here
 * and whose busy time is told, NULL for a router. */
struct nx_tally *nx_tally_new(
	const char *source, const char *id, const char *device, uint64_t now_ns);
void nx_tally_free(struct nx_tally **t);

/* Finds or adds; valid as long as the tally. */
struct nx_tally_session *nx_tally_session(struct nx_tally *t, const char *name);

void nx_tally_received(struct nx_tally_session *s, uint64_t n);
void nx_tally_ended(
	struct nx_tally_session *s, enum nx_outcome o, enum nx_reason why, uint64_t latency_ns);
void nx_tally_batch(struct nx_tally *t, struct nx_tally_session *s, uint32_t rows, uint64_t ns);

/* Fills *line (the caller adds what else it knows, formats and releases it) with the time since the
 * last rotation; 'rotate' begins a new interval. */
void nx_tally_line(
	struct nx_tally *t, int64_t epoch, uint64_t now_ns, bool rotate, struct nx_stats *line);
/* Appends Prometheus text. */
void nx_tally_metrics(const struct nx_tally *t, int64_t epoch, struct nx_buf *out);

#endif
