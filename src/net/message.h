/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1.1 message being read, a request or a response, from bytes that come in any pieces:
 * no sockets here, so that it can be fuzzed.  llhttp reads the head and chunked bodies; a body of
 * known length is not parsed but may be read straight into its place.
 */
#ifndef NX_NET_MESSAGE_H
#define NX_NET_MESSAGE_H

#include "core/buf.h"
#include "net/body.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nx_http_event {
	NX_HTTP_MORE,     /* all is consumed, more is needed */
	NX_HTTP_CONTINUE, /* the client waits for "100 Continue" */
	NX_HTTP_DONE,     /* the message is whole; what follows it is not consumed */
	NX_HTTP_BAD       /* bad_status and bad_why say what is wrong; reading cannot go on */
};

enum nx_http_stage { NX_HTTP_HEAD, NX_HTTP_FIXED, NX_HTTP_CHUNKED, NX_HTTP_TO_EOF, NX_HTTP_WHOLE };

struct nx_http_message {
	bool response;
	bool bodyless; /* the answer to a HEAD: set before reading */
	size_t header_limit;
	enum nx_http_stage stage;

	/* Set when the head has been read. */
	const char *method; /* of a request */
	char *path, *query;
	int status; /* of a response */
	bool http10, keep_alive;
	struct nx_http_body body;
	int bad_status;
	const char *bad_why;

	/* Private from here. */
	struct llhttp__internal_s *parser;
	struct nx_buf head; /* URL, names and values, each with a NUL behind it */
	struct nx_http_header {
		size_t name, value; /* offsets in head */
	} * headers;
	size_t n_headers, cap_headers;
	size_t head_bytes;  /* consumed of head, trailers and chunk extensions */
	uint64_t remaining; /* of a body of known length */
	bool wants_continue, paused;
};

void nx_http_message_init(
	struct nx_http_message *m, bool response, size_t header_limit, size_t body_limit);
void nx_http_message_release(struct nx_http_message *m);
/* Ready for the next message of the connection. */
void nx_http_message_reset(struct nx_http_message *m);
/* Whether some byte of the message has been read. */
bool nx_http_message_has_begun(const struct nx_http_message *m);

/* Reads from the bytes; returns how many were consumed (all with NX_HTTP_MORE).  After
 * NX_HTTP_CONTINUE call again with the rest, which may be empty. */
size_t nx_http_message_feed(
	struct nx_http_message *m, const char *data, size_t len, enum nx_http_event *event);

/* Where the next bytes of the body may be read to directly, or NULL when they must be fed;
 * *len is the room.  nx_http_message_received says how many came. */
void *nx_http_message_space(struct nx_http_message *m, size_t *len);
enum nx_http_event nx_http_message_received(struct nx_http_message *m, size_t n);

/* The peer has closed: NX_HTTP_DONE if that ends the message, else NX_HTTP_BAD. */
enum nx_http_event nx_http_message_eof(struct nx_http_message *m);

/* The value of the first header of that name in any case, or NULL. */
const char *nx_http_message_header(const struct nx_http_message *m, const char *name);

#endif
