/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: the only place that sees libjq.
 *
 * Reading: text is parsed by libjq and copied at once into a plain C tree (struct nx_jv), which
 * can be borrowed, read from any thread and never aborts on a wrong type; no jv survives parsing.
 * Every node knows its parent and its line, so that a message can name its place:
 * "workload.json:12: .sessions[3].slo_ms: must be > 0 (got -5)".  Nesting ends at 64.
 *
 * Checking: a struct nx_jcheck collects all mistakes of a document, so that they are reported
 * at once.  Writing: struct nx_jw streams into a buffer, numbers in the shortest decimal that
 * reads back equal.  Filtering: struct nx_jq runs a jq program.
 */
#ifndef NX_JSON_JSON_H
#define NX_JSON_JSON_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- reading -------------------------------------------------------------------------------- */

enum nx_jkind { NX_JNULL, NX_JBOOL, NX_JNUMBER, NX_JSTRING, NX_JARRAY, NX_JOBJECT };

/* A value; borrowed from its document.  Objects list their members sorted by key. */
struct nx_jv {
	enum nx_jkind kind;
	bool boolean;
	double number;      /* always finite: text that is not ("nan", 1e999) is an error */
	const char *string; /* UTF-8, NUL-terminated; a string with an inner NUL is an error */
	size_t n;           /* members or elements */
	struct nx_jv *items;
	const char **keys; /* objects: keys[i] names items[i] */
	const struct nx_jv *parent;
	size_t index; /* place in the parent */
	int line;     /* of the source text where it begins, from 1 */
};

struct nx_jdoc; /* one top-level value with its text and source name */

/* Reads a stream of concatenated values ("cat *.json") into a new array *docs of *n; 0 for an
 * empty text.  'source' names the text in messages: a file, "standard input".  NX_EDATA with
 * source:line on damaged text. */
int nx_jdocs_parse(const char *text, size_t len, const char *source, struct nx_jdoc ***docs,
	size_t *n, struct nx_err *err);
void nx_jdocs_free(struct nx_jdoc ***docs, size_t n);

/* One value; anything behind it is an error. */
int nx_jdoc_parse(
	const char *text, size_t len, const char *source, struct nx_jdoc **doc, struct nx_err *err);
void nx_jdoc_free(struct nx_jdoc **doc);

const struct nx_jv *nx_jdoc_root(const struct nx_jdoc *doc);
const char *nx_jdoc_source(const struct nx_jdoc *doc);

/* Member by key, or NULL (also when 'v' is NULL or no object). */
const struct nx_jv *nx_jv_get(const struct nx_jv *v, const char *key);

/* Appends the value as compact JSON. */
void nx_jv_format(const struct nx_jv *v, struct nx_buf *out);

/* Appends ".sessions[3].slo_ms", the path of a value. */
void nx_jv_path(const struct nx_jv *v, struct nx_buf *out);

/* ---- checking ------------------------------------------------------------------------------- */

struct nx_jcheck {
	const struct nx_jdoc *doc;
	struct nx_buf messages; /* one mistake a line: "source:line: path: rule (got …)" */
	size_t n;
};

void nx_jcheck_init(struct nx_jcheck *c, const struct nx_jdoc *doc);
void nx_jcheck_release(struct nx_jcheck *c);
/* Notes a mistake at 'at', or, if key is not NULL, at its member, present or not. */
void nx_jcheck_fail(struct nx_jcheck *c, const struct nx_jv *at, const char *key, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
/* 0 if there was no mistake; else NX_EDATA with them, a line each, and "and N more". */
int nx_jcheck_result(const struct nx_jcheck *c, struct nx_err *err);

enum nx_jneed { NX_OPTIONAL, NX_REQUIRED };

/* Typed members of object 'v'.  They return true and set *out only when the member is there and
 * right; a wrong kind, a number out of [min, max] and a required member that is missing (or null)
 * are noted as mistakes. */
bool nx_jget_number(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	double min, double max, double *out);
/* As above with min excluded: "must be > min". */
bool nx_jget_above(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	double min, double *out);
/* Whole numbers within ±2^53. */
bool nx_jget_int(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	int64_t min, int64_t max, int64_t *out);
bool nx_jget_bool(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need, bool *out);
/* A new string that the caller frees (*out is freed first if it was set). */
bool nx_jget_string(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	char **out);
/* A string that must be one of names[0..n): *out is its index. */
bool nx_jget_enum(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	const char *const *names, size_t n, int *out);
/* Arrays and objects; *out is borrowed. */
bool nx_jget_array(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	const struct nx_jv **out);
bool nx_jget_object(struct nx_jcheck *c, const struct nx_jv *v, const char *key, enum nx_jneed need,
	const struct nx_jv **out);
/* Notes a mistake unless 'v' is an object. */
bool nx_jcheck_object(struct nx_jcheck *c, const struct nx_jv *v);

/* Warns (nx_warn) of each key of 'v' that is not in known[] but close to one of them. */
void nx_jcheck_keys(struct nx_jcheck *c, const struct nx_jv *v, const char *const *known, size_t n);

/* Checks that "format" is "<kind>/<major>" ("nexus-plan", 1); notes a mistake otherwise. */
bool nx_jcheck_format(struct nx_jcheck *c, const struct nx_jv *v, const char *kind, int major);

/* ---- writing -------------------------------------------------------------------------------- */

enum nx_jstyle { NX_JCOMPACT, NX_JPRETTY };
#define NX_JW_DEPTH 64

/* A streaming writer onto 'out'; misuse (a value without key) is a bug. */
struct nx_jw {
	struct nx_buf *out;
	enum nx_jstyle style;
	int depth;
	struct {
		bool object, empty, inline_; /* inline_: on one line even when pretty */
	} level[NX_JW_DEPTH];
	bool after_key;
};

void nx_jw_init(struct nx_jw *w, struct nx_buf *out, enum nx_jstyle style);
void nx_jw_key(struct nx_jw *w, const char *key);
void nx_jw_object(struct nx_jw *w);        /* { */
void nx_jw_object_inline(struct nx_jw *w); /* { … } on one line also when pretty */
void nx_jw_array(struct nx_jw *w);         /* [ */
void nx_jw_array_inline(struct nx_jw *w);
void nx_jw_end(struct nx_jw *w); /* the innermost } or ]; the outermost adds "\n" */
void nx_jw_string(struct nx_jw *w, const char *s); /* ill-formed UTF-8 becomes U+FFFD */
void nx_jw_number(struct nx_jw *w, double v);      /* shortest that reads back equal; finite */
void nx_jw_int(struct nx_jw *w, int64_t v);
void nx_jw_bool(struct nx_jw *w, bool v);
void nx_jw_null(struct nx_jw *w);
void nx_jw_raw(struct nx_jw *w, const char *json, size_t len); /* a value that is JSON already */
void nx_jw_value(struct nx_jw *w, const struct nx_jv *v);

/* Shorthands: key and value. */
void nx_jw_kstring(struct nx_jw *w, const char *key, const char *s); /* nothing when s is NULL */
void nx_jw_knumber(struct nx_jw *w, const char *key, double v);
void nx_jw_kint(struct nx_jw *w, const char *key, int64_t v);
void nx_jw_kbool(struct nx_jw *w, const char *key, bool v);

/* Shortest decimal of a finite double that strtod reads back equal (at most 24 characters). */
void nx_json_format_number(double v, char out[32]);

/* ---- jq ------------------------------------------------------------------------------------- */

struct nx_jq; /* a compiled program; not thread-safe: one per thread */

/* NX_EUSAGE with jq's own message if the program does not compile. */
int nx_jq_compile(const char *program, struct nx_jq **out, struct nx_err *err);
void nx_jq_free(struct nx_jq **jq);

/* Runs it on one JSON text; every result goes to 'emit' as compact JSON text, which may return
 * -NX_E… (err set) to stop.  NX_EDATA if the program raises an error, after its results so far. */
int nx_jq_run(struct nx_jq *jq, const char *json, size_t len,
	int (*emit)(void *arg, const char *json, size_t len, struct nx_err *err), void *arg,
	struct nx_err *err);

/* ---- scanning, without libjq: for request bodies on the hot path ------------------------------ */

enum nx_jtoken {
	NX_JT_END,
	NX_JT_ERROR,
	NX_JT_OBJECT,
	NX_JT_OBJECT_END,
	NX_JT_ARRAY,
	NX_JT_ARRAY_END,
	NX_JT_KEY,
	NX_JT_STRING,
	NX_JT_NUMBER,
	NX_JT_TRUE,
	NX_JT_FALSE,
	NX_JT_NULL
};

/* A strict pull tokenizer over text that stays where it is (RFC 8259; depth at most 64). */
struct nx_jscan {
	const char *text;
	size_t len, pos;
	int depth;
	char stack[NX_JW_DEPTH];
	int state;
	size_t start, end; /* bytes of the token just read; strings and keys without quotes */
	double number;
	int line;          /* of the token, from 1 */
	const char *error; /* after NX_JT_ERROR */
};

void nx_jscan_init(struct nx_jscan *s, const char *text, size_t len);
enum nx_jtoken nx_jscan_next(struct nx_jscan *s);
/* After a token that opens a value: skips to its end. 0 or -1. */
int nx_jscan_skip(struct nx_jscan *s, enum nx_jtoken first);
/* The unescaped text of the string or key just read; a new string, NULL if ill-formed. */
char *nx_jscan_string(const struct nx_jscan *s);
/* Whether the key or string just read is exactly 'word' (escapes not considered). */
bool nx_jscan_is(const struct nx_jscan *s, const char *word);

#endif
