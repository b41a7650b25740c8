/* SPDX-License-Identifier: Apache-2.0 */
/* Checking: mistakes are collected, so that a person mends a file in one go. */
#include "json/internal.h"

#include "core/alloc.h"
#include "core/log.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Mistakes whose text is kept; more would not fit into a struct nx_err. */
#define SHOWN_MAX 100

void nx_jcheck_init(struct nx_jcheck *c, const struct nx_jdoc *doc)
{
	*c = (struct nx_jcheck){ .doc = doc };
}

void nx_jcheck_release(struct nx_jcheck *c)
{
	nx_buf_release(&c->messages);
	c->n = 0;
}

/* "source:line: path: " of a value or of its member. */
static void add_place(
	const struct nx_jcheck *c, const struct nx_jv *at, const char *key, struct nx_buf *out)
{
	const struct nx_jv *member = key ? nx_jv_get(at, key) : NULL;
	const struct nx_jv *place = member ? member : at;

	nx_buf_addf(out, "%s:%d: ", nx_jdoc_source(c->doc), place->line);
	nx_jv_path(place, out);
	/* A member that is missing has no node to take the path from; our own keys need no quotes. */
	if (key && !member)
		nx_buf_addf(out, "%s%s", at->parent ? "." : "", key);
	nx_buf_adds(out, ": ");
}

void nx_jcheck_fail(
	struct nx_jcheck *c, const struct nx_jv *at, const char *key, const char *fmt, ...)
{
	char rule[400];
	va_list ap;

	if (c->n++ >= SHOWN_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(rule, sizeof rule, fmt, ap);
	va_end(ap);

	size_t start = c->messages.len;
	add_place(c, at, key, &c->messages);
	nx_buf_adds(&c->messages, rule);
	/* Names come from outside, and a mistake is a line. */
	for (size_t i = start; i < c->messages.len; i++)
		if ((unsigned char)c->messages.data[i] < 0x20 || c->messages.data[i] == 0x7f)
			c->messages.data[i] = '?';
	nx_buf_addc(&c->messages, '\n');
}

/* Bytes of whole lines that fit into 'room'; *lines is their number. */
static size_t lines_that_fit(const struct nx_buf *b, size_t room, size_t *lines)
{
	size_t used = 0;

	for (*lines = 0;; (*lines)++) {
		const char *end = memchr(b->data + used, '\n', b->len - used);

		if (!end || (size_t)(end - b->data) > room)
			return used;
		used = (size_t)(end - b->data) + 1;
	}
}

int nx_jcheck_result(const struct nx_jcheck *c, struct nx_err *err)
{
	size_t shown, room = sizeof err->msg - sizeof "and 18446744073709551615 more";

	if (c->n == 0)
		return 0;
	size_t len = lines_that_fit(&c->messages, room, &shown);
	if (shown == c->n)
		return nx_err_set(err, NX_EDATA, "%.*s", (int)len - 1, c->messages.data);
	if (shown == 0) /* a single place that is too long to show */
		return nx_err_set(err, NX_EDATA, "%s", c->messages.data);
	return nx_err_set(
		err, NX_EDATA, "%.*sand %zu more", (int)len, c->messages.data, c->n - shown);
}

/* The value as text for "(got …)", cut to a readable length between characters. */
static const char *got(const struct nx_jv *v, char out[64])
{
	struct nx_buf b = NX_BUF_INIT;

	nx_jv_format(v, &b);
	size_t n = b.len;
	if (n > 40) {
		n = 40;
		while (n > 0 && ((unsigned char)b.data[n] & 0xc0) == 0x80)
			n--;
	}
	snprintf(out, 64, "%.*s%s", (int)n, b.data, n < b.len ? "..." : "");
	nx_buf_release(&b);
	return out;
}

static void fail_value(struct nx_jcheck *c, const struct nx_jv *v, const char *rule)
{
	char text[64];

	nx_jcheck_fail(c, v, NULL, "must be %s (got %s)", rule, got(v, text));
}

bool nx_jcheck_object(struct nx_jcheck *c, const struct nx_jv *v)
{
	if (v->kind == NX_JOBJECT)
		return true;
	fail_value(c, v, "an object");
	return false;
}

/* The member if it is of the right kind. */
static const struct nx_jv *get_kind(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, enum nx_jkind kind)
{
	static const char *const names[] = { "null", "true or false", "a number", "a string",
		"an array", "an object" };
	const struct nx_jv *m = nx_jv_get(v, key);

	if (!m || m->kind == NX_JNULL) {
		if (need == NX_REQUIRED)
			nx_jcheck_fail(c, v, key, "is missing");
		return NULL;
	}
	if (m->kind == kind)
		return m;
	fail_value(c, m, names[kind]);
	return NULL;
}

static bool in_range(struct nx_jcheck *c, const struct nx_jv *m, double min, double max)
{
	char rule[80], low[32], high[32];

	if (m->number >= min && m->number <= max)
		return true;
	if (isfinite(min))
		nx_json_format_number(min, low);
	if (isfinite(max))
		nx_json_format_number(max, high);
	if (isfinite(min) && isfinite(max))
		snprintf(rule, sizeof rule, "%s to %s", low, high);
	else if (isfinite(min))
		snprintf(rule, sizeof rule, ">= %s", low);
	else
		snprintf(rule, sizeof rule, "<= %s", high);
	fail_value(c, m, rule);
	return false;
}

bool nx_jget_number(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	double min, double max, double *out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JNUMBER);

	if (!m || !in_range(c, m, min, max))
		return false;
	*out = m->number;
	return true;
}

bool nx_jget_above(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	double min, double *out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JNUMBER);
	char rule[40] = "> ";

	if (!m)
		return false;
	if (m->number > min) {
		*out = m->number;
		return true;
	}
	nx_json_format_number(min, rule + 2);
	fail_value(c, m, rule);
	return false;
}

bool nx_jget_int(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	int64_t min, int64_t max, int64_t *out)
{
	static const double limit = 9007199254740992.0; /* 2^53, above it doubles skip numbers */
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JNUMBER);

	if (!m)
		return false;
	if (floor(m->number) != m->number) {
		fail_value(c, m, "a whole number");
		return false;
	}
	if (!in_range(c, m, fmax((double)min, -limit), fmin((double)max, limit)))
		return false;
	*out = (int64_t)m->number;
	return true;
}

bool nx_jget_bool(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need, bool *out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JBOOL);

	if (m)
		*out = m->boolean;
	return m != NULL;
}

bool nx_jget_string(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need, char **out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JSTRING);

	if (!m)
		return false;
	free(*out);
	*out = nx_strdup(m->string);
	return true;
}

bool nx_jget_enum(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	const char *const *names, size_t n, int *out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JSTRING);
	struct nx_buf rule = NX_BUF_INIT;

	if (!m)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(m->string, names[i]) == 0) {
			*out = (int)i;
			return true;
		}
	}
	for (size_t i = 0; i < n; i++)
		nx_buf_addf(&rule, "%s\"%s\"", i == 0 ? "" : i + 1 < n ? ", " : " or ", names[i]);
	fail_value(c, m, rule.data ? rule.data : "absent");
	nx_buf_release(&rule);
	return false;
}

bool nx_jget_array(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	const struct nx_jv **out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JARRAY);

	if (m)
		*out = m;
	return m != NULL;
}

bool nx_jget_object(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	const struct nx_jv **out)
{
	const struct nx_jv *m = get_kind(c, v, key, need, NX_JOBJECT);

	if (m)
		*out = m;
	return m != NULL;
}

static bool is_known(const char *key, const char *const *known, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(key, known[i]) == 0)
			return true;
	return false;
}

void nx_jcheck_keys(struct nx_jcheck *c, const struct nx_jv *v, const char *const *known, size_t n)
{
	if (v->kind != NX_JOBJECT)
		return;
	for (size_t i = 0; i < v->n; i++) {
		if (is_known(v->keys[i], known, n))
			continue;
		const char *close = nx_text_closest(v->keys[i], known, n);
		if (!close)
			continue;

		struct nx_buf place = NX_BUF_INIT;
		add_place(c, &v->items[i], NULL, &place);
		nx_warn("%sunknown key, did you mean '%s'?", place.data, close);
		nx_buf_release(&place);
	}
}

bool nx_jcheck_format(struct nx_jcheck *c, const struct nx_jv *v, const char *kind, int major)
{
	char want[64], rule[80];

	if (!nx_jcheck_object(c, v))
		return false;
	const struct nx_jv *m = get_kind(c, v, "format", NX_REQUIRED, NX_JSTRING);
	if (!m)
		return false;
	snprintf(want, sizeof want, "%s/%d", kind, major);
	if (strcmp(m->string, want) == 0)
		return true;
	snprintf(rule, sizeof rule, "\"%s\"", want);
	fail_value(c, m, rule);
	return false;
}
