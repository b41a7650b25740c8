/* SPDX-License-Identifier: Apache-2.0 */
/* The client against our server and against servers that misbehave. */
#include "http_util.h"
#include "unit.h"

struct result {
	int calls, status, code;
	struct nx_buf body;
	char type[100];
	char error[1000];
	size_t json_len;
	double retry_after_s;
};

static void on_answer(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct result *r = arg;

	r->calls++;
	r->code = err ? err->code : 0;
	if (err) {
		snprintf(r->error, sizeof r->error, "%.999s", err->msg);
		return;
	}
	ck_assert_uint_eq((size_t)a->body % 64 && a->body_len, 0);
	r->status = a->status;
	nx_buf_clear(&r->body);
	nx_buf_add(&r->body, a->body, a->body_len);
	snprintf(r->type, sizeof r->type, "%s", a->content_type ? a->content_type : "(none)");
	r->json_len = a->json_len;
	r->retry_after_s = a->retry_after_s;
}

static void wait_calls(struct fixture *f, const struct result *r, int n)
{
	for (int i = 0; i < 100000 && r->calls < n; i++)
		spin(f);
	ck_assert_int_eq(r->calls, n);
}

static struct nx_http_client *client(struct fixture *f, const char *address, int max)
{
	struct nx_http_client *c = NULL;
	struct nx_err err = NX_ERR_INIT;

	int rc = nx_http_client_new(&f->loop, address, max, &c, &err);
	ck_assert_msg(rc == 0, "%s", err.msg);
	return c;
}

static struct nx_http_call *send_text(struct nx_http_client *c, const char *path, const char *text,
	uint64_t timeout_ms, struct result *r)
{
	struct nx_buf body = NX_BUF_INIT;

	nx_buf_adds(&body, text);
	return nx_http_send(c, "POST", path, NULL, &body, timeout_ms, on_answer, r);
}

START_TEST(round_trips)
{
	static const char *const addresses[] = { ":0", "127.0.0.1:0", "http://localhost:0",
		"unix:/tmp/nx-test-client.sock" };

	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		struct fixture f;
		struct result r = { 0 };
		fixture_start(&f, addresses[i], NULL);
		struct nx_http_client *c = client(&f, nx_http_server_address(f.server), 4);
		send_text(c, "/echo", "hello", 10000, &r);
		wait_calls(&f, &r, 1);
		ck_assert_int_eq(r.status, 200);
		ck_assert_str_eq(r.body.data, "hello");
		ck_assert_str_eq(r.type, "text/plain");
		ck_assert(r.json_len == (size_t)-1 && r.retry_after_s < 0);
		nx_http_send(c, "HEAD", "/a b\r\nX: y", NULL, NULL, 0, on_answer, &r);
		wait_calls(&f, &r, 2);
		ck_assert_int_eq(r.status, 200);
		ck_assert_uint_eq(r.body.len, 0);
		nx_http_send(c, "GET", "/a b?c", "X-Extra: 1\r\n", NULL, 0, on_answer, &r);
		wait_calls(&f, &r, 3);
		ck_assert_str_eq(r.body.data, "GET /a b?c");
		nx_http_client_close(&c);
		ck_assert_ptr_null(c);
		fixture_stop(&f);
		nx_buf_release(&r.body);
	}
}
END_TEST

START_TEST(ipv6)
{
	struct fixture f = { 0 };
	struct nx_err err = NX_ERR_INIT;
	struct result r = { 0 };

	uv_loop_init(&f.loop);
	if (nx_http_listen(&f.loop, "[::1]:0", NULL, test_handler, &f, &f.server, &err) == 0) {
		struct nx_http_client *c = client(&f, nx_http_server_address(f.server), 1);
		send_text(c, "/echo", "six", 0, &r);
		wait_calls(&f, &r, 1);
		ck_assert_str_eq(r.body.data, "six");
		nx_http_client_close(&c);
	} /* else: a machine without IPv6 */
	fixture_stop(&f);
	nx_buf_release(&r.body);
}
END_TEST

START_TEST(large_bodies_both_ways)
{
	struct fixture f;
	struct result r = { 0 };
	struct nx_buf body = NX_BUF_INIT;
	char *copy = nx_alloc(20 << 20, 1);

	for (size_t i = 0; i < 20 << 20; i++)
		copy[i] = (char)(i * 2654435761u >> 13);
	nx_buf_add(&body, copy, 20 << 20);
	fixture_start(&f, ":0", NULL);
	struct nx_http_client *c = client(&f, nx_http_server_address(f.server), 1);
	nx_http_send(c, "POST", "/echo", NULL, &body, 0, on_answer, &r);
	ck_assert_ptr_null(body.data);
	wait_calls(&f, &r, 1);
	ck_assert_uint_eq(r.body.len, 20 << 20);
	ck_assert_mem_eq(r.body.data, copy, 20 << 20);
	free(copy);
	nx_http_client_close(&c);
	fixture_stop(&f);
	nx_buf_release(&r.body);
}
END_TEST

START_TEST(calls_queue_for_connections)
{
	struct fixture f;
	struct result r = { 0 }, held = { 0 }, cancelled = { 0 };

	fixture_start(&f, ":0", NULL);
	struct nx_http_client *c = client(&f, nx_http_server_address(f.server), 2);
	struct nx_http_call *hold = send_text(c, "/hold", "", 0, &held);
	struct nx_http_call *waiting = NULL;
	for (int i = 0; i < 100; i++) {
		if (i == 50)
			waiting = send_text(c, "/echo", "never", 0, &cancelled);
		send_text(c, "/echo", "x", 0, &r);
	}
	nx_http_cancel(waiting);
	wait_calls(&f, &r, 100);
	ck_assert_int_eq(f.requests, 101);
	ck_assert_int_eq(held.calls, 0);
	nx_http_cancel(hold); /* under way: its connection is closed */
	for (int i = 0; i < 10; i++)
		spin(&f);
	reply_text(f.held, 200, "late", 4);
	send_text(c, "/echo", "after", 0, &r);
	wait_calls(&f, &r, 101);
	ck_assert_int_eq(held.calls + cancelled.calls, 0);
	nx_http_client_close(&c);
	fixture_stop(&f);
	nx_buf_release(&r.body);
}
END_TEST

START_TEST(timeout_and_close)
{
	struct fixture f;
	struct result late = { 0 }, queued = { 0 }, cut = { 0 };

	fixture_start(&f, ":0", NULL);
	struct nx_http_client *c = client(&f, nx_http_server_address(f.server), 1);
	send_text(c, "/hold", "", 20, &late);
	send_text(c, "/echo", "", 20, &queued);
	wait_calls(&f, &late, 1);
	ck_assert_int_eq(late.code, NX_ELATE);
	wait_calls(&f, &queued, 1);
	while (!f.held)
		spin(&f);
	reply_text(f.held, 200, "", 0);
	send_text(c, "/hold", "", 0, &cut);
	f.held = NULL;
	while (!f.held)
		spin(&f);
	nx_http_client_close(&c);
	ck_assert_int_eq(cut.calls, 1);
	ck_assert_int_eq(cut.code, NX_EIO);
	reply_text(f.held, 200, "", 0);
	fixture_stop(&f);
	nx_buf_release(&queued.body);
}
END_TEST

START_TEST(nobody_there)
{
	struct fixture f = { 0 };
	struct result r = { 0 };
	struct nx_http_client *c = NULL;
	struct nx_err err = NX_ERR_INIT;

	uv_loop_init(&f.loop);
	c = client(&f, "unix:/tmp/nx-no-such-socket", 1);
	send_text(c, "/", "", 0, &r);
	wait_calls(&f, &r, 1);
	ck_assert_int_eq(r.code, NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(r.error, "cannot connect to 'unix:/tmp/nx-no-such-socket'"));
	nx_http_client_close(&c);
	c = client(&f, "localhost:1", 1); /* all addresses of the name refuse */
	send_text(c, "/", "", 0, &r);
	wait_calls(&f, &r, 2);
	ck_assert_int_eq(r.code, NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(r.error, "cannot connect to 'localhost:1'"));
	nx_http_client_close(&c);
	static const char *const bad[] = { "", "host", "host:", "host:99999", ":x", "https://a:1",
		"unix:", "[::1]", "a/b:1", "http://" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(nx_http_client_new(&f.loop, bad[i], 1, &c, &err) == -NX_EUSAGE, "%s",
			bad[i]);
	fixture_stop(&f);
}
END_TEST

/* ---- a server made of one socket and fixed words ------------------------------------------------- */

struct puppet {
	struct fixture f;
	int listener;
	char address[40];
};

static void puppet_start(struct puppet *p)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;

	memset(p, 0, sizeof *p);
	uv_loop_init(&p->f.loop);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(listen(p->listener, 8), 0);
	getsockname(p->listener, (struct sockaddr *)&in, &len);
	snprintf(p->address, sizeof p->address, "127.0.0.1:%d", ntohs(in.sin_port));
}

/* Accepts a connection and reads a request of it that ends with 'until'. */
static int puppet_accept(struct puppet *p, const char *until)
{
	struct nx_buf got = NX_BUF_INIT;
	int fd;

	while ((fd = accept(p->listener, NULL, NULL)) < 0)
		spin(&p->f);
	ck_assert(raw_receive(&p->f, fd, &got, until));
	nx_buf_release(&got);
	return fd;
}

static void puppet_stop(struct puppet *p, struct nx_http_client *c)
{
	nx_http_client_close(&c);
	close(p->listener);
	fixture_stop(&p->f);
}

/* What the client makes of an answer in pieces of 'piece' bytes, with the connection closed
 * behind it. */
static void puppet_answer(const char *answer, size_t piece, struct result *r)
{
	struct puppet p;

	puppet_start(&p);
	struct nx_http_client *c = client(&p.f, p.address, 1);
	memset(r, 0, sizeof *r);
	send_text(c, "/", "q", 0, r);
	int fd = puppet_accept(&p, "\r\n\r\nq");
	raw_send(&p.f, fd, answer, strlen(answer), piece);
	close(fd);
	wait_calls(&p.f, r, 1);
	puppet_stop(&p, c);
}

START_TEST(answers_of_others)
{
	static const struct {
		const char *answer, *body;
		int status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n",
			"abc", 200 },
		{ "HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 200 },
		{ "HTTP/1.0 503 Busy\r\nRetry-After: 7\r\nContent-Length: 1\r\n\r\nx", "x", 503 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\n"
		  "HTTP/1.1 204 None\r\n\r\n",
			"", 204 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n", "abc",
			200 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", NULL, NX_EIO },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", NULL, NX_EIO },
		{ "HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", NULL,
			NX_EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", NULL, NX_EIO },
		{ "SSH-2.0-OpenSSH\r\n", NULL, NX_EIO },
		{ "HTTP/1.1 200", NULL, NX_EIO },
		{ "", NULL, NX_EIO },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t piece = 1; piece < 200; piece += 66) {
			struct result r;
			puppet_answer(cases[i].answer, piece, &r);
			ck_assert_msg((cases[i].body ? r.status : r.code) == cases[i].status,
				"case %zu: %d %d %s", i, r.status, r.code, r.error);
			if (cases[i].body)
				ck_assert_str_eq(r.body.data ? r.body.data : "", cases[i].body);
			if (r.status == 503)
				ck_assert_double_eq(r.retry_after_s, 7);
			nx_buf_release(&r.body);
		}
}
END_TEST

START_TEST(stale_connection_is_retried_once)
{
	struct puppet p;
	struct result r = { 0 };
	const char *ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";

	puppet_start(&p);
	struct nx_http_client *c = client(&p.f, p.address, 1);
	send_text(c, "/", "one", 0, &r);
	int fd = puppet_accept(&p, "one");
	raw_send(&p.f, fd, ok, strlen(ok), 1000);
	raw_send(&p.f, fd, "1", 1, 1);
	wait_calls(&p.f, &r, 1);
	/* The second request goes out on the kept connection, which then ends without a word. */
	send_text(c, "/", "two", 0, &r);
	struct nx_buf got = NX_BUF_INIT;
	ck_assert(raw_receive(&p.f, fd, &got, "two"));
	close(fd);
	fd = puppet_accept(&p, "two");
	raw_send(&p.f, fd, ok, strlen(ok), 1000);
	raw_send(&p.f, fd, "2", 1, 1);
	wait_calls(&p.f, &r, 2);
	ck_assert_str_eq(r.body.data, "2");
	/* A fresh connection that ends so is an error. */
	close(fd);
	for (int i = 0; i < 20; i++)
		spin(&p.f);
	send_text(c, "/", "three", 0, &r);
	fd = puppet_accept(&p, "three");
	close(fd);
	wait_calls(&p.f, &r, 3);
	ck_assert_int_eq(r.code, NX_EIO);
	nx_buf_release(&got);
	nx_buf_release(&r.body);
	puppet_stop(&p, c);
}
END_TEST

START_TEST(early_refusal_is_seen)
{
	struct fixture f;
	struct nx_http_limits l;
	struct result r = { 0 };
	struct nx_buf body = NX_BUF_INIT;

	nx_http_limits_default(&l);
	l.body_bytes = 1000;
	fixture_start(&f, ":0", &l);
	struct nx_http_client *c = client(&f, nx_http_server_address(f.server), 1);
	nx_buf_reserve(&body, 10 << 20);
	memset(body.data, 'x', 10 << 20);
	body.len = 10 << 20;
	nx_http_send(c, "POST", "/echo", NULL, &body, 0, on_answer, &r);
	wait_calls(&f, &r, 1);
	ck_assert_int_eq(r.status, 413);
	nx_http_client_close(&c);
	fixture_stop(&f);
	nx_buf_release(&r.body);
}
END_TEST

struct chain {
	struct nx_http_client *c;
	int left;
};

/* The next request from inside the callback; at the end the client closes itself. */
static void next_in_chain(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct chain *chain = arg;

	ck_assert(!err && a->status == 200);
	if (--chain->left > 0)
		nx_http_send(chain->c, "GET", "/n", NULL, NULL, 0, next_in_chain, chain);
	else
		nx_http_client_close(&chain->c);
}

START_TEST(callbacks_may_send_and_close)
{
	struct fixture f;
	struct chain chain = { .left = 10 };

	fixture_start(&f, ":0", NULL);
	chain.c = client(&f, nx_http_server_address(f.server), 3);
	nx_http_send(chain.c, "GET", "/n", NULL, NULL, 0, next_in_chain, &chain);
	while (chain.c)
		spin(&f);
	ck_assert_int_eq(f.requests, 10);
	fixture_stop(&f);
}
END_TEST

UNIT_MAIN("net/http_client", round_trips, ipv6, large_bodies_both_ways, calls_queue_for_connections,
	timeout_and_close, nobody_there, answers_of_others, stale_connection_is_retried_once,
	early_refusal_is_seen, callbacks_may_send_and_close)
