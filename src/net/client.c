/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool.  A call is in exactly one place: in the queue, on a connection, or left over by one
 * that is closing and to be tried again; detach() takes it out of any of them.  A call is freed
 * in the close callback of its timer, a client in that of its last handle, so that callbacks may
 * send, cancel and close as they like.
 */
#include "net/client.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void nx_http_client_handle_closed(struct nx_http_client *c)
{
	if (--c->open_handles == 0 && c->closing) {
		free(c->name);
		free(c);
	}
}

/* ---- the queue ---------------------------------------------------------------------------------- */

static void queue_remove(struct nx_http_call *call)
{
	struct nx_http_client *c = call->client;

	if (!call->queued)
		return;
	if (call->prev)
		call->prev->next = call->next;
	else
		c->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		c->last = call->prev;
	call->prev = call->next = NULL;
	call->queued = false;
}

static void queue_add(struct nx_http_call *call)
{
	struct nx_http_client *c = call->client;

	call->queued = true;
	call->prev = c->last;
	if (c->last)
		c->last->next = call;
	else
		c->first = call;
	c->last = call;
}

void nx_http_client_requeue(struct nx_http_call *call)
{
	struct nx_http_client *c = call->client;

	call->queued = true;
	call->next = c->first;
	if (c->first)
		c->first->prev = call;
	else
		c->last = call;
	c->first = call;
}

/* The list begins with the connections used last: their caches and windows are warm, and the
 * others can time out at the peer. */
static struct nx_http_link *idle_link(const struct nx_http_client *c)
{
	for (struct nx_http_link *l = c->links; l; l = l->next)
		if (l->connected && !l->call && !l->closing)
			return l;
	return NULL;
}

void nx_http_client_pump(struct nx_http_client *c)
{
	while (c->first && !c->closing) {
		struct nx_http_call *call = c->first;
		struct nx_http_link *l = idle_link(c);
		if (l && !call->fresh) {
			queue_remove(call);
			nx_http_link_send(l, call);
		} else if (c->n_links < c->max_links) {
			queue_remove(call);
			nx_http_link_open(c, call);
		} else {
			/* A fresh connection is asked for and the pool is full: make room. */
			if (l)
				nx_http_link_close(l);
			return;
		}
	}
}

/* ---- calls -------------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *h)
{
	struct nx_http_call *call = h->data;
	struct nx_http_client *c = call->client;

	nx_buf_release(&call->head);
	nx_buf_release(&call->body);
	free(call);
	nx_http_client_handle_closed(c);
}

/* Takes the call out of wherever it is.  A connection that is in the middle of it is closed. */
static void detach(struct nx_http_call *call)
{
	struct nx_http_link *l = call->link;

	queue_remove(call);
	call->link = NULL;
	if (!l)
		return;
	l->again = NULL;
	if (l->call == call) {
		l->call = NULL;
		nx_http_link_close(l);
	}
}

void nx_http_call_finish(
	struct nx_http_call *call, const struct nx_http_answer *a, const struct nx_err *err)
{
	nx_http_answer_fn *fn = call->fn;
	void *arg = call->arg;

	detach(call);
	uv_close((uv_handle_t *)&call->timer, on_timer_closed);
	fn(arg, a, err);
}

void nx_http_cancel(struct nx_http_call *call)
{
	detach(call);
	uv_close((uv_handle_t *)&call->timer, on_timer_closed);
}

static void fail_closed(struct nx_http_call *call)
{
	struct nx_err err = NX_ERR_INIT;

	nx_err_set(&err, NX_EIO, "the client of '%s' was closed", call->client->name);
	nx_http_call_finish(call, NULL, &err);
}

static void on_timeout(uv_timer_t *t)
{
	struct nx_http_call *call = t->data;
	struct nx_http_client *c = call->client;
	struct nx_err err = NX_ERR_INIT;

	if (c->closing) {
		fail_closed(call);
		return;
	}
	nx_err_set(&err, NX_ELATE, "no answer from '%s' within %llu ms", c->name,
		(unsigned long long)call->timeout_ms);
	nx_http_call_finish(call, NULL, &err);
}

/* Bytes that may not stand in a request line are escaped. */
static void add_path(struct nx_buf *out, const char *path)
{
	for (const char *p = path; *p; p++) {
		unsigned char ch = (unsigned char)*p;
		if (ch <= ' ' || ch >= 0x7f)
			nx_buf_addf(out, "%%%02X", ch);
		else
			nx_buf_addc(out, *p);
	}
}

static void format_request(
	struct nx_http_call *call, const char *method, const char *path, const char *headers)
{
	nx_buf_addf(&call->head, "%s ", method);
	add_path(&call->head, path);
	nx_buf_addf(&call->head, " HTTP/1.1\r\nHost: %s\r\n", call->client->host);
	/* Without a length a server would have to guess whether a body follows. */
	if (call->body.len || !strcmp(method, "POST") || !strcmp(method, "PUT"))
		nx_buf_addf(&call->head, "Content-Length: %zu\r\n", call->body.len);
	if (headers)
		nx_buf_adds(&call->head, headers);
	nx_buf_adds(&call->head, "\r\n");
}

struct nx_http_call *nx_http_send(struct nx_http_client *c, const char *method, const char *path,
	const char *headers, struct nx_buf *body, uint64_t timeout_ms, nx_http_answer_fn *fn,
	void *arg)
{
	struct nx_http_call *call = nx_alloc(1, sizeof *call);

	call->client = c;
	call->fn = fn;
	call->arg = arg;
	call->timeout_ms = timeout_ms;
	call->bodyless = !strcmp(method, "HEAD");
	if (body) {
		call->body = *body;
		memset(body, 0, sizeof *body);
	}
	format_request(call, method, path, headers);
	uv_timer_init(c->loop, &call->timer);
	call->timer.data = call;
	c->open_handles++;
	/* The loop's clock stands still while its thread works: the timeout counts from now. */
	uv_update_time(c->loop);
	/* A closing client answers too, but later: the caller has no handle yet. */
	if (timeout_ms || c->closing)
		uv_timer_start(&call->timer, on_timeout, c->closing ? 0 : timeout_ms, 0);
	if (c->closing)
		return call;
	queue_add(call);
	nx_http_client_pump(c);
	return call;
}

/* ---- the client ---------------------------------------------------------------------------------- */

int nx_http_client_new(uv_loop_t *loop, const char *address, int max_connections,
	struct nx_http_client **out, struct nx_err *err)
{
	struct nx_http_client *c = nx_alloc(1, sizeof *c);
	int rc = nx_address_parse(address, &c->address, err);

	if (rc == 0 && !c->address.is_unix)
		rc = nx_address_resolve(
			&c->address, c->addresses, NX_CLIENT_MAX_ADDRESSES, &c->n_addresses, err);
	if (rc) {
		free(c);
		return rc;
	}
	nx_stream_ignore_sigpipe();
	c->name = nx_strdup(address);
	nx_address_host(&c->address, c->host, sizeof c->host);
	c->loop = loop;
	c->max_links = max_connections > 0 ? max_connections : 1;
	*out = c;
	return 0;
}

void nx_http_client_close(struct nx_http_client **client)
{
	struct nx_http_client *c = *client;

	if (!c)
		return;
	*client = NULL;
	c->closing = true;
	c->open_handles++; /* the callbacks below must not free it */
	while (c->first)
		fail_closed(c->first);
	for (struct nx_http_link *l = c->links; l; l = l->next) {
		struct nx_http_call *call = l->call ? l->call : l->again;
		if (call)
			fail_closed(call);
		nx_http_link_close(l);
	}
	nx_http_client_handle_closed(c);
}
