/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of an ONNX file, made beside its reading: it takes as long as all the rest. */
#ifndef NX_MODEL_HASHING_H
#define NX_MODEL_HASHING_H

#include "core/digest.h"
#include "model/build.h"

#include <pthread.h>

struct nx_hashing {
	const struct nx_onnx_file *file;
	pthread_t thread;
	bool started; /* a thread of its own */
	int rc;
	struct nx_err err;
	char digest[NX_DIGEST_SIZE];
};

/* 'h' and 'file' stay where they are until nx_hashing_finish(), which must follow. */
void nx_hashing_start(struct nx_hashing *h, const struct nx_onnx_file *file);
/* Waits for h->digest.  Errors of reading. */
int nx_hashing_finish(struct nx_hashing *h, struct nx_err *err);

#endif
