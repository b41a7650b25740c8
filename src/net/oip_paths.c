/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of the Open Inference Protocol.  A model's name may hold slashes (the sessions of a
 * query are "query/stage"), so what follows a name is taken off from the end. */
#include "core/alloc.h"
#include "core/text.h"
#include "net/oip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Clients switch features on by this list: only what works stands here. */
static const char *const extensions[] = { "binary_tensor_data", "classification", "parameters",
	"model_configuration" };

static void fail(struct nx_http_req *r, int code, const char *why, const char *what)
{
	struct nx_err err = NX_ERR_INIT;

	nx_err_set(&err, code, "%s '%.200s'", why, what);
	nx_http_reply_error(r, &err);
}

/* ---- JSON answers -------------------------------------------------------------------------------- */

static void begin(struct nx_http_resp *resp, struct nx_jw *w)
{
	memset(resp, 0, sizeof *resp);
	resp->status = 200;
	nx_jw_init(w, &resp->body, NX_JCOMPACT);
}

static void reply_flag(struct nx_http_req *r, const char *name, const char *key, bool flag)
{
	struct nx_http_resp resp;
	struct nx_jw w;

	begin(&resp, &w);
	if (!flag) {
		resp.status = 503;
		resp.extra_headers = "Retry-After: 1\r\n";
	}
	nx_jw_object(&w);
	nx_jw_kstring(&w, "name", name);
	nx_jw_kbool(&w, key, flag);
	nx_jw_end(&w);
	nx_http_reply(r, &resp);
}

static void reply_server(const struct nx_oip_service *s, struct nx_http_req *r)
{
	struct nx_http_resp resp;
	struct nx_jw w;

	begin(&resp, &w);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "name", s->server_name);
	nx_jw_kstring(&w, "version", NX_VERSION);
	nx_jw_key(&w, "extensions");
	nx_jw_array(&w);
	for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
		nx_jw_string(&w, extensions[i]);
	nx_jw_end(&w);
	nx_jw_end(&w);
	nx_http_reply(r, &resp);
}

static void write_shape(struct nx_jw *w, const char *key, const struct nx_shape *s, int from)
{
	nx_jw_key(w, key);
	nx_jw_array(w);
	for (int i = from; i < s->rank; i++)
		nx_jw_int(w, s->dim[i]);
	nx_jw_end(w);
}

static void write_ios(struct nx_jw *w, const char *key, const struct nx_oip_io *io, size_t n)
{
	nx_jw_key(w, key);
	nx_jw_array(w);
	for (size_t i = 0; i < n; i++) {
		nx_jw_object(w);
		nx_jw_kstring(w, "name", io[i].name);
		nx_jw_kstring(w, "datatype", nx_dtype_oip_name(io[i].dtype));
		write_shape(w, "shape", &io[i].shape, 0);
		nx_jw_end(w);
	}
	nx_jw_end(w);
}

static void reply_metadata(struct nx_http_req *r, const struct nx_oip_model_info *info)
{
	struct nx_http_resp resp;
	struct nx_jw w;

	begin(&resp, &w);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "name", info->name);
	nx_jw_key(&w, "versions");
	nx_jw_array(&w);
	nx_jw_string(&w, "1");
	nx_jw_end(&w);
	nx_jw_kstring(&w, "platform", info->platform);
	write_ios(&w, "inputs", info->inputs, info->n_inputs);
	write_ios(&w, "outputs", info->outputs, info->n_outputs);
	nx_jw_end(&w);
	nx_http_reply(r, &resp);
}

/* Triton's ModelConfig: types are TYPE_FP32, dims are without the batch where there is one. */
static void write_config_ios(
	struct nx_jw *w, const char *key, const struct nx_oip_io *io, size_t n, bool batched)
{
	char type[40];

	nx_jw_key(w, key);
	nx_jw_array(w);
	for (size_t i = 0; i < n; i++) {
		snprintf(type, sizeof type, "TYPE_%s",
			io[i].dtype == NX_STRING ? "STRING" : nx_dtype_oip_name(io[i].dtype));
		nx_jw_object(w);
		nx_jw_kstring(w, "name", io[i].name);
		nx_jw_kstring(w, "data_type", type);
		write_shape(w, "dims", &io[i].shape, batched ? 1 : 0);
		nx_jw_end(w);
	}
	nx_jw_end(w);
}

static void reply_config(struct nx_http_req *r, const struct nx_oip_model_info *info)
{
	struct nx_http_resp resp;
	struct nx_jw w;
	bool batched = info->max_batch > 0;

	begin(&resp, &w);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "name", info->name);
	nx_jw_kstring(&w, "platform", info->platform);
	nx_jw_kint(&w, "max_batch_size", info->max_batch);
	write_config_ios(&w, "input", info->inputs, info->n_inputs, batched);
	write_config_ios(&w, "output", info->outputs, info->n_outputs, batched);
	nx_jw_end(&w);
	nx_http_reply(r, &resp);
}

static void reply_index(const struct nx_oip_service *s, struct nx_http_req *r)
{
	struct nx_http_resp resp;
	struct nx_jw w;
	const char *name;

	begin(&resp, &w);
	nx_jw_array(&w);
	for (size_t i = 0; (name = s->model_name(s->arg, i)) != NULL; i++) {
		bool ready = s->model_ready(s->arg, name);
		nx_jw_object(&w);
		nx_jw_kstring(&w, "name", name);
		nx_jw_kstring(&w, "version", "1");
		nx_jw_kstring(&w, "state", ready ? "READY" : "UNAVAILABLE");
		nx_jw_kstring(&w, "reason", "");
		nx_jw_end(&w);
	}
	nx_jw_end(&w);
	nx_http_reply(r, &resp);
}

static void reply_metrics(const struct nx_oip_service *s, struct nx_http_req *r)
{
	struct nx_http_resp resp = { .status = 200,
		.content_type = "text/plain; version=0.0.4; charset=utf-8" };

	s->metrics(s->arg, &resp.body);
	nx_http_reply(r, &resp);
}

/* ---- methods and paths --------------------------------------------------------------------------- */

/* Answers 405 and returns false when the method is another. */
static bool method_is(struct nx_http_req *r, const char *method)
{
	struct nx_http_resp resp = { .status = 405 };
	struct nx_jw w;
	bool get = !strcmp(method, "GET");

	if (!strcmp(r->method, method) || (get && !strcmp(r->method, "HEAD")))
		return true;
	nx_jw_init(&w, &resp.body, NX_JCOMPACT);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "error", get ? "this path takes GET" : "this path takes POST");
	nx_jw_end(&w);
	resp.extra_headers = get ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n";
	nx_http_reply(r, &resp);
	return false;
}

/* Takes the suffix off the text if it is there. */
static bool take_suffix(char *text, const char *suffix)
{
	if (!nx_text_has_suffix(text, suffix))
		return false;
	text[strlen(text) - strlen(suffix)] = '\0';
	return true;
}

/* Takes "/versions/N" off; false when N is not "1", the only version there is. */
static bool take_version(char *text)
{
	char *last = strrchr(text, '/');
	static const char word[] = "/versions";

	if (!last || (size_t)(last - text) < sizeof word - 1 ||
		strncmp(last - (sizeof word - 1), word, sizeof word - 1) != 0)
		return true;
	bool right = !strcmp(last, "/1");
	last[-(ptrdiff_t)(sizeof word - 1)] = '\0';
	return right;
}

static void dispatch_model(const struct nx_oip_service *s, struct nx_http_req *r, char *name)
{
	struct nx_oip_model_info info;
	bool infer = take_suffix(name, "/infer");
	bool ready = !infer && take_suffix(name, "/ready");
	bool config = !infer && !ready && take_suffix(name, "/config");
	bool right_version = take_version(name);

	memset(&info, 0, sizeof info);
	if (!method_is(r, infer ? "POST" : "GET"))
		return;
	if (s->model(s->arg, name, &info))
		fail(r, NX_ENOTFOUND, "there is no model", name);
	else if (!right_version)
		fail(r, NX_ENOTFOUND, "there is only version 1 of model", name);
	else if (infer)
		s->infer(s->arg, name, r);
	else if (ready)
		reply_flag(r, name, "ready", s->model_ready(s->arg, name));
	else if (config)
		reply_config(r, &info);
	else
		reply_metadata(r, &info);
}

void nx_oip_dispatch(const struct nx_oip_service *s, struct nx_http_req *r)
{
	static const char models[] = "/v2/models/";
	const char *path = r->path;

	if (nx_text_has_prefix(path, models)) {
		char *name = nx_strdup(path + sizeof models - 1);
		dispatch_model(s, r, name);
		free(name);
	} else if (!strcmp(path, "/v2") || !strcmp(path, "/v2/")) {
		if (method_is(r, "GET"))
			reply_server(s, r);
	} else if (!strcmp(path, "/v2/health/live")) {
		if (method_is(r, "GET"))
			reply_flag(r, NULL, "live", true);
	} else if (!strcmp(path, "/v2/health/ready")) {
		if (method_is(r, "GET"))
			reply_flag(r, NULL, "ready", s->ready(s->arg));
	} else if (!strcmp(path, "/v2/repository/index")) {
		if (method_is(r, "POST"))
			reply_index(s, r);
	} else if (!strcmp(path, "/metrics")) {
		if (method_is(r, "GET"))
			reply_metrics(s, r);
	} else if (!s->other || !s->other(s->arg, r)) {
		fail(r, NX_ENOTFOUND, "there is no path", path);
	}
}
