/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each session is a ring of waiting requests.  A decision costs O(requests run + dropped +
 * sessions skipped).
 */
#include "dispatch/dispatch.h"

#include "core/alloc.h"
#include "core/err.h"

#include <stdlib.h>

#define FACTOR_MAX   2.0
#define FACTOR_GAIN  0.125  /* weight of the newest observation */
#define FACTOR_DECAY 0.0625 /* of the excess over 1, lost with every drop or refusal */

struct waiting {
	void *request;
	uint64_t deadline;
	uint32_t rows;
};

struct session {
	uint32_t batch, queue_rows;
	uint64_t *latency_ns; /* [batch], as planned, non-decreasing */
	double factor;        /* seen / planned */
	struct waiting *ring; /* cap is 0 or a power of two */
	size_t head, n, cap;
	uint64_t rows; /* that wait */
};

struct nx_dispatch {
	struct session *session;
	size_t n, cap;
	size_t turn; /* whose turn is next */
	bool busy;
	size_t run_session;
	uint32_t run_rows;
	uint64_t start_ns, free_ns; /* of the batch that runs: begun, expected end */
	void **run;
	size_t run_cap;
	struct nx_dropped *dropped;
	size_t n_dropped, dropped_cap;
};

struct nx_dispatch *nx_dispatch_new(void)
{
	return nx_alloc(1, sizeof(struct nx_dispatch));
}

void nx_dispatch_free(struct nx_dispatch **pd)
{
	struct nx_dispatch *d = *pd;

	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->session[i].latency_ns);
		free(d->session[i].ring);
	}
	free(d->session);
	free(d->run);
	free(d->dropped);
	free(d);
	*pd = NULL;
}

size_t nx_dispatch_add(struct nx_dispatch *d, const struct nx_dispatch_session *in)
{
	struct session s = { .batch = in->batch, .queue_rows = in->queue_rows, .factor = 1 };
	uint64_t top = 0;

	NX_ASSERT(in->batch >= 1);
	s.latency_ns = nx_alloc(in->batch, sizeof *s.latency_ns);
	for (uint32_t b = 0; b < in->batch; b++) {
		top = in->latency_ns[b] > top ? in->latency_ns[b] : top;
		s.latency_ns[b] = top;
	}
	d->session = nx_grow(d->session, &d->cap, d->n + 1, sizeof *d->session);
	d->session[d->n] = s;
	d->run = nx_grow(d->run, &d->run_cap, in->batch, sizeof *d->run);
	return d->n++;
}

/* Expected latency of a batch; 'rows' above the planned batch count as that batch. */
static uint64_t latency(const struct session *s, uint64_t rows)
{
	uint64_t b = rows < s->batch ? rows : s->batch;

	return (uint64_t)((double)s->latency_ns[b - 1] * s->factor);
}

/* Nothing ran although the device was free.  If the plan's own latency would have fitted into
 * 'budget_ns', the factor is to blame, and without runs only this can bring it down again. */
static void forgive(struct session *s, uint32_t rows, uint64_t budget_ns)
{
	if (s->latency_ns[rows - 1] <= budget_ns)
		s->factor -= (s->factor - 1) * FACTOR_DECAY;
}

static struct waiting *at(const struct session *s, size_t i)
{
	return &s->ring[(s->head + i) & (s->cap - 1)];
}

static void push(struct session *s, const struct waiting *w)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct waiting *ring = nx_alloc(cap, sizeof *ring);
		for (size_t i = 0; i < s->n; i++)
			ring[i] = *at(s, i);
		free(s->ring);
		s->ring = ring;
		s->cap = cap;
		s->head = 0;
	}
	s->n++;
	*at(s, s->n - 1) = *w;
	s->rows += w->rows;
}

static struct waiting pop(struct session *s)
{
	struct waiting w = *at(s, 0);

	s->head = (s->head + 1) & (s->cap - 1);
	s->n--;
	s->rows -= w.rows;
	return w;
}

enum nx_drop nx_dispatch_admit(const struct nx_dispatch *d, size_t session, uint32_t rows,
	uint64_t now, uint64_t deadline, uint64_t *predicted_ns)
{
	const struct session *s = &d->session[session];
	uint64_t start = d->busy && d->free_ns > now ? d->free_ns : now;
	uint64_t done = start + latency(s, rows);
	enum nx_drop reason = NX_DROP_NONE;

	if (done > deadline) {
		reason = NX_DROP_ADMISSION;
	} else if (s->queue_rows && s->rows + rows > s->queue_rows) {
		reason = NX_DROP_QUEUE_FULL;
		done = start + (s->rows / s->batch + 1) * latency(s, s->batch);
	}
	if (predicted_ns)
		*predicted_ns = done;
	return reason;
}

enum nx_drop nx_dispatch_arrive(struct nx_dispatch *d, size_t session, void *request, uint32_t rows,
	uint64_t now, uint64_t deadline, uint64_t *predicted_ns)
{
	struct session *s = &d->session[session];

	NX_ASSERT(rows >= 1 && rows <= s->batch);
	enum nx_drop reason = nx_dispatch_admit(d, session, rows, now, deadline, predicted_ns);
	if (reason == NX_DROP_NONE)
		push(s, &(struct waiting){ request, deadline, rows });
	else if (reason == NX_DROP_ADMISSION && !d->busy && deadline > now)
		forgive(s, rows, deadline - now);
	return reason;
}

static void drop(struct nx_dispatch *d, size_t session, void *request, enum nx_drop reason,
	uint64_t predicted_ns)
{
	d->dropped = nx_grow(d->dropped, &d->dropped_cap, d->n_dropped + 1, sizeof *d->dropped);
	d->dropped[d->n_dropped++] = (struct nx_dropped){ request, session, reason, predicted_ns };
}

/*
 * Early drop and batch in one pass.  The window is what has been taken and what still waits, at
 * most a batch; it can only shrink as requests are dropped, so that whoever was taken for a
 * larger window is in time for a smaller one too.  Returns the rows taken.
 */
static uint32_t form_batch(struct nx_dispatch *d, size_t session, uint64_t now, size_t *n_run)
{
	struct session *s = &d->session[session];
	uint64_t budget = 0;
	uint32_t rows = 0;

	*n_run = 0;
	while (s->n && rows + at(s, 0)->rows <= s->batch) {
		uint64_t done = now + latency(s, rows + s->rows);
		struct waiting w = pop(s);
		if (w.deadline < done) {
			budget = w.deadline > now ? w.deadline - now : 0;
			drop(d, session, w.request, NX_DROP_DEADLINE, done);
			continue;
		}
		d->run[(*n_run)++] = w.request;
		rows += w.rows;
	}
	if (rows == 0)
		forgive(s, 1, budget);
	return rows;
}

static void start(struct nx_dispatch *d, size_t session, uint32_t rows, uint64_t now)
{
	d->busy = true;
	d->run_session = session;
	d->run_rows = rows;
	d->start_ns = now;
	d->free_ns = now + latency(&d->session[session], rows);
	d->turn = (session + 1) % d->n;
}

bool nx_dispatch_next(struct nx_dispatch *d, uint64_t now, struct nx_batch *out)
{
	NX_ASSERT(!d->busy);
	*out = (struct nx_batch){ .request = d->run, .wake_ns = NX_NEVER };
	d->n_dropped = 0;
	for (size_t k = 0; k < d->n && out->n == 0; k++) {
		size_t i = (d->turn + k) % d->n;
		if (d->session[i].n == 0)
			continue;
		out->session = i;
		out->rows = form_batch(d, i, now, &out->n);
	}
	if (out->n) {
		start(d, out->session, out->rows, now);
		out->done_ns = d->free_ns;
	}
	out->dropped = d->dropped;
	out->n_dropped = d->n_dropped;
	return out->n > 0;
}

void nx_dispatch_done(struct nx_dispatch *d, uint64_t now)
{
	NX_ASSERT(d->busy);
	struct session *s = &d->session[d->run_session];
	uint64_t planned = s->latency_ns[d->run_rows - 1];
	uint64_t took = now > d->start_ns ? now - d->start_ns : 0;
	double ratio = planned ? (double)took / (double)planned : 1;

	d->busy = false;
	ratio = ratio < 1 ? 1 : ratio > FACTOR_MAX ? FACTOR_MAX : ratio;
	s->factor += (ratio - s->factor) * FACTOR_GAIN;
}

size_t nx_dispatch_sweep(struct nx_dispatch *d, bool (*pick)(void *arg, void *request), void *arg,
	enum nx_drop reason, const struct nx_dropped **dropped)
{
	d->n_dropped = 0;
	for (size_t i = 0; i < d->n; i++) {
		struct session *s = &d->session[i];
		for (size_t left = s->n; left; left--) {
			struct waiting w = pop(s);
			if (pick(arg, w.request))
				drop(d, i, w.request, reason, NX_NEVER);
			else
				push(s, &w); /* once around the ring: the order stays */
		}
	}
	*dropped = d->dropped;
	return d->n_dropped;
}

size_t nx_dispatch_queued(const struct nx_dispatch *d, size_t session)
{
	return d->session[session].n;
}

bool nx_dispatch_idle(const struct nx_dispatch *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->session[i].n)
			return false;
	return !d->busy;
}
