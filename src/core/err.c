/* SPDX-License-Identifier: Apache-2.0 */
#include "core/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int exit_status;
	int http_status;
} err_table[NX_ECODES] = {
	[NX_OK] = { 0, 200 },
	[NX_ENO] = { 1, 400 },
	[NX_EUSAGE] = { 64, 400 },
	[NX_EDATA] = { 65, 400 },
	[NX_ENOINPUT] = { 66, 404 },
	[NX_EUNAVAIL] = { 69, 503 },
	[NX_ESOFTWARE] = { 70, 500 },
	[NX_EOS] = { 71, 500 },
	[NX_ECREATE] = { 73, 500 },
	[NX_EIO] = { 74, 500 },
	[NX_ETEMP] = { 75, 503 },
	[NX_ECONFIG] = { 78, 500 },
	[NX_ENOTFOUND] = { 66, 404 },
	[NX_EUNSUPP] = { 65, 501 },
	[NX_ELATE] = { 1, 503 },
};

int nx_err_set(struct nx_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
	return -code;
}

int nx_err_wrap(struct nx_err *err, const char *fmt, ...)
{
	char head[400];
	char old[sizeof err->msg];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	memcpy(old, err->msg, sizeof old);
	/* A message that no longer fits is cut at its end: the context in front names the place. */
	int n = snprintf(err->msg, sizeof err->msg, "%s: ", head);
	size_t room = sizeof err->msg - (size_t)n;
	size_t len = strnlen(old, sizeof old - 1);
	if (len >= room)
		len = room - 1;
	memcpy(err->msg + n, old, len);
	err->msg[(size_t)n + len] = '\0';
	return -err->code;
}

static int err_index(int code)
{
	if (code < 0)
		code = -code;
	return code < NX_ECODES ? code : NX_ESOFTWARE;
}

int nx_err_exit_status(int code)
{
	return err_table[err_index(code)].exit_status;
}

int nx_err_http_status(int code)
{
	return err_table[err_index(code)].http_status;
}

void nx_bug_at(const char *file, int line, const char *what)
{
	fprintf(stderr, "nexus: bug at %s:%d: %s\n", file, line, what);
	abort();
}
