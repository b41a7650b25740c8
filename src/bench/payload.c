/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/payload.h"

#include "core/alloc.h"
#include "core/rng.h"
#include "json/json.h"
#include "net/oip.h"
#include "vision/vision.h"

#include <stdlib.h>
#include <string.h>

#define RANDOM_BODIES 16

void nx_payload_release(struct nx_payload *p)
{
	for (size_t i = 0; i < p->n; i++)
		nx_buf_release(&p->body[i]);
	p->n = 0;
}

static void add_body(struct nx_payload *p, const struct nx_oip_request *req)
{
	nx_oip_format_request(req, &p->body[p->n], &p->json_len[p->n]);
	p->n++;
}

static size_t at_most(size_t want, size_t max_bytes, size_t bytes)
{
	size_t fit = max_bytes / (bytes ? bytes : 1);

	return fit < 1 ? 1 : fit < want ? fit : want;
}

/* ---- pictures -------------------------------------------------------------------------------- */

bool nx_payload_takes_pictures(const struct nx_model *m)
{
	return m->manifest->input.image && m->graph->n_in == 1;
}

int nx_payload_pictures(struct nx_payload *p, const struct nx_model *m,
	const struct nx_frames *frames, size_t max_bytes, struct nx_err *err)
{
	const struct nx_value *in = &m->graph->values[m->graph->in[0]];
	struct nx_oip_request req = { .n_inputs = 1, .deadline_ms = -1 };
	struct nx_oip_tensor *t = &req.input[0];
	struct nx_placement place;
	int rc = 0;

	memset(p, 0, sizeof *p);
	*t = (struct nx_oip_tensor){ .name = in->name, .dtype = in->dtype };
	nx_model_row_shape(m, false, 0, &t->shape);
	t->shape.dim[0] = 1;
	int64_t count = nx_shape_count(&t->shape);
	t->bytes = count > 0 ? (size_t)count * nx_dtype_size(t->dtype) : 0;
	void *row = t->bytes ? nx_try_alloc(1, t->bytes) : NULL;
	if (!row)
		return nx_err_set(
			err, NX_EDATA, "model '%s' has no input of a usable size", m->name);
	t->data = row;
	size_t n = at_most(frames->n, max_bytes, t->bytes);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = nx_vision_preprocess(&frames->frame[i], NULL, &m->manifest->input, &t->shape,
			t->dtype, row, &place, err);
		if (rc == 0)
			add_body(p, &req);
	}
	free(row);
	if (rc)
		nx_payload_release(p);
	return rc;
}

/* ---- random tensors -------------------------------------------------------------------------- */

/* The elements as a number below 1, by their bits for the types C does not have. */
static void fill_random(struct nx_oip_tensor *t, struct nx_rng *rng)
{
	size_t size = nx_dtype_size(t->dtype), n = t->bytes / size;
	uint8_t *at = t->owned;

	for (size_t i = 0; i < n; i++, at += size) {
		float f = (float)(nx_rng_u64(rng) >> 40) * 0x1p-24f;
		double d = f;
		uint64_t bits = nx_rng_below(rng, 2); /* a small integer, little-endian */
		const void *from = &bits;
		if (t->dtype == NX_F32)
			from = &f;
		else if (t->dtype == NX_F64)
			from = &d;
		else if (t->dtype == NX_F16 || t->dtype == NX_BF16) /* positive and below one */
			bits = nx_rng_below(rng, t->dtype == NX_F16 ? 0x3c00 : 0x3f80);
		memcpy(at, from, size);
	}
}

static bool read_shape(struct nx_jcheck *c, const struct nx_jv *input, struct nx_shape *shape)
{
	const struct nx_jv *dims;

	if (!nx_jget_array(c, input, "shape", NX_REQUIRED, &dims))
		return false;
	if (dims->n > NX_MAX_DIMS) {
		nx_jcheck_fail(c, dims, NULL, "must have at most %d dimensions", NX_MAX_DIMS);
		return false;
	}
	shape->rank = (int)dims->n;
	for (size_t i = 0; i < dims->n; i++) {
		double d = dims->items[i].number;
		if (dims->items[i].kind != NX_JNUMBER || !(d >= -1 && d <= 1e9)) {
			nx_jcheck_fail(c, &dims->items[i], NULL, "must be a dimension");
			return false;
		}
		shape->dim[i] = d < 1 ? 1 : (int64_t)d;
	}
	return true;
}

static void read_input(struct nx_jcheck *c, const struct nx_jv *input, struct nx_oip_tensor *t)
{
	char *type = NULL;

	if (!nx_jcheck_object(c, input) ||
		!nx_jget_string(c, input, "name", NX_REQUIRED, &t->name) ||
		!nx_jget_string(c, input, "datatype", NX_REQUIRED, &type))
		return;
	t->dtype = nx_dtype_from_oip(type);
	free(type);
	if (nx_dtype_size(t->dtype) == 0)
		nx_jcheck_fail(c, input, "datatype", "cannot be made up");
	if (!read_shape(c, input, &t->shape))
		return;
	int64_t count = nx_shape_count(&t->shape);
	t->bytes = (size_t)count * nx_dtype_size(t->dtype);
	if (count < 0 || (uint64_t)count > NX_PAYLOAD_MAX_BYTES ||
		t->bytes > NX_PAYLOAD_MAX_BYTES / NX_OIP_MAX_TENSORS)
		nx_jcheck_fail(c, input, "shape", "is too large");
	else
		t->owned = nx_alloc(t->bytes ? t->bytes : 1, 1);
	t->data = t->owned;
}

static int read_inputs(const struct nx_jdoc *doc, struct nx_oip_request *req, struct nx_err *err)
{
	const struct nx_jv *root = nx_jdoc_root(doc), *inputs;
	struct nx_jcheck c;

	nx_jcheck_init(&c, doc);
	if (nx_jcheck_object(&c, root) && nx_jget_array(&c, root, "inputs", NX_REQUIRED, &inputs)) {
		if (inputs->n < 1 || inputs->n > NX_OIP_MAX_TENSORS)
			nx_jcheck_fail(
				&c, inputs, NULL, "must have 1 to %d inputs", NX_OIP_MAX_TENSORS);
		else
			req->n_inputs = inputs->n;
		for (size_t i = 0; i < req->n_inputs; i++)
			read_input(&c, &inputs->items[i], &req->input[i]);
	}
	int rc = nx_jcheck_result(&c, err);
	nx_jcheck_release(&c);
	return rc;
}

int nx_payload_random(struct nx_payload *p, const char *metadata, size_t len, const char *source,
	uint64_t seed, size_t max_bytes, struct nx_err *err)
{
	struct nx_oip_request req = { .deadline_ms = -1 };
	struct nx_jdoc *doc = NULL;
	struct nx_rng rng;
	size_t bytes = 0;

	memset(p, 0, sizeof *p);
	nx_rng_init(&rng, seed);
	int rc = nx_jdoc_parse(metadata, len, source, &doc, err);
	if (rc == 0)
		rc = read_inputs(doc, &req, err);
	for (size_t i = 0; i < req.n_inputs; i++)
		bytes += req.input[i].bytes;
	size_t n = rc ? 0 : at_most(RANDOM_BODIES, max_bytes, bytes);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < req.n_inputs; k++)
			fill_random(&req.input[k], &rng);
		add_body(p, &req);
	}
	nx_oip_request_release(&req);
	nx_jdoc_free(&doc);
	return rc;
}
