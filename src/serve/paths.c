/* SPDX-License-Identifier: Apache-2.0 */
/* What the protocol asks of a server besides inference. */
#include "serve/server.h"

#include "core/clock.h"

#include <string.h>

static bool is_ready(void *arg)
{
	const struct nx_server *s = arg;

	return !s->draining;
}

/* A model's batch limit is the session's: more rows than planned would break the plan. */
static int model_info(void *arg, const char *name, struct nx_oip_model_info *info)
{
	const struct nx_server *s = arg;
	const struct nx_served *v = nx_lineup_find(s->current, name);

	if (!v)
		return -1;
	*info = (struct nx_oip_model_info){
		.name = name, /* as asked: a session may go by its model's name */
		.platform = "onnx",
		.inputs = v->model->oip_in,
		.outputs = v->model->oip_out,
		.n_inputs = v->model->n_in,
		.n_outputs = v->model->n_out,
		.max_batch = v->batch,
	};
	return 0;
}

/* Sessions are what can be asked for; two of one model have their own limits. */
static const char *model_name(void *arg, size_t i)
{
	const struct nx_server *s = arg;

	return i < s->current->n ? s->current->session[i].name : NULL;
}

static bool model_ready(void *arg, const char *name)
{
	const struct nx_server *s = arg;

	return !s->draining && nx_lineup_find(s->current, name);
}

static void metrics(void *arg, struct nx_buf *text)
{
	const struct nx_server *s = arg;

	nx_tally_metrics(s->tally, s->current->epoch, text);
}

static bool other_path(void *arg, struct nx_http_req *r)
{
	const struct nx_server *s = arg;
	struct nx_http_resp resp = { .status = 200 };
	struct nx_stats line;

	if (strcmp(r->path, "/nexus/v1/stats") != 0 || strcmp(r->method, "GET") != 0)
		return false;
	nx_tally_line(s->tally, s->current->epoch, nx_now_ns(), false, &line);
	nx_stats_print(&line, &resp.body);
	nx_stats_release(&line);
	nx_http_reply(r, &resp);
	return true;
}

void nx_server_set_paths(struct nx_server *s)
{
	s->service = (struct nx_oip_service){
		.server_name = "nexus-serve",
		.ready = is_ready,
		.model = model_info,
		.model_name = model_name,
		.model_ready = model_ready,
		.infer = nx_server_infer,
		.metrics = metrics,
		.other = other_path,
		.arg = s,
	};
}
