/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a body to rows.  Tensors stay where they are in the body until the engine thread gathers
 * them; only pictures get rows of their own.  Everything here comes from outside: whatever is
 * accepted has exactly the bytes that its rows need.
 */
#include "serve/request.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/units.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PIXELS_MAX ((size_t)40000000) /* of one picture: more is refused before decoding */

/* ---- checking ---------------------------------------------------------------------------------- */

static const struct nx_oip_tensor *find_input(const struct nx_oip_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_inputs; i++)
		if (strcmp(q->input[i].name, name) == 0)
			return &q->input[i];
	return NULL;
}

static int missing_input(const struct nx_request *r, const struct nx_io *io, struct nx_err *err)
{
	return nx_err_set(
		err, NX_EDATA, "model '%s' needs an input '%s'", r->session->model->name, io->name);
}

/* Rows of one tensor of the request; all inputs must agree. */
static int take_rows(struct nx_request *r, const char *name, int64_t rows, struct nx_err *err)
{
	if (rows < 1 || rows > r->session->batch)
		return nx_err_set(err, NX_EDATA,
			"input '%s' has %lld rows; session '%s' takes 1 to %u in a request", name,
			(long long)rows, r->session->name, r->session->batch);
	if (r->rows && r->rows != (uint32_t)rows)
		return nx_err_set(err, NX_EDATA, "input '%s' has %lld rows, another input has %u",
			name, (long long)rows, r->rows);
	r->rows = (uint32_t)rows;
	return 0;
}

static int check_tensor(struct nx_request *r, const struct nx_io *io, const struct nx_oip_tensor *t,
	struct nx_err *err)
{
	char got[160], want[160];
	struct nx_shape row = t->shape;

	if (t->dtype != io->dtype)
		return nx_err_set(err, NX_EDATA, "input '%s' must be %s (got %s)", io->name,
			nx_dtype_oip_name(io->dtype), nx_dtype_oip_name(t->dtype));
	if (row.rank > 0)
		row.dim[0] = NX_DIM_OPEN;
	if (!nx_shape_equal(&row, &io->shape))
		return nx_err_set(err, NX_EDATA, "input '%s' must have shape %s (got %s)", io->name,
			nx_shape_format(&io->shape, want, sizeof want),
			nx_shape_format(&t->shape, got, sizeof got));
	if (take_rows(r, io->name, t->shape.dim[0], err))
		return -err->code;
	if (t->bytes != r->rows * io->row_bytes)
		return nx_err_set(err, NX_EDATA, "input '%s' has %zu bytes, its shape says %zu",
			io->name, t->bytes, r->rows * io->row_bytes);
	return 0;
}

static uint32_t read_le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Elements of a BYTES tensor are pictures. */
static int take_pictures(struct nx_request *r, const struct nx_oip_tensor *t, struct nx_err *err)
{
	const unsigned char *p = t->data;
	size_t left = t->bytes;

	if (take_rows(r, t->name, nx_shape_count(&t->shape), err))
		return -err->code;
	r->picture = nx_alloc(r->rows, sizeof *r->picture);
	for (uint32_t i = 0; i < r->rows; i++) {
		size_t len = left >= 4 ? read_le32(p) : 0;
		if (left < 4 || len > left - 4)
			return nx_err_set(err, NX_EDATA,
				"input '%s': element %u is longer than the tensor", t->name, i);
		r->picture[i].data = p + 4;
		r->picture[i].len = len;
		p += 4 + len;
		left -= 4 + len;
	}
	return left ? nx_err_set(err, NX_EDATA, "input '%s' has bytes behind its elements", t->name)
		    : 0;
}

/* A model of pictures has one input, so that pictures and tensors never mix in a request. */
static int take_tensors(struct nx_request *r, struct nx_err *err)
{
	const struct nx_served_model *m = r->session->model;

	if (r->oip.n_inputs > m->n_in)
		return nx_err_set(err, NX_EDATA, "model '%s' has %zu inputs, the request %zu",
			m->name, m->n_in, r->oip.n_inputs);
	for (size_t i = 0; i < m->n_in; i++) {
		const struct nx_oip_tensor *t = find_input(&r->oip, m->in[i].name);
		if (!t)
			return missing_input(r, &m->in[i], err);
		if (m->pictures && t->dtype == NX_STRING)
			return take_pictures(r, t, err);
		if (check_tensor(r, &m->in[i], t, err))
			return -err->code;
		r->in[i] = t->data;
	}
	return 0;
}

/* Before the request runs: a typing mistake must not cost a batch. */
static int check_outputs(const struct nx_request *r, struct nx_err *err)
{
	const struct nx_served_model *m = r->session->model;

	for (size_t i = 0; i < r->oip.n_outputs; i++) {
		const struct nx_oip_tensor *t = &r->oip.output[i];
		size_t k = 0;
		while (k < m->n_out && strcmp(m->out[k].name, t->name) != 0)
			k++;
		if (k == m->n_out)
			return nx_err_set(
				err, NX_EDATA, "model '%s' has no output '%s'", m->name, t->name);
		if (t->classification && m->out[k].dtype != NX_F32)
			return nx_err_set(err, NX_EDATA,
				"output '%s' is %s: only FP32 can be classified", t->name,
				nx_dtype_oip_name(m->out[k].dtype));
	}
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* By its type, or, for clients that name none, by the first bytes of a JPEG or PNG: no JSON text
 * begins like that. */
static bool is_picture(const struct nx_http_req *http)
{
	const char *type = nx_http_req_header(http, "Content-Type");

	if (type && strncasecmp(type, "image/", 6) == 0)
		return true;
	return http->body_len > 8 && !nx_http_req_header(http, "Inference-Header-Content-Length") &&
	       (memcmp(http->body, "\xff\xd8\xff", 3) == 0 ||
		       memcmp(http->body, "\x89PNG\r\n\x1a\n", 8) == 0);
}

/* Inference-Header-Content-Length: where the JSON ends; (size_t)-1 without one. */
static int json_length(const struct nx_http_req *http, size_t *len, struct nx_err *err)
{
	const char *text = nx_http_req_header(http, "Inference-Header-Content-Length");

	*len = SIZE_MAX;
	if (!text)
		return 0;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 10 || text[digits])
		return nx_err_set(err, NX_EDATA,
			"Inference-Header-Content-Length must be a number (got '%.40s')", text);
	*len = strtoull(text, NULL, 10);
	if (*len > http->body_len)
		return nx_err_set(err, NX_EDATA,
			"Inference-Header-Content-Length is %zu, the body has %zu bytes", *len,
			http->body_len);
	return 0;
}

/* The protocol needs the model's only input to make sense of a body without JSON. */
static int parse_body(struct nx_request *r, struct nx_err *err)
{
	const struct nx_served_model *m = r->session->model;
	struct nx_oip_raw raw;
	size_t json_len;

	if (json_length(r->http, &json_len, err))
		return -err->code;
	if (json_len == 0 && m->n_in != 1)
		return nx_err_set(err, NX_EDATA,
			"model '%s' has %zu inputs: a raw binary request needs exactly one",
			m->name, m->n_in);
	if (m->n_in == 1)
		raw = (struct nx_oip_raw){ m->in[0].name, m->in[0].dtype, m->in[0].shape };
	return nx_oip_parse_request(r->http->body, r->http->body_len, json_len,
		m->n_in == 1 ? &raw : NULL, &r->oip, err);
}

/* The SLO, or less if the client says so.  What the router says of a request's time is taken as it
 * is: a stage of a query may use what the stages before it have left. */
static int set_deadline(struct nx_request *r, struct nx_err *err)
{
	const char *header = nx_http_req_header(r->http, "Nexus-Deadline-Ms");
	double ms = r->session->slo_ms, asked;

	if (header && nx_parse_double(header, &asked))
		return nx_err_set(
			err, NX_EDATA, "Nexus-Deadline-Ms must be a number (got '%.40s')", header);
	if (header)
		ms = asked;
	if (r->oip.deadline_ms >= 0 && r->oip.deadline_ms < ms)
		ms = r->oip.deadline_ms;
	r->deadline_ns = r->http->arrived_ns + nx_ms_to_ns(ms);
	return 0;
}

/* curl --data-binary @picture.jpg is all that a client must do. */
static int parse_picture(struct nx_request *r, struct nx_err *err)
{
	if (!r->session->model->pictures)
		return nx_err_set(err, NX_EDATA, "model '%s' takes tensors, not pictures",
			r->session->model->name);
	r->bare_picture = true;
	r->oip.deadline_ms = -1;
	r->rows = 1;
	r->picture = nx_alloc(1, sizeof *r->picture);
	r->picture[0].data = r->http->body;
	r->picture[0].len = r->http->body_len;
	return set_deadline(r, err);
}

int nx_request_parse(struct nx_request *r, struct nx_lineup *lineup, struct nx_served *session,
	struct nx_err *err)
{
	r->lineup = lineup;
	r->session = session;
	if (is_picture(r->http))
		return parse_picture(r, err);
	if (parse_body(r, err))
		return -err->code;
	if (r->oip.session) {
		r->session = nx_lineup_find(lineup, r->oip.session);
		if (!r->session)
			return nx_err_set(
				err, NX_ENOTFOUND, "there is no session '%s'", r->oip.session);
	}
	if (take_tensors(r, err) || check_outputs(r, err))
		return -err->code;
	return set_deadline(r, err);
}

int nx_request_reserve(struct nx_request *r, struct nx_err *err)
{
	const struct nx_served_model *m = r->session->model;
	size_t total = 0, at[NX_OIP_MAX_TENSORS];

	for (size_t i = 0; i < m->n_out; i++) {
		at[i] = total;
		/* Rows and sizes are the model's and the plan's: NX_TENSOR_CAP each, 64 of them. */
		total += (r->rows * m->out[i].row_bytes + 63) & ~(size_t)63;
	}
	r->out_rows = nx_try_alloc(total, 1);
	if (r->picture)
		r->in_rows = nx_try_alloc(r->rows, m->in[0].row_bytes);
	if (!r->out_rows || (r->picture && !r->in_rows))
		return nx_err_set(err, NX_EOS, "no memory for a request of %u rows", r->rows);
	for (size_t i = 0; i < m->n_out; i++)
		r->out[i] = (char *)r->out_rows + at[i];
	if (r->picture)
		r->in[0] = r->in_rows;
	return 0;
}

void nx_request_free(struct nx_request **pr)
{
	struct nx_request *r = *pr;

	nx_oip_request_release(&r->oip);
	nx_buf_release(&r->resp.body);
	free(r->picture);
	free(r->in_rows);
	free(r->out_rows);
	free(r);
	*pr = NULL;
}

/* ---- decoding ----------------------------------------------------------------------------------- */

void nx_request_decode(struct nx_request *r)
{
	const struct nx_served_model *m = r->session->model;
	const struct nx_io *io = &m->in[0];

	for (uint32_t i = 0; i < r->rows && !r->err.code; i++) {
		struct nx_picture *p = &r->picture[i];
		struct nx_frame f = { 0 };
		if (nx_media_decode_image(p->data, p->len, PIXELS_MAX, &f, &r->err))
			break;
		p->width = f.width;
		p->height = f.height;
		nx_vision_preprocess(&f, NULL, &m->model->manifest->input, &io->shape, io->dtype,
			(char *)r->in_rows + i * io->row_bytes, &p->place, &r->err);
		nx_frame_release(&f);
	}
	if (r->err.code && r->rows > 1)
		nx_err_wrap(&r->err, "a picture of the request");
}
