/* SPDX-License-Identifier: Apache-2.0 */
/* jq programs.  Every jv given to libjq is consumed by it; what it returns is ours to free. */
#include "json/internal.h"

#include "core/alloc.h"

#include <jq.h>
#include <jv.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct nx_jq {
	jq_state *state;
	struct nx_buf message; /* first complaint of the compiler */
};

/* Called by libjq for each complaint; consumes 'message'. */
static void note_message(void *arg, jv message)
{
	struct nx_jq *jq = arg;

	if (jv_get_kind(message) == JV_KIND_STRING && jq->message.len == 0)
		nx_buf_adds(&jq->message, jv_string_value(message));
	jv_free(message);
}

/* The complaint without libjq's prefix and without the program, which it repeats behind it. */
static const char *first_line(struct nx_buf *message)
{
	static const char prefix[] = "jq: error: ";

	if (message->len == 0)
		return "out of the ordinary";
	if (strncmp(message->data, prefix, sizeof prefix - 1) == 0)
		nx_buf_drop(message, sizeof prefix - 1);
	size_t n = strcspn(message->data, "\n");
	while (n > 0 && message->data[n - 1] == ':')
		n--;
	message->data[n < NX_JSON_MESSAGE_MAX ? n : NX_JSON_MESSAGE_MAX] = '\0';
	return message->data;
}

int nx_jq_compile(const char *program, struct nx_jq **out, struct nx_err *err)
{
	struct nx_jq *jq = nx_alloc(1, sizeof *jq);
	int rc = 0;

	*out = NULL;
	jq->state = jq_init();
	if (!jq->state) {
		free(jq);
		return nx_err_set(err, NX_EOS, "cannot start jq");
	}
	jq_set_error_cb(jq->state, note_message, jq);
	/* Modules are looked for nowhere. */
	jq_set_attr(jq->state, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(jq->state, jv_string("JQ_ORIGIN"), jv_string("/nonexistent"));
	jq_set_attr(jq->state, jv_string("PROGRAM_ORIGIN"), jv_string("/nonexistent"));
	if (!jq_compile(jq->state, program))
		rc = nx_err_set(err, NX_EUSAGE, "bad jq program '%.200s': %s", program,
			first_line(&jq->message));
	nx_buf_release(&jq->message);
	if (rc)
		nx_jq_free(&jq);
	*out = jq;
	return rc;
}

void nx_jq_free(struct nx_jq **jq)
{
	if (!*jq)
		return;
	jq_teardown(&(*jq)->state);
	nx_buf_release(&(*jq)->message);
	free(*jq);
	*jq = NULL;
}

/* Consumes 'message': the text of a program's or the parser's error, whatever its kind. */
static int fail_with(jv message, const char *what, struct nx_err *err)
{
	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	int rc = nx_err_set(
		err, NX_EDATA, "%s: %.*s", what, NX_JSON_MESSAGE_MAX, jv_string_value(message));
	jv_free(message);
	return rc;
}

static int emit_results(struct nx_jq *jq,
	int (*emit)(void *arg, const char *json, size_t len, struct nx_err *err), void *arg,
	struct nx_err *err)
{
	jv result;

	while (jv_is_valid(result = jq_next(jq->state))) {
		jv text = jv_dump_string(result, 0);
		int rc = emit(arg, jv_string_value(text),
			(size_t)jv_string_length_bytes(jv_copy(text)), err);

		jv_free(text);
		if (rc)
			return rc;
	}
	/* 'halt' ends a program as its natural end does; 'halt_error' leaves a message. */
	if (jq_halted(jq->state)) {
		jv_free(result);
		jv message = jq_get_error_message(jq->state);
		if (jv_is_valid(message))
			return fail_with(message, "jq program stopped", err);
		jv_free(message);
		return 0;
	}
	if (jv_invalid_has_msg(jv_copy(result)))
		return fail_with(jv_invalid_get_msg(result), "jq program failed", err);
	jv_free(result);
	return 0;
}

int nx_jq_run(struct nx_jq *jq, const char *json, size_t len,
	int (*emit)(void *arg, const char *json, size_t len, struct nx_err *err), void *arg,
	struct nx_err *err)
{
	if (len > INT_MAX)
		return nx_err_set(err, NX_EDATA, "input of more than 2 GiB for a jq program");
	jv input = jv_parse_sized(json, (int)len);
	if (!jv_is_valid(input))
		return fail_with(jv_invalid_get_msg(input), "input of a jq program", err);
	jq_start(jq->state, input, 0);
	return emit_results(jq, emit, arg, err);
}
