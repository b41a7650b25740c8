/* SPDX-License-Identifier: Apache-2.0 */
/* The pictures a load is made of, decoded before it begins. */
#ifndef NX_BENCH_FRAMES_H
#define NX_BENCH_FRAMES_H

#include "core/err.h"
#include "media/media.h"

#include <stddef.h>
#include <stdint.h>

#define NX_FRAMES_MAX       64
#define NX_FRAMES_MAX_BYTES ((size_t)256 << 20)

struct nx_frames {
	struct nx_frame frame[NX_FRAMES_MAX];
	size_t n; /* at least one once filled */
};

/* Frames of a source (as nx_source_open takes it), evenly spaced over its first 1024, so that they
 * differ: at most NX_FRAMES_MAX of them and NX_FRAMES_MAX_BYTES together, but one in any case.  NX_EDATA when it has none. */
int nx_frames_load(struct nx_frames *f, const char *source, struct nx_err *err);
/* Pictures of seeded noise. */
void nx_frames_noise(struct nx_frames *f, uint64_t seed);
void nx_frames_release(struct nx_frames *f);
/* A copy of a frame with its bytes; the caller releases. */
void nx_frames_copy(const struct nx_frames *f, size_t i, struct nx_frame *out);

#endif
