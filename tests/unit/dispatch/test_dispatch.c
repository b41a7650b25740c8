/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios and seeded properties of the dispatcher on a virtual clock (1 unit = 1 ms). */
#include "core/rng.h"
#include "dispatch/dispatch.h"

#include "unit.h"

#include <string.h>

#define MS UINT64_C(1000000)

static struct nx_dispatch *d;
static struct nx_batch batch;

static void setup(void)
{
	nx_dispatch_free(&d);
	d = nx_dispatch_new();
}

/* l(b) = alpha b + beta */
static size_t add(uint32_t n, uint64_t alpha, uint64_t beta, uint32_t queue_rows)
{
	uint64_t table[64];

	for (uint32_t b = 1; b <= n; b++)
		table[b - 1] = (alpha * b + beta) * MS;
	return nx_dispatch_add(d, &(struct nx_dispatch_session){ n, table, queue_rows });
}

static enum nx_drop arrive(size_t session, uintptr_t id, uint64_t now, uint64_t deadline)
{
	return nx_dispatch_arrive(d, session, (void *)id, 1, now * MS, deadline * MS, NULL);
}

static bool next(uint64_t now)
{
	return nx_dispatch_next(d, now * MS, &batch);
}

START_TEST(runs_in_order_up_to_the_plan)
{
	setup();
	size_t s = add(4, 1, 5, 0);
	ck_assert(!next(0));
	ck_assert_uint_eq(batch.wake_ns, NX_NEVER);
	for (uintptr_t i = 1; i <= 6; i++)
		ck_assert_int_eq(arrive(s, i, 0, 100), NX_DROP_NONE);
	ck_assert(next(1));
	ck_assert_uint_eq(batch.n, 4);
	ck_assert_uint_eq(batch.rows, 4);
	ck_assert_uint_eq(batch.done_ns, 10 * MS);
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_uint_eq((uintptr_t)batch.request[i], i + 1);
	ck_assert(!nx_dispatch_idle(d));
	nx_dispatch_done(d, 10 * MS);
	ck_assert(next(10));
	ck_assert_uint_eq(batch.n, 2);
	nx_dispatch_done(d, 17 * MS);
	ck_assert(nx_dispatch_idle(d));
}
END_TEST

START_TEST(refuses_what_cannot_be_in_time)
{
	uint64_t predicted;

	setup();
	size_t s = add(4, 1, 5, 2);
	ck_assert_int_eq(arrive(s, 1, 0, 5), NX_DROP_ADMISSION);
	ck_assert_int_eq(arrive(s, 1, 0, 6), NX_DROP_NONE);
	ck_assert(next(0));
	/* The device is busy until 6. */
	ck_assert_int_eq(
		nx_dispatch_arrive(d, s, NULL, 1, 1 * MS, 11 * MS, &predicted), NX_DROP_ADMISSION);
	ck_assert_uint_eq(predicted, 12 * MS);
	ck_assert_int_eq(arrive(s, 2, 1, 12), NX_DROP_NONE);
	ck_assert_int_eq(arrive(s, 3, 1, 50), NX_DROP_NONE);
	ck_assert_int_eq(arrive(s, 4, 1, 50), NX_DROP_QUEUE_FULL);
	ck_assert_int_eq(nx_dispatch_admit(d, s, 1, 1 * MS, 50 * MS, NULL), NX_DROP_QUEUE_FULL);
	ck_assert_uint_eq(nx_dispatch_queued(d, s), 2);
}
END_TEST

/* The head could run alone, but not with the window behind it: it goes, the others are in time. */
START_TEST(drops_early_for_the_window)
{
	setup();
	size_t s = add(4, 1, 5, 0);
	arrive(s, 1, 0, 8);
	for (uintptr_t i = 2; i <= 5; i++)
		arrive(s, i, 0, 20);
	ck_assert(next(1));
	ck_assert_uint_eq(batch.n_dropped, 1);
	ck_assert_uint_eq((uintptr_t)batch.dropped[0].request, 1);
	ck_assert_int_eq(batch.dropped[0].reason, NX_DROP_DEADLINE);
	ck_assert_uint_eq(batch.dropped[0].predicted_ns, 10 * MS);
	ck_assert_uint_eq(batch.n, 4);
	/* A window that shrinks makes the next head possible again. */
	setup();
	s = add(4, 1, 5, 0);
	arrive(s, 1, 0, 7);
	arrive(s, 2, 0, 7);
	ck_assert(next(1));
	ck_assert_uint_eq(batch.n_dropped, 1);
	ck_assert_uint_eq(batch.n, 1);
	ck_assert_uint_eq(batch.done_ns, 7 * MS);
}
END_TEST

START_TEST(takes_turns)
{
	setup();
	size_t a = add(2, 1, 1, 0), b = add(2, 1, 1, 0), c = add(2, 1, 1, 0);
	for (uintptr_t i = 0; i < 6; i++) {
		arrive(a, i, 0, 1000);
		arrive(c, i, 0, 1000);
	}
	const size_t want[] = { a, c, a, c, a, b, c };
	for (size_t i = 0; i < 7; i++) {
		if (i == 4)
			arrive(b, 9, 0, 1000);
		ck_assert(next(10 * i));
		ck_assert_uint_eq(batch.session, want[i]);
		nx_dispatch_done(d, (10 * i + 3) * MS);
	}
	ck_assert(!next(100));
}
END_TEST

START_TEST(never_splits_rows)
{
	setup();
	size_t s = add(4, 1, 1, 0);
	for (uintptr_t i = 1; i <= 3; i++)
		ck_assert_int_eq(
			nx_dispatch_arrive(d, s, (void *)i, 3, 0, 99 * MS, NULL), NX_DROP_NONE);
	ck_assert(next(0));
	ck_assert_uint_eq(batch.n, 1);
	ck_assert_uint_eq(batch.rows, 3);
}
END_TEST

static bool is_odd(void *arg, void *request)
{
	(void)arg;
	return (uintptr_t)request % 2;
}

START_TEST(sweeps_in_order)
{
	const struct nx_dropped *gone;

	setup();
	size_t s = add(8, 1, 1, 0);
	for (uintptr_t i = 1; i <= 40; i++)
		arrive(s, i, 0, 1000);
	ck_assert_uint_eq(nx_dispatch_sweep(d, is_odd, NULL, NX_DROP_GONE, &gone), 20);
	ck_assert_uint_eq((uintptr_t)gone[19].request, 39);
	ck_assert_int_eq(gone[0].reason, NX_DROP_GONE);
	ck_assert(next(0));
	for (uintptr_t i = 0; i < 8; i++)
		ck_assert_uint_eq((uintptr_t)batch.request[i], 2 * (i + 1));
	ck_assert_uint_eq(nx_dispatch_queued(d, s), 12);
}
END_TEST

/* A slow device raises the predictions; being shut by them lowers them again. */
START_TEST(learns_and_forgives)
{
	uint64_t predicted;

	setup();
	size_t s = add(1, 0, 10, 0);
	for (uint64_t i = 0; i < 50; i++) {
		arrive(s, 1, 100 * i, 100 * i + 50);
		ck_assert(next(100 * i));
		nx_dispatch_done(d, (100 * i + 15) * MS);
	}
	nx_dispatch_admit(d, s, 1, 0, NX_NEVER, &predicted);
	ck_assert(predicted > 14 * MS && predicted <= 15 * MS);
	ck_assert_int_eq(arrive(s, 1, 10000, 10012), NX_DROP_ADMISSION);
	/* Impossible by the plan too: no reason to doubt what was seen. */
	for (uint64_t i = 0; i < 100; i++)
		arrive(s, 1, 10000, 10009);
	ck_assert_int_eq(arrive(s, 1, 10000, 10012), NX_DROP_ADMISSION);
	int refused = 0;
	while (arrive(s, 1, 10000, 10012) != NX_DROP_NONE)
		ck_assert_int_lt(++refused, 100);
	ck_assert_int_gt(refused, 1);
}
END_TEST

/* ---- properties ------------------------------------------------------------------------------- */

#define N_REQUESTS 5000
#define N_SESSIONS 3

enum fate { UNSEEN, REFUSED, WAITING, RUN, DROPPED };
static struct {
	enum fate fate;
	size_t session;
	uint32_t rows;
	uint64_t deadline;
} request[N_REQUESTS];

struct world {
	struct nx_rng rng;
	uint64_t now, busy_until;
	size_t arrived;
	uintptr_t last[N_SESSIONS]; /* id of the last that ran: order is kept */
	size_t turns[N_SESSIONS];   /* of others since this session had a turn, work waiting */
};

static void settle(struct world *w)
{
	for (size_t i = 0; i < batch.n_dropped; i++) {
		uintptr_t id = (uintptr_t)batch.dropped[i].request;
		ck_assert_int_eq(request[id].fate, WAITING);
		ck_assert_uint_lt(request[id].deadline, batch.dropped[i].predicted_ns);
		request[id].fate = DROPPED;
	}
	uint32_t rows = 0;
	for (size_t i = 0; i < batch.n; i++) {
		uintptr_t id = (uintptr_t)batch.request[i];
		ck_assert_int_eq(request[id].fate, WAITING);
		ck_assert_uint_eq(request[id].session, batch.session);
		ck_assert_uint_le(batch.done_ns, request[id].deadline);
		ck_assert_uint_gt(id, w->last[batch.session]);
		w->last[batch.session] = id;
		request[id].fate = RUN;
		rows += request[id].rows;
	}
	ck_assert_uint_eq(rows, batch.rows);
	ck_assert_uint_le(rows, 2 + 3 * (uint32_t)batch.session);
}

static void run_turn(struct world *w)
{
	if (w->busy_until) {
		nx_dispatch_done(d, w->busy_until);
		w->busy_until = 0;
	}
	bool ran = nx_dispatch_next(d, w->now, &batch);
	settle(w);
	if (!ran) {
		ck_assert(nx_dispatch_idle(d));
		return;
	}
	for (size_t s = 0; s < N_SESSIONS; s++) {
		w->turns[s] = s == batch.session || !nx_dispatch_queued(d, s) ? 0 : w->turns[s] + 1;
		ck_assert_uint_lt(w->turns[s], N_SESSIONS);
	}
	/* Sometimes faster, sometimes slower than planned. */
	uint64_t took = batch.done_ns - w->now;
	w->busy_until = w->now + took * (80 + nx_rng_below(&w->rng, 60)) / 100 + 1;
}

static void arrival(struct world *w)
{
	uintptr_t id = ++w->arrived;
	size_t s = nx_rng_below(&w->rng, N_SESSIONS);
	uint32_t rows = 1 + (uint32_t)nx_rng_below(&w->rng, 2 + 3 * s);
	uint64_t deadline = w->now + nx_rng_below(&w->rng, 60 * MS);

	enum nx_drop why = nx_dispatch_arrive(d, s, (void *)id, rows, w->now, deadline, NULL);
	request[id].fate = why == NX_DROP_NONE ? WAITING : REFUSED;
	request[id].session = s;
	request[id].rows = rows;
	request[id].deadline = deadline;
}

static void property(uint64_t seed)
{
	struct world w = { .now = 1 };

	setup();
	memset(request, 0, sizeof request);
	nx_rng_init(&w.rng, seed);
	for (uint32_t s = 0; s < N_SESSIONS; s++)
		add(2 + 3 * s, 1, 2, s == 1 ? 9 : 0);
	while (w.arrived + 1 < N_REQUESTS || !nx_dispatch_idle(d)) {
		bool more = w.arrived + 1 < N_REQUESTS;
		uint64_t gap = (uint64_t)(nx_rng_exp(&w.rng) * (double)MS);
		if (more && (!w.busy_until || w.now + gap < w.busy_until)) {
			w.now += gap;
			arrival(&w);
			if (w.busy_until)
				continue;
		} else if (w.busy_until) {
			w.now = w.busy_until;
		}
		run_turn(&w);
	}
	size_t seen[DROPPED + 1] = { 0 };
	for (size_t i = 1; i < N_REQUESTS; i++)
		seen[request[i].fate]++;
	ck_assert_uint_eq(seen[UNSEEN] + seen[WAITING], 0);
	ck_assert_uint_gt(seen[RUN], 0);
	ck_assert_uint_gt(seen[DROPPED], 0);
	ck_assert_uint_gt(seen[REFUSED], 0);
}

START_TEST(keeps_its_promises)
{
	for (uint64_t seed = 1; seed <= 30; seed++)
		property(seed);
	nx_dispatch_free(&d);
}
END_TEST

UNIT_MAIN("dispatch", runs_in_order_up_to_the_plan, refuses_what_cannot_be_in_time,
	drops_early_for_the_window, takes_turns, never_splits_rows, sweeps_in_order,
	learns_and_forgives, keeps_its_promises)
