/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request: parse → admit → (decode) → queue → batch → answer.  A request that will
 * not be in time is refused as early as that is known, with 503 and the reason, and never runs.
 */
#include "serve/server.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"

#include <stdlib.h>
#include <string.h>

#define DRIFT_BATCHES 20   /* of the planned size, before the plan's time is doubted */
#define DRIFT_MIN_MS  0.5  /* and this much: less is the machine's own unrest */
#define DRIFT         1.15 /* times the planned time */

/* ---- answers ------------------------------------------------------------------------------------- */

static uint64_t age_ns(const struct nx_request *r, uint64_t now)
{
	return now > r->http->arrived_ns ? now - r->http->arrived_ns : 0;
}

/* The request has been replied to: nothing may use it any more. */
static void finish(struct nx_request *r)
{
	struct nx_server *s = r->server;

	r->lineup->refs--;
	nx_request_free(&r);
	nx_server_tidy(s);
}

/* Refused on arrival (rejected) or given up later (dropped): never run in either case.  The
 * client learns why, when it would have been answered, and when to come again. */
static void refuse(struct nx_request *r, enum nx_drop reason, bool on_arrival, uint64_t predicted)
{
	static const char *const texts[NX_DROPS] = {
		[NX_DROP_ADMISSION] = "the answer would be late",
		[NX_DROP_QUEUE_FULL] = "too many requests wait",
		[NX_DROP_DEADLINE] = "the answer would be late: waited too long",
		[NX_DROP_DRAIN] = "the server is stopping",
		[NX_DROP_GONE] = "the client has gone",
	};
	static const enum nx_reason reasons[NX_DROPS] = {
		[NX_DROP_ADMISSION] = NX_REASON_ADMISSION,
		[NX_DROP_QUEUE_FULL] = NX_REASON_QUEUE_FULL,
		[NX_DROP_DEADLINE] = NX_REASON_DEADLINE,
		[NX_DROP_DRAIN] = NX_REASON_DRAIN,
		[NX_DROP_GONE] = NX_REASON_CANCELLED,
	};
	uint64_t arrived = r->http->arrived_ns;
	struct nx_http_resp resp = { .status = 503, .extra_headers = "Retry-After: 1\r\n" };
	struct nx_jw w;

	nx_tally_ended(r->session->tally, on_arrival ? NX_REJECTED : NX_DROPPED, reasons[reason],
		age_ns(r, nx_now_ns()));
	nx_jw_init(&w, &resp.body, NX_JCOMPACT);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "error", texts[reason]);
	nx_jw_kstring(&w, "reason", nx_reason_name(reasons[reason]));
	if (predicted != NX_NEVER)
		nx_jw_knumber(&w, "predicted_ms",
			nx_ns_to_ms(predicted > arrived ? predicted - arrived : 0));
	nx_jw_end(&w);
	nx_http_reply(r->http, &resp);
	finish(r);
}

static void fail(struct nx_request *r, enum nx_reason why)
{
	nx_tally_ended(r->session->tally, NX_FAILED, why, age_ns(r, nx_now_ns()));
	nx_http_reply_error(r->http, &r->err);
	finish(r);
}

static void reply(struct nx_request *r)
{
	uint64_t now = nx_now_ns();

	if (r->err.code) {
		fail(r, NX_REASON_BACKEND);
		return;
	}
	nx_tally_ended(r->session->tally, now <= r->deadline_ns ? NX_IN_SLO : NX_LATE,
		NX_REASON_NONE, age_ns(r, now));
	nx_http_reply(r->http, &r->resp);
	finish(r);
}

static void format_work(uv_work_t *w)
{
	nx_request_format(w->data);
}

static void format_done(uv_work_t *w, int status)
{
	(void)status; /* work is never cancelled */
	reply(w->data);
}

/* Rows are there.  Large answers are written on the pool: a million numbers as text would hold up
 * every other request of the loop. */
static void answer(struct nx_request *r)
{
	if (nx_http_req_gone(r->http)) {
		refuse(r, NX_DROP_GONE, false, NX_NEVER);
		return;
	}
	if (nx_request_is_large(r)) {
		uv_queue_work(&r->server->loop, &r->work, format_work, format_done);
		return;
	}
	nx_request_format(r);
	reply(r);
}

/* ---- batches ------------------------------------------------------------------------------------- */

/* libuv notices that a client has gone, nobody tells the queue: it is swept before a decision, so
 * that no batch is filled with rows that nobody waits for. */
static bool has_gone(void *arg, void *request)
{
	const struct nx_request *r = request;

	(void)arg;
	return nx_http_req_gone(r->http);
}

static bool any(void *arg, void *request)
{
	(void)arg;
	(void)request;
	return true;
}

static void sweep(struct nx_lineup *l, bool (*pick)(void *, void *), enum nx_drop reason)
{
	const struct nx_dropped *dropped;
	size_t n = nx_dispatch_sweep(l->dispatch, pick, NULL, reason, &dropped);

	for (size_t i = 0; i < n; i++)
		refuse(dropped[i].request, dropped[i].reason, false, dropped[i].predicted_ns);
}

/* Calls fn for every lineup, oldest first, holding each: its last request may go meanwhile. */
static void each_lineup(struct nx_server *s, void (*fn)(struct nx_server *, struct nx_lineup *))
{
	for (struct nx_lineup *l = s->oldest, *next; l; l = next) {
		l->refs++;
		fn(s, l);
		l->refs--;
		next = l->next;
	}
	nx_server_tidy(s);
}

static void give_up(struct nx_server *s, struct nx_lineup *l)
{
	(void)s;
	sweep(l, any, NX_DROP_DRAIN);
}

void nx_server_give_up(struct nx_server *s)
{
	each_lineup(s, give_up);
}

/* There are two jobs: the batch that has just come back is answered while the next one runs. */
static void post(struct nx_server *s, struct nx_lineup *l, const struct nx_batch *b)
{
	struct nx_job *job = &s->job[s->next_job];

	s->next_job = !s->next_job;
	job->lineup = l;
	job->session = &l->session[b->session];
	job->rows = b->rows;
	job->n = b->n;
	job->request = nx_grow(job->request, &job->cap, b->n, sizeof *job->request);
	for (size_t i = 0; i < b->n; i++)
		job->request[i] = b->request[i];
	s->running = true;
	nx_runner_post(s->runner, job);
}

/* Asks one lineup; what arrived under an older plan runs first. */
static void pump_lineup(struct nx_server *s, struct nx_lineup *l)
{
	struct nx_batch b;

	if (s->running)
		return;
	sweep(l, has_gone, NX_DROP_GONE);
	if (nx_dispatch_next(l->dispatch, nx_now_ns(), &b))
		post(s, l, &b);
	for (size_t i = 0; i < b.n_dropped; i++)
		refuse(b.dropped[i].request, b.dropped[i].reason, false, b.dropped[i].predicted_ns);
}

void nx_server_pump(struct nx_server *s)
{
	each_lineup(s, pump_lineup);
}

/* Says once when batches of the planned size take longer than planned. */
static void watch_drift(struct nx_served *v, uint32_t rows, double ms)
{
	if (rows != v->batch || v->warned)
		return;
	v->n_seen++;
	v->seen_ms += (ms - v->seen_ms) / (double)v->n_seen;
	if (v->n_seen < DRIFT_BATCHES || v->seen_ms <= DRIFT * v->exec_ms + DRIFT_MIN_MS)
		return;
	v->warned = true;
	nx_warn("session '%s': batch %u: planned %.3g ms, seen %.3g ms: re-profile", v->name,
		v->batch, v->exec_ms, v->seen_ms);
}

void nx_server_job_done(void *server, struct nx_job *job)
{
	struct nx_server *s = server;
	uint64_t took = job->end_ns - job->start_ns;

	s->running = false;
	nx_dispatch_done(job->lineup->dispatch, nx_now_ns());
	nx_tally_batch(s->tally, job->session->tally, job->rows, took);
	if (job->err.code)
		nx_warn("session '%s': a batch of %u failed: %s", job->session->name, job->rows,
			job->err.msg);
	else
		watch_drift(job->session, job->rows, nx_ns_to_ms(took));
	nx_server_pump(s); /* the device first, then the answers */
	for (size_t i = 0; i < job->n; i++) {
		struct nx_request *r = job->request[i];
		if (job->err.code) {
			r->err = job->err;
			r->err.code = NX_ESOFTWARE;
			fail(r, NX_REASON_BACKEND);
		} else {
			answer(r);
		}
	}
}

/* ---- arrival ------------------------------------------------------------------------------------- */

/* 'decoded': it has been admitted before, so that from here on it is dropped, not refused. */
static void enqueue(struct nx_request *r, bool decoded)
{
	struct nx_server *s = r->server;
	uint64_t predicted;

	enum nx_drop reason = nx_dispatch_arrive(r->lineup->dispatch, r->session->number, r,
		r->rows, nx_now_ns(), r->deadline_ns, &predicted);
	if (reason == NX_DROP_ADMISSION && decoded)
		reason = NX_DROP_DEADLINE;
	if (reason != NX_DROP_NONE)
		refuse(r, reason, !decoded, predicted);
	else
		nx_server_pump(s);
}

static void decode_work(uv_work_t *w)
{
	struct nx_request *r = w->data;

	if (nx_now_ns() < r->deadline_ns) /* else enqueue() will refuse it */
		nx_request_decode(r);
}

static void decode_done(uv_work_t *w, int status)
{
	struct nx_request *r = w->data;

	(void)status;
	r->session->decoding -= r->rows;
	if (r->server->expired)
		refuse(r, NX_DROP_DRAIN, false, NX_NEVER);
	else if (nx_http_req_gone(r->http))
		refuse(r, NX_DROP_GONE, false, NX_NEVER);
	else if (r->err.code)
		fail(r, NX_REASON_DECODE);
	else
		enqueue(r, true);
}

/* A request that is well formed: from here on it counts. */
static void accept_request(struct nx_request *r)
{
	struct nx_server *s = r->server;
	uint64_t predicted;

	r->lineup->refs++;
	nx_tally_received(r->session->tally, 1);
	if (s->draining) {
		refuse(r, NX_DROP_DRAIN, true, NX_NEVER);
		return;
	}
	enum nx_drop reason = nx_dispatch_admit(r->lineup->dispatch, r->session->number, r->rows,
		nx_now_ns(), r->deadline_ns, &predicted);
	if (reason == NX_DROP_NONE && r->session->decoding + r->rows > r->session->queue_rows)
		reason = NX_DROP_QUEUE_FULL;
	if (reason != NX_DROP_NONE) {
		refuse(r, reason, true, predicted);
	} else if (nx_request_reserve(r, &r->err)) {
		fail(r, NX_REASON_BACKEND);
	} else if (r->picture) {
		r->session->decoding += r->rows;
		uv_queue_work(&s->loop, &r->work, decode_work, decode_done);
	} else {
		enqueue(r, false);
	}
}

void nx_server_infer(void *server, const char *model, struct nx_http_req *http)
{
	struct nx_server *s = server;
	const char *name = nx_http_req_header(http, "Nexus-Session");
	struct nx_served *session = nx_lineup_find(s->current, name ? name : model);
	struct nx_err err = NX_ERR_INIT;

	if (!session) {
		nx_err_set(&err, NX_ENOTFOUND, "there is no model or session '%s'",
			name ? name : model);
		nx_http_reply_error(http, &err);
		return;
	}
	struct nx_request *r = nx_alloc(1, sizeof *r);
	r->server = s;
	r->http = http;
	r->work.data = r;
	int rc = nx_request_parse(r, s->current, session, &err);
	if (rc == 0 && r->picture && s->media.code) {
		err = s->media;
		err.code = NX_EUNSUPP;
		rc = -1;
	}
	if (rc) {
		nx_http_reply_error(http, &err);
		nx_request_free(&r);
		return;
	}
	accept_request(r);
}
