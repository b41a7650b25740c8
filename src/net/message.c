/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llhttp is paused at the end of every head.  From there on a body of known length is ours:
 * llhttp is told that there is none, so that the bytes can be read straight into the body.
 * llhttp's lenient modes stay off, and what it leaves to its users about who ends a body where
 * is decided here: Transfer-Encoding is "chunked" alone or refused, and Host is required once.
 */
#include "net/message.h"

#include "core/alloc.h"
#include "core/text.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_HEADERS 256

/* ---- keeping the head -------------------------------------------------------------------------- */

static int fail(struct nx_http_message *m, int status, const char *why)
{
	m->bad_status = status;
	m->bad_why = why;
	return -1;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
	struct nx_http_message *m = p->data;

	nx_buf_add(&m->head, at, len);
	return 0;
}

/* Trailers are read and forgotten; they count towards the limit of the head. */
static int count_extra(struct nx_http_message *m, size_t len)
{
	m->head_bytes += len;
	return m->head_bytes > m->header_limit ? fail(m, 431, "trailers are too long") : 0;
}

static int on_extra(llhttp_t *p, const char *at, size_t len)
{
	(void)at;
	return count_extra(p->data, len);
}

static int on_field(llhttp_t *p, const char *at, size_t len)
{
	struct nx_http_message *m = p->data;

	if (m->stage != NX_HTTP_HEAD)
		return count_extra(m, len);
	nx_buf_add(&m->head, at, len);
	return 0;
}

static int on_field_end(llhttp_t *p)
{
	struct nx_http_message *m = p->data;

	if (m->stage != NX_HTTP_HEAD)
		return 0;
	nx_buf_addc(&m->head, '\0');
	m->headers[m->n_headers].value = m->head.len;
	return 0;
}

static int on_value_end(llhttp_t *p)
{
	struct nx_http_message *m = p->data;

	if (m->stage != NX_HTTP_HEAD)
		return 0;
	nx_buf_addc(&m->head, '\0');
	m->n_headers++;
	if (m->n_headers == MAX_HEADERS)
		return fail(m, 431, "too many headers");
	m->headers = nx_grow(m->headers, &m->cap_headers, m->n_headers + 1, sizeof *m->headers);
	m->headers[m->n_headers].name = m->head.len;
	return 0;
}

static int on_url_end(llhttp_t *p)
{
	struct nx_http_message *m = p->data;

	nx_buf_addc(&m->head, '\0');
	m->headers[0].name = m->head.len;
	return 0;
}

const char *nx_http_message_header(const struct nx_http_message *m, const char *name)
{
	for (size_t i = 0; i < m->n_headers; i++)
		if (!strcasecmp(m->head.data + m->headers[i].name, name))
			return m->head.data + m->headers[i].value;
	return NULL;
}

static size_t count_headers(const struct nx_http_message *m, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_headers; i++)
		n += !strcasecmp(m->head.data + m->headers[i].name, name);
	return n;
}

/* ---- the end of the head: what it means ---------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %XX in place; false for a bad escape and for an escaped NUL. */
static bool percent_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '%') {
			int hi = hex_digit(s[1]), lo = hi < 0 ? -1 : hex_digit(s[2]);
			if (lo < 0 || hi * 16 + lo == 0)
				return false;
			*to++ = (char)(hi * 16 + lo);
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
	return true;
}

/* "/a%20b?q", or "http://host/a" as proxies send it. */
static int read_url(struct nx_http_message *m)
{
	static char none[] = "";
	char *url = m->head.data;

	if (!strncasecmp(url, "http://", 7)) {
		url = strchr(url + 7, '/');
		if (!url)
			return fail(m, 400, "the URL has no path");
	}
	url[strcspn(url, "#")] = '\0';
	m->query = strchr(url, '?');
	if (m->query)
		*m->query++ = '\0';
	else
		m->query = none;
	if (*url != '/' && strcmp(url, "*") != 0)
		return fail(m, 400, "the path must begin with '/'");
	if (!percent_decode(url))
		return fail(m, 400, "the path has a bad percent escape");
	m->path = url;
	return 0;
}

static int read_request_head(struct nx_http_message *m)
{
	llhttp_t *p = m->parser;

	m->method = llhttp_method_name(p->method);
	if (p->method == HTTP_CONNECT)
		return fail(m, 405, "CONNECT is not supported");
	size_t hosts = count_headers(m, "host");
	if (hosts > 1 || (hosts == 0 && !m->http10))
		return fail(m, 400, "the Host header must be there once");
	const char *expect = nx_http_message_header(m, "expect");
	if (expect && strcasecmp(expect, "100-continue") != 0)
		return fail(m, 417, "only 'Expect: 100-continue' is supported");
	m->wants_continue = expect && !m->http10;
	return read_url(m);
}

static int read_coding(struct nx_http_message *m)
{
	const char *coding = nx_http_message_header(m, "content-encoding");

	if (!coding || !*coding || !strcasecmp(coding, "identity"))
		return 0;
	if (strcasecmp(coding, "gzip") != 0 && strcasecmp(coding, "x-gzip") != 0 &&
		strcasecmp(coding, "deflate") != 0)
		return fail(m, 415, "Content-Encoding must be gzip, deflate or identity");
	if (count_headers(m, "content-encoding") > 1)
		return fail(m, 415, "one Content-Encoding at most is supported");
	if (nx_http_body_unpack(&m->body))
		return fail(m, 500, "out of memory");
	return 0;
}

static bool has_no_body(const struct nx_http_message *m)
{
	const llhttp_t *p = m->parser;

	/* RFC 9112, 6.3: these have none, whatever their headers say. */
	if (m->response)
		return m->bodyless || m->status / 100 == 1 || m->status == 204 || m->status == 304;
	return !(p->flags & (F_CONTENT_LENGTH | F_TRANSFER_ENCODING));
}

/* Finds out how the body ends and sets the stage. */
static int read_framing(struct nx_http_message *m)
{
	const llhttp_t *p = m->parser;

	if (has_no_body(m)) {
		m->stage = NX_HTTP_WHOLE;
		return 0;
	}
	/* Two readers that disagree here would split the bytes into different messages: request
	 * smuggling.  What is not plain is refused. */
	if (p->flags & F_TRANSFER_ENCODING) {
		const char *te = nx_http_message_header(m, "transfer-encoding");
		if (m->http10 || p->flags & F_CONTENT_LENGTH)
			return fail(m, 400, "Transfer-Encoding is out of place");
		if (!te || strcasecmp(te, "chunked") != 0 ||
			count_headers(m, "transfer-encoding") != 1)
			return fail(m, 501, "Transfer-Encoding must be 'chunked'");
		m->stage = NX_HTTP_CHUNKED;
	} else if (p->flags & F_CONTENT_LENGTH) {
		m->remaining = p->content_length;
		if (m->remaining > m->body.limit)
			return fail(m, 413, "the body is too large");
		m->stage = m->remaining ? NX_HTTP_FIXED : NX_HTTP_WHOLE;
	} else {
		m->stage = NX_HTTP_TO_EOF;
	}
	return m->stage == NX_HTTP_WHOLE ? 0 : read_coding(m);
}

static int on_head_end(llhttp_t *p)
{
	struct nx_http_message *m = p->data;

	if (p->http_major != 1)
		return fail(m, 505, "only HTTP/1.0 and HTTP/1.1 are supported");
	m->http10 = p->http_minor == 0;
	m->keep_alive = llhttp_should_keep_alive(p);
	m->status = p->status_code;
	if (!m->response && read_request_head(m))
		return -1;
	if (m->response && m->status == 101)
		return fail(m, 501, "the server switched protocols");
	p->upgrade = 0; /* an offer of another protocol that we do not take up */
	if (read_framing(m))
		return -1;
	/* 1: "there is no body", as what follows is read by us. */
	m->paused = true;
	return m->stage == NX_HTTP_CHUNKED ? HPE_PAUSED : 1;
}

static int add_body(struct nx_http_message *m, const char *at, size_t len)
{
	int rc = nx_http_body_add(&m->body, at, len);

	return rc ? fail(m, rc, rc == 413 ? "the body is too large" : "the body is damaged") : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
	return add_body(p->data, at, len);
}

static int on_message_end(llhttp_t *p)
{
	struct nx_http_message *m = p->data;

	if (m->stage == NX_HTTP_CHUNKED)
		m->stage = NX_HTTP_WHOLE;
	return HPE_PAUSED;
}

/* ---- feeding ----------------------------------------------------------------------------------- */

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_url_complete = on_url_end,
	.on_header_field = on_field,
	.on_header_field_complete = on_field_end,
	.on_header_value = on_field,
	.on_header_value_complete = on_value_end,
	.on_chunk_extension_name = on_extra,
	.on_chunk_extension_value = on_extra,
	.on_headers_complete = on_head_end,
	.on_body = on_body,
	.on_message_complete = on_message_end,
};

static void begin(struct nx_http_message *m)
{
	llhttp_init(m->parser, m->response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
	m->stage = NX_HTTP_HEAD;
	m->path = m->query = NULL;
	m->method = NULL;
	m->status = m->bad_status = 0;
	m->http10 = m->keep_alive = m->wants_continue = m->paused = false;
	m->n_headers = 0;
	m->headers[0].name = 0;
	m->head_bytes = 0;
	m->remaining = 0;
	nx_buf_clear(&m->head);
}

void nx_http_message_init(
	struct nx_http_message *m, bool response, size_t header_limit, size_t body_limit)
{
	memset(m, 0, sizeof *m);
	m->response = response;
	m->header_limit = header_limit;
	m->parser = nx_alloc(1, sizeof *m->parser);
	m->headers = nx_grow(NULL, &m->cap_headers, 1, sizeof *m->headers);
	nx_http_body_init(&m->body, body_limit);
	begin(m);
}

void nx_http_message_release(struct nx_http_message *m)
{
	nx_http_body_release(&m->body);
	nx_buf_release(&m->head);
	free(m->headers);
	free(m->parser);
	memset(m, 0, sizeof *m);
}

void nx_http_message_reset(struct nx_http_message *m)
{
	nx_http_body_release(&m->body);
	begin(m);
}

bool nx_http_message_has_begun(const struct nx_http_message *m)
{
	return m->head_bytes > 0;
}

static enum nx_http_event finish(struct nx_http_message *m)
{
	m->stage = NX_HTTP_WHOLE;
	if (nx_http_body_finish(&m->body) == 0)
		return NX_HTTP_DONE;
	fail(m, 400, "the compressed body breaks off");
	return NX_HTTP_BAD;
}

/* Hands bytes to llhttp; returns how many it took. */
static size_t execute(
	struct nx_http_message *m, const char *data, size_t len, enum nx_http_event *event)
{
	m->parser->data = m; /* the message may have been moved */
	llhttp_resume(m->parser);
	enum llhttp_errno e = llhttp_execute(m->parser, data, len);
	*event = NX_HTTP_MORE;
	if (e == HPE_OK)
		return len;
	if (e == HPE_PAUSED)
		return (size_t)(llhttp_get_error_pos(m->parser) - data);
	if (!m->bad_status) {
		const char *why = llhttp_get_error_reason(m->parser);
		fail(m, e == HPE_INVALID_VERSION ? 505 : 400, why && *why ? why : "bad request");
	}
	*event = NX_HTTP_BAD;
	return len;
}

static size_t feed_head(
	struct nx_http_message *m, const char *data, size_t len, enum nx_http_event *event)
{
	/* llhttp sees no byte over the limit, so it cannot be made to collect more. */
	size_t room = m->header_limit - m->head_bytes;
	size_t n = execute(m, data, len < room ? len : room, event);

	m->head_bytes += n;
	if (*event == NX_HTTP_BAD)
		return n;
	if (!m->paused) {
		if (m->head_bytes >= m->header_limit) {
			fail(m, 431, "the headers are too long");
			*event = NX_HTTP_BAD;
		}
		return n;
	}
	if (m->response && m->status / 100 == 1) /* 100 Continue: the answer comes after it */
		begin(m);
	else if (m->stage == NX_HTTP_WHOLE)
		*event = finish(m);
	else if (m->wants_continue && n == len)
		*event = NX_HTTP_CONTINUE;
	return n;
}

static size_t feed_plain(
	struct nx_http_message *m, const char *data, size_t len, enum nx_http_event *event)
{
	size_t n = len;

	if (m->stage == NX_HTTP_FIXED && m->remaining < n)
		n = (size_t)m->remaining;
	if (add_body(m, data, n)) {
		*event = NX_HTTP_BAD;
		return n;
	}
	if (m->stage == NX_HTTP_FIXED && (m->remaining -= n) == 0)
		*event = finish(m);
	return n;
}

size_t nx_http_message_feed(
	struct nx_http_message *m, const char *data, size_t len, enum nx_http_event *event)
{
	size_t used = 0;

	*event = m->bad_status               ? NX_HTTP_BAD
		 : m->stage == NX_HTTP_WHOLE ? NX_HTTP_DONE
					     : NX_HTTP_MORE;
	while (used < len && *event == NX_HTTP_MORE) {
		const char *at = data + used;
		if (m->stage == NX_HTTP_HEAD) {
			used += feed_head(m, at, len - used, event);
		} else if (m->stage == NX_HTTP_CHUNKED) {
			used += execute(m, at, len - used, event);
			if (*event == NX_HTTP_MORE && m->stage == NX_HTTP_WHOLE)
				*event = finish(m);
		} else {
			used += feed_plain(m, at, len - used, event);
		}
	}
	return used;
}

void *nx_http_message_space(struct nx_http_message *m, size_t *len)
{
	void *at;

	if (m->stage != NX_HTTP_FIXED || m->body.z ||
		nx_http_body_space(&m->body, (size_t)m->remaining, &at, len))
		return NULL;
	return at;
}

enum nx_http_event nx_http_message_received(struct nx_http_message *m, size_t n)
{
	m->body.len += n;
	m->remaining -= n;
	return m->remaining ? NX_HTTP_MORE : finish(m);
}

enum nx_http_event nx_http_message_eof(struct nx_http_message *m)
{
	if (m->stage == NX_HTTP_TO_EOF)
		return finish(m);
	if (!m->bad_status)
		fail(m, 400, "the connection was closed early");
	return NX_HTTP_BAD;
}
