/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (OpenSSL's libcrypto), printed as "sha256:<64 hex digits>". */
#ifndef NX_CORE_DIGEST_H
#define NX_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define NX_DIGEST_SIZE  72 /* "sha256:" + 64 + NUL */
#define NX_DIGEST_BYTES 32

struct nx_digest; /* a running hash */

struct nx_digest *nx_digest_new(void);
void nx_digest_add(struct nx_digest *d, const void *data, size_t len);
/* Writes the printed form, frees *d and sets it to NULL. */
void nx_digest_finish(struct nx_digest **d, char out[NX_DIGEST_SIZE]);
/* The same, as bytes. */
void nx_digest_finish_bytes(struct nx_digest **d, uint8_t out[NX_DIGEST_BYTES]);

void nx_digest_of(const void *data, size_t len, char out[NX_DIGEST_SIZE]);

#endif
