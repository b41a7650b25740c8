/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"

#include "core/alloc.h"
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nx_buf_release(struct nx_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

void nx_buf_clear(struct nx_buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void nx_buf_reserve(struct nx_buf *b, size_t more)
{
	b->data = nx_grow(b->data, &b->cap, b->len + more + 1, 1);
	b->data[b->len] = '\0';
}

void nx_buf_add(struct nx_buf *b, const void *data, size_t len)
{
	nx_buf_reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void nx_buf_addc(struct nx_buf *b, char c)
{
	nx_buf_add(b, &c, 1);
}

void nx_buf_adds(struct nx_buf *b, const char *s)
{
	nx_buf_add(b, s, strlen(s));
}

void nx_buf_addf(struct nx_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	NX_ASSERT(n >= 0);
	nx_buf_reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void nx_buf_drop(struct nx_buf *b, size_t n)
{
	NX_ASSERT(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

char *nx_buf_take(struct nx_buf *b)
{
	char *s = b->data ? b->data : nx_strdup("");

	b->data = NULL;
	b->len = b->cap = 0;
	return s;
}
