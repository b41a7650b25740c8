/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include "core/buf.h"
#include "core/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct {
	const char *program;
	enum nx_log_level level;
	enum nx_log_format format;
	int color;
} log_state = { "nexus", NX_LOG_INFO, NX_LOG_TEXT, 0 };

void nx_log_init(const char *program, enum nx_log_level level, enum nx_log_format format)
{
	log_state.program = program;
	log_state.level = level;
	log_state.format = format;
}

void nx_log_set_color(int on)
{
	log_state.color = on;
}

enum nx_log_level nx_log_level(void)
{
	return log_state.level;
}

const char *nx_log_program(void)
{
	return log_state.program;
}

static void add_json_escaped(struct nx_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			nx_buf_addc(b, '\\');
		if ((unsigned char)*s < 0x20)
			nx_buf_addf(b, "\\u%04x", (unsigned char)*s);
		else
			nx_buf_addc(b, *s);
	}
}

static void format_json(struct nx_buf *b, enum nx_log_level level, const char *text)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char now[NX_RFC3339_SIZE];

	nx_now_rfc3339(now);
	nx_buf_addf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"message\":\"", now,
		names[level], log_state.program);
	add_json_escaped(b, text);
	nx_buf_adds(b, "\"}\n");
}

static void format_text(struct nx_buf *b, enum nx_log_level level, const char *text)
{
	static const char *const words[] = { "", "warning: ", "", "" };
	static const char *const colors[] = { "\033[31m", "\033[33m", "", "\033[2m" };
	int color = log_state.color && *colors[level];

	nx_buf_addf(b, "%s: %s%s%s%s\n", log_state.program, color ? colors[level] : "",
		words[level], text, color ? "\033[0m" : "");
}

void nx_log(enum nx_log_level level, const char *fmt, ...)
{
	struct nx_buf line = NX_BUF_INIT;
	char text[2000];
	va_list ap;

	if (level > log_state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (log_state.format == NX_LOG_JSON)
		format_json(&line, level, text);
	else
		format_text(&line, level, text);
	/* One write(2) a line: lines of several threads and processes do not mix. */
	if (write(STDERR_FILENO, line.data, line.len) < 0) {
		/* Nobody is left to tell. */
	}
	nx_buf_release(&line);
}
