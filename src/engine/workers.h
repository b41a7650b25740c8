/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do one job together with the caller, each its share. */
#ifndef NX_ENGINE_WORKERS_H
#define NX_ENGINE_WORKERS_H

#include "core/err.h"

struct nx_workers;

typedef void nx_worker_fn(void *arg, int worker);

/* Starts n - 1 threads; the caller of nx_workers_run is the n-th.  NX_EOS if they cannot start. */
int nx_workers_new(int n, struct nx_workers **out, struct nx_err *err);
void nx_workers_free(struct nx_workers **w);
int nx_workers_count(const struct nx_workers *w);

/* Calls fn(arg, 0 … wanted - 1), 0 on the calling thread, and returns when all have returned;
 * wanted is at most the count.  One caller at a time.  Does not allocate. */
void nx_workers_run(struct nx_workers *w, int wanted, nx_worker_fn *fn, void *arg);

#endif
