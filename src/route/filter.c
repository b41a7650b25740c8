/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread decodes into a queue of a few frames; the loop takes them while fewer than
 * 'in_flight' are under way, and prints answers in the order of the frames: a slot per frame,
 * printed from the oldest on as far as they are done.
 */
#include "route/filter.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "formats/event.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE 4 /* frames decoded ahead */

struct item {
	struct nx_frame frame;
	char *source;
	uint64_t due_ns; /* when it arrived: paced, or when it was taken (0) */
};

struct slot {
	struct filter *filter;
	struct slot *next;
	struct nx_buf events;
	bool done;
};

struct filter {
	const struct nx_filter_opts *opts;
	struct nx_query *query;
	char *const *sources;
	size_t n_sources;
	FILE *out;
	struct nx_filter_summary *summary;

	/* shared with the decoding thread */
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct item queue[QUEUE];
	size_t queued;
	bool ended, stop;
	size_t n_unread; /* sources, or files of a folder, not read to their end */
	int source_code; /* of the first of them */

	/* of the loop */
	uv_async_t wake;
	int64_t under_way;
	struct slot *first, **last;
	struct nx_jq *jq; /* on every event, or NULL */
	struct nx_err out_err;
};

/* ---- decoding thread --------------------------------------------------------------------------- */

/* Hands a frame over; false when the filter has stopped. */
static bool push(struct filter *f, struct item *item)
{
	pthread_mutex_lock(&f->lock);
	while (f->queued == QUEUE && !f->stop)
		pthread_cond_wait(&f->room, &f->lock);
	bool stop = f->stop;
	if (!stop)
		f->queue[f->queued++] = *item;
	pthread_mutex_unlock(&f->lock);
	uv_async_send(&f->wake);
	return !stop;
}

/* A camera's pace: the frame arrives when its time has come, counted from the source's first. */
static uint64_t pace(const struct nx_frame *frame, uint64_t *start_ns, double *first_ms)
{
	if (*start_ns == 0) {
		*start_ns = nx_now_ns();
		*first_ms = frame->time_ms;
	}
	uint64_t due = *start_ns + nx_ms_to_ns(frame->time_ms - *first_ms);
	nx_sleep_until_ns(due);
	return due;
}

/* What cannot be read is said and passed over: one damaged picture of a folder does not keep the
 * others from their turn.  The run fails at its end with the first of the codes. */
static void note_error(struct filter *f, const struct nx_err *err)
{
	nx_error("%s", err->msg);
	if (f->n_unread++ == 0)
		f->source_code = err->code;
}

static void decode_source(struct filter *f, const char *path, int64_t *taken)
{
	struct nx_source *source;
	struct nx_err err = NX_ERR_INIT;
	uint64_t start_ns = 0;
	double first_ms = 0;

	if (nx_source_open(path, &source, &err)) {
		note_error(f, &err);
		return;
	}
	for (int64_t i = 0;; i++) {
		struct item item = { 0 };
		if (f->opts->frames && *taken == f->opts->frames)
			break;
		int rc = nx_source_next(source, &item.frame, &err);
		if (rc < 0) {
			note_error(f, &err);
			continue;
		}
		if (rc == 0)
			break;
		if (i % f->opts->every) {
			nx_frame_release(&item.frame);
			continue;
		}
		if (f->opts->realtime)
			item.due_ns = pace(&item.frame, &start_ns, &first_ms);
		item.source = nx_strdup(nx_source_name(source));
		(*taken)++;
		if (!push(f, &item)) {
			nx_frame_release(&item.frame);
			free(item.source);
			break;
		}
	}
	nx_source_close(&source);
}

static void *decode_all(void *arg)
{
	struct filter *f = arg;
	int64_t taken = 0;

	for (size_t i = 0; i < f->n_sources; i++)
		decode_source(f, f->sources[i], &taken);
	pthread_mutex_lock(&f->lock);
	f->ended = true;
	/* Under the lock: the loop closes the handle once it sees the end. */
	uv_async_send(&f->wake);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- the loop ---------------------------------------------------------------------------------- */

static void stop(struct filter *f)
{
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->room);
	pthread_mutex_unlock(&f->lock);
}

/* A reader that goes away ends us as it ends any filter. */
static int write_failed(struct nx_err *err)
{
	if (errno == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return nx_err_set(err, NX_EIO, "cannot write events: %s", strerror(errno));
}

static int write_out(struct filter *f, const char *text, size_t len, struct nx_err *err)
{
	return fwrite(text, 1, len, f->out) == len ? 0 : write_failed(err);
}

static int write_line(void *arg, const char *json, size_t len, struct nx_err *err)
{
	int rc = write_out(arg, json, len, err);

	return rc ? rc : write_out(arg, "\n", 1, err);
}

/* The events of one frame, line by line through the program if there is one. */
static int write_events(struct filter *f, const struct nx_buf *events)
{
	int rc = 0;

	if (!f->jq)
		return write_out(f, events->data, events->len, &f->out_err);
	for (size_t at = 0; rc == 0 && at < events->len;) {
		const char *line = events->data + at;
		size_t len = strcspn(line, "\n");
		rc = nx_jq_run(f->jq, line, len, write_line, f, &f->out_err);
		at += len + 1;
	}
	return rc;
}

static void print_ready(struct filter *f)
{
	bool wrote = false;

	while (f->first && f->first->done) {
		struct slot *s = f->first;
		if (!f->out_err.code && s->events.len)
			wrote = write_events(f, &s->events) == 0;
		f->first = s->next;
		if (!f->first)
			f->last = &f->first;
		nx_buf_release(&s->events);
		free(s);
	}
	if (wrote && fflush(f->out))
		write_failed(&f->out_err);
	if (f->out_err.code)
		stop(f);
}

static struct slot *add_slot(struct filter *f)
{
	struct slot *s = nx_alloc(1, sizeof *s);

	s->filter = f;
	*f->last = s;
	f->last = &s->next;
	f->summary->frames++;
	return s;
}

static void on_wake(uv_async_t *wake);

static void on_result(void *arg, const struct nx_query_result *r)
{
	struct slot *s = arg;
	struct filter *f = s->filter;

	nx_buf_add(&s->events, r->events, r->events_len);
	s->done = true;
	f->under_way--;
	f->summary->in_slo += strcmp(r->outcome, "in_slo") == 0;
	f->summary->failed += strcmp(r->outcome, "failed") == 0;
	print_ready(f);
	/* Not from inside the callback: the query may still be at work on this frame. */
	uv_async_send(&f->wake);
}

/* A paced frame for which there is no room: what a camera's frame would meet. */
static void drop_frame(struct filter *f, struct item *item)
{
	struct slot *s = add_slot(f);
	struct nx_event e = {
		.source = item->source,
		.frame = item->frame.index,
		.time_ms = item->frame.time_ms,
		.parent = -1,
		.outcome = "dropped",
		.reason = "queue_full",
		.latency_ms = nx_ns_to_ms(nx_now_ns() - item->due_ns),
	};

	nx_event_format(&e, &s->events);
	s->done = true;
	nx_frame_release(&item->frame);
	print_ready(f);
}

/* The next frame if it may be taken now: always when paced, else when there is room. */
static bool pop(struct filter *f, struct item *item)
{
	bool have = false;

	pthread_mutex_lock(&f->lock);
	if (f->queued && (f->opts->realtime || f->under_way < f->opts->in_flight || f->stop)) {
		*item = f->queue[0];
		memmove(f->queue, f->queue + 1, --f->queued * sizeof *f->queue);
		have = true;
		pthread_cond_signal(&f->room);
	}
	pthread_mutex_unlock(&f->lock);
	return have;
}

static void on_wake(uv_async_t *wake)
{
	struct filter *f = wake->data;
	struct item item;

	while (pop(f, &item)) {
		if (f->out_err.code) {
			nx_frame_release(&item.frame);
		} else if (f->under_way >= f->opts->in_flight) {
			drop_frame(f, &item);
		} else {
			struct slot *s = add_slot(f);
			uint64_t arrival = item.due_ns ? item.due_ns : nx_now_ns();
			f->under_way++;
			nx_query_submit(f->query, &item.frame, item.source, arrival, on_result, s);
		}
		free(item.source);
	}
	pthread_mutex_lock(&f->lock);
	bool over = f->ended && f->queued == 0 && f->under_way == 0;
	pthread_mutex_unlock(&f->lock);
	if (over && !uv_is_closing((uv_handle_t *)wake)) {
		uv_close((uv_handle_t *)wake, NULL);
		uv_stop(wake->loop);
	}
}

int nx_filter_run(uv_loop_t *loop, struct nx_query *query, char *const *sources, size_t n,
	const struct nx_filter_opts *opts, FILE *out, struct nx_filter_summary *summary,
	struct nx_err *err)
{
	struct filter f = { .opts = opts,
		.query = query,
		.sources = sources,
		.n_sources = n,
		.out = out,
		.summary = summary };
	pthread_t thread;

	memset(summary, 0, sizeof *summary);
	f.last = &f.first;
	if (opts->filter && nx_jq_compile(opts->filter, &f.jq, err))
		return -err->code;
	pthread_mutex_init(&f.lock, NULL);
	pthread_cond_init(&f.room, NULL);
	uv_async_init(loop, &f.wake, on_wake);
	f.wake.data = &f;
	int e = pthread_create(&thread, NULL, decode_all, &f);
	if (e) {
		nx_err_set(&f.out_err, NX_EOS, "cannot start a thread: %s", strerror(e));
		uv_close((uv_handle_t *)&f.wake, NULL);
	} else {
		uv_run(loop, UV_RUN_DEFAULT);
		pthread_join(thread, NULL);
	}
	/* uv_stop leaves the closed handle to one more turn of the loop. */
	uv_run(loop, UV_RUN_NOWAIT);
	pthread_cond_destroy(&f.room);
	pthread_mutex_destroy(&f.lock);
	nx_jq_free(&f.jq);
	if (f.out_err.code)
		*err = f.out_err;
	else if (f.n_unread)
		nx_err_set(err, f.source_code, "%zu of the sources could not be read to the end",
			f.n_unread);
	else
		return 0;
	return -err->code;
}
