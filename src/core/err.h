/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one value on the caller's stack, filled in once by whoever fails and wrapped with
 * context on the way up.  Library code returns 0 (or a useful count) on success and -NX_E… on
 * failure; it never prints and never exits.  The code carries what the caller may do about it:
 * one table maps it to a process exit status and to an HTTP status.
 */
#ifndef NX_CORE_ERR_H
#define NX_CORE_ERR_H

#include <stdarg.h>
#include <stdnoreturn.h>

enum nx_ecode {
	NX_OK = 0,
	NX_ENO,       /* the answer is no: SLO missed, infeasible, assertion failed */
	NX_EUSAGE,    /* the command line is wrong */
	NX_EDATA,     /* input is malformed or contradicts itself */
	NX_ENOINPUT,  /* an input file is missing or unreadable */
	NX_EUNAVAIL,  /* a device, server or plugin is not there */
	NX_ESOFTWARE, /* our own mistake */
	NX_EOS,       /* the operating system refused: memory, threads, sockets */
	NX_ECREATE,   /* an output file cannot be made */
	NX_EIO,       /* reading or writing broke off */
	NX_ETEMP,     /* try again: a lock is held, a queue is full */
	NX_ECONFIG,   /* a tool's own configuration is wrong */
	NX_ENOTFOUND, /* no such model, session or path */
	NX_EUNSUPP,   /* known but not supported: an operator, a codec, a datatype */
	NX_ELATE,     /* the deadline cannot be met */
	NX_ECODES
};

struct nx_err {
	int code;       /* enum nx_ecode */
	char msg[4000]; /* has room for the mistakes of a bad file, one a line */
};

#define NX_ERR_INIT   \
	{             \
		0, "" \
	}

/* Fills 'err' with 'code' and a printf-style message; returns -code, so that a failing function
 * can end with `return nx_err_set(err, NX_EDATA, "…")`.  'err' may not be NULL. */
int nx_err_set(struct nx_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there; returns -err->code. */
int nx_err_wrap(struct nx_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The process exit status (0, 1, or sysexits(3)) for a code, positive or negative. */
int nx_err_exit_status(int code);

/* The HTTP status for a code, positive or negative; 500 for what a client cannot help. */
int nx_err_http_status(int code);

/* A broken invariant of our own: prints file and line and aborts.  Never for input. */
noreturn void nx_bug_at(const char *file, int line, const char *what);
#define NX_BUG(what)    nx_bug_at(__FILE__, __LINE__, (what))
#define NX_ASSERT(cond) ((cond) ? (void)0 : nx_bug_at(__FILE__, __LINE__, #cond))

#endif
