/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 on libuv and llhttp: a server and a client pool, both single-threaded on the loop
 * they are given.  TCP ("http://host:port", "host:port", ":port" = loopback) and Unix sockets
 * ("unix:PATH").  SIGPIPE is ignored from the first use on, unless the program handles it.
 *
 * One request at a time is handled on a connection: the next one is read when
 * the answer is out, so answers are in order and a client cannot pile up work.
 */
#ifndef NX_NET_HTTP_H
#define NX_NET_HTTP_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* ---- server --------------------------------------------------------------------------------- */

struct nx_http_limits {
	size_t header_bytes; /* 64 KiB; more is answered 431 */
	size_t body_bytes;   /* 64 MiB, after decompression too; more is answered 413 */
	int connections;     /* 10000; more are closed at once */
	uint64_t idle_ms;    /* 60 s without a byte closes a connection */
	uint64_t request_ms; /* 30 s for a whole request to arrive, else 408 */
};
void nx_http_limits_default(struct nx_http_limits *l);

struct nx_http_server;

/* A request that has arrived whole.  It lives until nx_http_reply, also when the client has
 * gone meanwhile (the answer is then thrown away). */
struct nx_http_req {
	const char *method; /* "GET" */
	const char *path;   /* percent-decoded, without the query, "/v2/models/m/infer" */
	const char *query;  /* behind '?', not decoded; "" if none */
	const void *body;   /* decompressed, de-chunked; 64-byte aligned */
	size_t body_len;
	uint64_t arrived_ns; /* nx_now_ns() at its first byte */
	void *user;          /* the handler's own */
};

/* The value of a header (name in any case), or NULL. */
const char *nx_http_req_header(const struct nx_http_req *r, const char *name);
/* True when the connection is broken: work on the request may be given up.  A client that has
 * only shut down its side still waits for its answer. */
bool nx_http_req_gone(const struct nx_http_req *r);

struct nx_http_resp {
	int status;
	const char *content_type;  /* NULL: application/json */
	const char *extra_headers; /* "Name: value\r\n…" or NULL */
	struct nx_buf body;        /* taken */
};

/* Answers, once, on the loop thread; takes resp->body; 'r' is gone afterwards. */
void nx_http_reply(struct nx_http_req *r, struct nx_http_resp *resp);
/* Answers {"error": message} with the code's HTTP status; 503 with Retry-After. */
void nx_http_reply_error(struct nx_http_req *r, const struct nx_err *err);

typedef void nx_http_handler_fn(void *arg, struct nx_http_req *r);

/* Listens.  A stale Unix socket is replaced, a live one (or a port in use) is NX_EUNAVAIL
 * ("cannot listen on '…': address already in use").  'limits' may be NULL. */
int nx_http_listen(uv_loop_t *loop, const char *address, const struct nx_http_limits *limits,
	nx_http_handler_fn *handler, void *arg, struct nx_http_server **out, struct nx_err *err);
/* The address with the real port: "http://127.0.0.1:41234". */
const char *nx_http_server_address(const struct nx_http_server *s);
/* Stops accepting, closes idle connections, answers what is in flight with Connection: close;
 * calls done(arg) when nothing is left.  Then the server is freed. */
void nx_http_server_drain(struct nx_http_server *s, void (*done)(void *arg), void *arg);

/* ---- client --------------------------------------------------------------------------------- */

struct nx_http_client; /* keep-alive connections to one address */
struct nx_http_call;   /* one request under way */

struct nx_http_answer {
	int status;
	const char *content_type;
	const void *body; /* borrowed during the callback; 64-byte aligned */
	size_t body_len;
	size_t json_len;      /* Inference-Header-Content-Length, or (size_t)-1 */
	double retry_after_s; /* < 0: none */
};

/* Called once on the loop thread: err == NULL and an answer of any status, or an error
 * (NX_EUNAVAIL cannot connect, NX_EIO broke off, NX_ELATE timed out). */
typedef void nx_http_answer_fn(void *arg, const struct nx_http_answer *a, const struct nx_err *err);

int nx_http_client_new(uv_loop_t *loop, const char *address, int max_connections,
	struct nx_http_client **out, struct nx_err *err);
/* Closes; calls under way are answered with NX_EIO. */
void nx_http_client_close(struct nx_http_client **c);

/* Sends a request; body bytes are taken (body->data moves).  Waits for a free connection when
 * all are busy.  timeout_ms 0: none.  'headers' as extra_headers above, or NULL. */
struct nx_http_call *nx_http_send(struct nx_http_client *c, const char *method, const char *path,
	const char *headers, struct nx_buf *body, uint64_t timeout_ms, nx_http_answer_fn *fn,
	void *arg);
/* Forgets a call: its callback is not called. */
void nx_http_cancel(struct nx_http_call *call);

#endif
