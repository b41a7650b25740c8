/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One inference request from arrival to answer.  Owned by one thread at a time: the loop, then a
 * pool thread (decode), the loop (queue), the engine thread (run), the loop or a pool thread
 * (format), the loop (reply).
 */
#ifndef NX_SERVE_REQUEST_H
#define NX_SERVE_REQUEST_H

#include "core/err.h"
#include "net/http.h"
#include "net/oip.h"
#include "serve/lineup.h"
#include "vision/vision.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct nx_server;

/* A picture of the request, for its way back. */
struct nx_picture {
	const void *data; /* encoded; borrowed from the body */
	size_t len;
	int width, height;
	struct nx_placement place;
};

struct nx_request {
	struct nx_server *server;
	struct nx_http_req *http;
	struct nx_lineup *lineup;
	struct nx_served *session;
	struct nx_oip_request oip;
	uint32_t rows;
	uint64_t deadline_ns;
	bool bare_picture;                  /* the body is one picture: no tensors in the answer */
	struct nx_picture *picture;         /* [rows], or NULL */
	const void *in[NX_OIP_MAX_TENSORS]; /* rows of each input of the model */
	void *in_rows;                      /* decoded pictures; what in[0] then points to */
	void *out[NX_OIP_MAX_TENSORS];      /* rows of each output, inside out_rows */
	void *out_rows;
	struct nx_err err; /* of the last step, if it failed */
	struct nx_http_resp resp;
	char headers[64];
	uv_work_t work;
};

/* Reads the request for 'session' (oip.session may move it to another of the lineup) and checks
 * it against the model: everything but deadlines and queues.  The body must stay. */
int nx_request_parse(struct nx_request *r, struct nx_lineup *lineup, struct nx_served *session,
	struct nx_err *err);
/* Makes room for the answer's rows. */
int nx_request_reserve(struct nx_request *r, struct nx_err *err);
void nx_request_free(struct nx_request **r);

/* Decodes the pictures into rows; on a pool thread; r->err on failure. */
void nx_request_decode(struct nx_request *r);

/* Whether writing the answer would hold up the loop. */
bool nx_request_is_large(const struct nx_request *r);
/* Writes the answer into r->resp; on any thread; r->err on failure. */
void nx_request_format(struct nx_request *r);

#endif
