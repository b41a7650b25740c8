/* SPDX-License-Identifier: Apache-2.0 */
#include "media/av/convert.h"

#include "core/alloc.h"

#include <libavutil/error.h>
#include <libavutil/pixdesc.h>
#include <string.h>

/* From here on an unnamed matrix is BT.709 (HD), below it BT.601 (SD): what players assume. */
#define HD_HEIGHT 720

/* Exact rounding.  Full chroma interpolation on top has no vector code in swscale 6.7: 24 ms
 * instead of 4 for 1920x1080, for colour edges half a pixel sharper. */
#define SWS_FLAGS (SWS_BILINEAR | SWS_ACCURATE_RND)

int nx_av_fail(struct nx_err *err, int averror, const char *what)
{
	char text[AV_ERROR_MAX_STRING_SIZE] = "";
	int code = NX_EDATA;

	if (averror == AVERROR(ENOMEM))
		code = NX_EOS;
	else if (averror == AVERROR_DECODER_NOT_FOUND || averror == AVERROR_PATCHWELCOME)
		code = NX_EUNSUPP;
	av_strerror(averror, text, sizeof text);
	return nx_err_set(err, code, "%s: %s", what, text);
}

void nx_convert_release(struct nx_convert *c)
{
	sws_freeContext(c->sws);
	av_frame_free(&c->rgb);
	memset(c, 0, sizeof *c);
}

/* The "J" formats are the plain ones with full range; swscale wants that said apart. */
static enum AVPixelFormat plain_format(int format, int *range)
{
	switch (format) {
	case AV_PIX_FMT_YUVJ420P:
		*range = 1;
		return AV_PIX_FMT_YUV420P;
	case AV_PIX_FMT_YUVJ422P:
		*range = 1;
		return AV_PIX_FMT_YUV422P;
	case AV_PIX_FMT_YUVJ444P:
		*range = 1;
		return AV_PIX_FMT_YUV444P;
	case AV_PIX_FMT_YUVJ440P:
		*range = 1;
		return AV_PIX_FMT_YUV440P;
	case AV_PIX_FMT_YUVJ411P:
		*range = 1;
		return AV_PIX_FMT_YUV411P;
	default:
		return (enum AVPixelFormat)format;
	}
}

static int matrix_of(const AVFrame *in, bool video)
{
	switch (in->colorspace) {
	case AVCOL_SPC_BT709:
		return SWS_CS_ITU709;
	case AVCOL_SPC_BT2020_NCL:
	case AVCOL_SPC_BT2020_CL:
		return SWS_CS_BT2020;
	case AVCOL_SPC_SMPTE240M:
		return SWS_CS_SMPTE240M;
	case AVCOL_SPC_FCC:
		return SWS_CS_FCC;
	case AVCOL_SPC_BT470BG:
	case AVCOL_SPC_SMPTE170M:
		return SWS_CS_ITU601;
	default:
		return video && in->height >= HD_HEIGHT ? SWS_CS_ITU709 : SWS_CS_ITU601;
	}
}

/* Makes the converter ready for pictures like 'in'. */
static int prepare(struct nx_convert *c, const AVFrame *in, bool video, struct nx_err *err)
{
	int range = in->color_range == AVCOL_RANGE_JPEG;
	int format = plain_format(in->format, &range);
	int matrix = matrix_of(in, video);

	if (c->sws && c->width == in->width && c->height == in->height && c->format == format &&
		c->range == range && c->matrix == matrix)
		return 0;
	nx_convert_release(c);
	if (!sws_isSupportedInput(format)) {
		const char *name = av_get_pix_fmt_name(format);
		return nx_err_set(
			err, NX_EUNSUPP, "cannot convert pixel format '%s'", name ? name : "?");
	}
	c->sws = sws_getContext(in->width, in->height, format, in->width, in->height,
		AV_PIX_FMT_RGB24, SWS_FLAGS, NULL, NULL, NULL);
	c->rgb = av_frame_alloc();
	if (!c->sws || !c->rgb)
		return nx_err_set(err, NX_EOS, "cannot convert a picture of %dx%d pixels",
			in->width, in->height);
	/* Fails only where there is no matrix to set: the picture is RGB already. */
	sws_setColorspaceDetails(c->sws, sws_getCoefficients(matrix), range,
		sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
	c->rgb->format = AV_PIX_FMT_RGB24;
	c->rgb->width = in->width;
	c->rgb->height = in->height;
	if (av_frame_get_buffer(c->rgb, 0) < 0)
		return nx_err_set(err, NX_EOS, "no memory for a picture of %dx%d pixels", in->width,
			in->height);
	c->width = in->width;
	c->height = in->height;
	c->format = format;
	c->range = range;
	c->matrix = matrix;
	return 0;
}

int nx_convert_rgb(struct nx_convert *c, const AVFrame *in, bool video, struct nx_frame *out,
	struct nx_err *err)
{
	size_t row = (size_t)in->width * 3;

	if (prepare(c, in, video, err)) {
		nx_convert_release(c);
		return -err->code;
	}
	int n = sws_scale(c->sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height,
		c->rgb->data, c->rgb->linesize);
	if (n != in->height)
		return nx_err_set(err, NX_EDATA, "cannot convert a picture to RGB");

	uint8_t *rgb = nx_try_alloc((size_t)in->height, row);
	if (!rgb)
		return nx_err_set(err, NX_EOS, "no memory for a picture of %dx%d pixels", in->width,
			in->height);
	for (int y = 0; y < in->height; y++)
		memcpy(rgb + (size_t)y * row, c->rgb->data[0] + (ptrdiff_t)y * c->rgb->linesize[0],
			row);
	out->width = in->width;
	out->height = in->height;
	out->rgb = rgb;
	return 0;
}
