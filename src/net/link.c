/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the client.  It always reads, so that an idle one notices when the peer closes.
 * While a request goes out, its bytes belong to the connection: libuv may use them until the
 * close callback, and only there can they be handed back for another try.
 */
#include "net/client.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER_HEAD ((size_t)64 << 10)
#define MAX_ANSWER_BODY ((size_t)256 << 20)

/* ---- closing ------------------------------------------------------------------------------------ */

static void unlist(struct nx_http_link *l)
{
	if (l->prev)
		l->prev->next = l->next;
	else
		l->client->links = l->next;
	if (l->next)
		l->next->prev = l->prev;
	l->prev = l->next = NULL;
}

static void list(struct nx_http_link *l)
{
	l->next = l->client->links;
	if (l->next)
		l->next->prev = l;
	l->client->links = l;
}

static void on_closed(uv_handle_t *h)
{
	struct nx_http_link *l = h->data;
	struct nx_http_client *c = l->client;
	struct nx_http_call *again = l->again;

	unlist(l);
	c->n_links--;
	if (again) {
		again->link = NULL;
		again->head = l->head;
		again->body = l->body;
		nx_http_client_requeue(again);
	} else {
		nx_buf_release(&l->head);
		nx_buf_release(&l->body);
	}
	nx_http_message_release(&l->msg);
	free(l);
	nx_http_client_pump(c);
	nx_http_client_handle_closed(c);
}

void nx_http_link_close(struct nx_http_link *l)
{
	if (!l->closing) {
		l->closing = true;
		uv_close(&l->s.handle, on_closed);
	}
}

/* Leaves the call for a fresh connection, once libuv has let go of its bytes. */
static void try_again(struct nx_http_link *l)
{
	l->call->fresh = true;
	l->again = l->call;
	l->call = NULL;
	nx_http_link_close(l);
}

static void fail(struct nx_http_link *l, int code, const char *what, const char *why)
{
	struct nx_http_call *call = l->call;
	struct nx_err err = NX_ERR_INIT;

	nx_http_link_close(l);
	if (!call)
		return;
	nx_err_set(&err, code, "%s '%s': %s", what, l->client->name, why);
	nx_http_call_finish(call, NULL, &err);
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* A whole number, or -1; Retry-After may also be a date, which is not worth a parser. */
static size_t parse_size(const char *s)
{
	char *end;

	if (!s || *s < '0' || *s > '9')
		return (size_t)-1;
	unsigned long long v = strtoull(s, &end, 10);
	return *end ? (size_t)-1 : (size_t)v;
}

static void fill_answer(const struct nx_http_message *m, struct nx_http_answer *a)
{
	static const char none[] = "";
	size_t retry = parse_size(nx_http_message_header(m, "retry-after"));

	a->status = m->status;
	a->content_type = nx_http_message_header(m, "content-type");
	a->body = m->body.data ? m->body.data : none;
	a->body_len = m->body.len;
	a->json_len = parse_size(nx_http_message_header(m, "inference-header-content-length"));
	a->retry_after_s = retry == (size_t)-1 ? -1 : (double)retry;
}

/* The answer is whole.  The connection is free again before the callback is called, so that a
 * request which the callback sends can use it. */
static void on_answer(struct nx_http_link *l, bool reusable)
{
	struct nx_http_client *c = l->client;
	struct nx_http_call *call = l->call;
	struct nx_http_message msg = l->msg;
	struct nx_http_answer a;

	l->call = NULL;
	call->link = NULL;
	nx_http_message_init(&l->msg, true, MAX_ANSWER_HEAD, MAX_ANSWER_BODY);
	/* An early answer, while the request still goes out, is a refusal: the rest of the request
	 * would be taken for the next one. */
	if (reusable && msg.keep_alive && !l->writing) {
		nx_buf_release(&l->head);
		nx_buf_release(&l->body);
		l->reused = true;
		unlist(l);
		list(l);
	} else {
		nx_http_link_close(l);
	}
	c->open_handles++; /* the callback may close the client */
	fill_answer(&msg, &a);
	nx_http_call_finish(call, &a, NULL);
	nx_http_message_release(&msg);
	nx_http_client_pump(c);
	nx_http_client_handle_closed(c);
}

static void on_event(struct nx_http_link *l, enum nx_http_event event, bool reusable)
{
	if (event == NX_HTTP_DONE)
		on_answer(l, reusable);
	else if (event == NX_HTTP_BAD)
		fail(l, NX_EIO, "bad answer from", l->msg.bad_why);
}

static void on_end(struct nx_http_link *l, int status)
{
	struct nx_http_call *call = l->call;

	/* An answer without a length ends with the connection. */
	if (call && l->got_bytes && status == UV_EOF) {
		if (nx_http_message_eof(&l->msg) == NX_HTTP_DONE)
			on_answer(l, false);
		else
			fail(l, NX_EIO, "no whole answer from", l->msg.bad_why);
	} else if (call && l->reused && !l->got_bytes && !call->retried) {
		/* The peer closed an idle connection while the request was on its way. */
		call->retried = true;
		try_again(l);
	} else {
		fail(l, NX_EIO, "no answer from",
			status == UV_EOF ? "connection closed" : uv_strerror(status));
	}
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct nx_http_link *l = h->data;

	(void)suggested;
	buf->base = l->call ? nx_http_message_space(&l->msg, &buf->len) : NULL;
	if (!buf->base) {
		buf->base = l->client->scratch;
		buf->len = sizeof l->client->scratch;
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct nx_http_link *l = stream->data;
	enum nx_http_event event;

	if (l->closing || n == 0)
		return;
	if (n < 0) {
		on_end(l, (int)n);
		return;
	}
	if (!l->call) {
		nx_http_link_close(l); /* an answer that nobody asked for */
		return;
	}
	l->got_bytes = true;
	if (buf->base != l->client->scratch) {
		on_event(l, nx_http_message_received(&l->msg, (size_t)n), true);
		return;
	}
	size_t used = nx_http_message_feed(&l->msg, buf->base, (size_t)n, &event);
	on_event(l, event, used == (size_t)n);
}

/* ---- requests ----------------------------------------------------------------------------------- */

static void on_written(uv_write_t *req, int status)
{
	struct nx_http_link *l = req->data;

	/* Of an error the reading side tells too, perhaps after an early answer. */
	(void)status;
	l->writing = false;
}

static void send_call(struct nx_http_link *l)
{
	struct nx_http_call *call = l->call;

	l->got_bytes = false;
	l->msg.bodyless = call->bodyless;
	uv_buf_t bufs[2] = {
		{ .base = l->head.data, .len = l->head.len },
		{ .base = l->body.data, .len = l->body.len },
	};
	l->write.data = l;
	l->writing = true;
	int e = uv_write(&l->write, &l->s.stream, bufs, l->body.len ? 2 : 1, on_written);
	if (!e)
		return;
	l->writing = false;
	if (call->retried) {
		fail(l, NX_EIO, "cannot write to", uv_strerror(e));
	} else {
		call->retried = true;
		try_again(l);
	}
}

static void take_call(struct nx_http_link *l, struct nx_http_call *call)
{
	l->call = call;
	call->link = l;
	l->head = call->head;
	l->body = call->body;
	memset(&call->head, 0, sizeof call->head);
	memset(&call->body, 0, sizeof call->body);
}

void nx_http_link_send(struct nx_http_link *l, struct nx_http_call *call)
{
	take_call(l, call);
	send_call(l);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct nx_http_link *l = req->data;
	struct nx_http_client *c = l->client;

	if (l->closing)
		return;
	if (status < 0) {
		/* "localhost" may mean ::1 and 127.0.0.1: try what is left. */
		if (l->call && ++l->call->tried < c->n_addresses)
			try_again(l);
		else
			fail(l, NX_EUNAVAIL, "cannot connect to", uv_strerror(status));
		return;
	}
	c->good = l->address;
	l->connected = true;
	if (!c->address.is_unix)
		uv_tcp_nodelay(&l->s.tcp, 1);
	int e = uv_read_start(&l->s.stream, on_alloc, on_read);
	if (e)
		fail(l, NX_EIO, "cannot read from", uv_strerror(e));
	else
		send_call(l);
}

/* An error that is known at once is reported like the others, later. */
static void on_cannot_start(uv_handle_t *h)
{
	struct nx_http_link *l = h->data;
	struct nx_http_call *call = l->call;
	struct nx_err err = NX_ERR_INIT;

	if (call) {
		l->call = NULL;
		call->link = NULL;
		nx_err_set(&err, NX_EUNAVAIL, "cannot connect to '%s': %s", l->client->name,
			uv_strerror(l->error));
		nx_http_call_finish(call, NULL, &err);
	}
	on_closed(h);
}

void nx_http_link_open(struct nx_http_client *c, struct nx_http_call *call)
{
	struct nx_http_link *l = nx_alloc(1, sizeof *l);
	int e = 0;

	l->client = c;
	l->connect.data = l;
	l->address = c->n_addresses ? (c->good + call->tried) % c->n_addresses : 0;
	list(l);
	c->n_links++;
	c->open_handles++;
	nx_http_message_init(&l->msg, true, MAX_ANSWER_HEAD, MAX_ANSWER_BODY);
	take_call(l, call);
	if (c->address.is_unix) {
		uv_pipe_init(c->loop, &l->s.pipe, 0);
		l->s.handle.data = l;
		uv_pipe_connect(&l->connect, &l->s.pipe, c->address.path, on_connected);
	} else {
		uv_tcp_init(c->loop, &l->s.tcp);
		l->s.handle.data = l;
		e = uv_tcp_connect(&l->connect, &l->s.tcp,
			(const struct sockaddr *)&c->addresses[l->address], on_connected);
	}
	if (e && ++call->tried < c->n_addresses) {
		try_again(l);
	} else if (e) {
		l->error = e;
		l->closing = true;
		uv_close(&l->s.handle, on_cannot_start);
	}
}
