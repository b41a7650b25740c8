/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"

#include "core/alloc.h"
#include "core/err.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nx_digest {
	EVP_MD_CTX *ctx;
};

struct nx_digest *nx_digest_new(void)
{
	struct nx_digest *d = nx_alloc(1, sizeof *d);

	d->ctx = EVP_MD_CTX_new();
	NX_ASSERT(d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
	return d;
}

void nx_digest_add(struct nx_digest *d, const void *data, size_t len)
{
	NX_ASSERT(EVP_DigestUpdate(d->ctx, data, len) == 1);
}

void nx_digest_finish_bytes(struct nx_digest **d, uint8_t out[NX_DIGEST_BYTES])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	NX_ASSERT(EVP_DigestFinal_ex((*d)->ctx, hash, &n) == 1 && n == NX_DIGEST_BYTES);
	memcpy(out, hash, NX_DIGEST_BYTES);
	EVP_MD_CTX_free((*d)->ctx);
	free(*d);
	*d = NULL;
}

void nx_digest_finish(struct nx_digest **d, char out[NX_DIGEST_SIZE])
{
	uint8_t hash[NX_DIGEST_BYTES];

	nx_digest_finish_bytes(d, hash);
	memcpy(out, "sha256:", 8);
	for (size_t i = 0; i < NX_DIGEST_BYTES; i++)
		snprintf(out + 7 + 2 * i, 3, "%02x", hash[i]);
}

void nx_digest_of(const void *data, size_t len, char out[NX_DIGEST_SIZE])
{
	struct nx_digest *d = nx_digest_new();

	nx_digest_add(d, data, len);
	nx_digest_finish(&d, out);
}
