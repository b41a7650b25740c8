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
 * than they were read here.  It is walked twice: once to check and to count, once to write.
 */
#include "model/onnx.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  32        /* message in message: a graph needs 6, a subgraph 3 more */
#define FIELDS_MAX 20000000u /* protobuf-c keeps some 40 bytes for each while it unpacks */
#define RAW_DATA   9         /* the field of TensorProto */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct skim {
	const uint8_t *file, *p;
	uint8_t *out; /* NULL while only counting */
	size_t len;   /* written or counted */
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

static int varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
		uint8_t b = *(*p)++;
		*out |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return 0;
	}
	return -1;
}

static void put(struct skim *s, const void *data, size_t n)
{
	if (s->out && n)
		memcpy(s->out + s->len, data, n);
	s->len += n;
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

	for (int i = 0; s->out && i < 5; i++)
		s->out[at + i] = (uint8_t)((n >> 7 * i & 0x7f) | (i < 4 ? 0x80 : 0));
}

/* Reads tag and length; what remains of the field is checked to be there. */
static int next_field(struct skim *s, const uint8_t *end, const ProtobufCMessageDescriptor *desc,
	struct field *f, struct nx_err *err)
{
	uint64_t tag, n = 0;

	if (++s->fields > FIELDS_MAX)
		return nx_err_set(err, NX_EDATA, "more than %u fields", FIELDS_MAX);
	if (varint(&s->p, end, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
		return cut_off(err);
	f->number = (uint32_t)(tag >> 3);
	f->wire = tag & 7;
	const uint8_t *after = s->p;
	if (f->wire == VARINT && varint(&after, end, &n) == 0)
		n = (uint64_t)(after - s->p);
	else if (f->wire == FIXED64 || f->wire == FIXED32)
		n = f->wire == FIXED64 ? 8 : 4;
	else if (f->wire != BYTES || varint(&s->p, end, &n))
		return cut_off(err);
	if (n > (uint64_t)(end - s->p))
		return cut_off(err);
	f->bytes = n;
	const ProtobufCFieldDescriptor *d =
		protobuf_c_message_descriptor_get_field(desc, f->number);
	f->message = f->wire == BYTES && d && d->type == PROTOBUF_C_TYPE_MESSAGE;
	f->inner = f->message ? d->descriptor : NULL;
	f->raw = f->wire == BYTES && desc == &onnx__tensor_proto__descriptor &&
		 f->number == RAW_DATA;
	return 0;
}

static int skim_message(struct skim *s, const uint8_t *end, const ProtobufCMessageDescriptor *desc,
	int depth, struct nx_err *err)
{
	struct field f = { 0 };

	if (depth > DEPTH_MAX)
		return nx_err_set(err, NX_EDATA, "messages are nested deeper than %d", DEPTH_MAX);
	while (s->p < end) {
		if (next_field(s, end, desc, &f, err))
			return -err->code;
		put_varint(s, f.number << 3 | f.wire);
		if (f.message) {
			size_t at = s->len;
			s->len += 5;
			if (skim_message(s, s->p + f.bytes, f.inner, depth + 1, err))
				return -err->code;
			patch_length(s, at);
			continue;
		}
		if (f.raw) {
			const uint64_t where[2] = { (uint64_t)(s->p - s->file), f.bytes };
			put_varint(s, sizeof where);
			put(s, where, sizeof where);
		} else {
			if (f.wire == BYTES)
				put_varint(s, f.bytes);
			put(s, s->p, f.bytes);
		}
		s->p += f.bytes;
	}
	return 0;
}

static int skim_file(const struct nx_onnx_file *file, const ProtobufCMessageDescriptor *message,
	uint8_t **out, size_t *len, struct nx_err *err)
{
	const uint8_t *end = file->data + file->len;
	struct skim count = { .file = file->data, .p = file->data };
	struct skim write = count;

	*out = NULL;
	if (file->len > NX_ONNX_CAP)
		return nx_err_set(err, NX_EDATA, "the file is larger than 2 GiB");
	if (skim_message(&count, end, message, 0, err))
		return -err->code;
	write.out = malloc(count.len + 1);
	if (!write.out)
		return nx_err_set(err, NX_EOS, "no memory to read %zu bytes of ONNX", count.len);
	if (skim_message(&write, end, message, 0, err)) {
		free(write.out);
		return -err->code;
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

int nx_onnx_raw(const struct nx_onnx_file *file, const Onnx__TensorProto *p, const uint8_t **data,
	size_t *len, struct nx_err *err)
{
	uint64_t where[2] = { 0, 0 };

	if (p->raw_data.len == sizeof where)
		memcpy(where, p->raw_data.data, sizeof where);
	else if (p->raw_data.len)
		return nx_err_set(err, NX_ESOFTWARE, "a tensor that was not skimmed");
	if (where[0] > file->len || where[1] > file->len - where[0])
		return cut_off(err);
	*data = file->data + where[0];
	*len = where[1];
	return 0;
}
