/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a message while it arrives: one 64-byte aligned block that grows with what has
 * really come, not with what was announced, and never beyond its limit; compressed bodies are
 * unpacked on the way in, so that a decompression bomb meets the same limit. */
#ifndef NX_NET_BODY_H
#define NX_NET_BODY_H

#include <stdbool.h>
#include <stddef.h>

struct nx_http_body {
	char *data; /* NULL while empty */
	size_t len, cap, limit;
	struct z_stream_s *z; /* while unpacking */
	bool z_ended;
};

void nx_http_body_init(struct nx_http_body *b, size_t limit);
void nx_http_body_release(struct nx_http_body *b);

/* The functions below return 0 or the HTTP status that tells what is wrong: 413 over the limit,
 * 400 damaged, 500 no memory. */

/* What is added from now on is gzip or zlib data. */
int nx_http_body_unpack(struct nx_http_body *b);
int nx_http_body_add(struct nx_http_body *b, const void *data, size_t len);
/* Room for up to 'want' more plain bytes (at least one), to be read straight into; *got is its
 * size.  After reading, add to b->len. */
int nx_http_body_space(struct nx_http_body *b, size_t want, void **at, size_t *got);
/* The message has ended. */
int nx_http_body_finish(const struct nx_http_body *b);

#endif
