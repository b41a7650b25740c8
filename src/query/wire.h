/* SPDX-License-Identifier: Apache-2.0 */
/* An inference request as HTTP: what the router sends to backends and a load to either. */
#ifndef NX_QUERY_WIRE_H
#define NX_QUERY_WIRE_H

#include "net/http.h"
#include "query/query.h"

#define NX_LATE_GRACE_MS 2000 /* how long a late answer is still waited for, to count it as late */

/* Posts the request to /v2/models/MODEL/infer (the session where infer->model is NULL) with its
 * session and what is left of its time in the headers, and calls fn(arg, …) as nx_http_send does;
 * infer->done is the caller's business.  infer->body is taken. */
void nx_wire_send(
	struct nx_http_client *client, struct nx_infer *infer, nx_http_answer_fn *fn, void *arg);

/* Appends a name as one segment of a path, percent-encoded where it has to be. */
void nx_wire_add_segment(struct nx_buf *path, const char *name);

#endif
