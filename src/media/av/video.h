/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_MEDIA_AV_VIDEO_H
#define NX_MEDIA_AV_VIDEO_H

#include "media/av/av.h"

/* The video half of the table in av.h. */
int nx_av_video_open(int fd, const char *name, struct nx_video **out, struct nx_err *err);
int nx_av_video_next(struct nx_video *v, struct nx_frame *f, struct nx_err *err);
double nx_av_video_fps(const struct nx_video *v);
void nx_av_video_close(struct nx_video **v);

#endif
