/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory follows the bytes: a Content-Length is believed up to a megabyte, beyond that the block
 * doubles as it fills.  So a client pays with traffic for what it makes us hold, and an honest
 * body of usual size is allocated once and never copied.
 */
#include "net/body.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FIRST_BLOCK ((size_t)1 << 20) /* trusted at once from a Content-Length */
#define ALIGNMENT   64

void nx_http_body_init(struct nx_http_body *b, size_t limit)
{
	memset(b, 0, sizeof *b);
	b->limit = limit;
}

void nx_http_body_release(struct nx_http_body *b)
{
	if (b->z) {
		inflateEnd(b->z);
		free(b->z);
	}
	free(b->data);
	nx_http_body_init(b, b->limit);
}

/* Makes the block at least 'need' bytes; not nx_try_alloc, which clears what is overwritten. */
static int grow(struct nx_http_body *b, size_t need)
{
	void *p = NULL;
	size_t cap = need > b->cap * 2 ? need : b->cap * 2;

	if (need <= b->cap)
		return 0;
	if (need > b->limit)
		return 413;
	if (cap > b->limit)
		cap = b->limit;
	if (posix_memalign(&p, ALIGNMENT, cap))
		return 500;
	if (b->len)
		memcpy(p, b->data, b->len);
	free(b->data);
	b->data = p;
	b->cap = cap;
	return 0;
}

int nx_http_body_unpack(struct nx_http_body *b)
{
	b->z = nx_alloc(1, sizeof *b->z);
	/* 32: gzip or zlib, found out from the header. */
	if (inflateInit2(b->z, 15 + 32) != Z_OK) {
		free(b->z);
		b->z = NULL;
		return 500;
	}
	return 0;
}

/* One step of unpacking; b->z->avail_out is 0 afterwards if there may be more to come. */
static int inflate_some(struct nx_http_body *b)
{
	unsigned char beyond; /* a full body is only wrong if one more byte comes out */
	unsigned char *out = &beyond;
	unsigned room = 1;

	if (b->len < b->limit) {
		size_t want = b->cap ? b->cap * 2 : 16384;
		int e = b->len < b->cap ? 0 : grow(b, want > b->limit ? b->limit : want);
		if (e)
			return e;
		size_t left = b->cap - b->len;
		out = (unsigned char *)b->data + b->len;
		room = left > 1u << 30 ? 1u << 30 : (unsigned)left;
	}
	b->z->next_out = out;
	b->z->avail_out = room;
	int rc = inflate(b->z, Z_NO_FLUSH);
	if (rc == Z_STREAM_END)
		b->z_ended = true;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return rc == Z_MEM_ERROR ? 500 : 400;
	if (out != &beyond)
		b->len += room - b->z->avail_out;
	else if (b->z->avail_out == 0)
		return 413;
	return 0;
}

static int add_packed(struct nx_http_body *b, const void *data, size_t len)
{
	const char *in = data;

	while (len) {
		unsigned piece = len > 1u << 30 ? 1u << 30 : (unsigned)len;
		b->z->next_in = (unsigned char *)(size_t)in;
		b->z->avail_in = piece;
		/* Output that fills the block exactly may hide more: go on until room is left. */
		do {
			if (b->z_ended)
				return b->z->avail_in ? 400 : 0;
			int rc = inflate_some(b);
			if (rc)
				return rc;
		} while (b->z->avail_in || b->z->avail_out == 0);
		in += piece;
		len -= piece;
	}
	return 0;
}

int nx_http_body_add(struct nx_http_body *b, const void *data, size_t len)
{
	if (b->z)
		return add_packed(b, data, len);
	if (len > b->limit - b->len)
		return 413;
	int rc = grow(b, b->len + len);
	if (rc || len == 0)
		return rc;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

int nx_http_body_space(struct nx_http_body *b, size_t want, void **at, size_t *got)
{
	if (b->len == b->cap) {
		size_t more = b->len > FIRST_BLOCK ? b->len : FIRST_BLOCK;
		if (want > b->limit - b->len)
			return 413;
		int rc = grow(b, b->len + (want < more ? want : more));
		if (rc)
			return rc;
	}
	*at = b->data + b->len;
	*got = b->cap - b->len < want ? b->cap - b->len : want;
	return 0;
}

int nx_http_body_finish(const struct nx_http_body *b)
{
	return b->z && !b->z_ended ? 400 : 0;
}
