/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job and one result at a time under one lock; the condition wakes the thread, the async
 * handle the loop.  Rows are copied into the batch even where one request fills it: its tensors
 * lie in the body at any alignment.
 */
#include "serve/runner.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct room {
	void *data;
	size_t bytes;
};

struct nx_runner {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct nx_job *job;  /* under the lock: to be run */
	struct nx_job *done; /* under the lock: to be handed back */
	bool stop;           /* under the lock */
	uv_async_t wake;
	void (*fn)(void *arg, struct nx_job *job);
	void *arg;
	struct room in[NX_OIP_MAX_TENSORS], out[NX_OIP_MAX_TENSORS]; /* of the thread alone */
};

/* Room for 'rows' rows of every tensor; pointers in p[]. */
static int make_room(struct room *room, const struct nx_io *io, size_t n, uint32_t rows, void **p,
	struct nx_err *err)
{
	for (size_t i = 0; i < n; i++) {
		size_t bytes = rows * io[i].row_bytes;
		if (bytes > room[i].bytes) {
			free(room[i].data);
			room[i].bytes = 0;
			room[i].data = nx_try_alloc(bytes, 1);
			if (!room[i].data)
				return nx_err_set(
					err, NX_EOS, "no memory for a batch of %u rows", rows);
			room[i].bytes = bytes;
		}
		p[i] = room[i].data;
	}
	return 0;
}

/* Rows of the requests one after another, input by input. */
static void gather(const struct nx_job *job, void *const *in)
{
	const struct nx_served_model *m = job->session->model;

	for (size_t i = 0; i < m->n_in; i++) {
		char *at = in[i];
		for (size_t k = 0; k < job->n; k++) {
			size_t bytes = job->request[k]->rows * m->in[i].row_bytes;
			memcpy(at, job->request[k]->in[i], bytes);
			at += bytes;
		}
	}
}

/* The other way round: every request gets its rows of every output. */
static void scatter(const struct nx_job *job, void *const *out)
{
	const struct nx_served_model *m = job->session->model;

	for (size_t i = 0; i < m->n_out; i++) {
		const char *at = out[i];
		for (size_t k = 0; k < job->n; k++) {
			size_t bytes = job->request[k]->rows * m->out[i].row_bytes;
			memcpy(job->request[k]->out[i], at, bytes);
			at += bytes;
		}
	}
}

/* On the engine thread, without the lock: the loop leaves a job alone until it comes back. */
static void run(struct nx_runner *r, struct nx_job *job)
{
	const struct nx_served_model *m = job->session->model;
	void *in[NX_OIP_MAX_TENSORS], *out[NX_OIP_MAX_TENSORS];

	job->err.code = 0;
	job->start_ns = job->end_ns = nx_now_ns();
	if (make_room(r->in, m->in, m->n_in, job->rows, in, &job->err) ||
		make_room(r->out, m->out, m->n_out, job->rows, out, &job->err))
		return;
	gather(job, in);
	job->start_ns = nx_now_ns();
	nx_loaded_run(m->loaded, job->rows, (const void *const *)in, out, &job->err);
	job->end_ns = nx_now_ns();
	if (!job->err.code)
		scatter(job, out);
}

static void *thread_main(void *arg)
{
	struct nx_runner *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		struct nx_job *job = r->job;
		if (!job) {
			pthread_cond_wait(&r->posted, &r->lock);
			continue;
		}
		r->job = NULL;
		pthread_mutex_unlock(&r->lock);
		run(r, job);
		pthread_mutex_lock(&r->lock);
		r->done = job;
		uv_async_send(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void on_wake(uv_async_t *h)
{
	struct nx_runner *r = h->data;

	pthread_mutex_lock(&r->lock);
	struct nx_job *job = r->done;
	r->done = NULL;
	pthread_mutex_unlock(&r->lock);
	if (job)
		r->fn(r->arg, job);
}

/* The handle lives until libuv says so, and with it all the rest. */
static void on_close(uv_handle_t *h)
{
	struct nx_runner *r = h->data;

	for (size_t i = 0; i < NX_OIP_MAX_TENSORS; i++) {
		free(r->in[i].data);
		free(r->out[i].data);
	}
	pthread_cond_destroy(&r->posted);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int nx_runner_start(uv_loop_t *loop, void (*done)(void *arg, struct nx_job *job), void *arg,
	struct nx_runner **out, struct nx_err *err)
{
	struct nx_runner *r = nx_alloc(1, sizeof *r);

	r->fn = done;
	r->arg = arg;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->posted, NULL);
	int rc = uv_async_init(loop, &r->wake, on_wake);
	r->wake.data = r;
	if (rc) {
		free(r);
		return nx_err_set(err, NX_EOS, "cannot make a wake-up: %s", uv_strerror(rc));
	}
	rc = pthread_create(&r->thread, NULL, thread_main, r);
	if (rc) {
		uv_close((uv_handle_t *)&r->wake, on_close);
		return nx_err_set(err, NX_EOS, "cannot start a thread: %s", strerror(rc));
	}
	*out = r;
	return 0;
}

void nx_runner_post(struct nx_runner *r, struct nx_job *job)
{
	pthread_mutex_lock(&r->lock);
	r->job = job;
	pthread_cond_signal(&r->posted);
	pthread_mutex_unlock(&r->lock);
}

void nx_runner_stop(struct nx_runner **pr)
{
	struct nx_runner *r = *pr;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->posted);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	uv_close((uv_handle_t *)&r->wake, on_close);
	*pr = NULL;
}
