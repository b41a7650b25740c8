/* SPDX-License-Identifier: Apache-2.0 */
#include "query/outcome.h"

#include "json/json.h"

#include <stdlib.h>

/* A string member of a refusal's body or NULL, by the scanner: refusals come in floods. */
static char *body_string(const struct nx_http_answer *a, const char *key)
{
	struct nx_jscan s;
	enum nx_jtoken t;

	nx_jscan_init(&s, a->body, a->body_len);
	while ((t = nx_jscan_next(&s)) != NX_JT_END && t != NX_JT_ERROR) {
		if (t == NX_JT_KEY && nx_jscan_is(&s, key))
			return nx_jscan_next(&s) == NX_JT_STRING ? nx_jscan_string(&s) : NULL;
	}
	return NULL;
}

static enum nx_reason body_reason(const struct nx_http_answer *a)
{
	char *name = body_string(a, "reason");
	enum nx_reason r = name ? nx_reason_from_name(name) : NX_REASON_NONE;

	free(name);
	return r;
}

void nx_refusal_text(const struct nx_http_answer *a, struct nx_err *err)
{
	char *text = body_string(a, "error");

	nx_err_set(err, NX_EDATA, "answered with status %d%s%.400s", a->status, text ? ": " : "",
		text ? text : "");
	free(text);
}

static struct nx_verdict refused(enum nx_reason why)
{
	/* Refused on arrival, or given up later: the reason tells. */
	enum nx_outcome o = why == NX_REASON_DEADLINE ? NX_DROPPED : NX_REJECTED;

	return (struct nx_verdict){ o, why };
}

struct nx_verdict nx_verdict_of(const struct nx_http_answer *a, const struct nx_err *err,
	uint64_t deadline_ns, uint64_t now_ns)
{
	if (err)
		return (struct nx_verdict){ NX_FAILED, NX_REASON_BACKEND };
	if (a->status == 200)
		return (struct nx_verdict){ now_ns <= deadline_ns ? NX_IN_SLO : NX_LATE,
			NX_REASON_NONE };
	enum nx_reason why = body_reason(a);
	if (a->status == 503 && why != NX_REASON_NONE && why != NX_REASON_BACKEND)
		return refused(why);
	if (a->status >= 400 && a->status < 500)
		return (struct nx_verdict){ NX_FAILED, why ? why : NX_REASON_BAD_REQUEST };
	return (struct nx_verdict){ NX_FAILED, NX_REASON_BACKEND };
}
