/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine thread: takes one batch at a time from the loop, gathers the rows of its requests,
 * runs them and scatters the answers, then wakes the loop.  Its buffers only ever grow.
 */
#ifndef NX_SERVE_RUNNER_H
#define NX_SERVE_RUNNER_H

#include "serve/request.h"

/* A batch.  The loop fills it, the engine thread runs it, the loop gets it back. */
struct nx_job {
	struct nx_lineup *lineup;
	struct nx_served *session;
	struct nx_request **request;
	size_t n, cap;
	uint32_t rows;
	uint64_t start_ns, end_ns; /* of the run itself */
	struct nx_err err;         /* code 0: the answers are there */
};

struct nx_runner;

/* done(arg, job) is called on the loop thread. */
int nx_runner_start(uv_loop_t *loop, void (*done)(void *arg, struct nx_job *job), void *arg,
	struct nx_runner **out, struct nx_err *err);
/* Runs a job; the one before must be done. */
void nx_runner_post(struct nx_runner *r, struct nx_job *job);
/* Ends the thread (no job may be running); the memory goes when the loop has run empty. */
void nx_runner_stop(struct nx_runner **r);

#endif
