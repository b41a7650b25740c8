/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures and videos through FFmpeg's libav*.  The code that sees libav* is a shared object of
 * its own (src/media/av, loaded on first use), so that a machine without FFmpeg runs all else.
 */
#ifndef NX_MEDIA_MEDIA_H
#define NX_MEDIA_MEDIA_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A picture in memory: packed 8-bit RGB, top row first, no padding between rows. */
struct nx_frame {
	int width, height;
	uint8_t *rgb;   /* width * height * 3 bytes, owned */
	int64_t index;  /* number in its source, from 0 */
	double time_ms; /* presentation time in its source */
};
void nx_frame_release(struct nx_frame *f);

/* Loads the media library; NX_EUNAVAIL in one line when it cannot be.  Idempotent, thread-safe;
 * the other functions call it themselves, so this only serves to fail early. */
int nx_media_load(struct nx_err *err);

/* Decodes one encoded picture (JPEG, PNG, …: the bytes decide).  Larger than 'max_pixels' is
 * NX_EDATA before anything is allocated.  Thread-safe. */
int nx_media_decode_image(
	const void *data, size_t len, size_t max_pixels, struct nx_frame *out, struct nx_err *err);

/* Encodes to JPEG (quality 1..100) or PNG ("jpeg", "png"); the caller frees *out. */
int nx_media_encode_image(const struct nx_frame *f, const char *codec, int quality, void **out,
	size_t *len, struct nx_err *err);

/* Frames of a source: a video file, a picture, a directory (its pictures and videos in name
 * order, told by their endings), "-" (a video stream or a sequence of JPEGs on standard input).
 * A frame's index counts over the whole source; its time is that of its own file (pictures: 0).
 * Opening a file or "-" reads its header (and waits for it), a directory its names. */
struct nx_source;
int nx_source_open(const char *path, struct nx_source **out, struct nx_err *err);
/* 1 and the next frame (caller releases), 0 at the end, <0 on error.  A damaged video is an error
 * after all of its frames that could be decoded.  Called again after an error it goes on with the
 * next file of a directory. */
int nx_source_next(struct nx_source *s, struct nx_frame *f, struct nx_err *err);
double nx_source_fps(const struct nx_source *s);       /* of the open video; 0: unknown */
const char *nx_source_name(const struct nx_source *s); /* of the file the last frame is from */
void nx_source_close(struct nx_source **s);

/* Scales the part x0,y0,x1,y1 (pixels, may be fractional, clipped to the frame; NULL: all) of a
 * frame to width x height packed RGB, bilinear when enlarging or mildly shrinking, area-averaging
 * when shrinking more.  'out' holds width*height*3 bytes.  Thread-safe. */
int nx_media_scale(const struct nx_frame *f, const double box[4], int width, int height,
	uint8_t *out, struct nx_err *err);

/* The part of 'box' (NULL: the whole) that lies in the frame; NX_EDATA when there is none. */
int nx_media_clip_box(
	const struct nx_frame *f, const double box[4], double out[4], struct nx_err *err);

#endif
