/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router as a server.  Bodies travel opaque: the router reads the path, the headers and, of a
 * binary request, the short JSON in front, to know how many rows it counts for.
 */
#include "route/route.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/text.h"
#include "core/units.h"
#include "net/daemon.h"
#include "net/oip.h"
#include "query/outcome.h"
#include "query/wire.h"
#include "route/upstream.h"
#include "stats/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_JSON_MAX 4096 /* of the JSON in front of a binary body that is looked at */

struct router {
	const struct nx_route_config *config;
	uv_loop_t *loop;
	struct nx_plan *plan;
	struct nx_upstream *upstream;
	struct nx_tally *tally;
	struct nx_daemon *daemon;
	uv_timer_t stats_timer;
	FILE *stats_out;
	struct nx_buf last_line; /* statistics of the last whole interval */
	bool draining;
};

/* A request on its way through. */
struct passage {
	struct router *router;
	struct nx_http_req *req;
	struct nx_tally_session *stats;
	uint64_t deadline_ns, rows;
};

/* ---- inference -------------------------------------------------------------------------------- */

/* The leading dimension of the first input, where a small JSON header tells it; else 1. */
static uint64_t rows_of(const struct nx_http_req *r, size_t json_len)
{
	struct nx_jscan s;
	enum nx_jtoken t;

	if (json_len == (size_t)-1 || json_len > r->body_len || json_len > ROWS_JSON_MAX)
		return 1;
	nx_jscan_init(&s, r->body, json_len);
	while ((t = nx_jscan_next(&s)) != NX_JT_END && t != NX_JT_ERROR) {
		if (t != NX_JT_KEY || !nx_jscan_is(&s, "shape"))
			continue;
		if (nx_jscan_next(&s) != NX_JT_ARRAY || nx_jscan_next(&s) != NX_JT_NUMBER)
			return 1;
		return s.number >= 1 && s.number <= NX_STATS_BATCH_MAX ? (uint64_t)s.number : 1;
	}
	return 1;
}

static void count(struct passage *p, struct nx_verdict v)
{
	uint64_t now = nx_now_ns();

	for (uint64_t i = 0; i < p->rows; i++)
		nx_tally_ended(p->stats, v.outcome, v.reason, now - p->req->arrived_ns);
}

static void reply_error(
	struct nx_http_req *req, int status, const char *message, const char *reason)
{
	struct nx_http_resp resp = { .status = status };
	struct nx_jw w;

	nx_jw_init(&w, &resp.body, NX_JCOMPACT);
	nx_jw_object(&w);
	nx_jw_kstring(&w, "error", message);
	nx_jw_kstring(&w, "reason", reason);
	nx_jw_end(&w);
	if (status == 503)
		resp.extra_headers = "Retry-After: 1\r\n";
	nx_http_reply(req, &resp);
}

static void pass_answer(struct passage *p, const struct nx_http_answer *a)
{
	struct nx_http_resp resp = { .status = a->status, .content_type = a->content_type };
	char headers[128] = "";
	size_t n = 0;

	if (a->json_len != (size_t)-1)
		n = (size_t)snprintf(headers, sizeof headers,
			"Inference-Header-Content-Length: %zu\r\n", a->json_len);
	if (a->retry_after_s >= 0)
		snprintf(
			headers + n, sizeof headers - n, "Retry-After: %.0f\r\n", a->retry_after_s);
	resp.extra_headers = headers;
	nx_buf_add(&resp.body, a->body, a->body_len);
	nx_http_reply(p->req, &resp);
}

static void on_answer(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct passage *p = arg;

	count(p, nx_verdict_of(a, err, p->deadline_ns, nx_now_ns()));
	if (a)
		pass_answer(p, a);
	else
		reply_error(p->req, nx_err_http_status(err->code) == 404 ? 404 : 503, err->msg,
			nx_reason_name(NX_REASON_BACKEND));
	free(p);
}

/* A session by its own name, else the first session of a model of that name. */
static const struct nx_plan_session *find_session(const struct router *r, const char *name)
{
	const struct nx_plan_session *s = nx_plan_find_session(r->plan, name);

	for (size_t i = 0; !s && i < r->plan->n_backends; i++) {
		const struct nx_plan_backend *b = &r->plan->backend[i];
		for (size_t k = 0; !s && k < b->n_sessions; k++) {
			if (strcmp(b->session[k].model, name) == 0)
				s = &b->session[k];
		}
	}
	return s;
}

/* The client's own limit in milliseconds, or the session's SLO if that is tighter. */
static double time_allowed(const struct nx_http_req *req, double slo_ms)
{
	const char *header = nx_http_req_header(req, "Nexus-Deadline-Ms");
	double ms;

	if (header && nx_parse_double(header, &ms) == 0 && ms >= 0 && ms < slo_ms)
		return ms;
	return slo_ms;
}

static size_t json_length(const struct nx_http_req *req)
{
	const char *header = nx_http_req_header(req, "Inference-Header-Content-Length");
	double n;

	if (!header || nx_parse_double(header, &n) || n < 0 || n > (double)req->body_len)
		return (size_t)-1;
	return (size_t)n;
}

static void on_infer(void *arg, const char *name, struct nx_http_req *req)
{
	struct router *r = arg;
	const char *header = nx_http_req_header(req, "Nexus-Session");
	const struct nx_plan_session *s = find_session(r, header ? header : name);
	struct nx_infer infer = { .done = on_answer };

	if (!s) {
		struct nx_err err = NX_ERR_INIT;
		nx_err_set(&err, NX_ENOTFOUND, "the plan has no session or model '%.200s'", name);
		nx_http_reply_error(req, &err);
		return;
	}
	struct passage *p = nx_alloc(1, sizeof *p);
	infer.json_len = json_length(req);
	*p = (struct passage){ .router = r, .req = req };
	p->stats = nx_tally_session(r->tally, s->session);
	p->deadline_ns = req->arrived_ns + nx_ms_to_ns(time_allowed(req, s->slo_ms));
	p->rows = rows_of(req, infer.json_len);
	nx_tally_received(p->stats, p->rows);
	if (r->draining || nx_now_ns() >= p->deadline_ns) {
		enum nx_reason why = r->draining ? NX_REASON_DRAIN : NX_REASON_ADMISSION;
		count(p, (struct nx_verdict){ NX_REJECTED, why });
		reply_error(req, 503, r->draining ? "draining" : "the deadline has passed",
			nx_reason_name(why));
		free(p);
		return;
	}
	infer.session = s->session;
	infer.model = s->model;
	infer.content_type = nx_http_req_header(req, "Content-Type");
	infer.deadline_ns = p->deadline_ns;
	infer.done_arg = p;
	nx_buf_add(&infer.body, req->body, req->body_len);
	nx_upstream_infer(r->upstream, &infer);
}

/* ---- the other paths ----------------------------------------------------------------------------- */

static bool is_ready(void *arg)
{
	const struct router *r = arg;

	return !r->draining && nx_upstream_ready(r->upstream);
}

static const char *model_name(void *arg, size_t i)
{
	const struct router *r = arg;

	return i < r->plan->n_routes ? r->plan->route[i].session : NULL;
}

static bool model_ready(void *arg, const char *name)
{
	return is_ready(arg) && find_session(arg, name) != NULL;
}

/* Metadata are forwarded before this is asked; what is left is whether there is such a model. */
static int model_info(void *arg, const char *name, struct nx_oip_model_info *info)
{
	memset(info, 0, sizeof *info);
	info->name = name;
	info->platform = "nexus";
	return find_session(arg, name) ? 0 : -1;
}

static void print_line(struct router *r, bool rotate, struct nx_buf *out)
{
	struct nx_stats line;

	nx_tally_line(r->tally, r->plan->epoch, nx_now_ns(), rotate, &line);
	if (r->upstream) /* closed when a drain takes too long */
		nx_upstream_observe(r->upstream, line.interval_ms, rotate, &line);
	nx_stats_print(&line, out);
	nx_stats_release(&line);
}

static void metrics(void *arg, struct nx_buf *out)
{
	struct router *r = arg;

	nx_tally_metrics(r->tally, r->plan->epoch, out);
}

static void on_forwarded(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct passage p = { .req = arg };

	if (a)
		pass_answer(&p, a);
	else
		reply_error(arg, 503, err->msg, nx_reason_name(NX_REASON_BACKEND));
}

/* "/v2/models/NAME": what a model takes and gives is what its backend says. */
static bool forward_metadata(struct router *r, struct nx_http_req *req)
{
	static const char prefix[] = "/v2/models/";
	struct nx_buf path = NX_BUF_INIT;

	if (strcmp(req->method, "GET") != 0 || !nx_text_has_prefix(req->path, prefix) ||
		nx_text_has_suffix(req->path, "/ready"))
		return false;
	char *name = nx_strdup(req->path + sizeof prefix - 1);
	const struct nx_plan_session *s = find_session(r, name);
	char *slash = s ? NULL : strchr(name, '/');
	if (slash)
		*slash = '\0';
	if (!s)
		s = find_session(r, name);
	if (s && r->draining) {
		reply_error(req, 503, "draining", nx_reason_name(NX_REASON_DRAIN));
	} else if (s) {
		nx_buf_adds(&path, "/v2/models/");
		nx_wire_add_segment(&path, s->model);
		if (slash)
			nx_buf_addf(&path, "/%s", slash + 1);
		nx_upstream_forward(r->upstream, s->session, "GET", path.data, on_forwarded, req);
		nx_buf_release(&path);
	}
	free(name);
	return s != NULL;
}

static bool other_path(void *arg, struct nx_http_req *req)
{
	struct router *r = arg;
	struct nx_http_resp resp = { .status = 200 };

	if (strcmp(req->path, "/nexus/v1/stats") != 0 || strcmp(req->method, "GET") != 0)
		return false;
	/* A whole interval says more than what has passed of the next. */
	if (r->last_line.len)
		nx_buf_add(&resp.body, r->last_line.data, r->last_line.len);
	else
		print_line(r, false, &resp.body);
	nx_http_reply(req, &resp);
	return true;
}

static void on_request(void *arg, struct nx_http_req *req)
{
	const struct nx_oip_service service = { .server_name = "nexus-route",
		.ready = is_ready,
		.model = model_info,
		.model_name = model_name,
		.model_ready = model_ready,
		.infer = on_infer,
		.metrics = metrics,
		.other = other_path,
		.arg = arg };

	if (!forward_metadata(arg, req))
		nx_oip_dispatch(&service, req);
}

/* ---- life ---------------------------------------------------------------------------------------- */

/* Ends the interval: its line is kept, and written where it is wanted. */
static void end_interval(struct router *r)
{
	nx_buf_clear(&r->last_line);
	print_line(r, true, &r->last_line);
	if (!r->stats_out)
		return;
	if (fwrite(r->last_line.data, 1, r->last_line.len, r->stats_out) != r->last_line.len ||
		fflush(r->stats_out))
		nx_warn("cannot write '%s'", r->config->stats_out);
}

static void on_interval(uv_timer_t *t)
{
	end_interval(t->data);
}

static void reload(void *arg)
{
	struct router *r = arg;
	struct nx_plan *plan = nx_alloc(1, sizeof *plan);
	struct nx_err err = NX_ERR_INIT;

	int rc = nx_plan_load(r->config->plan, plan, &err);
	if (rc == 0)
		rc = nx_upstream_reload(r->upstream, plan, &err);
	if (rc) {
		nx_error("keeping the old plan: %s", err.msg);
		nx_plan_release(plan);
		free(plan);
		return;
	}
	nx_plan_release(r->plan);
	free(r->plan);
	r->plan = plan;
	nx_info("plan of epoch %lld is in use", (long long)plan->epoch);
}

static void drain(void *arg)
{
	struct router *r = arg;

	r->draining = true;
	nx_info("draining");
}

/* What is still at a backend is answered with an error when its connections close. */
static void expired(void *arg)
{
	struct router *r = arg;

	nx_upstream_close(&r->upstream);
}

static void stopped(void *arg)
{
	struct router *r = arg;

	end_interval(r);
	uv_close((uv_handle_t *)&r->stats_timer, NULL);
	nx_upstream_close(&r->upstream);
	nx_daemon_close(&r->daemon);
}

static int start(struct router *r, struct nx_err *err)
{
	static const char *const dflt[] = { "127.0.0.1:8000" };
	const struct nx_route_config *c = r->config;
	const struct nx_daemon_ops ops = { .request = on_request,
		.reload = reload,
		.drain = drain,
		.expired = expired,
		.stopped = stopped,
		.arg = r,
		.drain_ms = (uint64_t)c->drain_ms };

	if (c->stats_out) {
		r->stats_out = fopen(c->stats_out, "ae");
		if (!r->stats_out)
			return nx_err_set(err, NX_ECREATE, "cannot open '%s'", c->stats_out);
	}
	int rc = nx_upstream_new(r->loop, r->plan, &r->upstream, err);
	if (rc)
		return rc;
	rc = nx_daemon_start(r->loop, &ops, c->listen.n ? c->listen.item : dflt,
		c->listen.n ? c->listen.n : 1, &r->daemon, err);
	if (rc) {
		nx_upstream_close(&r->upstream);
		return rc;
	}
	uv_timer_init(r->loop, &r->stats_timer);
	r->stats_timer.data = r;
	uv_timer_start(&r->stats_timer, on_interval, (uint64_t)c->stats_interval_ms,
		(uint64_t)c->stats_interval_ms);
	return 0;
}

int nx_route_serve(const struct nx_route_config *c, struct nx_err *err)
{
	struct router r = { .config = c, .loop = uv_default_loop() };
	char host_id[64];

	snprintf(host_id, sizeof host_id, "router-%d", (int)uv_os_getpid());
	r.plan = nx_alloc(1, sizeof *r.plan);
	r.tally = nx_tally_new("route", c->id ? c->id : host_id, NULL, nx_now_ns());
	int rc = nx_plan_load(c->plan, r.plan, err);
	for (size_t i = 0; rc == 0 && i < r.plan->n_routes; i++)
		nx_tally_session(r.tally, r.plan->route[i].session);
	if (rc == 0)
		rc = start(&r, err);
	uv_run(r.loop, UV_RUN_DEFAULT);
	if (r.stats_out)
		fclose(r.stats_out);
	nx_buf_release(&r.last_line);
	nx_tally_free(&r.tally);
	nx_plan_release(r.plan);
	free(r.plan);
	return rc;
}
