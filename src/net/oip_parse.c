/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and answers of the Open Inference Protocol from their bytes (KServe: "predict_api.md",
 * Triton: "extension_binary_data.md").  The JSON is walked once, without a tree; only a "data"
 * that stands before its shape is read later.
 */
#include "core/alloc.h"
#include "net/oip_data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct parse {
	struct nx_jscan s;
	struct nx_err *err;
	const char *rest; /* the binary tensors behind the JSON */
	size_t rest_len;
	/* of the tensor being read */
	struct nx_oip_tensor *t;
	bool has_shape, has_data, read_data;
	struct nx_jscan data; /* where "data" stands */
	int64_t binary_size;  /* -1: none given */
	size_t n_bare;        /* inputs with neither data nor size */
	/* of the whole */
	struct nx_oip_request *req;
	struct nx_oip_response *resp;
};

/* Reads the member whose key was just read. */
typedef int member_fn(struct parse *p);

static int wrong(struct parse *p, const char *what)
{
	return nx_err_set(p->err, NX_EDATA, "line %d: %s", p->s.line, what);
}

static int scan_failed(struct parse *p)
{
	return wrong(p, p->s.error ? p->s.error : "the JSON ends early");
}

/* ---- walking ------------------------------------------------------------------------------------ */

/* An object whose '{' has been read. */
static int members(struct parse *p, member_fn *fn)
{
	for (;;) {
		enum nx_jtoken token = nx_jscan_next(&p->s);
		if (token == NX_JT_OBJECT_END)
			return 0;
		if (token != NX_JT_KEY)
			return scan_failed(p);
		int rc = fn(p);
		if (rc)
			return rc;
	}
}

/* The next value must be an object. */
static int object(struct parse *p, const char *what, member_fn *fn)
{
	enum nx_jtoken token = nx_jscan_next(&p->s);

	if (token == NX_JT_ERROR)
		return scan_failed(p);
	return token == NX_JT_OBJECT ? members(p, fn) : wrong(p, what);
}

/* The next value must be an array of objects. */
static int objects(struct parse *p, const char *what, member_fn *each)
{
	enum nx_jtoken token = nx_jscan_next(&p->s);

	if (token == NX_JT_ERROR)
		return scan_failed(p);
	if (token != NX_JT_ARRAY)
		return wrong(p, what);
	for (;;) {
		token = nx_jscan_next(&p->s);
		if (token == NX_JT_ARRAY_END)
			return 0;
		if (token == NX_JT_ERROR)
			return scan_failed(p);
		if (token != NX_JT_OBJECT)
			return wrong(p, what);
		int rc = each(p);
		if (rc)
			return rc;
	}
}

static int skip(struct parse *p)
{
	return nx_jscan_skip(&p->s, nx_jscan_next(&p->s)) ? scan_failed(p) : 0;
}

static int string(struct parse *p, const char *what, char **out)
{
	enum nx_jtoken token = nx_jscan_next(&p->s);

	if (token == NX_JT_ERROR)
		return scan_failed(p);
	if (token != NX_JT_STRING)
		return wrong(p, what);
	free(*out);
	*out = nx_jscan_string(&p->s);
	return *out ? 0 : wrong(p, what);
}

static int boolean(struct parse *p, const char *what, bool *out)
{
	enum nx_jtoken token = nx_jscan_next(&p->s);

	if (token == NX_JT_ERROR)
		return scan_failed(p);
	if (token != NX_JT_TRUE && token != NX_JT_FALSE)
		return wrong(p, what);
	*out = token == NX_JT_TRUE;
	return 0;
}

/* A number from 0 to max. */
static int number(struct parse *p, const char *what, double max, double *out)
{
	enum nx_jtoken token = nx_jscan_next(&p->s);

	if (token == NX_JT_ERROR)
		return scan_failed(p);
	if (token != NX_JT_NUMBER || p->s.number < 0 || p->s.number > max)
		return wrong(p, what);
	*out = p->s.number;
	return 0;
}

static int whole(struct parse *p, const char *what, double max, int64_t *out)
{
	double v = 0;
	int rc = number(p, what, max, &v);

	if (rc)
		return rc;
	*out = (int64_t)v;
	return (double)*out == v ? 0 : wrong(p, what);
}

/* ---- a tensor ----------------------------------------------------------------------------------- */

static int shape(struct parse *p)
{
	static const char what[] = "shape must be an array of at most 8 whole numbers";
	struct nx_shape *s = &p->t->shape;
	enum nx_jtoken token = nx_jscan_next(&p->s);

	if (token != NX_JT_ARRAY)
		return token == NX_JT_ERROR ? scan_failed(p) : wrong(p, what);
	for (s->rank = 0;; s->rank++) {
		token = nx_jscan_next(&p->s);
		if (token == NX_JT_ARRAY_END)
			break;
		if (token == NX_JT_ERROR)
			return scan_failed(p);
		double v = p->s.number;
		if (token != NX_JT_NUMBER || s->rank == NX_MAX_DIMS || !(v >= 0 && v <= 1e15) ||
			v != (double)(int64_t)v)
			return wrong(p, what);
		s->dim[s->rank] = (int64_t)v;
	}
	p->has_shape = true;
	return 0;
}

static int datatype(struct parse *p)
{
	char *name = NULL;
	int rc = string(p, "datatype must be a string", &name);

	if (rc == 0) {
		p->t->dtype = nx_dtype_from_oip(name);
		if (p->t->dtype == NX_DT_NONE)
			rc = nx_err_set(p->err, NX_EDATA, "datatype '%.40s' is unknown", name);
	}
	free(name);
	return rc;
}

static int tensor_parameter(struct parse *p)
{
	if (nx_jscan_is(&p->s, "binary_data_size"))
		return whole(p, "binary_data_size must be a whole number", 1e15, &p->binary_size);
	if (nx_jscan_is(&p->s, "shared_memory_region"))
		return nx_err_set(p->err, NX_EUNSUPP, "shared memory is not supported");
	return skip(p);
}

static int data(struct parse *p)
{
	if (p->has_data)
		return wrong(p, "data is there twice");
	p->has_data = true;
	if (p->t->dtype != NX_DT_NONE && p->has_shape) {
		p->read_data = true;
		return nx_oip_data_scan(&p->s, p->t, p->err);
	}
	p->data = p->s;
	return skip(p);
}

static int tensor_member(struct parse *p)
{
	/* Both decide how data is read: a second one would contradict what was read. */
	if (p->read_data && (nx_jscan_is(&p->s, "shape") || nx_jscan_is(&p->s, "datatype")))
		return wrong(p, "shape or datatype is there twice");
	if (nx_jscan_is(&p->s, "name"))
		return string(p, "name must be a string", &p->t->name);
	if (nx_jscan_is(&p->s, "shape"))
		return shape(p);
	if (nx_jscan_is(&p->s, "datatype"))
		return datatype(p);
	if (nx_jscan_is(&p->s, "parameters"))
		return object(p, "parameters must be an object", tensor_parameter);
	if (nx_jscan_is(&p->s, "data"))
		return data(p);
	return skip(p);
}

/* The part of the binary section that is this tensor's. */
static int binary_data(struct parse *p)
{
	size_t len = (size_t)p->binary_size;

	if (len > p->rest_len)
		return nx_err_set(p->err, NX_EDATA,
			"binary_data_size is %zu, but only %zu bytes are left", len, p->rest_len);
	const char *at = p->rest;
	p->rest += len;
	p->rest_len -= len;
	return nx_oip_data_borrow(p->t, at, len, p->err);
}

static int tensor_body(struct parse *p)
{
	int rc = members(p, tensor_member);

	if (rc)
		return rc;
	if (!p->t->name)
		return wrong(p, "name is missing");
	if (p->t->dtype == NX_DT_NONE)
		return wrong(p, "datatype is missing");
	if (!p->has_shape)
		return wrong(p, "shape is missing");
	if (p->has_data && p->binary_size >= 0)
		return wrong(p, "has both data and binary_data_size");
	if (p->binary_size >= 0)
		return binary_data(p);
	if (!p->has_data)
		p->n_bare++;
	return p->has_data && !p->read_data ? nx_oip_data_scan(&p->data, p->t, p->err) : 0;
}

/* Reads a tensor into the next place of list. */
static int tensor(struct parse *p, const char *what, struct nx_oip_tensor *list, size_t *n)
{
	if (*n == NX_OIP_MAX_TENSORS)
		return nx_err_set(p->err, NX_EDATA, "more than %d %ss", NX_OIP_MAX_TENSORS, what);
	p->t = &list[(*n)++];
	p->has_shape = p->has_data = p->read_data = false;
	p->binary_size = -1;
	int rc = tensor_body(p);
	if (rc && p->t->name)
		return nx_err_wrap(p->err, "%s '%.100s'", what, p->t->name);
	return rc ? nx_err_wrap(p->err, "%s %zu", what, *n - 1) : 0;
}

/* ---- a request ---------------------------------------------------------------------------------- */

static int input(struct parse *p)
{
	return tensor(p, "input", p->req->input, &p->req->n_inputs);
}

static int output_parameter(struct parse *p)
{
	int64_t k = 0;

	if (nx_jscan_is(&p->s, "binary_data"))
		return boolean(p, "binary_data must be true or false", &p->t->binary);
	if (nx_jscan_is(&p->s, "shared_memory_region"))
		return nx_err_set(p->err, NX_EUNSUPP, "shared memory is not supported");
	if (!nx_jscan_is(&p->s, "classification"))
		return skip(p);
	int rc = whole(p, "classification must be a whole number", 1e6, &k);
	p->t->classification = (int)k;
	return rc;
}

static int output_member(struct parse *p)
{
	if (nx_jscan_is(&p->s, "name"))
		return string(p, "the name of an output must be a string", &p->t->name);
	if (nx_jscan_is(&p->s, "parameters"))
		return object(p, "the parameters of an output must be an object", output_parameter);
	return skip(p);
}

static int output(struct parse *p)
{
	struct nx_oip_request *req = p->req;

	if (req->n_outputs == NX_OIP_MAX_TENSORS)
		return nx_err_set(p->err, NX_EDATA, "more than %d outputs", NX_OIP_MAX_TENSORS);
	p->t = &req->output[req->n_outputs++];
	int rc = members(p, output_member);
	if (rc == 0 && !p->t->name)
		return wrong(p, "an output has no name");
	return rc;
}

static int request_parameter(struct parse *p)
{
	struct nx_oip_request *req = p->req;
	double us = 0;

	if (nx_jscan_is(&p->s, "binary_data_output"))
		return boolean(p, "binary_data_output must be true or false", &req->binary_output);
	if (nx_jscan_is(&p->s, "nexus_deadline_ms"))
		return number(p, "nexus_deadline_ms must be a number of milliseconds", 1e12,
			&req->deadline_ms);
	if (nx_jscan_is(&p->s, "nexus_session"))
		return string(p, "nexus_session must be a string", &req->session);
	if (!nx_jscan_is(&p->s, "timeout"))
		return skip(p);
	int rc = number(p, "timeout must be a number of microseconds", 1e15, &us);
	/* 0 means none; our own parameter goes before it, in any order. */
	if (rc == 0 && us > 0 && req->deadline_ms < 0)
		req->deadline_ms = us / 1000;
	return rc;
}

static int request_member(struct parse *p)
{
	if (nx_jscan_is(&p->s, "id"))
		return string(p, "id must be a string", &p->req->id);
	if (nx_jscan_is(&p->s, "parameters"))
		return object(p, "parameters must be an object", request_parameter);
	if (nx_jscan_is(&p->s, "inputs"))
		return objects(p, "inputs must be an array of objects", input);
	if (nx_jscan_is(&p->s, "outputs"))
		return objects(p, "outputs must be an array of objects", output);
	return skip(p);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static int start(struct parse *p, const void *body, size_t len, size_t json_len, struct nx_err *err)
{
	size_t text_len = json_len == (size_t)-1 ? len : json_len;

	p->err = err;
	if (text_len > len)
		return nx_err_set(err, NX_EDATA,
			"Inference-Header-Content-Length is %zu, but the body has %zu bytes",
			json_len, len);
	nx_jscan_init(&p->s, body, text_len);
	p->rest = (const char *)body + text_len;
	p->rest_len = len - text_len;
	return 0;
}

static int whole_text(struct parse *p, member_fn *fn)
{
	int rc = object(p, "must be a JSON object", fn);

	if (rc)
		return rc;
	return nx_jscan_next(&p->s) == NX_JT_END ? 0 : scan_failed(p);
}

/* An only tensor with neither data nor binary_data_size takes all that is behind the JSON. */
static int bare_tensors(struct parse *p, struct nx_oip_tensor *list, size_t n)
{
	if (p->n_bare == 1 && n == 1 && p->rest_len) {
		p->t = list;
		p->binary_size = (int64_t)p->rest_len;
		return binary_data(p);
	}
	if (p->n_bare)
		return nx_err_set(
			p->err, NX_EDATA, "a tensor has neither data nor binary_data_size");
	if (p->rest_len)
		return nx_err_set(p->err, NX_EDATA, "%zu bytes behind the JSON belong to no tensor",
			p->rest_len);
	return 0;
}

static int raw_request(const void *body, size_t len, const struct nx_oip_raw *raw,
	struct nx_oip_request *req, struct nx_err *err)
{
	struct nx_oip_tensor *t = &req->input[0];
	size_t row = nx_dtype_size(raw->dtype);

	req->n_inputs = 1;
	req->binary_output = true;
	t->name = nx_strdup(raw->name);
	t->dtype = raw->dtype;
	t->shape = raw->shape;
	for (int i = 1; i < t->shape.rank; i++)
		if (t->shape.dim[i] < 0 ||
			__builtin_mul_overflow(row, (size_t)t->shape.dim[i], &row))
			return nx_err_set(err, NX_EDATA,
				"input '%s': its shape does not follow from raw bytes", raw->name);
	if (t->shape.rank && t->shape.dim[0] < 0)
		t->shape.dim[0] = t->dtype == NX_STRING ? 1 : row ? (int64_t)(len / row) : 0;
	int rc = nx_oip_data_borrow(t, body, len, err);
	return rc ? nx_err_wrap(err, "input '%s'", raw->name) : 0;
}

int nx_oip_parse_request(const void *body, size_t len, size_t json_len,
	const struct nx_oip_raw *raw, struct nx_oip_request *req, struct nx_err *err)
{
	struct parse p = { .req = req };

	memset(req, 0, sizeof *req);
	req->deadline_ms = -1;
	if (json_len == 0 && !raw)
		return nx_err_set(err, NX_EDATA, "a raw request needs a model with one input");
	if (json_len == 0)
		return raw_request(body, len, raw, req, err);
	int rc = start(&p, body, len, json_len, err);
	if (rc == 0)
		rc = whole_text(&p, request_member);
	if (rc == 0 && req->n_inputs == 0)
		rc = nx_err_set(err, NX_EDATA, "inputs are missing");
	if (rc == 0)
		rc = bare_tensors(&p, req->input, req->n_inputs);
	return rc;
}

static void release(struct nx_oip_tensor *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].owned);
	}
}

void nx_oip_request_release(struct nx_oip_request *req)
{
	release(req->input, req->n_inputs);
	release(req->output, req->n_outputs);
	free(req->id);
	free(req->session);
	memset(req, 0, sizeof *req);
}

static int answer_output(struct parse *p)
{
	return tensor(p, "output", p->resp->output, &p->resp->n_outputs);
}

static int response_member(struct parse *p)
{
	if (nx_jscan_is(&p->s, "model_name"))
		return string(p, "model_name must be a string", &p->resp->model);
	if (nx_jscan_is(&p->s, "id"))
		return string(p, "id must be a string", &p->resp->id);
	if (nx_jscan_is(&p->s, "outputs"))
		return objects(p, "outputs must be an array of objects", answer_output);
	return skip(p);
}

int nx_oip_parse_response(const void *body, size_t len, size_t json_len,
	struct nx_oip_response *resp, struct nx_err *err)
{
	struct parse p = { .resp = resp };

	memset(resp, 0, sizeof *resp);
	int rc = start(&p, body, len, json_len, err);
	if (rc == 0)
		rc = whole_text(&p, response_member);
	if (rc == 0)
		rc = bare_tensors(&p, resp->output, resp->n_outputs);
	return rc;
}

void nx_oip_response_release(struct nx_oip_response *resp)
{
	release(resp->output, resp->n_outputs);
	free(resp->model);
	free(resp->id);
	memset(resp, 0, sizeof *resp);
}
