/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libuv's timers count milliseconds, so a timerfd with the absolute time of the next request wakes
 * the loop.  Requests that became due meanwhile are taken in bursts, and answers are read between
 * them.  One that is past its deadline before it could be sent has failed: the load, not the
 * server, was too slow, and it must not pass for an answer in time.
 */
#include "bench/load.h"

#include "bench/ledger.h"
#include "bench/streams.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "query/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONNECTIONS 1024
#define BURST       256
#define LEAD_NS     (20 * NX_NS_PER_MS) /* from the start to time 0 */
#define PROGRESS_MS 200

struct run {
	struct nx_load *load;
	const struct nx_load_opts *opts;
	struct nx_streams streams;
	struct nx_ledger ledger;
	size_t *sent; /* by target: which payload is next */
	uint64_t start_ns, warmup_ns, end_ns;
	int timer_fd;
	uv_poll_t timer;
	uv_timer_t progress, last_call;
	bool offering;
	bool given_up;       /* what is open has failed */
	uint64_t offered_ns; /* how long it was offered, warm-up included */
};

struct request {
	struct run *run;
	size_t target, bytes;
	uint64_t due_ns, deadline_ns; /* from the start; of the clock */
};

static void close_handle(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void end_request(struct request *r, struct nx_verdict v, uint64_t latency_ns)
{
	struct run *run = r->run;

	if (run->given_up)
		v = (struct nx_verdict){ NX_FAILED, NX_REASON_BACKEND };
	nx_ledger_close(&run->ledger, r->target, r->due_ns, r->bytes, v, latency_ns);
	free(r);
	if (!run->offering && run->ledger.open == 0)
		uv_stop(run->load->loop);
}

static void on_answer(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct request *r = arg;
	uint64_t now = nx_now_ns();

	end_request(r, nx_verdict_of(a, err, r->deadline_ns, now),
		now - (r->run->start_ns + r->due_ns));
}

/* In time is what the workload says, which may differ from the plan's. */
static void on_frame(void *arg, const struct nx_query_result *result)
{
	struct request *r = arg;
	double slo_ms = r->run->load->target[r->target].slo_ms;
	struct nx_verdict v = { NX_FAILED, NX_REASON_NONE };

	for (int o = NX_IN_SLO; o < NX_OUTCOMES; o++) {
		if (strcmp(result->outcome, nx_outcome_name((enum nx_outcome)o)) == 0)
			v.outcome = (enum nx_outcome)o;
	}
	if (v.outcome == NX_IN_SLO || v.outcome == NX_LATE)
		v.outcome = result->latency_ms <= slo_ms ? NX_IN_SLO : NX_LATE;
	if (result->reason)
		v.reason = nx_reason_from_name(result->reason);
	end_request(r, v, nx_ms_to_ns(result->latency_ms));
}

/* ---- requests -------------------------------------------------------------------------------- */

void nx_load_infer(void *load, struct nx_infer *infer)
{
	struct nx_load *l = load;
	struct nx_err err = NX_ERR_INIT;

	if (l->client) {
		nx_wire_send(l->client, infer, infer->done, infer->done_arg);
		return;
	}
	nx_buf_release(&infer->body);
	nx_err_set(&err, NX_EIO, "the load is over");
	infer->done(infer->done_arg, NULL, &err);
}

static size_t request_bytes(const struct run *run, size_t target, size_t which)
{
	const struct nx_load_target *t = &run->load->target[target];
	const struct nx_frame *f;

	if (!t->query)
		return t->payload->body[which].len;
	f = &run->load->frames->frame[which];
	return (size_t)f->width * (size_t)f->height * 3;
}

static void send_session(struct request *r, size_t which)
{
	const struct nx_load_target *t = &r->run->load->target[r->target];
	const struct nx_buf *body = &t->payload->body[which];
	struct nx_infer infer = { .session = t->name,
		.model = t->model,
		.json_len = t->payload->json_len[which],
		.deadline_ns = r->deadline_ns };

	nx_buf_reserve(&infer.body, body->len);
	nx_buf_add(&infer.body, body->data, body->len);
	nx_wire_send(r->run->load->client, &infer, on_answer, r);
}

static void send_frame(struct request *r, size_t which)
{
	const struct nx_load_target *t = &r->run->load->target[r->target];
	struct nx_frame frame;

	nx_frames_copy(r->run->load->frames, which, &frame);
	nx_query_submit(t->query, &frame, t->name, r->run->start_ns + r->due_ns, on_frame, r);
}

static void offer(struct run *run, size_t target, uint64_t due_ns)
{
	const struct nx_load_target *t = &run->load->target[target];
	size_t n = t->query ? run->load->frames->n : t->payload->n;
	size_t which = run->sent[target]++ % n;
	uint64_t deadline_ns = run->start_ns + due_ns + nx_ms_to_ns(t->slo_ms);
	size_t bytes = request_bytes(run, target, which);

	if (nx_now_ns() >= deadline_ns) {
		nx_ledger_fail(&run->ledger, target, due_ns, NX_REASON_QUEUE_FULL);
		return;
	}
	if (!nx_ledger_open(&run->ledger, target, due_ns, bytes))
		return;
	struct request *r = nx_alloc(1, sizeof *r);
	*r = (struct request){ run, target, bytes, due_ns, deadline_ns };
	if (t->query)
		send_frame(r, which);
	else
		send_session(r, which);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void give_up(uv_timer_t *t)
{
	struct run *run = t->data;

	run->given_up = true;
	nx_http_client_close(&run->load->client); /* answers all that is open */
}

static void stop_offering(struct run *run)
{
	struct nx_load *l = run->load;
	uint64_t now = nx_now_ns();
	double slo_ms = 0;

	run->offering = false;
	run->offered_ns = now - run->start_ns < run->end_ns ? now - run->start_ns : run->end_ns;
	close_handle(&run->timer);
	for (size_t i = 0; i < l->n_targets; i++)
		slo_ms = l->target[i].slo_ms > slo_ms ? l->target[i].slo_ms : slo_ms;
	uv_update_time(l->loop);
	uv_timer_start(&run->last_call, give_up, (uint64_t)slo_ms + NX_LATE_GRACE_MS, 0);
	if (run->ledger.open == 0)
		uv_stop(l->loop);
}

/* Wakes the loop when the next request is due, or at the end. */
static void arm(struct run *run)
{
	uint64_t next = nx_streams_next(&run->streams);
	uint64_t at = run->start_ns + (next < run->end_ns ? next : run->end_ns);
	struct itimerspec when = { .it_value = {
					   (time_t)(at / NX_NS_PER_S), (long)(at % NX_NS_PER_S) } };

	timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_due(uv_poll_t *poll, int status, int events)
{
	struct run *run = poll->data;
	uint64_t expirations, now = nx_now_ns(), due_ns;
	size_t target;

	(void)status, (void)events;
	/* Only clears the readiness; how often it expired tells nothing. */
	if (read(run->timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
		NX_BUG("a timerfd cannot be read");
	for (int i = 0; i < BURST && now >= run->start_ns; i++) {
		if (!nx_streams_take(&run->streams, now - run->start_ns, &target, &due_ns))
			break;
		offer(run, target, due_ns);
	}
	bool over = now >= run->start_ns + run->end_ns && run->streams.n == 0;
	if (over || run->load->stop)
		stop_offering(run);
	else
		arm(run);
}

static void on_progress(uv_timer_t *t)
{
	const struct run *run = t->data;
	uint64_t now = nx_now_ns();
	double total = (double)run->end_ns / 1e9;
	double done = now > run->start_ns ? (double)(now - run->start_ns) / 1e9 : 0;

	if (run->load->stop && run->offering)
		stop_offering(t->data);
	nx_cli_progress(run->load->common, run->offering ? "sending, seconds" : "waiting, seconds",
		done < total ? done : total, total);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int open_timers(struct run *run, struct nx_err *err)
{
	uv_loop_t *loop = run->load->loop;

	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (run->timer_fd < 0)
		return nx_err_set(err, NX_EOS, "cannot make a timer: %s", strerror(errno));
	uv_poll_init(loop, &run->timer, run->timer_fd);
	uv_timer_init(loop, &run->progress);
	uv_timer_init(loop, &run->last_call);
	run->timer.data = run->progress.data = run->last_call.data = run;
	uv_poll_start(&run->timer, UV_READABLE, on_due);
	uv_timer_start(&run->progress, on_progress, PROGRESS_MS, PROGRESS_MS);
	return 0;
}

static void run_init(struct run *run)
{
	struct nx_load *l = run->load;
	const char **name = nx_alloc(l->n_targets, sizeof *name);
	double *rate = nx_alloc(l->n_targets, sizeof *rate);

	run->warmup_ns = nx_ms_to_ns(run->opts->warmup_ms);
	run->end_ns = run->warmup_ns + nx_ms_to_ns(run->opts->duration_ms);
	run->sent = nx_alloc(l->n_targets, sizeof *run->sent);
	for (size_t i = 0; i < l->n_targets; i++) {
		name[i] = l->target[i].name;
		rate[i] = l->target[i].rate * run->opts->scale;
	}
	nx_streams_init(&run->streams, run->opts->arrivals, rate, l->n_targets, run->opts->seed,
		run->end_ns);
	nx_ledger_init(&run->ledger, name, l->n_targets, run->warmup_ns);
	free(name);
	free(rate);
}

static void run_loop(struct run *run)
{
	uv_loop_t *loop = run->load->loop;

	run->offering = true;
	run->start_ns = nx_now_ns() + LEAD_NS;
	arm(run);
	while (run->offering || run->ledger.open)
		uv_run(loop, UV_RUN_DEFAULT);
	close_handle(&run->progress);
	close_handle(&run->last_call);
	nx_http_client_close(&run->load->client);
	while (uv_loop_alive(loop))
		uv_run(loop, UV_RUN_DEFAULT);
	nx_cli_progress_end(run->load->common);
}

static void sum(const struct run *run, struct nx_bench *result)
{
	static const char *const kinds[] = { "uniform", "poisson" };
	uint64_t counted = run->offered_ns > run->warmup_ns ? run->offered_ns - run->warmup_ns : 0;

	*result = (struct nx_bench){ .max_rate = -1 };
	result->arrivals = nx_strdup(kinds[run->opts->arrivals]);
	result->seed = run->opts->seed;
	for (size_t i = 0; i < run->load->n_targets; i++)
		result->rate += run->load->target[i].rate * run->opts->scale;
	nx_ledger_sum(&run->ledger, nx_ns_to_ms(counted), result);
}

int nx_load_run(struct nx_load *l, const struct nx_load_opts *opts, struct nx_bench *result,
	struct nx_err *err)
{
	struct run run = { .load = l, .opts = opts };

	int rc = nx_http_client_new(l->loop, l->address, CONNECTIONS, &l->client, err);
	if (rc)
		return rc;
	rc = open_timers(&run, err);
	if (rc) {
		nx_http_client_close(&l->client);
		uv_run(l->loop, UV_RUN_DEFAULT);
		return rc;
	}
	run_init(&run);
	run_loop(&run);
	close(run.timer_fd);
	sum(&run, result);
	nx_streams_release(&run.streams);
	nx_ledger_release(&run.ledger);
	free(run.sent);
	return 0;
}
