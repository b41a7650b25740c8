/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for people, on standard error: "nexus-plan: warning: …", or JSON Lines. */
#ifndef NX_CORE_LOG_H
#define NX_CORE_LOG_H

enum nx_log_level { NX_LOG_ERROR, NX_LOG_WARN, NX_LOG_INFO, NX_LOG_DEBUG };
enum nx_log_format { NX_LOG_TEXT, NX_LOG_JSON };

/* The only mutable globals of the project live behind these; call them before any thread starts. */
void nx_log_init(const char *program, enum nx_log_level level, enum nx_log_format format);
void nx_log_set_color(int on);
enum nx_log_level nx_log_level(void);
const char *nx_log_program(void);

/* One line; thread-safe.  Errors are printed as "program: message", warnings as
 * "program: warning: message", the rest without a word in front of the message. */
void nx_log(enum nx_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define nx_error(...) nx_log(NX_LOG_ERROR, __VA_ARGS__)
#define nx_warn(...)  nx_log(NX_LOG_WARN, __VA_ARGS__)
#define nx_info(...)  nx_log(NX_LOG_INFO, __VA_ARGS__)
#define nx_debug(...) nx_log(NX_LOG_DEBUG, __VA_ARGS__)

#endif
