/* SPDX-License-Identifier: Apache-2.0 */
/* The end of every tool: results out, errors said, progress drawn. */
#include "cli/cli.h"

#include "core/fs.h"
#include "core/log.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int nx_cli_fail(const struct nx_err *err)
{
	/* Collected mistakes are one a line; each becomes a message of its own. */
	const char *s = err->msg;

	while (*s) {
		size_t len = strcspn(s, "\n");
		nx_error("%.*s", (int)len, s);
		s += len;
		s += *s == '\n';
	}
	return nx_cli_finish(nx_err_exit_status(err->code));
}

int nx_cli_finish(int status)
{
	int bad = ferror(stdout) != 0;

	if ((fflush(stdout) || bad) && errno != EBADF) {
		nx_error("cannot write standard output: %s", strerror(errno));
		return nx_err_exit_status(NX_EIO);
	}
	if (close(STDOUT_FILENO) && errno != EBADF) {
		nx_error("cannot write standard output: %s", strerror(errno));
		return nx_err_exit_status(NX_EIO);
	}
	return status;
}

static int add_line(void *arg, const char *json, size_t len, struct nx_err *err)
{
	(void)err;
	nx_buf_add(arg, json, len);
	nx_buf_addc(arg, '\n');
	return 0;
}

/* Runs the program on each top-level value of the text. */
static int filter_text(
	const char *program, const struct nx_buf *json, struct nx_buf *out, struct nx_err *err)
{
	struct nx_buf one = NX_BUF_INIT;
	struct nx_jdoc **docs = NULL;
	struct nx_jq *jq = NULL;
	size_t n = 0;

	int rc = nx_jq_compile(program, &jq, err);
	if (rc == 0)
		rc = nx_jdocs_parse(
			json->data ? json->data : "", json->len, "result", &docs, &n, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		nx_buf_clear(&one);
		nx_jv_format(nx_jdoc_root(docs[i]), &one);
		rc = nx_jq_run(jq, one.data, one.len, add_line, out, err);
	}
	nx_buf_release(&one);
	nx_jdocs_free(&docs, n);
	nx_jq_free(&jq);
	return rc;
}

int nx_cli_output(
	const char *path, const char *filter, const struct nx_buf *json, struct nx_err *err)
{
	struct nx_buf out = NX_BUF_INIT;
	const struct nx_buf *result = json;
	int rc = 0;

	if (filter) {
		rc = filter_text(filter, json, &out, err);
		result = &out;
	}
	if (rc == 0)
		rc = nx_fs_write(path ? path : "-", result->data, result->len, err);
	nx_buf_release(&out);
	return rc;
}

void nx_cli_progress(const struct nx_common *c, const char *what, double done, double total)
{
	char bar[25];
	int full;

	if (!c->progress)
		return;
	full = total > 0 ? (int)(24 * done / total) : 0;
	full = full < 0 ? 0 : full > 24 ? 24 : full;
	memset(bar, ' ', 24);
	memset(bar, '#', (size_t)full);
	bar[24] = '\0';
	fprintf(stderr, "\r%s: %s [%s] %.0f/%.0f\033[K", nx_log_program(), what, bar, done, total);
	fflush(stderr);
}

void nx_cli_progress_end(const struct nx_common *c)
{
	if (!c->progress)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
