/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share and nobody else sees. */
#ifndef NX_JSON_INTERNAL_H
#define NX_JSON_INTERNAL_H

#include "json/json.h"

/* States of struct nx_jscan: what may come next. */
enum {
	NX_JS_START,      /* a top-level value, or nothing */
	NX_JS_VALUE,      /* a value */
	NX_JS_FIRST_ITEM, /* a value or ']' */
	NX_JS_FIRST_KEY,  /* a key or '}' */
	NX_JS_KEY,        /* a key */
	NX_JS_COLON,      /* the ':' behind a key, then a value */
	NX_JS_AFTER,      /* ',' or the end of what is open; the end of the text if nothing is */
	NX_JS_ERROR
};

/* Longest number that is read; JSON itself sets no limit. */
#define NX_JSON_NUMBER_MAX 400

/* The value of a well-formed JSON number of 'len' bytes, whatever the locale; it may be infinite,
 * and is NaN when the number is longer than NX_JSON_NUMBER_MAX. */
double nx_json_parse_number(const char *text, size_t len);

/* Bytes of libjq's messages that we pass on: it quotes whole inputs. */
#define NX_JSON_MESSAGE_MAX 200

#endif
