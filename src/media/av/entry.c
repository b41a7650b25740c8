/* SPDX-License-Identifier: Apache-2.0 */
/* The one exported symbol of media.so. */
#include "media/av/av.h"
#include "media/av/image.h"
#include "media/av/video.h"

#include <libavutil/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* libav*'s log callback has no argument of ours; set once, before any thread starts. */
static const struct nx_media_host *the_host;

/* What libav* says of hostile files is not for users (we have our own message), only for
 * debugging. */
__attribute__((format(printf, 3, 0))) static void on_log(
	void *object, int level, const char *fmt, va_list args)
{
	char text[512];

	(void)object;
	if (level > AV_LOG_INFO)
		return;
	int n = vsnprintf(text, sizeof text, fmt, args);
	if (n < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	the_host->debug(text);
}

__attribute__((visibility("default"))) const struct nx_media_ops *nx_media_entry(
	const struct nx_media_host *host);

const struct nx_media_ops *nx_media_entry(const struct nx_media_host *host)
{
	static const struct nx_media_ops ops = {
		.abi = NX_MEDIA_ABI,
		.size = sizeof ops,
		.decode_image = nx_av_decode_image,
		.encode_image = nx_av_encode_image,
		.video_open = nx_av_video_open,
		.video_next = nx_av_video_next,
		.video_fps = nx_av_video_fps,
		.video_close = nx_av_video_close,
	};

	the_host = host;
	av_log_set_callback(on_log);
	return &ops;
}
