/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ledger.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

void nx_ledger_init(struct nx_ledger *l, const char *const *name, size_t n, uint64_t from_ns)
{
	memset(l, 0, sizeof *l);
	l->entry = nx_alloc(n, sizeof(struct nx_session_stats *));
	l->n = n;
	l->from_ns = from_ns;
	for (size_t i = 0; i < n; i++)
		l->entry[i] = nx_session_stats_new(name[i]);
}

void nx_ledger_release(struct nx_ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		nx_session_stats_free(&l->entry[i]);
	free(l->entry);
	memset(l, 0, sizeof *l);
}

bool nx_ledger_open(struct nx_ledger *l, size_t entry, uint64_t due_ns, size_t bytes)
{
	if (l->open >= NX_LEDGER_MAX_OPEN || bytes > NX_LEDGER_MAX_BYTES - l->open_bytes) {
		nx_ledger_fail(l, entry, due_ns, NX_REASON_QUEUE_FULL);
		return false;
	}
	l->open++;
	l->open_bytes += bytes;
	if (due_ns >= l->from_ns)
		nx_session_stats_receive(l->entry[entry], 1);
	return true;
}

void nx_ledger_close(struct nx_ledger *l, size_t entry, uint64_t due_ns, size_t bytes,
	struct nx_verdict v, uint64_t latency_ns)
{
	l->open--;
	l->open_bytes -= bytes;
	if (due_ns >= l->from_ns)
		nx_session_stats_end(l->entry[entry], v.outcome, v.reason, latency_ns);
}

void nx_ledger_fail(struct nx_ledger *l, size_t entry, uint64_t due_ns, enum nx_reason why)
{
	if (due_ns >= l->from_ns)
		nx_session_stats_count(l->entry[entry], NX_FAILED, why, 0);
}

void nx_ledger_sum(const struct nx_ledger *l, double duration_ms, struct nx_bench *b)
{
	uint64_t in_slo = 0;

	b->duration_ms = duration_ms;
	b->offered = 0;
	b->session = nx_alloc(l->n, sizeof *b->session);
	b->n_sessions = l->n;
	for (size_t i = 0; i < l->n; i++) {
		nx_session_stats_snapshot(l->entry[i], duration_ms, &b->session[i]);
		b->offered += l->entry[i]->now.received;
		in_slo += l->entry[i]->now.in_slo;
	}
	b->goodput = duration_ms > 0 ? (double)in_slo * 1000 / duration_ms : 0;
	b->in_slo_fraction = b->offered ? (double)in_slo / (double)b->offered : 0;
}
