/* SPDX-License-Identifier: Apache-2.0 */
/* The running server: what its parts (server.c, infer.c, paths.c) share.  Loop thread only. */
#ifndef NX_SERVE_SERVER_H
#define NX_SERVE_SERVER_H

#include "core/err.h"
#include "engine/engine.h"
#include "net/http.h"
#include "net/oip.h"
#include "net/daemon.h"
#include "serve/lineup.h"
#include "serve/runner.h"
#include "serve/serve.h"
#include "stats/tally.h"

#include <stdbool.h>
#include <uv.h>

struct nx_server {
	const struct nx_serve_config *cfg;
	uv_loop_t loop;
	struct nx_daemon *daemon;
	struct nx_engine *engine;
	struct nx_runner *runner;
	struct nx_lineup *oldest,
		*current;     /* a list by 'next'; all but the last are being emptied */
	struct nx_job job[2]; /* one runs while the other is answered */
	int next_job;
	bool running;
	struct nx_tally *tally;
	struct nx_oip_service service;
	struct nx_err media; /* why pictures cannot be decoded; code 0: they can */
	bool draining, expired, stopped;
	/* A reload under way on a pool thread. */
	uv_work_t reload;
	bool reloading, reload_again;
	struct nx_lineup *loaded;
	struct nx_err reload_err;
	uv_timer_t stats_timer;
	int stats_fd; /* -1: none */
};

/* infer.c: a request to a model or session; takes it over. */
void nx_server_infer(void *server, const char *model, struct nx_http_req *http);
/* Gives the device its next batch if it is free. */
void nx_server_pump(struct nx_server *s);
/* The engine thread is done with a batch. */
void nx_server_job_done(void *server, struct nx_job *job);
/* Answers 503 to all that waits. */
void nx_server_give_up(struct nx_server *s);

/* server.c: frees lineups that are empty and old; ends the loop when all is done. */
void nx_server_tidy(struct nx_server *s);

/* paths.c: what else is asked of a server. */
void nx_server_set_paths(struct nx_server *s);

#endif
