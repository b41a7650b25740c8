/* SPDX-License-Identifier: Apache-2.0 */
/* From the rows a model gave to the text of an answer. */
#include "serve/request.h"

#include "core/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOP_NUMBERS 4096 /* numbers as text that the loop thread writes itself */

/* The results of the request's pictures, for the response's extra members. */
struct results {
	const struct nx_request *r;
	struct nx_result *result; /* [rows] */
};

static bool has_results(const struct nx_request *r)
{
	return r->picture && r->session->model->model->manifest->output.kind != NX_OUT_TENSOR;
}

/* What the outputs mean, picture by picture, as the manifest declares. */
static int postprocess(const struct nx_request *r, struct nx_result *result, struct nx_err *err)
{
	const struct nx_served_model *m = r->session->model;
	struct nx_vision_output out[NX_OIP_MAX_TENSORS];

	for (uint32_t row = 0; row < r->rows; row++) {
		const struct nx_picture *p = &r->picture[row];
		for (size_t i = 0; i < m->n_out; i++) {
			struct nx_shape s = m->out[i].shape;
			s.rank--;
			memmove(s.dim, s.dim + 1, (size_t)s.rank * sizeof *s.dim);
			out[i] = (struct nx_vision_output){ m->out[i].name, m->out[i].dtype, s,
				(const char *)r->out[i] + row * m->out[i].row_bytes };
		}
		if (nx_vision_postprocess(m->model->manifest, out, m->n_out, &p->place, p->width,
			    p->height, &result[row], err))
			return -err->code;
	}
	return 0;
}

/* One picture: "classes"/"detections" in the response itself; several: a list of "results". */
static void add_results(void *arg, struct nx_jw *w)
{
	const struct results *s = arg;

	if (s->r->rows == 1) {
		nx_result_format(&s->result[0], w);
		return;
	}
	nx_jw_key(w, "results");
	nx_jw_array(w);
	for (uint32_t i = 0; i < s->r->rows; i++) {
		nx_jw_object(w);
		nx_result_format(&s->result[i], w);
		nx_jw_end(w);
	}
	nx_jw_end(w);
}

/* ---- classification extension --------------------------------------------------------------------- */

/* The index of the largest of v[0..n) that is not yet taken; ties go to the lower index. */
static size_t next_largest(const float *v, size_t n, const bool *taken)
{
	size_t best = n;

	for (size_t i = 0; i < n; i++)
		if (!taken[i] && (best == n || v[i] > v[best]))
			best = i;
	return best;
}

static void add_class(struct nx_buf *b, float score, size_t index, const struct nx_manifest *m)
{
	char text[512];
	const char *label = m && index < m->n_labels ? m->labels[index] : NULL;
	int n = snprintf(text, sizeof text, "%f:%zu%s%s", (double)score, index, label ? ":" : "",
		label ? label : "");
	size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;

	for (int i = 0; i < 4; i++)
		nx_buf_addc(b, (char)(len >> 8 * i & 255));
	nx_buf_add(b, text, len);
}

/* Replaces FP32 rows by their k largest values as "score:index:label". */
static void classify(const struct nx_request *r, const float *v, size_t row_count, int k,
	struct nx_oip_tensor *t)
{
	const struct nx_model *model = r->session->model->model;
	size_t top = (size_t)k < row_count ? (size_t)k : row_count;
	struct nx_buf b = NX_BUF_INIT;

	for (uint32_t row = 0; row < r->rows; row++, v += row_count) {
		bool *taken = nx_alloc(row_count, sizeof *taken);
		for (size_t i = 0; i < top; i++) {
			size_t at = next_largest(v, row_count, taken);
			taken[at] = true;
			add_class(&b, v[at], at, model ? model->manifest : NULL);
		}
		free(taken);
	}
	t->dtype = NX_STRING;
	t->shape = (struct nx_shape){ 2, { r->rows, (int64_t)top } };
	t->bytes = b.len;
	t->owned = nx_buf_take(&b);
	t->data = t->owned;
}

/* ---- the answer ------------------------------------------------------------------------------------ */

static void add_output(const struct nx_request *r, size_t i, const struct nx_oip_tensor *wanted,
	struct nx_oip_response *resp)
{
	const struct nx_io *io = &r->session->model->out[i];
	struct nx_oip_tensor *t = &resp->output[resp->n_outputs++];

	*t = (struct nx_oip_tensor){ .name = nx_strdup(io->name),
		.dtype = io->dtype,
		.shape = io->shape,
		.data = r->out[i],
		.bytes = r->rows * io->row_bytes,
		.binary = r->oip.binary_output || (wanted && wanted->binary) };
	t->shape.dim[0] = r->rows;
	if (wanted && wanted->classification > 0)
		classify(r, r->out[i], io->row_bytes / sizeof(float), wanted->classification, t);
}

/* All outputs, or those that were asked for in that order.  Who sends a bare picture to a model
 * with labels wants to read what is on it, not ten thousand numbers. */
static void add_outputs(const struct nx_request *r, struct nx_oip_response *resp)
{
	const struct nx_served_model *m = r->session->model;

	if (r->bare_picture && has_results(r))
		return;
	for (size_t i = 0; i < m->n_out && r->oip.n_outputs == 0; i++)
		add_output(r, i, NULL, resp);
	for (size_t w = 0; w < r->oip.n_outputs; w++)
		for (size_t i = 0; i < m->n_out; i++)
			if (strcmp(m->out[i].name, r->oip.output[w].name) == 0)
				add_output(r, i, &r->oip.output[w], resp);
}

bool nx_request_is_large(const struct nx_request *r)
{
	const struct nx_served_model *m = r->session->model;
	size_t bytes = 0;

	for (size_t i = 0; i < m->n_out; i++)
		bytes += r->rows * m->out[i].row_bytes;
	return bytes / sizeof(float) > LOOP_NUMBERS && (has_results(r) || !r->oip.binary_output);
}

void nx_request_format(struct nx_request *r)
{
	struct nx_oip_response resp = { .model = nx_strdup(r->session->model->name),
		.id = r->oip.id ? nx_strdup(r->oip.id) : NULL };
	struct results results = { .r = r, .result = nx_alloc(r->rows, sizeof *results.result) };
	bool extra = has_results(r);
	size_t json_len = SIZE_MAX;

	if (!extra || postprocess(r, results.result, &r->err) == 0) {
		add_outputs(r, &resp);
		nx_oip_format_response(
			&resp, extra ? add_results : NULL, &results, &r->resp.body, &json_len);
		r->resp.status = 200;
		if (json_len < r->resp.body.len) {
			snprintf(r->headers, sizeof r->headers,
				"Inference-Header-Content-Length: %zu\r\n", json_len);
			r->resp.content_type = "application/octet-stream";
			r->resp.extra_headers = r->headers;
		}
	}
	for (uint32_t i = 0; i < r->rows; i++)
		nx_result_release(&results.result[i]);
	free(results.result);
	nx_oip_response_release(&resp);
}
