/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dispatch: which requests a device runs next, in which batch, and which it gives up.
 *
 * A pure state machine: no clock, no threads, no I/O.  Time comes in with every call (uint64_t
 * nanoseconds of any monotonic clock), decisions come out; the same calls give the same
 * decisions, so that a server and a simulator can share it.  Requests are the caller's pointers,
 * never looked into.  In steady state nothing is allocated: rings and lists only ever grow.
 *
 * Policy (Shen et al., "Nexus", SOSP'19, section 6.3): the sessions of a device take turns in the
 * order they were added, those without work being skipped; a turn runs at most the session's
 * planned batch, after early drop with a window of that batch: a request that cannot be
 * answered in time by a batch of all that waits (up to the window) is given up, so that it
 * cannot make those behind it late.
 */
#ifndef NX_DISPATCH_DISPATCH_H
#define NX_DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_NEVER UINT64_MAX

/* Why a request does not run. */
enum nx_drop {
	NX_DROP_NONE,
	NX_DROP_ADMISSION,  /* refused: late even if it ran as soon as the device is free */
	NX_DROP_QUEUE_FULL, /* refused: more waits than can be answered in time */
	NX_DROP_DEADLINE,   /* given up: waited too long */
	NX_DROP_DRAIN,      /* given up: the server stops */
	NX_DROP_GONE,       /* given up: nobody waits for the answer */
	NX_DROPS
};

struct nx_dispatch;

struct nx_dispatch_session {
	uint32_t batch;             /* rows a turn runs at most; at least 1 */
	const uint64_t *latency_ns; /* of batch sizes 1..batch; copied, made non-decreasing */
	uint32_t queue_rows;        /* rows that may wait; 0: no limit */
};

struct nx_dispatch *nx_dispatch_new(void);
void nx_dispatch_free(struct nx_dispatch **d);

/* Adds a session behind those there are and returns its number (from 0). */
size_t nx_dispatch_add(struct nx_dispatch *d, const struct nx_dispatch_session *s);

/* A request of 'rows' rows (1..batch; it is never split) arrives and must be answered by
 * 'deadline'.  NX_DROP_NONE: it waits, until it comes out of next() or sweep().  Otherwise it is
 * refused and not kept.  *predicted_ns (may be NULL): when it would be answered at the earliest. */
enum nx_drop nx_dispatch_arrive(struct nx_dispatch *d, size_t session, void *request, uint32_t rows,
	uint64_t now, uint64_t deadline, uint64_t *predicted_ns);

/* What arrive() would say, without keeping anything: for work that comes before queueing. */
enum nx_drop nx_dispatch_admit(const struct nx_dispatch *d, size_t session, uint32_t rows,
	uint64_t now, uint64_t deadline, uint64_t *predicted_ns);

struct nx_dropped {
	void *request;
	size_t session;
	enum nx_drop reason;
	uint64_t predicted_ns; /* when it would have been answered */
};

struct nx_batch {
	size_t session;
	uint32_t rows;
	void **request;   /* in order of arrival; valid until the next call of next() */
	size_t n;         /* 0: nothing to run */
	uint64_t done_ns; /* when it is expected to be done */
	const struct nx_dropped *dropped; /* given up now; valid until the next call */
	size_t n_dropped;
	uint64_t wake_ns; /* nothing to run: ask again then, or at the next arrival (NX_NEVER) */
};

/* Asks what to run; only while the device is free.  True: it runs out->request, until done(). */
bool nx_dispatch_next(struct nx_dispatch *d, uint64_t now, struct nx_batch *out);

/* The batch that next() gave is done.  What it took corrects the session's latencies: a factor
 * (exponentially weighted mean of seen / planned, from 1 to 2).  It decays when a free device
 * runs nothing because of it, so that one stall cannot shut a session for good. */
void nx_dispatch_done(struct nx_dispatch *d, uint64_t now);

/* Takes every waiting request for which pick(arg, request) is true out of its queue; returns how
 * many, listed in *dropped (valid until the next call) with 'reason'. */
size_t nx_dispatch_sweep(struct nx_dispatch *d, bool (*pick)(void *arg, void *request), void *arg,
	enum nx_drop reason, const struct nx_dropped **dropped);

size_t nx_dispatch_queued(const struct nx_dispatch *d, size_t session); /* requests that wait */
bool nx_dispatch_idle(const struct nx_dispatch *d); /* nothing waits, nothing runs */

#endif
