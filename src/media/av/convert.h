/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded pictures in whatever pixel format to packed RGB, and libav*'s errors to ours. */
#ifndef NX_MEDIA_AV_CONVERT_H
#define NX_MEDIA_AV_CONVERT_H

#include "media/media.h"

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

/* A converter remembers the last picture's format, since that of a video rarely changes.  It
 * starts as all zeros. */
struct nx_convert {
	struct SwsContext *sws;
	AVFrame *rgb; /* aligned rows, as swscale's fast paths want them */
	int width, height, format, range, matrix;
};
void nx_convert_release(struct nx_convert *c);

/* Fills out->width, height and rgb from the picture.  'video' decides the matrix of pictures
 * that do not name theirs: still pictures are BT.601 whatever their size. */
int nx_convert_rgb(struct nx_convert *c, const AVFrame *in, bool video, struct nx_frame *out,
	struct nx_err *err);

/* Sets *err to libav*'s words for 'averror' behind "what"; memory trouble is NX_EOS, codecs that
 * are missing NX_EUNSUPP, all else NX_EDATA. */
int nx_av_fail(struct nx_err *err, int averror, const char *what);

#endif
