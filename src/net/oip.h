/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open Inference Protocol v2 over REST (KServe, Triton): requests and answers with JSON tensors
 * and with the binary tensor extension, and the paths every server answers.
 */
#ifndef NX_NET_OIP_H
#define NX_NET_OIP_H

#include "core/buf.h"
#include "core/err.h"
#include "json/json.h"
#include "model/graph.h"
#include "net/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_OIP_MAX_TENSORS 64

/* A tensor of a request or an answer.  BYTES tensors: 'bytes' is the raw form, every element a
 * 4-byte little-endian length and its bytes. */
struct nx_oip_tensor {
	char *name;
	enum nx_dtype dtype; /* NX_STRING: BYTES */
	struct nx_shape shape;
	const void *data; /* borrowed from the body (binary; not aligned) or owned below */
	size_t bytes;
	void *owned;
	bool binary;        /* requests: output wanted as binary */
	int classification; /* requests: output wanted as k "score:index:label" strings; 0 no */
};

struct nx_oip_request {
	char *id;
	struct nx_oip_tensor input[NX_OIP_MAX_TENSORS];
	size_t n_inputs;
	struct nx_oip_tensor output[NX_OIP_MAX_TENSORS]; /* wanted; none: all */
	size_t n_outputs;
	bool binary_output; /* all outputs as binary */
	double deadline_ms; /* parameters.nexus_deadline_ms or timeout (µs); < 0: none given */
	char *session;      /* parameters.nexus_session or NULL */
};

/* Parses the body of an infer request; json_len is Inference-Header-Content-Length or
 * (size_t)-1.  json_len 0 is the raw binary request: 'raw' then names the model's only input.
 * data may be flat or nested; null is a NaN.  An only input with neither data nor
 * binary_data_size takes all bytes behind the JSON, and a BYTES tensor of one element may come
 * without its length in front (a picture as it is).  All sizes are checked; NX_EDATA says what is
 * wrong where.  Call nx_oip_request_release also after an error. */
struct nx_oip_raw {
	const char *name;
	enum nx_dtype dtype;
	struct nx_shape shape; /* leading -1: computed from the size */
};
int nx_oip_parse_request(const void *body, size_t len, size_t json_len,
	const struct nx_oip_raw *raw, struct nx_oip_request *req, struct nx_err *err);
void nx_oip_request_release(struct nx_oip_request *req);

/* Appends a request (tensors all binary) to *body and sets *json_len.  Members of req that are
 * unset are left out; outputs are wanted as binary. */
void nx_oip_format_request(const struct nx_oip_request *req, struct nx_buf *body, size_t *json_len);

struct nx_oip_response {
	char *model, *id;
	struct nx_oip_tensor output[NX_OIP_MAX_TENSORS];
	size_t n_outputs;
};
/* 'extra' (may be NULL) is called to add members to the response object.  Outputs without
 * 'binary' become JSON, floats as the shortest decimals that read back equal, NaN and infinities
 * as null; FP16 and BF16 are always binary.  *json_len is (size_t)-1 when nothing is binary. */
void nx_oip_format_response(const struct nx_oip_response *resp,
	void (*extra)(void *arg, struct nx_jw *w), void *arg, struct nx_buf *body,
	size_t *json_len);
/* Call nx_oip_response_release also after an error. */
int nx_oip_parse_response(const void *body, size_t len, size_t json_len,
	struct nx_oip_response *resp, struct nx_err *err);
void nx_oip_response_release(struct nx_oip_response *resp);

/* ---- the server's paths ---------------------------------------------------------------------- */

/* What a server answers; all on the loop thread.  nx_oip_dispatch finds the path, checks the
 * method (405), answers what it can by itself and calls the rest. */
struct nx_oip_model_info {
	const char *name, *platform;
	struct nx_oip_io {
		const char *name;
		enum nx_dtype dtype;
		struct nx_shape shape; /* leading -1 */
	} const *inputs, *outputs;
	size_t n_inputs, n_outputs;
	int64_t max_batch;
};

struct nx_oip_service {
	const char *server_name; /* "nexus-serve" */
	bool (*ready)(void *arg);
	/* 0 and *info, or -1 when there is no such model (404). */
	int (*model)(void *arg, const char *name, struct nx_oip_model_info *info);
	/* Names of the models: the i-th or NULL. */
	const char *(*model_name)(void *arg, size_t i);
	bool (*model_ready)(void *arg, const char *name);
	/* Takes over the request; 'model' is borrowed during the call. */
	void (*infer)(void *arg, const char *model, struct nx_http_req *r);
	void (*metrics)(void *arg, struct nx_buf *text); /* GET /metrics, Prometheus text */
	/* Other paths ("/nexus/v1/stats"); true if it took the request over. May be NULL. */
	bool (*other)(void *arg, struct nx_http_req *r);
	void *arg;
};
void nx_oip_dispatch(const struct nx_oip_service *s, struct nx_http_req *r);

#endif
