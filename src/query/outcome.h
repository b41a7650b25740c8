/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of a backend means for the request: one reading for router, filter and bench. */
#ifndef NX_QUERY_OUTCOME_H
#define NX_QUERY_OUTCOME_H

#include "net/http.h"
#include "stats/window.h"

#include <stdint.h>

struct nx_verdict {
	enum nx_outcome outcome;
	enum nx_reason reason; /* of a refusal, drop or failure */
};

/* Of an answer (or the error instead of one) that came at 'now_ns' to a request that was due at
 * 'deadline_ns'. */
struct nx_verdict nx_verdict_of(const struct nx_http_answer *a, const struct nx_err *err,
	uint64_t deadline_ns, uint64_t now_ns);

/* What an answer of another status than 200 says of itself, for a log. */
void nx_refusal_text(const struct nx_http_answer *a, struct nx_err *err);

#endif
