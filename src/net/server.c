/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener.  All connections hang in one list, and one timer walks it: a timer for each of
 * ten thousand connections would cost more than the walk, and timeouts need not be exact.
 * The server ends in three steps: the listener closes, the last connection goes, the timer
 * closes; then its memory is freed.
 */
#include "net/server.h"

#include "core/alloc.h"
#include "net/address.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024 /* the system cuts it to net.core.somaxconn */

void nx_http_limits_default(struct nx_http_limits *l)
{
	*l = (struct nx_http_limits){
		.header_bytes = 64 << 10,
		.body_bytes = 64 << 20,
		.connections = 10000,
		.idle_ms = 60000,
		.request_ms = 30000,
	};
}

const char *nx_http_server_address(const struct nx_http_server *s)
{
	return s->address;
}

const char *nx_http_server_date(struct nx_http_server *s)
{
	time_t now = time(NULL);
	struct tm tm;

	/* Formatted once a second, not once an answer. */
	if ((uint64_t)now != s->date_s && gmtime_r(&now, &tm)) {
		s->date_s = (uint64_t)now;
		strftime(s->date, sizeof s->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return s->date;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void free_server(struct nx_http_server *s)
{
	free(s->address);
	free(s->unix_path);
	free(s);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct nx_http_server *s = h->data;

	if (--s->open_handles > 0)
		return;
	void (*done)(void *arg) = s->done;
	void *arg = s->done_arg;
	free_server(s);
	if (done)
		done(arg);
}

/* The tick runs as long as there are connections to look after. */
static void finish_if_empty(struct nx_http_server *s)
{
	if (s->draining && !s->conns && !uv_is_closing((uv_handle_t *)&s->tick))
		uv_close((uv_handle_t *)&s->tick, on_handle_closed);
}

void nx_http_server_forget(struct nx_http_server *s, struct nx_http_conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_conns--;
	finish_if_empty(s);
}

void nx_http_server_drain(struct nx_http_server *s, void (*done)(void *arg), void *arg)
{
	NX_ASSERT(!s->draining);
	s->draining = true;
	s->done = done;
	s->done_arg = arg;
	if (s->unix_path)
		unlink(s->unix_path);
	uv_close(&s->listener.handle, on_handle_closed);
	for (struct nx_http_conn *c = s->conns; c; c = c->next)
		if (nx_http_conn_is_idle(c))
			nx_http_conn_close(c);
	finish_if_empty(s);
}

/* ---- the beginning ------------------------------------------------------------------------------ */

static void on_connection(uv_stream_t *listener, int status)
{
	struct nx_http_server *s = listener->data;

	if (status < 0)
		return; /* out of descriptors: libuv has turned that client away */
	struct nx_http_conn *c = nx_http_conn_new(s);
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->n_conns++;
	if (uv_accept(listener, &c->s.stream) || s->n_conns > s->limits.connections)
		nx_http_conn_close(c);
	else
		nx_http_conn_start(c);
}

static void on_tick(uv_timer_t *t)
{
	struct nx_http_server *s = t->data;
	uint64_t now = uv_now(s->loop);

	for (struct nx_http_conn *c = s->conns; c; c = c->next)
		nx_http_conn_tick(c, now);
}

/* The port may have been chosen by the system. */
static char *real_address(const struct nx_http_server *s, struct nx_address *a)
{
	struct sockaddr_storage ss;
	int len = sizeof ss;
	char host[sizeof a->host + sizeof a->port + 4];

	if (a->is_unix)
		return nx_asprintf("unix:%s", a->path);
	if (uv_tcp_getsockname(&s->listener.tcp, (struct sockaddr *)&ss, &len) == 0) {
		in_port_t port = ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
							  : ((struct sockaddr_in *)&ss)->sin_port;
		snprintf(a->port, sizeof a->port, "%u", (unsigned)ntohs(port));
	}
	nx_address_host(a, host, sizeof host);
	return nx_asprintf("http://%s", host);
}

static int open_unix(struct nx_http_server *s, const struct nx_address *a, struct nx_err *err)
{
	int fd;
	int rc = nx_address_bind_unix(a, &fd, err);

	if (rc)
		return rc;
	s->unix_path = nx_strdup(a->path);
	int e = uv_pipe_open(&s->listener.pipe, fd);
	if (e) {
		close(fd);
		return nx_err_set(
			err, NX_EOS, "cannot listen on 'unix:%s': %s", a->path, uv_strerror(e));
	}
	return 0;
}

static int open_tcp(
	struct nx_http_server *s, const struct nx_address *a, const char *text, struct nx_err *err)
{
	struct sockaddr_storage ss[1];
	size_t n;
	int rc = nx_address_resolve(a, ss, 1, &n, err);

	if (rc)
		return rc;
	int e = uv_tcp_bind(&s->listener.tcp, (const struct sockaddr *)&ss[0], 0);
	if (e)
		return nx_err_set(
			err, NX_EUNAVAIL, "cannot listen on '%s': %s", text, uv_strerror(e));
	return 0;
}

static void start_tick(struct nx_http_server *s)
{
	const struct nx_http_limits *l = &s->limits;
	uint64_t shortest = l->idle_ms < l->request_ms ? l->idle_ms : l->request_ms;
	uint64_t every = shortest / 4 < 5 ? 5 : shortest / 4 > 1000 ? 1000 : shortest / 4;

	uv_timer_start(&s->tick, on_tick, every, every);
}

static struct nx_http_server *new_server(uv_loop_t *loop, const struct nx_address *a)
{
	struct nx_http_server *s = nx_alloc(1, sizeof *s);

	s->loop = loop;
	if (a->is_unix)
		uv_pipe_init(loop, &s->listener.pipe, 0);
	else
		uv_tcp_init(loop, &s->listener.tcp);
	uv_timer_init(loop, &s->tick);
	s->listener.handle.data = s->tick.data = s;
	s->open_handles = 2;
	return s;
}

int nx_http_listen(uv_loop_t *loop, const char *address, const struct nx_http_limits *limits,
	nx_http_handler_fn *handler, void *arg, struct nx_http_server **out, struct nx_err *err)
{
	struct nx_address a;
	int rc = nx_address_parse(address, &a, err);

	if (rc)
		return rc;
	nx_stream_ignore_sigpipe();
	struct nx_http_server *s = new_server(loop, &a);
	if (limits)
		s->limits = *limits;
	else
		nx_http_limits_default(&s->limits);
	s->handler = handler;
	s->arg = arg;
	rc = a.is_unix ? open_unix(s, &a, err) : open_tcp(s, &a, address, err);
	if (rc == 0) {
		int e = uv_listen(&s->listener.stream, BACKLOG, on_connection);
		if (e)
			rc = nx_err_set(err, NX_EUNAVAIL, "cannot listen on '%s': %s", address,
				uv_strerror(e));
	}
	if (rc) {
		/* Handles close on the loop only: the memory goes when it runs. */
		nx_http_server_drain(s, NULL, NULL);
		return rc;
	}
	s->address = real_address(s, &a);
	start_tick(s);
	*out = s;
	return 0;
}
