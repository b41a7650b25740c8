/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Videos: demux, decode, convert, one frame a call.  Videos come from outside, so the demuxers
 * and decoders are those listed below and no others: no playlists (hls, concat, dash), no
 * formats that name other files, no scripted ones.
 *
 * Damage: what can be decoded is delivered, pictures the decoder calls damaged are not, and the
 * end of the video then is an error that says how much was lost and from where on.  A recording
 * with a scratch in the middle is worth more than nothing, and the user hears of it.  A video cut
 * short is noticed where its container has an index (MP4) or a length (Matroska), or a packet
 * breaks off; a transport stream cut between two packets is a whole transport stream.
 */
#include "media/av/video.h"

#include "core/alloc.h"
#include "media/av/convert.h"
#include "media/av/input.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <stdlib.h>
#include <string.h>

#define FORMATS                                                                                \
	"mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,mjpeg," \
	"flv,ogg,ivf,yuv4mpegpipe,nut"
#define CODECS                                                                                  \
	"h264,hevc,vp8,vp9,libdav1d,av1,mpeg1video,mpeg2video,mpeg4,h263,flv,mjpeg,png,theora," \
	"ffv1,rawvideo"

struct nx_video {
	char *name;
	struct nx_input input;
	AVFormatContext *demux;
	AVCodecContext *dec;
	AVPacket *pkt;
	AVFrame *frame;
	struct nx_convert convert;
	int stream;
	double fps;
	int64_t index;   /* of the next frame */
	double time_ms;  /* of the last frame */
	bool draining;   /* the demuxer has ended, the decoder gives what it still holds */
	int64_t damaged; /* packets and pictures lost */
	int64_t first;   /* frame before which the first was lost */
};

/* Demuxers must not open anything on their own. */
static int refuse_open(
	AVFormatContext *ctx, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
	(void)ctx;
	(void)io;
	(void)url;
	(void)flags;
	(void)options;
	return AVERROR(EACCES);
}

static int open_demuxer(struct nx_video *v, struct nx_err *err)
{
	/* A sequence of JPEGs has too little of a header to be recognised by probing. */
	const AVInputFormat *format =
		nx_input_is_jpeg(&v->input) ? av_find_input_format("mjpeg") : NULL;

	v->demux = avformat_alloc_context();
	if (!v->demux)
		return nx_err_set(err, NX_EOS, "no memory to open a video");
	v->demux->pb = v->input.io;
	v->demux->io_open = refuse_open;
	v->demux->format_whitelist = av_strdup(FORMATS);
	v->demux->codec_whitelist = av_strdup(CODECS);
	v->demux->protocol_whitelist = av_strdup("none");
	if (!v->demux->format_whitelist || !v->demux->codec_whitelist ||
		!v->demux->protocol_whitelist)
		return nx_err_set(err, NX_EOS, "no memory to open a video");

	/* Frees the context when it fails. */
	int ret = avformat_open_input(&v->demux, "", format, NULL);
	if (ret < 0 && v->input.error)
		return nx_err_set(err, NX_EIO, "cannot read: %s", strerror(v->input.error));
	if (ret < 0)
		return nx_av_fail(err, ret,
			v->input.seekable ? "no video that can be read"
					  : "no video that can be read from a pipe");
	ret = avformat_find_stream_info(v->demux, NULL);
	return ret < 0 ? nx_av_fail(err, ret, "cannot find a video stream") : 0;
}

/* The first video stream that is no cover picture; all others are not even demuxed. */
static int choose_stream(struct nx_video *v, struct nx_err *err)
{
	v->stream = -1;
	for (unsigned i = 0; i < v->demux->nb_streams; i++) {
		AVStream *s = v->demux->streams[i];
		if (v->stream < 0 && s->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
			!(s->disposition & AV_DISPOSITION_ATTACHED_PIC))
			v->stream = (int)i;
		else
			s->discard = AVDISCARD_ALL;
	}
	if (v->stream < 0)
		return nx_err_set(err, NX_EDATA, "there is no video stream");
	return 0;
}

static int open_decoder(struct nx_video *v, struct nx_err *err)
{
	AVStream *s = v->demux->streams[v->stream];
	const AVCodec *codec = avcodec_find_decoder(s->codecpar->codec_id);
	int64_t pixels = (int64_t)s->codecpar->width * s->codecpar->height;

	if (s->codecpar->codec_id == AV_CODEC_ID_NONE)
		return nx_err_set(err, NX_EDATA, "the video stream's header is damaged");
	if (!codec || !av_match_list(codec->name, CODECS, ','))
		return nx_err_set(err, NX_EUNSUPP, "cannot decode '%s'",
			avcodec_get_name(s->codecpar->codec_id));
	if (pixels > (int64_t)NX_VIDEO_MAX_PIXELS)
		return nx_err_set(err, NX_EDATA, "%dx%d pixels are more than %zu",
			s->codecpar->width, s->codecpar->height, NX_VIDEO_MAX_PIXELS);
	v->dec = avcodec_alloc_context3(codec);
	int ret = v->dec ? avcodec_parameters_to_context(v->dec, s->codecpar) : AVERROR(ENOMEM);
	if (ret >= 0) {
		/* Frame threads would hold frames back; many sources are many threads anyway. */
		v->dec->thread_count = 1;
		v->dec->max_pixels = (int64_t)NX_VIDEO_MAX_PIXELS;
		v->dec->pkt_timebase = s->time_base;
		ret = avcodec_open2(v->dec, codec, NULL);
	}
	if (ret < 0)
		return nx_av_fail(err, ret, "cannot open the video decoder");

	AVRational rate = av_guess_frame_rate(v->demux, s, NULL);
	v->fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
	return 0;
}

static int open_all(struct nx_video *v, int fd, struct nx_err *err)
{
	if (nx_input_open(&v->input, fd, err) || open_demuxer(v, err) || choose_stream(v, err) ||
		open_decoder(v, err))
		return -err->code;
	v->pkt = av_packet_alloc();
	v->frame = av_frame_alloc();
	if (!v->pkt || !v->frame)
		return nx_err_set(err, NX_EOS, "no memory to decode a video");
	return 0;
}

int nx_av_video_open(int fd, const char *name, struct nx_video **out, struct nx_err *err)
{
	struct nx_video *v = nx_alloc(1, sizeof *v);

	v->name = nx_strdup(name);
	if (open_all(v, fd, err)) {
		nx_err_wrap(err, "'%s'", name);
		nx_av_video_close(&v);
		return -err->code;
	}
	*out = v;
	return 0;
}

void nx_av_video_close(struct nx_video **video)
{
	struct nx_video *v = *video;

	if (!v)
		return;
	nx_convert_release(&v->convert);
	av_frame_free(&v->frame);
	av_packet_free(&v->pkt);
	avcodec_free_context(&v->dec);
	avformat_close_input(&v->demux);
	nx_input_close(&v->input);
	free(v->name);
	free(v);
	*video = NULL;
}

double nx_av_video_fps(const struct nx_video *v)
{
	return v->fps;
}

static void note_damage(struct nx_video *v)
{
	if (v->damaged++ == 0)
		v->first = v->index;
}

/* Gives the decoder the next packet of our stream, or the end. */
static void feed(struct nx_video *v)
{
	int ret;

	do {
		av_packet_unref(v->pkt);
		ret = av_read_frame(v->demux, v->pkt);
	} while (ret == 0 && v->pkt->stream_index != v->stream);
	if (ret < 0) {
		if (ret != AVERROR_EOF || v->input.error || nx_input_is_cut(&v->input))
			note_damage(v);
		v->draining = true;
		avcodec_send_packet(v->dec, NULL);
		return;
	}
	if (v->pkt->flags & AV_PKT_FLAG_CORRUPT) {
		note_damage(v);
	} else {
		/* Called only when the decoder asked for more, so EAGAIN cannot be. */
		ret = avcodec_send_packet(v->dec, v->pkt);
		if (ret < 0 && ret != AVERROR_EOF)
			note_damage(v);
	}
	av_packet_unref(v->pkt);
}

static int end_of_video(const struct nx_video *v, struct nx_err *err)
{
	if (v->input.error)
		return nx_err_set(
			err, NX_EIO, "cannot read '%s': %s", v->name, strerror(v->input.error));
	if (v->damaged && v->index == 0 && !v->input.seekable)
		return nx_err_set(err, NX_EDATA,
			"'%s' cannot be read from a pipe: damaged, or its index is at its end",
			v->name);
	if (v->damaged)
		return nx_err_set(err, NX_EDATA,
			"'%s' is damaged or truncated: %lld packets lost, the first at frame %lld",
			v->name, (long long)v->damaged, (long long)v->first);
	if (v->index == 0)
		return nx_err_set(err, NX_EDATA, "'%s' has no frame that can be decoded", v->name);
	return 0;
}

/* The decoder's time, as the container has it; without one, one frame interval on. */
static double time_of(const struct nx_video *v)
{
	int64_t ts = v->frame->best_effort_timestamp;

	if (ts != AV_NOPTS_VALUE)
		return (double)ts * av_q2d(v->demux->streams[v->stream]->time_base) * 1000;
	if (v->index == 0)
		return 0;
	return v->time_ms + (v->fps > 0 ? 1000 / v->fps : 0);
}

static int deliver(struct nx_video *v, struct nx_frame *f, struct nx_err *err)
{
	memset(f, 0, sizeof *f);
	if (nx_convert_rgb(&v->convert, v->frame, true, f, err))
		return nx_err_wrap(err, "'%s'", v->name);
	v->time_ms = time_of(v);
	f->time_ms = v->time_ms;
	f->index = v->index++;
	return 1;
}

int nx_av_video_next(struct nx_video *v, struct nx_frame *f, struct nx_err *err)
{
	for (;;) {
		int ret = avcodec_receive_frame(v->dec, v->frame);
		if (ret == AVERROR(EAGAIN)) {
			feed(v);
			continue;
		}
		if (ret == AVERROR_EOF)
			return end_of_video(v, err);
		if (ret < 0) {
			note_damage(v);
			if (v->draining)
				return end_of_video(v, err);
			continue;
		}
		if (!v->frame->decode_error_flags && !(v->frame->flags & AV_FRAME_FLAG_CORRUPT))
			return deliver(v, f, err);
		note_damage(v);
	}
}
