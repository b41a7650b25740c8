/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and answers of the Open Inference Protocol to bytes.  The buffer is made large enough
 * for the binary part first, so that tensors are copied once.
 */
#include "net/oip_data.h"

#include <string.h>

static void write_head(struct nx_jw *w, const struct nx_oip_tensor *t)
{
	nx_jw_kstring(w, "name", t->name);
	nx_jw_kstring(w, "datatype", nx_dtype_oip_name(t->dtype));
	nx_jw_key(w, "shape");
	nx_jw_array_inline(w);
	for (int i = 0; i < t->shape.rank; i++)
		nx_jw_int(w, t->shape.dim[i]);
	nx_jw_end(w);
}

static void write_binary_size(struct nx_jw *w, const struct nx_oip_tensor *t)
{
	nx_jw_key(w, "parameters");
	nx_jw_object(w);
	nx_jw_kint(w, "binary_data_size", (int64_t)t->bytes);
	nx_jw_end(w);
}

static void write_request_parameters(struct nx_jw *w, const struct nx_oip_request *req)
{
	nx_jw_key(w, "parameters");
	nx_jw_object(w);
	nx_jw_kbool(w, "binary_data_output", true);
	if (req->deadline_ms >= 0)
		nx_jw_knumber(w, "nexus_deadline_ms", req->deadline_ms);
	nx_jw_kstring(w, "nexus_session", req->session);
	nx_jw_end(w);
}

static void write_wanted(struct nx_jw *w, const struct nx_oip_tensor *t)
{
	nx_jw_object(w);
	nx_jw_kstring(w, "name", t->name);
	nx_jw_key(w, "parameters");
	nx_jw_object(w);
	nx_jw_kbool(w, "binary_data", true);
	if (t->classification > 0)
		nx_jw_kint(w, "classification", t->classification);
	nx_jw_end(w);
	nx_jw_end(w);
}

void nx_oip_format_request(const struct nx_oip_request *req, struct nx_buf *body, size_t *json_len)
{
	struct nx_jw w;
	size_t start = body->len, binary = 0;

	for (size_t i = 0; i < req->n_inputs; i++)
		binary += req->input[i].bytes;
	nx_buf_reserve(body, binary + 1024);
	nx_jw_init(&w, body, NX_JCOMPACT);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "id", req->id);
	write_request_parameters(&w, req);
	nx_jw_key(&w, "inputs");
	nx_jw_array(&w);
	for (size_t i = 0; i < req->n_inputs; i++) {
		nx_jw_object(&w);
		write_head(&w, &req->input[i]);
		write_binary_size(&w, &req->input[i]);
		nx_jw_end(&w);
	}
	nx_jw_end(&w);
	if (req->n_outputs) {
		nx_jw_key(&w, "outputs");
		nx_jw_array(&w);
		for (size_t i = 0; i < req->n_outputs; i++)
			write_wanted(&w, &req->output[i]);
		nx_jw_end(&w);
	}
	nx_jw_end(&w);
	*json_len = body->len - start;
	for (size_t i = 0; i < req->n_inputs; i++)
		nx_buf_add(body, req->input[i].data, req->input[i].bytes);
}

static bool goes_binary(const struct nx_oip_tensor *t)
{
	return t->binary || !nx_oip_data_has_json(t->dtype);
}

static void write_output(struct nx_jw *w, const struct nx_oip_tensor *t)
{
	nx_jw_object(w);
	write_head(w, t);
	if (goes_binary(t)) {
		write_binary_size(w, t);
	} else {
		nx_jw_key(w, "data");
		nx_oip_data_write(w, t);
	}
	nx_jw_end(w);
}

void nx_oip_format_response(const struct nx_oip_response *resp,
	void (*extra)(void *arg, struct nx_jw *w), void *arg, struct nx_buf *body, size_t *json_len)
{
	struct nx_jw w;
	size_t start = body->len, binary = 0;
	bool any_binary = false;

	for (size_t i = 0; i < resp->n_outputs; i++) {
		any_binary = any_binary || goes_binary(&resp->output[i]);
		binary += goes_binary(&resp->output[i]) ? resp->output[i].bytes : 0;
	}
	nx_buf_reserve(body, binary + 1024);
	nx_jw_init(&w, body, NX_JCOMPACT);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "model_name", resp->model);
	nx_jw_kstring(&w, "model_version", "1");
	nx_jw_kstring(&w, "id", resp->id);
	nx_jw_key(&w, "outputs");
	nx_jw_array(&w);
	for (size_t i = 0; i < resp->n_outputs; i++)
		write_output(&w, &resp->output[i]);
	nx_jw_end(&w);
	if (extra)
		extra(arg, &w);
	nx_jw_end(&w);
	*json_len = any_binary ? body->len - start : (size_t)-1;
	for (size_t i = 0; i < resp->n_outputs; i++)
		if (goes_binary(&resp->output[i]))
			nx_buf_add(body, resp->output[i].data, resp->output[i].bytes);
}
