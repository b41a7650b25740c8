/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the server: listener (server.c) and connections (conn.c). */
#ifndef NX_NET_SERVER_H
#define NX_NET_SERVER_H

#include "net/http.h"
#include "net/message.h"
#include "net/stream.h"

#define NX_SCRATCH_SIZE 65536

struct nx_http_conn;

struct nx_http_server {
	uv_loop_t *loop;
	union nx_stream listener;
	uv_timer_t tick; /* one timer looks after all connections */
	struct nx_http_limits limits;
	nx_http_handler_fn *handler;
	void *arg;
	struct nx_http_conn *conns; /* all that are open or have a request at the handler */
	int n_conns;
	int open_handles; /* listener and tick */
	bool draining;
	void (*done)(void *arg);
	void *done_arg;
	char *address, *unix_path;
	uint64_t date_s; /* second that 'date' shows */
	char date[40];
	char scratch[NX_SCRATCH_SIZE]; /* what is read is handled before the next read */
};

enum nx_http_state {
	NX_CONN_READING,   /* waits for a request or is inside one */
	NX_CONN_HANDLING,  /* the handler has the request */
	NX_CONN_WRITING,   /* the answer goes out */
	NX_CONN_LINGERING, /* all is said: waits for the peer to close, so that it can read it */
	NX_CONN_CLOSED
};

struct nx_http_conn {
	union nx_stream s;
	struct nx_http_server *server;
	struct nx_http_conn *prev, *next;
	enum nx_http_state state;
	struct nx_http_req req;
	struct nx_http_message msg;
	struct nx_buf ahead;      /* bytes behind the request that is being answered */
	struct nx_buf head, body; /* the answer */
	uv_write_t write, write_continue;
	uv_shutdown_t shutdown;
	bool reading, eof, closing, gone, keep;
	uint64_t began_ms, progress_ms;
	size_t unwritten;
};

/* A connection for one that the listener has to accept. */
struct nx_http_conn *nx_http_conn_new(struct nx_http_server *s);
void nx_http_conn_start(struct nx_http_conn *c);
void nx_http_conn_close(struct nx_http_conn *c);
/* Nothing of a request has come: may be closed without harm. */
bool nx_http_conn_is_idle(const struct nx_http_conn *c);
/* Looks at the time. */
void nx_http_conn_tick(struct nx_http_conn *c, uint64_t now_ms);

/* A connection is no more. */
void nx_http_server_forget(struct nx_http_server *s, struct nx_http_conn *c);
const char *nx_http_server_date(struct nx_http_server *s);

#endif
