/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: any bytes as an inference request or answer.  What is accepted is written again,
 * as a request and as an answer, and must be accepted again. */
#include "net/oip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum(const struct nx_oip_tensor *t, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < t[i].bytes; k++)
			bytes += ((const unsigned char *)t[i].data)[k] ? 1 : 256;
	return bytes;
}

static void write_request(const struct nx_oip_request *q)
{
	struct nx_oip_request back;
	struct nx_buf body = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	size_t json_len;

	nx_oip_format_request(q, &body, &json_len);
	if (nx_oip_parse_request(body.data, body.len, json_len, NULL, &back, &err))
		abort();
	if (back.n_inputs != q->n_inputs || back.n_outputs != q->n_outputs ||
		sum(back.input, back.n_inputs) != sum(q->input, q->n_inputs))
		abort();
	nx_oip_request_release(&back);
	nx_buf_release(&body);
}

/* The inputs as an answer, every other one of them as JSON. */
static void write_response(const struct nx_oip_request *q)
{
	struct nx_oip_response resp = { .n_outputs = q->n_inputs }, back;
	struct nx_buf body = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	size_t json_len;

	memcpy(resp.output, q->input, sizeof resp.output);
	for (size_t i = 0; i < resp.n_outputs; i += 2)
		resp.output[i].binary = true;
	nx_oip_format_response(&resp, NULL, NULL, &body, &json_len);
	if (nx_oip_parse_response(body.data, body.len, json_len, &back, &err) ||
		back.n_outputs != resp.n_outputs)
		abort();
	nx_oip_response_release(&back);
	nx_buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nx_oip_raw raw = { "x", data && size && data[0] & 1 ? NX_F32 : NX_STRING,
		{ 2, { -1, 2 } } };
	struct nx_oip_request q;
	struct nx_oip_response resp;
	struct nx_err err = NX_ERR_INIT;

	if (size < 3)
		return 0;
	/* the first bytes say how long the JSON is; 0xffff: all of it */
	size_t json_len = data[0] | (size_t)data[1] << 8;
	if (json_len == 0xffff)
		json_len = (size_t)-1;
	const char *body = (const char *)data + 2;
	if (nx_oip_parse_request(body, size - 2, json_len, &raw, &q, &err) == 0) {
		write_request(&q);
		write_response(&q);
	}
	nx_oip_request_release(&q);
	nx_oip_parse_response(body, size - 2, json_len, &resp, &err);
	nx_oip_response_release(&resp);
	return 0;
}
