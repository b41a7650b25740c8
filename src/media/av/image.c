/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single pictures go straight to the decoder, without a demuxer: less code sees hostile bytes,
 * and nothing can be opened from within them.
 */
#include "media/av/image.h"

#include "media/av/convert.h"

#include <libavcodec/avcodec.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static enum AVCodecID codec_of(enum nx_image_kind kind)
{
	switch (kind) {
	case NX_IMAGE_JPEG:
		return AV_CODEC_ID_MJPEG;
	case NX_IMAGE_PNG:
		return AV_CODEC_ID_PNG;
	case NX_IMAGE_BMP:
		return AV_CODEC_ID_BMP;
	case NX_IMAGE_WEBP:
		return AV_CODEC_ID_WEBP;
	case NX_IMAGE_GIF:
		return AV_CODEC_ID_GIF;
	case NX_IMAGE_NONE:
		break;
	}
	return AV_CODEC_ID_NONE;
}

static AVCodecContext *open_decoder(enum nx_image_kind kind, size_t max_pixels, int *ret)
{
	const AVCodec *codec = avcodec_find_decoder(codec_of(kind));
	AVCodecContext *ctx = codec ? avcodec_alloc_context3(codec) : NULL;

	*ret = codec ? AVERROR(ENOMEM) : AVERROR_DECODER_NOT_FOUND;
	if (!ctx)
		return NULL;
	ctx->thread_count = 1;
	ctx->max_pixels = (int64_t)max_pixels;
	/* Half a picture is an error here, where a player would show it. */
	ctx->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
	*ret = avcodec_open2(ctx, codec, NULL);
	if (*ret < 0)
		avcodec_free_context(&ctx);
	return ctx;
}

/* Decoders read a little beyond their input, which is copied to where that is allowed. */
static int decode_first(AVCodecContext *ctx, const void *data, size_t len, AVFrame *frame)
{
	AVPacket *pkt = av_packet_alloc();
	int ret = pkt ? av_new_packet(pkt, (int)len) : AVERROR(ENOMEM);

	if (ret == 0) {
		memcpy(pkt->data, data, len);
		pkt->flags |= AV_PKT_FLAG_KEY;
		ret = avcodec_send_packet(ctx, pkt);
	}
	if (ret == 0)
		ret = avcodec_receive_frame(ctx, frame);
	if (ret == AVERROR(EAGAIN)) {
		avcodec_send_packet(ctx, NULL);
		ret = avcodec_receive_frame(ctx, frame);
	}
	if (ret == AVERROR_EOF || (ret == 0 && frame->decode_error_flags))
		ret = AVERROR_INVALIDDATA;
	av_packet_free(&pkt);
	return ret;
}

int nx_av_decode_image(enum nx_image_kind kind, const void *data, size_t len, size_t max_pixels,
	struct nx_frame *out, struct nx_err *err)
{
	struct nx_convert convert = { 0 };
	AVCodecContext *ctx = NULL;
	AVFrame *frame = NULL;
	int ret = 0, rc;

	if (len > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
		return nx_err_set(err, NX_EDATA, "a picture of %zu bytes is too long", len);
	ctx = open_decoder(kind, max_pixels, &ret);
	frame = ctx ? av_frame_alloc() : NULL;
	if (frame)
		ret = decode_first(ctx, data, len, frame);
	rc = ret < 0 ? nx_av_fail(err, ret, "cannot decode")
		     : nx_convert_rgb(&convert, frame, false, out, err);
	nx_convert_release(&convert);
	av_frame_free(&frame);
	avcodec_free_context(&ctx);
	return rc;
}

/* libav* counts JPEG quality the other way round: quantiser scale 1 (best) to 31. */
static int jpeg_scale(int quality)
{
	return 1 + (100 - quality) * 30 / 99;
}

static AVCodecContext *open_encoder(const struct nx_frame *f, bool jpeg, int quality, int *ret)
{
	const AVCodec *codec = avcodec_find_encoder(jpeg ? AV_CODEC_ID_MJPEG : AV_CODEC_ID_PNG);
	AVCodecContext *ctx = codec ? avcodec_alloc_context3(codec) : NULL;

	*ret = codec ? AVERROR(ENOMEM) : AVERROR_ENCODER_NOT_FOUND;
	if (!ctx)
		return NULL;
	ctx->width = f->width;
	ctx->height = f->height;
	ctx->time_base = (AVRational){ 1, 25 }; /* asked for, not used */
	ctx->thread_count = 1;
	ctx->pix_fmt = jpeg ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_RGB24;
	if (jpeg) {
		ctx->flags |= AV_CODEC_FLAG_QSCALE;
		ctx->global_quality = jpeg_scale(quality) * FF_QP2LAMBDA;
		ctx->qmin = 1;
	}
	*ret = avcodec_open2(ctx, codec, NULL);
	if (*ret < 0)
		avcodec_free_context(&ctx);
	return ctx;
}

/* The frame in the encoder's pixel format, or NULL. */
static AVFrame *frame_for(const AVCodecContext *ctx, const struct nx_frame *f)
{
	const uint8_t *const src[4] = { f->rgb };
	const int src_stride[4] = { f->width * 3 };
	bool jpeg = ctx->pix_fmt == AV_PIX_FMT_YUVJ420P;
	AVFrame *frame = av_frame_alloc();
	struct SwsContext *sws = sws_getContext(f->width, f->height, AV_PIX_FMT_RGB24, f->width,
		f->height, jpeg ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_RGB24,
		SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);

	if (frame && sws) {
		const int *bt601 = sws_getCoefficients(SWS_CS_ITU601);
		frame->format = ctx->pix_fmt;
		frame->width = f->width;
		frame->height = f->height;
		frame->quality = ctx->global_quality;
		if (jpeg)
			sws_setColorspaceDetails(sws, bt601, 1, bt601, 1, 0, 1 << 16, 1 << 16);
		if (av_frame_get_buffer(frame, 0) == 0 &&
			sws_scale(sws, src, src_stride, 0, f->height, frame->data,
				frame->linesize) == f->height) {
			sws_freeContext(sws);
			return frame;
		}
	}
	sws_freeContext(sws);
	av_frame_free(&frame);
	return NULL;
}

static int encode(AVCodecContext *ctx, AVFrame *frame, void **out, size_t *len)
{
	AVPacket *pkt = av_packet_alloc();
	int ret = pkt ? avcodec_send_frame(ctx, frame) : AVERROR(ENOMEM);

	if (ret == 0)
		ret = avcodec_receive_packet(ctx, pkt);
	if (ret == 0) {
		*out = malloc((size_t)pkt->size);
		if (*out) {
			memcpy(*out, pkt->data, (size_t)pkt->size);
			*len = (size_t)pkt->size;
		} else {
			ret = AVERROR(ENOMEM);
		}
	}
	av_packet_free(&pkt);
	return ret;
}

int nx_av_encode_image(const struct nx_frame *f, bool jpeg, int quality, void **out, size_t *len,
	struct nx_err *err)
{
	int ret = 0;
	AVCodecContext *ctx = open_encoder(f, jpeg, quality, &ret);
	AVFrame *frame = ctx ? frame_for(ctx, f) : NULL;

	if (ret == 0)
		ret = frame ? encode(ctx, frame, out, len) : AVERROR(ENOMEM);
	av_frame_free(&frame);
	avcodec_free_context(&ctx);
	return ret < 0 ? nx_av_fail(err, ret, "cannot encode a picture") : 0;
}
