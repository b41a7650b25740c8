/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the server, a small state machine: READING -> HANDLING -> WRITING -> READING…
 * While a request is handled and answered, what the client sends ahead is kept (one read of it,
 * then reading stops), so a client cannot pile up work or memory.  An answer after which the
 * connection ends is followed by a shutdown and a pause: closing at once with unread bytes would
 * reset the connection, and the client might never see why it was refused.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "json/json.h"
#include "net/server.h"

#include <stdlib.h>
#include <string.h>

#define LINGER_MS 2000

static void read_on(struct nx_http_conn *c);
static void consume(struct nx_http_conn *c, const char *data, size_t len);

/* ---- opening and closing ------------------------------------------------------------------------ */

struct nx_http_conn *nx_http_conn_new(struct nx_http_server *s)
{
	struct nx_http_conn *c = nx_alloc(1, sizeof *c);

	c->server = s;
	if (s->unix_path)
		uv_pipe_init(s->loop, &c->s.pipe, 0);
	else
		uv_tcp_init(s->loop, &c->s.tcp);
	c->s.handle.data = c;
	nx_http_message_init(&c->msg, false, s->limits.header_bytes, s->limits.body_bytes);
	return c;
}

static void free_conn(struct nx_http_conn *c)
{
	nx_http_server_forget(c->server, c);
	nx_http_message_release(&c->msg);
	nx_buf_release(&c->ahead);
	nx_buf_release(&c->head);
	nx_buf_release(&c->body);
	free(c);
}

static void on_closed(uv_handle_t *h)
{
	struct nx_http_conn *c = h->data;

	/* The handler still holds the request: nx_http_reply frees. */
	if (c->state == NX_CONN_HANDLING)
		c->gone = true;
	else
		free_conn(c);
}

void nx_http_conn_close(struct nx_http_conn *c)
{
	if (!c->closing) {
		c->closing = true;
		uv_close(&c->s.handle, on_closed);
	}
}

bool nx_http_conn_is_idle(const struct nx_http_conn *c)
{
	return c->state == NX_CONN_READING && !nx_http_message_has_begun(&c->msg);
}

/* ---- answering ---------------------------------------------------------------------------------- */

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct nx_http_conn *c = req->data;

	if (status < 0)
		nx_http_conn_close(c);
}

static void linger(struct nx_http_conn *c)
{
	/* What still comes is read and thrown away. */
	c->state = NX_CONN_LINGERING;
	c->progress_ms = uv_now(c->server->loop);
	c->shutdown.data = c;
	if (c->eof || uv_shutdown(&c->shutdown, &c->s.stream, on_shutdown))
		nx_http_conn_close(c);
	else
		read_on(c);
}

/* The answer is out: on to the next request, which may have come already. */
static void next_request(struct nx_http_conn *c)
{
	struct nx_buf ahead = c->ahead;

	nx_http_message_reset(&c->msg);
	memset(&c->req, 0, sizeof c->req);
	memset(&c->ahead, 0, sizeof c->ahead);
	c->state = NX_CONN_READING;
	c->progress_ms = uv_now(c->server->loop);
	if (ahead.len)
		consume(c, ahead.data, ahead.len);
	nx_buf_release(&ahead);
	if (c->state != NX_CONN_READING)
		return;
	if (c->eof || (c->server->draining && nx_http_conn_is_idle(c)))
		nx_http_conn_close(c);
	else
		read_on(c);
}

static void on_written(uv_write_t *req, int status)
{
	struct nx_http_conn *c = req->data;

	nx_buf_release(&c->body);
	nx_buf_clear(&c->head);
	if (c->closing)
		return;
	if (status < 0)
		nx_http_conn_close(c);
	else if (c->keep)
		next_request(c);
	else
		linger(c);
}

static void format_head(struct nx_http_conn *c, const struct nx_http_resp *resp)
{
	const char *type = resp->content_type ? resp->content_type : "application/json";

	nx_buf_clear(&c->head);
	nx_buf_addf(&c->head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", resp->status,
		nx_http_status_text(resp->status), nx_http_server_date(c->server));
	if (resp->status != 204 && resp->status != 304)
		nx_buf_addf(&c->head, "Content-Type: %s\r\nContent-Length: %zu\r\n", type,
			resp->body.len);
	if (resp->extra_headers)
		nx_buf_adds(&c->head, resp->extra_headers);
	if (!c->keep)
		nx_buf_adds(&c->head, "Connection: close\r\n");
	else if (c->msg.http10)
		nx_buf_adds(&c->head, "Connection: keep-alive\r\n");
	nx_buf_adds(&c->head, "\r\n");
}

static void send_answer(struct nx_http_conn *c, struct nx_http_resp *resp)
{
	bool bodyless = resp->status == 204 || resp->status == 304 ||
			(c->msg.method && !strcmp(c->msg.method, "HEAD"));

	c->state = NX_CONN_WRITING;
	format_head(c, resp);
	if (bodyless)
		nx_buf_release(&resp->body);
	c->body = resp->body;
	memset(&resp->body, 0, sizeof resp->body);
	uv_buf_t bufs[2] = {
		{ .base = c->head.data, .len = c->head.len },
		{ .base = c->body.data, .len = c->body.len },
	};
	c->write.data = c;
	c->progress_ms = uv_now(c->server->loop);
	if (uv_write(&c->write, &c->s.stream, bufs, c->body.len ? 2 : 1, on_written))
		nx_http_conn_close(c);
	else
		c->unwritten = uv_stream_get_write_queue_size(&c->s.stream);
}

void nx_http_reply(struct nx_http_req *r, struct nx_http_resp *resp)
{
	struct nx_http_conn *c = NX_MEMBER_OF(r, struct nx_http_conn, req);

	NX_ASSERT(c->state == NX_CONN_HANDLING);
	if (c->closing) {
		nx_buf_release(&resp->body);
		c->state = NX_CONN_CLOSED;
		if (c->gone)
			free_conn(c);
		return;
	}
	/* A client that has shut down its side may still have sent more requests before. */
	c->keep = c->msg.keep_alive && !c->server->draining && (!c->eof || c->ahead.len);
	send_answer(c, resp);
}

static void format_error(struct nx_buf *out, const char *message)
{
	struct nx_jw w;

	nx_jw_init(&w, out, NX_JCOMPACT);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "error", message);
	nx_jw_end(&w);
}

void nx_http_reply_error(struct nx_http_req *r, const struct nx_err *err)
{
	struct nx_http_resp resp = { .status = nx_err_http_status(err->code) };

	if (resp.status == 503)
		resp.extra_headers = "Retry-After: 1\r\n";
	format_error(&resp.body, err->msg);
	nx_http_reply(r, &resp);
}

/* Answers what never became a request, and ends the connection. */
static void refuse(struct nx_http_conn *c, int status, const char *why)
{
	struct nx_http_resp resp = { .status = status };

	if (status == 405)
		resp.extra_headers = "Allow: GET, HEAD, POST\r\n";
	format_error(&resp.body, why);
	c->keep = false;
	send_answer(c, &resp);
}

/* ---- reading ------------------------------------------------------------------------------------ */

const char *nx_http_req_header(const struct nx_http_req *r, const char *name)
{
	const struct nx_http_conn *c =
		(const struct nx_http_conn *)((const char *)r - offsetof(struct nx_http_conn, req));

	return nx_http_message_header(&c->msg, name);
}

bool nx_http_req_gone(const struct nx_http_req *r)
{
	const struct nx_http_conn *c =
		(const struct nx_http_conn *)((const char *)r - offsetof(struct nx_http_conn, req));

	return c->closing;
}

/* The handler may answer at once or later; nothing of the connection may be touched behind the
 * call but its state. */
static void handle(struct nx_http_conn *c)
{
	static const char none[] = "";

	c->state = NX_CONN_HANDLING;
	c->req.method = c->msg.method;
	c->req.path = c->msg.path;
	c->req.query = c->msg.query;
	c->req.body = c->msg.body.data ? c->msg.body.data : none;
	c->req.body_len = c->msg.body.len;
	c->server->handler(c->server->arg, &c->req);
}

static void on_event(struct nx_http_conn *c, enum nx_http_event event)
{
	if (event == NX_HTTP_DONE)
		handle(c);
	else if (event == NX_HTTP_BAD)
		refuse(c, c->msg.bad_status, c->msg.bad_why);
}

/* Its own write request: it may still be under way when the answer is written. */
static void on_continue_written(uv_write_t *req, int status)
{
	struct nx_http_conn *c = req->data;

	if (status < 0)
		nx_http_conn_close(c);
}

static void send_continue(struct nx_http_conn *c)
{
	static char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	uv_buf_t buf = { .base = line, .len = sizeof line - 1 };

	c->write_continue.data = c;
	if (uv_write(&c->write_continue, &c->s.stream, &buf, 1, on_continue_written))
		nx_http_conn_close(c);
}

/* Bytes of the request that is being read. */
static void consume(struct nx_http_conn *c, const char *data, size_t len)
{
	enum nx_http_event event;

	if (!nx_http_message_has_begun(&c->msg)) {
		c->req.arrived_ns = nx_now_ns();
		c->began_ms = uv_now(c->server->loop);
	}
	size_t used = nx_http_message_feed(&c->msg, data, len, &event);
	if (event == NX_HTTP_CONTINUE)
		send_continue(c);
	if (event == NX_HTTP_DONE && used < len)
		nx_buf_add(&c->ahead, data + used, len - used);
	on_event(c, event);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct nx_http_conn *c = h->data;

	(void)suggested;
	buf->base = NULL;
	if (c->state == NX_CONN_READING)
		buf->base = nx_http_message_space(&c->msg, &buf->len);
	if (!buf->base) {
		buf->base = c->server->scratch;
		buf->len = sizeof c->server->scratch;
	}
}

static void on_end(struct nx_http_conn *c, bool orderly)
{
	c->reading = false;
	c->eof = true;
	/* A client may shut down its side and wait for its answer. */
	bool answering = c->state == NX_CONN_HANDLING || c->state == NX_CONN_WRITING;
	if (!orderly || !answering)
		nx_http_conn_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct nx_http_conn *c = stream->data;

	if (c->closing || n == 0)
		return;
	if (n < 0) {
		on_end(c, n == UV_EOF);
		return;
	}
	if (c->state == NX_CONN_READING) {
		c->progress_ms = uv_now(c->server->loop);
		if (buf->base != c->server->scratch)
			on_event(c, nx_http_message_received(&c->msg, (size_t)n));
		else
			consume(c, buf->base, (size_t)n);
	} else if (c->state != NX_CONN_LINGERING) {
		nx_buf_add(&c->ahead, buf->base, (size_t)n);
	}
	if (c->ahead.len && c->reading && !c->closing) {
		uv_read_stop(&c->s.stream);
		c->reading = false;
	}
}

static void read_on(struct nx_http_conn *c)
{
	if (c->reading || c->closing || c->eof)
		return;
	if (uv_read_start(&c->s.stream, on_alloc, on_read))
		nx_http_conn_close(c);
	else
		c->reading = true;
}

void nx_http_conn_start(struct nx_http_conn *c)
{
	if (!c->server->unix_path)
		uv_tcp_nodelay(&c->s.tcp, 1);
	c->progress_ms = uv_now(c->server->loop);
	read_on(c);
}

/* ---- time --------------------------------------------------------------------------------------- */

static void tick_reading(struct nx_http_conn *c, uint64_t now_ms)
{
	const struct nx_http_limits *l = &c->server->limits;
	/* Slow senders are cut by the second limit, whatever trickles in. */
	bool idle = now_ms - c->progress_ms > l->idle_ms;

	if (nx_http_conn_is_idle(c)) {
		if (idle)
			nx_http_conn_close(c);
	} else if (idle || now_ms - c->began_ms > l->request_ms) {
		refuse(c, 408, "the request did not arrive in time");
	}
}

void nx_http_conn_tick(struct nx_http_conn *c, uint64_t now_ms)
{
	if (c->closing)
		return;
	if (c->state == NX_CONN_READING) {
		tick_reading(c, now_ms);
	} else if (c->state == NX_CONN_WRITING) {
		size_t left = uv_stream_get_write_queue_size(&c->s.stream);
		if (left != c->unwritten) {
			c->unwritten = left;
			c->progress_ms = now_ms;
		} else if (now_ms - c->progress_ms > c->server->limits.idle_ms) {
			nx_http_conn_close(c);
		}
	} else if (c->state == NX_CONN_LINGERING && now_ms - c->progress_ms > LINGER_MS) {
		nx_http_conn_close(c);
	}
}
