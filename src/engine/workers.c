/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking hand-over with condition variables: waking a thread costs some 10 us, and a thread
 * without work costs nothing.  Spinning teams (OpenMP's) are faster by that much on an idle
 * machine and many times slower as soon as something else runs on one of the cores.
 */
#include "engine/workers.h"

#include "core/alloc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct worker {
	struct nx_workers *all;
	int index;
	pthread_t thread;
};

struct nx_workers {
	int n, started;
	struct worker *worker;
	pthread_mutex_t lock;
	pthread_cond_t start, done;
	unsigned long job; /* counts up; a worker that sees a new number takes part */
	int wanted, pending;
	nx_worker_fn *fn;
	void *arg;
	bool stop;
};

static void *worker_main(void *arg)
{
	struct worker *me = arg;
	struct nx_workers *w = me->all;
	unsigned long seen = 0;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && w->job == seen)
			pthread_cond_wait(&w->start, &w->lock);
		if (w->stop)
			break;
		seen = w->job;
		if (me->index >= w->wanted)
			continue;
		nx_worker_fn *fn = w->fn;
		void *fn_arg = w->arg;
		pthread_mutex_unlock(&w->lock);
		fn(fn_arg, me->index);
		pthread_mutex_lock(&w->lock);
		if (--w->pending == 0)
			pthread_cond_signal(&w->done);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int nx_workers_new(int n, struct nx_workers **out, struct nx_err *err)
{
	struct nx_workers *w = nx_alloc(1, sizeof *w);

	w->n = n;
	w->worker = nx_alloc((size_t)n, sizeof *w->worker);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->start, NULL);
	pthread_cond_init(&w->done, NULL);
	for (w->started = 1; w->started < n; w->started++) {
		struct worker *me = &w->worker[w->started];
		me->all = w;
		me->index = w->started;
		int e = pthread_create(&me->thread, NULL, worker_main, me);
		if (e) {
			nx_workers_free(&w);
			return nx_err_set(
				err, NX_EOS, "cannot start worker thread: %s", strerror(e));
		}
	}
	*out = w;
	return 0;
}

void nx_workers_free(struct nx_workers **pw)
{
	struct nx_workers *w = *pw;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->start);
	pthread_mutex_unlock(&w->lock);
	for (int i = 1; i < w->started; i++)
		pthread_join(w->worker[i].thread, NULL);
	pthread_cond_destroy(&w->done);
	pthread_cond_destroy(&w->start);
	pthread_mutex_destroy(&w->lock);
	free(w->worker);
	free(w);
	*pw = NULL;
}

int nx_workers_count(const struct nx_workers *w)
{
	return w->n;
}

void nx_workers_run(struct nx_workers *w, int wanted, nx_worker_fn *fn, void *arg)
{
	if (wanted > 1) {
		pthread_mutex_lock(&w->lock);
		w->fn = fn;
		w->arg = arg;
		w->wanted = wanted;
		w->pending = wanted - 1;
		w->job++;
		pthread_cond_broadcast(&w->start);
		pthread_mutex_unlock(&w->lock);
	}
	fn(arg, 0);
	if (wanted > 1) {
		pthread_mutex_lock(&w->lock);
		while (w->pending)
			pthread_cond_wait(&w->done, &w->lock);
		pthread_mutex_unlock(&w->lock);
	}
}
