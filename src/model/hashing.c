/* SPDX-License-Identifier: Apache-2.0 */
#include "model/hashing.h"

#include "core/alloc.h"

#include <stdlib.h>

#define THREAD_MIN ((size_t)1 << 20)   /* bytes worth a thread */
#define CHUNK      ((size_t)256 << 10) /* stays in the cache between reading and hashing */

/* A file that is read piece by piece. */
static int hash_pieces(struct nx_hashing *h)
{
	struct nx_digest *d = nx_digest_new();
	uint8_t *chunk = nx_alloc(CHUNK, 1);

	for (size_t at = 0; h->rc == 0 && at < h->file->len; at += CHUNK) {
		size_t left = h->file->len - at, n = left < CHUNK ? left : CHUNK;
		h->rc = nx_onnx_read(h->file, at, chunk, n, &h->err);
		if (h->rc == 0)
			nx_digest_add(d, chunk, n);
	}
	nx_digest_finish(&d, h->digest);
	free(chunk);
	return h->rc;
}

static void *hash(void *arg)
{
	struct nx_hashing *h = arg;

	if (h->file->data)
		nx_digest_of(h->file->data, h->file->len, h->digest);
	else
		hash_pieces(h);
	return NULL;
}

void nx_hashing_start(struct nx_hashing *h, const struct nx_onnx_file *file)
{
	*h = (struct nx_hashing){ .file = file, .err = NX_ERR_INIT };
	h->started = file->len >= THREAD_MIN && pthread_create(&h->thread, NULL, hash, h) == 0;
}

int nx_hashing_finish(struct nx_hashing *h, struct nx_err *err)
{
	if (h->started)
		pthread_join(h->thread, NULL);
	else
		hash(h);
	if (h->rc)
		*err = h->err;
	return h->rc;
}
