/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a loop of its own and a raw client socket that talks to it in any pieces. */
#ifndef NX_TESTS_HTTP_UTIL_H
#define NX_TESTS_HTTP_UTIL_H

#include "core/alloc.h"
#include "net/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
	uv_loop_t loop;
	struct nx_http_server *server;
	struct nx_http_req *held; /* a request to "/hold" */
	int requests;
	bool drained;
};

static inline void reply_text(struct nx_http_req *r, int status, const char *text, size_t len)
{
	struct nx_http_resp resp = { .status = status, .content_type = "text/plain" };

	nx_buf_add(&resp.body, text, len);
	nx_http_reply(r, &resp);
}

/* "/echo" gives the body back, "/hold" waits for the test, "/big" is 8 MiB, the rest is told
 * its path and query. */
static inline void test_handler(void *arg, struct nx_http_req *r)
{
	struct fixture *f = arg;

	f->requests++;
	if (!strcmp(r->path, "/hold")) {
		f->held = r;
	} else if (!strcmp(r->path, "/echo")) {
		reply_text(r, 200, r->body, r->body_len);
	} else if (!strcmp(r->path, "/big")) {
		char *big = nx_alloc(8 << 20, 1);
		memset(big, 'b', 8 << 20);
		reply_text(r, 200, big, 8 << 20);
		free(big);
	} else {
		struct nx_buf b = NX_BUF_INIT;
		nx_buf_addf(&b, "%s %s?%s", r->method, r->path, r->query);
		reply_text(r, 200, b.data, b.len);
		nx_buf_release(&b);
	}
}

static inline void on_drained(void *arg)
{
	((struct fixture *)arg)->drained = true;
}

static inline void fixture_start(
	struct fixture *f, const char *address, const struct nx_http_limits *limits)
{
	struct nx_err err = NX_ERR_INIT;

	memset(f, 0, sizeof *f);
	uv_loop_init(&f->loop);
	if (nx_http_listen(&f->loop, address, limits, test_handler, f, &f->server, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
}

static inline void fixture_stop(struct fixture *f)
{
	if (f->server)
		nx_http_server_drain(f->server, on_drained, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&f->loop) || (f->server && !f->drained))
		abort();
}

static inline void spin(struct fixture *f)
{
	uv_run(&f->loop, UV_RUN_NOWAIT);
	usleep(200);
}

static inline int raw_connect(struct fixture *f)
{
	const char *address = nx_http_server_address(f->server);
	int fd;

	if (!strncmp(address, "unix:", 5)) {
		struct sockaddr_un un = { .sun_family = AF_UNIX };
		snprintf(un.sun_path, sizeof un.sun_path, "%s", address + 5);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&un, sizeof un))
			abort();
	} else {
		struct sockaddr_in in = { .sin_family = AF_INET };
		in.sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10));
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&in, sizeof in))
			abort();
	}
	return fd;
}

/* Sends all of it while the server runs; false if the server closed before. */
static inline bool raw_send(struct fixture *f, int fd, const char *data, size_t len, size_t piece)
{
	while (len) {
		ssize_t n = send(fd, data, len < piece ? len : piece, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return false;
		}
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	return true;
}

/* Reads until the server closes, or until 'until' has come; fails after 20 s. */
static inline bool raw_receive(struct fixture *f, int fd, struct nx_buf *got, const char *until)
{
	char block[65536];

	for (int i = 0; i < 100000; i++) {
		ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);
		if (n > 0)
			nx_buf_add(got, block, (size_t)n);
		else if (n == 0)
			return until == NULL;
		else if (errno != EAGAIN)
			return false; /* reset: the answer might have been lost */
		if (until && got->data && strstr(got->data, until))
			return true;
		if (n < 0)
			spin(f);
	}
	return false;
}

/* One connection: sends 'len' bytes in pieces, then reads to the end.  The caller frees. */
static inline char *raw_exchange(struct fixture *f, const char *data, size_t len, size_t piece)
{
	struct nx_buf got = NX_BUF_INIT;
	int fd = raw_connect(f);

	bool sent = raw_send(f, fd, data, len, piece);
	if (!raw_receive(f, fd, &got, NULL))
		nx_buf_adds(&got, "(not closed)");
	if (!sent)
		nx_buf_adds(&got, "(cut off)");
	close(fd);
	return nx_buf_take(&got);
}

#endif
