/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire format (protobuf.dev, "Encoding") before protobuf-c sees it.
 *
 * protobuf-c copies every byte it is given, and a model is nearly all weights.  So it gets a
 * skim of the file: the same message, but in every tensor the bytes of raw_data are replaced by
 * where they are in the file.  Weights are then copied once, from the file to the constant.  A
 * reader of our own for all of ONNX was the alternative, and would have been a second schema.
 *
 * The skim writes tags and lengths anew in their shortest form (lengths of messages in five
 * bytes, since they are known only behind them), so that protobuf-c cannot read them otherwise
 * than they were read here.  The file is walked twice, once to check and to count, once to
 * write, and never mapped: a file that is cut while it is mapped kills whoever reads on.
 */
#include "model/onnx.h"

#include "core/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX  32        /* message in message: a graph needs 6, a subgraph 3 more */
#define FIELDS_MAX 20000000u /* protobuf-c keeps some 40 bytes for each while it unpacks */
#define RAW_DATA   9         /* the field of TensorProto */
#define WINDOW     ((size_t)8 << 10)

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct skim {
	const struct nx_onnx_file *file;
	uint64_t at; /* in the file */
	/* The part of the file at hand: all of it, or what was read last. */
	const uint8_t *view;
	uint64_t view_at;
	size_t view_len;
	uint8_t *window; /* WINDOW bytes, or NULL */
	uint8_t *out;    /* NULL while only counting */
	size_t len, cap; /* written or counted */
	size_t fields;
};

struct field {
	uint32_t number;
	unsigned wire;
	uint64_t bytes; /* of what follows the tag (and length) */
	bool message, raw;
	const ProtobufCMessageDescriptor *inner;
};

static int cut_off(struct nx_err *err)
{
	return nx_err_set(err, NX_EDATA, "the file is cut off or is not ONNX");
}

int nx_onnx_read(
	const struct nx_onnx_file *file, uint64_t at, void *to, size_t n, struct nx_err *err)
{
	if (at > file->len || n > file->len - at)
		return cut_off(err);
	if (file->data) {
		if (n)
			memcpy(to, file->data + at, n);
		return 0;
	}
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(file->fd, (char *)to + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return nx_err_set(err, NX_EIO, "cannot read: %s", strerror(errno));
		if (got == 0)
			return nx_err_set(err, NX_EDATA, "the file was cut while it was read");
		done += (size_t)got;
	}
	return 0;
}

/* Sees to it that 'n' bytes (at most WINDOW) from s->at on are in view. */
static int look(struct skim *s, size_t n, struct nx_err *err)
{
	if (s->at >= s->view_at && s->at + n <= s->view_at + s->view_len)
		return 0;
	size_t left = s->file->len - s->at;
	s->view_len = 0;
	if (nx_onnx_read(s->file, s->at, s->window, left < WINDOW ? left : WINDOW, err))
		return -err->code;
	s->view_at = s->at;
	s->view_len = left < WINDOW ? left : WINDOW;
	return 0;
}

static int varint(struct skim *s, uint64_t end, uint64_t *out, struct nx_err *err)
{
	size_t most = end - s->at < 10 ? end - s->at : 10;

	*out = 0;
	if (look(s, most, err))
		return -err->code;
	const uint8_t *p = s->view + (s->at - s->view_at);
	for (size_t i = 0; i < most; i++) {
		*out |= (uint64_t)(p[i] & 0x7f) << 7 * i;
		if (p[i] < 0x80) {
			s->at += i + 1;
			return 0;
		}
	}
	return cut_off(err);
}

/* A file that changes between the walks may be longer than was counted. */
static bool has_room(const struct skim *s, size_t n)
{
	return s->out && s->len <= s->cap && n <= s->cap - s->len;
}

static void put(struct skim *s, const void *data, size_t n)
{
	if (has_room(s, n))
		memcpy(s->out + s->len, data, n);
	s->len += n;
}

/* What the file has at s->at. */
static int put_file(struct skim *s, size_t n, struct nx_err *err)
{
	int rc = has_room(s, n) ? nx_onnx_read(s->file, s->at, s->out + s->len, n, err) : 0;

	s->len += n;
	return rc;
}

static void put_varint(struct skim *s, uint64_t v)
{
	uint8_t b[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		b[n++] = (uint8_t)(v | 0x80);
	b[n++] = (uint8_t)v;
	put(s, b, n);
}

/* The length of a message that is already behind 'at', in the five bytes left for it there. */
static void patch_length(struct skim *s, size_t at)
{
	size_t n = s->len - at - 5;

	for (int i = 0; s->out && s->len <= s->cap && i < 5; i++)
		s->out[at + i] = (uint8_t)((n >> 7 * i & 0x7f) | (i < 4 ? 0x80 : 0));
}

/* Bytes of a field of that wire type behind its tag, and behind the length where it has one. */
static int field_bytes(
	struct skim *s, uint64_t end, unsigned wire, uint64_t *bytes, struct nx_err *err)
{
	uint64_t start = s->at, ignored;
	int rc = 0;

	switch (wire) {
	case VARINT:
		rc = varint(s, end, &ignored, err);
		*bytes = s->at - start;
		s->at = start;
		break;
	case FIXED64:
		*bytes = 8;
		break;
	case FIXED32:
		*bytes = 4;
		break;
	case BYTES:
		rc = varint(s, end, bytes, err);
		break;
	default:
		rc = cut_off(err);
	}
	if (rc)
		return rc;
	return *bytes > end - s->at ? cut_off(err) : 0;
}

/* Reads tag and length; what remains of the field is checked to be there. */
static int next_field(struct skim *s, uint64_t end, const ProtobufCMessageDescriptor *desc,
	struct field *f, struct nx_err *err)
{
	uint64_t tag;

	if (++s->fields > FIELDS_MAX)
		return nx_err_set(err, NX_EDATA, "more than %u fields", FIELDS_MAX);
	if (varint(s, end, &tag, err))
		return -err->code;
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return cut_off(err);
	f->number = (uint32_t)(tag >> 3);
	f->wire = tag & 7;
	if (field_bytes(s, end, f->wire, &f->bytes, err))
		return -err->code;
	const ProtobufCFieldDescriptor *d =
		protobuf_c_message_descriptor_get_field(desc, f->number);
	f->message = f->wire == BYTES && d && d->type == PROTOBUF_C_TYPE_MESSAGE;
	f->inner = f->message ? d->descriptor : NULL;
	f->raw = f->wire == BYTES && desc == &onnx__tensor_proto__descriptor &&
		 f->number == RAW_DATA;
	return 0;
}

static int skim_message(struct skim *s, uint64_t end, const ProtobufCMessageDescriptor *desc,
	int depth, struct nx_err *err)
{
	struct field f = { 0 };

	if (depth > DEPTH_MAX)
		return nx_err_set(err, NX_EDATA, "messages are nested deeper than %d", DEPTH_MAX);
	while (s->at < end) {
		if (next_field(s, end, desc, &f, err))
			return -err->code;
		put_varint(s, f.number << 3 | f.wire);
		if (f.message) {
			size_t at = s->len;
			s->len += 5;
			if (skim_message(s, s->at + f.bytes, f.inner, depth + 1, err))
				return -err->code;
			patch_length(s, at);
			continue;
		}
		if (f.raw) {
			const uint64_t where[2] = { s->at, f.bytes };
			put_varint(s, sizeof where);
			put(s, where, sizeof where);
		} else {
			if (f.wire == BYTES)
				put_varint(s, f.bytes);
			if (put_file(s, f.bytes, err))
				return -err->code;
		}
		s->at += f.bytes;
	}
	return 0;
}

/* One walk: counts to s->len, or writes s->cap bytes. */
static int walk(struct skim *s, const struct nx_onnx_file *file,
	const ProtobufCMessageDescriptor *message, struct nx_err *err)
{
	uint8_t window[WINDOW];

	s->file = file;
	s->window = window;
	if (file->data) {
		s->view = file->data;
		s->view_len = file->len;
	} else {
		s->view = window;
	}
	return skim_message(s, file->len, message, 0, err);
}

static int skim_file(const struct nx_onnx_file *file, const ProtobufCMessageDescriptor *message,
	uint8_t **out, size_t *len, struct nx_err *err)
{
	struct skim count = { .len = 0 }, write = { .len = 0 };

	*out = NULL;
	if (file->len > NX_ONNX_CAP)
		return nx_err_set(err, NX_EDATA, "the file is larger than 2 GiB");
	if (walk(&count, file, message, err))
		return -err->code;
	write.cap = count.len;
	write.out = malloc(count.len + 1);
	if (!write.out)
		return nx_err_set(err, NX_EOS, "no memory to read %zu bytes of ONNX", count.len);
	int rc = walk(&write, file, message, err);
	if (rc == 0 && write.len != count.len)
		rc = nx_err_set(err, NX_EDATA, "the file changed while it was read");
	if (rc) {
		free(write.out);
		return rc;
	}
	*out = write.out;
	*len = write.len;
	return 0;
}

int nx_onnx_unpack(const struct nx_onnx_file *file, const ProtobufCMessageDescriptor *message,
	ProtobufCMessage **out, struct nx_err *err)
{
	uint8_t *skim;
	size_t len = 0;
	int rc = skim_file(file, message, &skim, &len, err);

	if (rc)
		return rc;
	*out = protobuf_c_message_unpack(message, NULL, len, skim);
	free(skim);
	return *out ? 0 : nx_err_set(err, NX_EDATA, "the file is damaged or is not ONNX");
}

int nx_onnx_raw(const Onnx__TensorProto *p, uint64_t *at, size_t *len, struct nx_err *err)
{
	uint64_t where[2] = { 0, 0 };

	if (p->raw_data.len == sizeof where)
		memcpy(where, p->raw_data.data, sizeof where);
	else if (p->raw_data.len)
		return nx_err_set(err, NX_ESOFTWARE, "a tensor that was not skimmed");
	*at = where[0];
	*len = where[1];
	return 0;
}
