/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/frames.h"

#include "core/alloc.h"
#include "core/rng.h"

#include <string.h>

#define DECODE_MAX   1024 /* frames looked at: a source may be endless */
#define NOISE_FRAMES 16
#define NOISE_WIDTH  320
#define NOISE_HEIGHT 240

static size_t frame_bytes(const struct nx_frame *f)
{
	return (size_t)f->width * (size_t)f->height * 3;
}

/* Keeps every second frame. */
static void thin(struct nx_frames *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (i % 2)
			nx_frame_release(&f->frame[i]);
		else
			f->frame[kept++] = f->frame[i];
	}
	f->n = kept;
}

/* Adds a frame (taken) where the stride asks for it, and doubles the stride when there is no room. */
static void add_frame(struct nx_frames *f, struct nx_frame *next, size_t i, size_t *stride)
{
	while (i % *stride == 0) {
		size_t bytes = frame_bytes(next);
		for (size_t k = 0; k < f->n; k++)
			bytes += frame_bytes(&f->frame[k]);
		if (f->n == 0 || (f->n < NX_FRAMES_MAX && bytes <= NX_FRAMES_MAX_BYTES)) {
			f->frame[f->n++] = *next;
			return;
		}
		thin(f);
		*stride *= 2;
	}
	nx_frame_release(next);
}

int nx_frames_load(struct nx_frames *f, const char *path, struct nx_err *err)
{
	struct nx_source *source;
	size_t stride = 1;

	f->n = 0;
	int rc = nx_source_open(path, &source, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < DECODE_MAX; i++) {
		struct nx_frame next = { 0 };
		rc = nx_source_next(source, &next, err);
		if (rc <= 0)
			break;
		add_frame(f, &next, i, &stride);
	}
	nx_source_close(&source);
	if (rc < 0)
		nx_frames_release(f);
	else if (f->n == 0)
		rc = nx_err_set(err, NX_EDATA, "'%s' has no frames", path);
	return rc < 0 ? rc : 0;
}

void nx_frames_noise(struct nx_frames *f, uint64_t seed)
{
	struct nx_rng rng;

	nx_rng_init(&rng, seed);
	f->n = NOISE_FRAMES;
	for (size_t i = 0; i < f->n; i++) {
		struct nx_frame *p = &f->frame[i];
		*p = (struct nx_frame){ NOISE_WIDTH, NOISE_HEIGHT, NULL, (int64_t)i, 0 };
		p->rgb = nx_alloc(frame_bytes(p), 1);
		for (size_t k = 0; k < frame_bytes(p); k++)
			p->rgb[k] = (uint8_t)(nx_rng_u64(&rng) >> 56);
	}
}

void nx_frames_release(struct nx_frames *f)
{
	for (size_t i = 0; i < f->n; i++)
		nx_frame_release(&f->frame[i]);
	f->n = 0;
}

void nx_frames_copy(const struct nx_frames *f, size_t i, struct nx_frame *out)
{
	*out = f->frame[i];
	out->rgb = nx_realloc(NULL, frame_bytes(out), 1);
	memcpy(out->rgb, f->frame[i].rgb, frame_bytes(out));
}
