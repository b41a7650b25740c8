/* SPDX-License-Identifier: Apache-2.0 */
/* The server against what well-behaved clients do not send. */
#include "http_util.h"
#include "unit.h"

#include <sys/stat.h>
#include <zlib.h>

#define CLOSE "Host: h\r\nConnection: close\r\n"

static char *say(struct fixture *f, const char *text, size_t piece)
{
	return raw_exchange(f, text, strlen(text), piece);
}

/* The status of the (first) answer to a request that ends its connection. */
static int status_of(const char *text)
{
	struct fixture f;
	int status = 0;

	fixture_start(&f, ":0", NULL);
	char *got = say(&f, text, strlen(text));
	ck_assert_ptr_null(strstr(got, "(not closed)"));
	if (sscanf(got, "HTTP/1.1 %d", &status) != 1)
		status = 0;
	if (status >= 400)
		ck_assert_ptr_nonnull(strstr(got, "{\"error\":\""));
	free(got);
	fixture_stop(&f);
	return status;
}

START_TEST(bytewise_delivery)
{
	struct fixture f;

	fixture_start(&f, ":0", NULL);
	char *got = say(&f,
		"POST /echo HTTP/1.1\r\n" CLOSE "X-Empty:\r\nContent-Length: 5\r\n\r\nhello", 1);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 200 OK\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "\r\nContent-Length: 5\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "\r\nConnection: close\r\n\r\nhello"));
	free(got);
	fixture_stop(&f);
}
END_TEST

START_TEST(paths_are_decoded)
{
	struct fixture f;

	fixture_start(&f, ":0", NULL);
	char *got = say(&f, "GET /a%20b/%C3%A9?x=%20#f HTTP/1.1\r\n" CLOSE "\r\n", 7);
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nGET /a b/\xc3\xa9?x=%20"));
	free(got);
	got = say(&f, "GET http://other/abs HTTP/1.1\r\n" CLOSE "\r\n", 3);
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nGET /abs?"));
	free(got);
	got = say(&f, "HEAD /x HTTP/1.1\r\n" CLOSE "\r\n", 100);
	ck_assert_ptr_nonnull(strstr(got, "Content-Length: 8\r\n"));
	ck_assert_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\n");
	free(got);
	fixture_stop(&f);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		{ 400, "nonsense\r\n\r\n" },
		{ 400, "GET /%zz HTTP/1.1\r\n" CLOSE "\r\n" },
		{ 400, "GET /a%00b HTTP/1.1\r\n" CLOSE "\r\n" },
		{ 400, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\nHost: a\n\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: +1\r\n\r\na" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Content-Length: 99999999999999999999\r\n\r\na" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\nzz\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Transfer-Encoding: chunked\r\n\r\n1\nab\r\n0\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n" },
		{ 501, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ 413, "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 99999999999\r\n\r\na" },
		{ 415, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Content-Encoding: br\r\nContent-Length: 1\r\n\r\na" },
		{ 400, "POST /echo HTTP/1.1\r\n" CLOSE
		       "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc" },
		{ 417, "POST /echo HTTP/1.1\r\n" CLOSE "Expect: miracles\r\n\r\n" },
		{ 405, "CONNECT a:1 HTTP/1.1\r\n" CLOSE "\r\n" },
		{ 505, "GET / HTTP/2.0\r\n" CLOSE "\r\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int got = status_of(cases[i].text);
		ck_assert_msg(got == cases[i].status, "case %zu: %d instead of %d:\n%s", i, got,
			cases[i].status, cases[i].text);
	}
}
END_TEST

START_TEST(accepted)
{
	static const char *const texts[] = {
		"\r\nGET / HTTP/1.1\r\n" CLOSE "\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\n" CLOSE "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" CLOSE "\r\n",
		"POST /echo HTTP/1.1\r\n" CLOSE
		"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		ck_assert_msg(status_of(texts[i]) == 200, "%s", texts[i]);
}
END_TEST

START_TEST(header_bombs)
{
	struct fixture f;
	struct nx_buf b = NX_BUF_INIT;

	fixture_start(&f, ":0", NULL);
	nx_buf_adds(&b, "GET / HTTP/1.1\r\nX: ");
	while (b.len < 100000)
		nx_buf_adds(&b, "0123456789");
	char *got = raw_exchange(&f, b.data, b.len, 5000);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 431 "));
	ck_assert_ptr_null(strstr(got, "(cut off)")); /* it could say all it had to say */
	free(got);
	nx_buf_clear(&b);
	nx_buf_adds(&b, "GET / HTTP/1.1\r\n" CLOSE);
	for (int i = 0; i < 1000; i++)
		nx_buf_addf(&b, "X%d: 1\r\n", i);
	got = raw_exchange(&f, b.data, b.len, 5000);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 431 "));
	free(got);
	nx_buf_clear(&b);
	nx_buf_adds(&b, "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 10000; i++)
		nx_buf_addf(&b, "X%d: 12345678\r\n", i);
	got = raw_exchange(&f, b.data, b.len, 5000);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 431 "));
	free(got);
	nx_buf_release(&b);
	ck_assert_int_eq(f.requests, 0);
	fixture_stop(&f);
}
END_TEST

START_TEST(chunked_with_trailers)
{
	struct fixture f;
	const char *text = "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
			   "3;ext=\"v\"\r\nabc\r\n0008\r\ndefghijk\r\n0\r\nX-Trailer: 1\r\n\r\n";

	fixture_start(&f, ":0", NULL);
	for (size_t piece = 1; piece < 200; piece += 13) {
		char *got = say(&f, text, piece);
		ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nabcdefghijk"));
		ck_assert_ptr_null(strstr(got, "X-Trailer"));
		free(got);
	}
	fixture_stop(&f);
}
END_TEST

/* A request with 'raw' packed by zlib (window bits 31: gzip, 15: zlib) as its body. */
static void add_packed(struct nx_buf *b, const void *raw, size_t len, int bits)
{
	size_t cap = len + 1000;
	unsigned char *out = nx_alloc(cap, 1);
	z_stream z = { 0 };

	deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
	z.next_in = (unsigned char *)(size_t)raw;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = (unsigned)cap;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	nx_buf_addf(b,
		"POST /echo HTTP/1.1\r\n" CLOSE
		"Content-Encoding: %s\r\nContent-Length: %lu\r\n\r\n",
		bits > 15 ? "gzip" : "deflate", z.total_out);
	nx_buf_add(b, out, z.total_out);
	deflateEnd(&z);
	free(out);
}

START_TEST(packed_bodies)
{
	struct fixture f;
	struct nx_buf b = NX_BUF_INIT;
	struct nx_http_limits l;
	char *raw = nx_alloc(100001, 1);

	nx_http_limits_default(&l);
	l.body_bytes = 100000;
	fixture_start(&f, ":0", &l);
	memset(raw, 'z', 100000);
	for (int bits = 15; bits <= 31; bits += 16) {
		/* exactly at the limit it passes, one byte more it does not */
		for (size_t len = 99999; len <= 100001; len++) {
			nx_buf_clear(&b);
			add_packed(&b, raw, len, bits);
			char *got = raw_exchange(&f, b.data, b.len, 17);
			ck_assert_ptr_nonnull(
				strstr(got, len <= 100000 ? "HTTP/1.1 200 " : "HTTP/1.1 413 "));
			if (len <= 100000)
				ck_assert_uint_eq(strlen(strstr(got, "\r\n\r\nz")) - 4, len);
			free(got);
		}
	}
	/* a bomb: 50 MB of zeroes */
	free(raw);
	raw = nx_alloc(50000000, 1);
	nx_buf_clear(&b);
	add_packed(&b, raw, 50000000, 31);
	char *got = raw_exchange(&f, b.data, b.len, b.len);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 413 "));
	free(got);
	/* cut off */
	nx_buf_clear(&b);
	add_packed(&b, "hello", 5, 31);
	char *at = strstr(b.data, "Content-Length: 2");
	ck_assert_ptr_nonnull(at);
	at[strlen("Content-Length: ")] = '1';
	got = raw_exchange(&f, b.data, b.len - 10, b.len);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 400 "));
	free(got);
	free(raw);
	nx_buf_release(&b);
	fixture_stop(&f);
}
END_TEST

START_TEST(chunked_body_over_the_limit)
{
	struct fixture f;
	struct nx_http_limits l;
	struct nx_buf b = NX_BUF_INIT;

	nx_http_limits_default(&l);
	l.body_bytes = 100;
	fixture_start(&f, ":0", &l);
	nx_buf_adds(&b, "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 50; i++)
		nx_buf_adds(&b, "4\r\nabcd\r\n");
	char *got = raw_exchange(&f, b.data, b.len, 50);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 413 "));
	ck_assert_int_eq(f.requests, 0);
	free(got);
	nx_buf_release(&b);
	fixture_stop(&f);
}
END_TEST

START_TEST(pipelined_in_order)
{
	struct fixture f;
	struct nx_buf b = NX_BUF_INIT;

	fixture_start(&f, ":0", NULL);
	for (int i = 0; i < 50; i++)
		nx_buf_addf(
			&b, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n<%02d>", i);
	nx_buf_adds(&b, "GET /last HTTP/1.1\r\n" CLOSE "\r\n");
	for (size_t piece = 1; piece < b.len; piece = piece * 3 + 1) {
		char *got = raw_exchange(&f, b.data, b.len, piece);
		char *at = got, want[20];
		for (int i = 0; i < 50; i++) {
			snprintf(want, sizeof want, "<%02d>", i);
			at = strstr(at, want);
			ck_assert_ptr_nonnull(at);
		}
		ck_assert_ptr_nonnull(strstr(at, "GET /last?"));
		free(got);
	}
	nx_buf_release(&b);
	fixture_stop(&f);
}
END_TEST

START_TEST(half_closed_is_answered)
{
	struct fixture f;
	struct nx_buf got = NX_BUF_INIT;
	const char *text =
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /hold HTTP/1.1\r\nHost: h\r\n\r\n";

	fixture_start(&f, ":0", NULL);
	int fd = raw_connect(&f);
	raw_send(&f, fd, text, strlen(text), 1000);
	shutdown(fd, SHUT_WR);
	while (!f.held)
		spin(&f);
	for (int i = 0; i < 10; i++)
		spin(&f);
	ck_assert(!nx_http_req_gone(f.held));
	reply_text(f.held, 200, "held", 4);
	ck_assert(raw_receive(&f, fd, &got, NULL));
	ck_assert_ptr_nonnull(strstr(got.data, "GET /1?"));
	ck_assert_ptr_nonnull(strstr(got.data, "\r\n\r\nheld"));
	close(fd);
	nx_buf_release(&got);
	fixture_stop(&f);
}
END_TEST

START_TEST(expect_continue)
{
	struct fixture f;
	struct nx_buf got = NX_BUF_INIT;
	const char *head =
		"POST /echo HTTP/1.1\r\n" CLOSE "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";

	fixture_start(&f, ":0", NULL);
	int fd = raw_connect(&f);
	raw_send(&f, fd, head, strlen(head), 9);
	ck_assert(raw_receive(&f, fd, &got, "HTTP/1.1 100 Continue\r\n\r\n"));
	ck_assert_int_eq(f.requests, 0);
	raw_send(&f, fd, "abc", 3, 1);
	ck_assert(raw_receive(&f, fd, &got, NULL));
	ck_assert_ptr_nonnull(strstr(got.data, "\r\n\r\nabc"));
	close(fd);
	nx_buf_release(&got);
	/* too large: the body is not even asked for */
	head = "POST / HTTP/1.1\r\n" CLOSE
	       "Expect: 100-continue\r\nContent-Length: 9999999999\r\n\r\n";
	char *all = raw_exchange(&f, head, strlen(head), 100);
	ck_assert_ptr_null(strstr(all, "100 Continue"));
	ck_assert_ptr_nonnull(strstr(all, "HTTP/1.1 413 "));
	free(all);
	fixture_stop(&f);
}
END_TEST

START_TEST(timeouts)
{
	struct fixture f;
	struct nx_http_limits l;
	struct nx_buf got = NX_BUF_INIT;

	nx_http_limits_default(&l);
	l.idle_ms = 60;
	l.request_ms = 40;
	fixture_start(&f, ":0", &l);
	int idle = raw_connect(&f);
	ck_assert(raw_receive(&f, idle, &got, NULL)); /* nothing sent: closed without a word */
	ck_assert_uint_eq(got.len, 0);
	close(idle);
	char *all = say(&f, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 99);
	ck_assert_ptr_nonnull(strstr(all, "HTTP/1.1 408 "));
	free(all);
	/* a client that does not read its answer */
	const char *big = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
	int deaf = raw_connect(&f);
	raw_send(&f, deaf, big, strlen(big), 100);
	nx_http_server_drain(f.server, on_drained, &f);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	ck_assert(f.drained);
	f.server = NULL;
	close(deaf);
	fixture_stop(&f);
	nx_buf_release(&got);
}
END_TEST

START_TEST(abrupt_closes)
{
	struct fixture f;
	const char *half = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc";
	const char *hold = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";
	struct linger hard = { .l_onoff = 1 };

	fixture_start(&f, ":0", NULL);
	int fd = raw_connect(&f); /* in mid body */
	raw_send(&f, fd, half, strlen(half), 100);
	close(fd);
	fd = raw_connect(&f); /* while the handler works: a reset */
	raw_send(&f, fd, hold, strlen(hold), 100);
	while (!f.held)
		spin(&f);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	for (int i = 0; i < 1000 && !nx_http_req_gone(f.held); i++)
		spin(&f);
	ck_assert(nx_http_req_gone(f.held));
	reply_text(f.held, 200, "late", 4);
	f.held = NULL;
	fd = raw_connect(&f); /* in mid answer */
	const char *big = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
	struct nx_buf got = NX_BUF_INIT;
	raw_send(&f, fd, big, strlen(big), 100);
	ck_assert(raw_receive(&f, fd, &got, "bbbb"));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	nx_buf_release(&got);
	char *all = say(&f, "GET /still HTTP/1.1\r\n" CLOSE "\r\n", 5);
	ck_assert_ptr_nonnull(strstr(all, "/still"));
	free(all);
	fixture_stop(&f);
}
END_TEST

START_TEST(connections_are_limited)
{
	struct fixture f;
	struct nx_http_limits l;
	struct nx_buf got = NX_BUF_INIT;

	nx_http_limits_default(&l);
	l.connections = 1;
	fixture_start(&f, ":0", &l);
	int first = raw_connect(&f);
	raw_send(&f, first, "GET", 3, 3);
	int second = raw_connect(&f);
	ck_assert(raw_receive(&f, second, &got, NULL));
	ck_assert_uint_eq(got.len, 0);
	close(second);
	const char *rest = " / HTTP/1.1\r\n" CLOSE "\r\n";
	raw_send(&f, first, rest, strlen(rest), 3);
	ck_assert(raw_receive(&f, first, &got, NULL));
	ck_assert_ptr_nonnull(strstr(got.data, "200 OK"));
	close(first);
	nx_buf_release(&got);
	fixture_stop(&f);
}
END_TEST

START_TEST(drain_answers_what_is_in_flight)
{
	struct fixture f;
	struct nx_buf got = NX_BUF_INIT;
	const char *hold = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";

	fixture_start(&f, ":0", NULL);
	int fd = raw_connect(&f), idle = raw_connect(&f);
	raw_send(&f, fd, hold, strlen(hold), 100);
	while (!f.held)
		spin(&f);
	nx_http_server_drain(f.server, on_drained, &f);
	ck_assert(raw_receive(&f, idle, &got, NULL));
	ck_assert_uint_eq(got.len, 0);
	ck_assert(!f.drained);
	reply_text(f.held, 200, "held", 4);
	ck_assert(raw_receive(&f, fd, &got, NULL));
	ck_assert_ptr_nonnull(strstr(got.data, "Connection: close\r\n\r\nheld"));
	close(fd);
	close(idle);
	nx_buf_release(&got);
	f.server = NULL;
	fixture_stop(&f);
	ck_assert(f.drained);
}
END_TEST

START_TEST(unix_sockets)
{
	struct fixture f, g;
	struct nx_err err = NX_ERR_INIT;
	struct nx_http_server *s;
	struct stat st;
	char path[] = "/tmp/nx-test-http-XXXXXX", address[100];

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(address, sizeof address, "unix:%s/s", path);
	fixture_start(&f, address, NULL);
	ck_assert_str_eq(nx_http_server_address(f.server), address);
	char *got = say(&f, "GET /u HTTP/1.1\r\n" CLOSE "\r\n", 5);
	ck_assert_ptr_nonnull(strstr(got, "GET /u?"));
	free(got);
	/* live: refused */
	ck_assert_int_eq(
		nx_http_listen(&f.loop, address, NULL, test_handler, &g, &s, &err), -NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(err.msg, "address already in use"));
	fixture_stop(&f);
	ck_assert_int_eq(stat(address + 5, &st), -1);
	/* stale: replaced */
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", address + 5);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	close(fd);
	fixture_start(&g, address, NULL);
	fixture_stop(&g);
	/* another kind of file: left alone */
	FILE *file = fopen(address + 5, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
	uv_loop_init(&f.loop);
	ck_assert_int_eq(
		nx_http_listen(&f.loop, address, NULL, test_handler, &g, &s, &err), -NX_EUNAVAIL);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	uv_loop_close(&f.loop);
	ck_assert_int_eq(stat(address + 5, &st), 0);
	unlink(address + 5);
	rmdir(path);
}
END_TEST

UNIT_MAIN("net/http_raw", bytewise_delivery, paths_are_decoded, refused, accepted, header_bombs,
	chunked_with_trailers, packed_bodies, chunked_body_over_the_limit, pipelined_in_order,
	half_closed_is_answered, expect_continue, timeouts, abrupt_closes, connections_are_limited,
	drain_answers_what_is_in_flight, unix_sockets)
