/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer; always NUL-terminated behind its last byte, so that it can be read as
 * a string.  Zero-initialise with NX_BUF_INIT. */
#ifndef NX_CORE_BUF_H
#define NX_CORE_BUF_H

#include <stddef.h>

struct nx_buf {
	char *data; /* NULL while empty and never grown */
	size_t len; /* bytes in use, without the NUL */
	size_t cap;
};

#define NX_BUF_INIT        \
	{                  \
		NULL, 0, 0 \
	}

void nx_buf_release(struct nx_buf *b);                           /* frees; reusable after */
void nx_buf_clear(struct nx_buf *b);                             /* empties, keeps memory */
void nx_buf_reserve(struct nx_buf *b, size_t more);              /* room for more bytes */
void nx_buf_add(struct nx_buf *b, const void *data, size_t len); /* appends bytes */
void nx_buf_addc(struct nx_buf *b, char c);                      /* appends one byte */
void nx_buf_adds(struct nx_buf *b, const char *s);               /* appends a string */
void nx_buf_addf(struct nx_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nx_buf_drop(struct nx_buf *b, size_t n); /* removes n bytes in front */

/* The bytes as a malloc-ed string that the caller owns ("" if empty); the buffer is empty after. */
char *nx_buf_take(struct nx_buf *b);

#endif
