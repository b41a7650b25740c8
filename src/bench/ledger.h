/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of one load: what was offered, what is outstanding and what became of it.  Requests due
 * during the warm-up are carried like all others, but not counted.  Knows no clock.
 */
#ifndef NX_BENCH_LEDGER_H
#define NX_BENCH_LEDGER_H

#include "formats/stats.h"
#include "query/outcome.h"
#include "stats/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_LEDGER_MAX_OPEN  100000
#define NX_LEDGER_MAX_BYTES ((size_t)1 << 30)

struct nx_ledger {
	struct nx_session_stats **entry;
	size_t n;
	uint64_t from_ns; /* requests due before are warm-up */
	size_t open, open_bytes;
};

/* Entries are named by name[0..n). */
void nx_ledger_init(struct nx_ledger *l, const char *const *name, size_t n, uint64_t from_ns);
void nx_ledger_release(struct nx_ledger *l);

/* A request of an entry was due at due_ns and holds 'bytes' until it ends.  False when too much is
 * outstanding: it has then failed (queue_full) and is not to be sent. */
bool nx_ledger_open(struct nx_ledger *l, size_t entry, uint64_t due_ns, size_t bytes);
/* It ended. */
void nx_ledger_close(struct nx_ledger *l, size_t entry, uint64_t due_ns, size_t bytes,
	struct nx_verdict v, uint64_t latency_ns);
/* One that never could be sent: both at once. */
void nx_ledger_fail(struct nx_ledger *l, size_t entry, uint64_t due_ns, enum nx_reason why);

/* Fills sessions, offered, goodput and the in-SLO fraction (0 if nothing was offered) of *b for a
 * load that lasted duration_ms behind the warm-up. */
void nx_ledger_sum(const struct nx_ledger *l, double duration_ms, struct nx_bench *b);

#endif
