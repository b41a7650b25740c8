/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a server process: it listens on several addresses, says where, tells systemd that
 * it is ready, reloads on SIGHUP, drains on SIGTERM or SIGINT and dies at once of a second one.
 * Knows nothing of what is served; single-threaded on its loop.
 */
#ifndef NX_NET_DAEMON_H
#define NX_NET_DAEMON_H

#include "core/err.h"
#include "net/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct nx_daemon_ops {
	nx_http_handler_fn *request;
	void (*reload)(void *arg);  /* SIGHUP; not called while draining */
	void (*drain)(void *arg);   /* the first SIGTERM or SIGINT */
	void (*expired)(void *arg); /* the drain took too long: give up what still waits */
	void (*stopped)(void *arg); /* every answer is out and nothing listens any more */
	void *arg;
	uint64_t drain_ms; /* from drain() to expired() */
};

struct nx_daemon;

/* Listens on all addresses or on none, then prints "listening on ADDRESS" for each, ignores
 * SIGPIPE and watches the signals.  Folders of Unix sockets are made where they are missing.  On
 * failure the loop has to be run until it is empty. */
int nx_daemon_start(uv_loop_t *loop, const struct nx_daemon_ops *ops, const char *const *address,
	size_t n, struct nx_daemon **out, struct nx_err *err);
/* Closes what is left, after stopped(); the memory goes when the loop has run empty. */
void nx_daemon_close(struct nx_daemon **d);

/* Sends "READY=1", "STOPPING=1", … to $NOTIFY_SOCKET (sd_notify(3)); nothing without one. */
void nx_daemon_notify(const char *state);

#endif
