/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: any bytes as HTTP/1.1 requests or answers on a connection.  However they are cut
 * into pieces, the same messages must come out of them. */
#include "net/message.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT 2000
#define BODY_LIMIT   5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read, to be compared. */
static void note(struct nx_buf *log, const struct nx_http_message *m, enum nx_http_event event)
{
	if (m->body.len > BODY_LIMIT || m->head.len > 2 * HEADER_LIMIT)
		abort();
	if (event == NX_HTTP_BAD) {
		nx_buf_addf(log, "bad %d\n", m->bad_status);
		return;
	}
	const char *type = nx_http_message_header(m, "content-type");
	nx_buf_addf(log, "%d %s?%s %s %zu ", m->status, m->path ? m->path : "",
		m->query ? m->query : "", type ? type : "", m->body.len);
	if (m->body.len)
		nx_buf_add(log, m->body.data, m->body.len);
}

/* One read of at most 'piece' bytes, straight into the body where that is possible. */
static size_t step(struct nx_http_message *m, const char *data, size_t len, size_t piece,
	enum nx_http_event *event)
{
	size_t n = len < piece ? len : piece, room = 0;
	void *at = piece > 1 ? nx_http_message_space(m, &room) : NULL;

	if (!at)
		return nx_http_message_feed(m, data, n, event);
	n = n < room ? n : room;
	memcpy(at, data, n);
	*event = nx_http_message_received(m, n);
	return n;
}

static void run(const char *data, size_t len, size_t piece, bool response, struct nx_buf *log)
{
	struct nx_http_message m;
	enum nx_http_event event = NX_HTTP_MORE;

	nx_http_message_init(&m, response, HEADER_LIMIT, BODY_LIMIT);
	while (len && event != NX_HTTP_BAD) {
		size_t n = step(&m, data, len, piece, &event);
		if (n > len || (n == 0 && event == NX_HTTP_MORE))
			abort();
		data += n;
		len -= n;
		if (event == NX_HTTP_DONE || event == NX_HTTP_BAD)
			note(log, &m, event);
		if (event == NX_HTTP_DONE)
			nx_http_message_reset(&m);
	}
	if (event != NX_HTTP_BAD && nx_http_message_has_begun(&m))
		note(log, &m, nx_http_message_eof(&m));
	nx_http_message_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nx_buf whole = NX_BUF_INIT, bytes = NX_BUF_INIT, pieces = NX_BUF_INIT;

	if (size < 1)
		return 0;
	const char *text = (const char *)data + 1;
	bool response = data[0] & 1;
	run(text, size - 1, size, response, &whole);
	run(text, size - 1, 1, response, &bytes);
	run(text, size - 1, 2 + data[0] / 2, response, &pieces);
	if (whole.len != bytes.len || whole.len != pieces.len ||
		(whole.len && (memcmp(whole.data, bytes.data, whole.len) != 0 ||
				      memcmp(whole.data, pieces.data, whole.len) != 0)))
		abort();
	nx_buf_release(&whole);
	nx_buf_release(&bytes);
	nx_buf_release(&pieces);
	return 0;
}
