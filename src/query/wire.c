/* SPDX-License-Identifier: Apache-2.0 */
#include "query/wire.h"

#include "core/clock.h"

#include <string.h>

void nx_wire_add_segment(struct nx_buf *path, const char *name)
{
	for (const unsigned char *s = (const unsigned char *)name; *s; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			     (*s >= '0' && *s <= '9') || strchr("-._~", *s);
		if (plain)
			nx_buf_addc(path, (char)*s);
		else
			nx_buf_addf(path, "%%%02X", *s);
	}
}

/* A header's value ends at its line: names come from files and may hold anything. */
static void add_value(struct nx_buf *headers, const char *name)
{
	for (const unsigned char *s = (const unsigned char *)name; *s; s++)
		nx_buf_addc(headers, *s < ' ' || *s == 0x7f ? '?' : (char)*s);
}

void nx_wire_send(
	struct nx_http_client *client, struct nx_infer *infer, nx_http_answer_fn *fn, void *arg)
{
	uint64_t now = nx_now_ns();
	double left_ms = infer->deadline_ns > now ? nx_ns_to_ms(infer->deadline_ns - now) : 0;
	struct nx_buf path = NX_BUF_INIT, headers = NX_BUF_INIT;

	nx_buf_adds(&path, "/v2/models/");
	nx_wire_add_segment(&path, infer->model ? infer->model : infer->session);
	nx_buf_adds(&path, "/infer");
	nx_buf_adds(&headers, "Nexus-Session: ");
	add_value(&headers, infer->session);
	nx_buf_addf(&headers, "\r\nNexus-Deadline-Ms: %.3f\r\nContent-Type: %s\r\n", left_ms,
		infer->content_type ? infer->content_type : "application/octet-stream");
	if (infer->json_len != (size_t)-1)
		nx_buf_addf(&headers, "Inference-Header-Content-Length: %zu\r\n", infer->json_len);
	nx_http_send(client, "POST", path.data, headers.data, &infer->body,
		(uint64_t)left_ms + NX_LATE_GRACE_MS, fn, arg);
	nx_buf_release(&path);
	nx_buf_release(&headers);
}
