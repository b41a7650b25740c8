/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests, made before a load begins and sent over and over. */
#ifndef NX_BENCH_PAYLOAD_H
#define NX_BENCH_PAYLOAD_H

#include "bench/frames.h"
#include "core/buf.h"
#include "core/err.h"
#include "model/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_PAYLOAD_MAX_BYTES ((size_t)256 << 20) /* of all payloads of a load together */

/* Requests of one row for one model. */
struct nx_payload {
	struct nx_buf body[NX_FRAMES_MAX];
	size_t json_len[NX_FRAMES_MAX];
	size_t n;
};

void nx_payload_release(struct nx_payload *p);

/* Whether the model takes one picture a row, so that nx_payload_pictures can serve it. */
bool nx_payload_takes_pictures(const struct nx_model *m);

/* Every frame as a row of the model, as many as max_bytes allow but at least one. */
int nx_payload_pictures(struct nx_payload *p, const struct nx_model *m,
	const struct nx_frames *frames, size_t max_bytes, struct nx_err *err);

/* Seeded random tensors for the inputs that a server's answer to GET /v2/models/NAME names, open
 * dimensions as 1: floats in [0, 1), integers 0 or 1.  NX_EDATA if the text is no such answer or
 * an input is of a type that cannot be made up. */
int nx_payload_random(struct nx_payload *p, const char *metadata, size_t len, const char *source,
	uint64_t seed, size_t max_bytes, struct nx_err *err);

#endif
