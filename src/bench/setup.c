/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/setup.h"

#include "core/alloc.h"
#include "core/log.h"
#include "query/wire.h"

#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 5000

/* ---- the server ------------------------------------------------------------------------------ */

struct question {
	bool answered;
	int status;
	struct nx_buf body;
	struct nx_err err;
};

static void on_told(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct question *q = arg;

	q->answered = true;
	if (err) {
		q->err = *err;
		return;
	}
	q->status = a->status;
	nx_buf_add(&q->body, a->body, a->body_len);
}

/* GETs a path and waits; the caller releases q->body. */
static int ask(const struct nx_load *l, const char *path, struct question *q, struct nx_err *err)
{
	struct nx_http_client *client;
	struct nx_buf none = NX_BUF_INIT;

	memset(q, 0, sizeof *q);
	int rc = nx_http_client_new(l->loop, l->address, 1, &client, err);
	if (rc)
		return rc;
	nx_http_send(client, "GET", path, NULL, &none, ASK_TIMEOUT_MS, on_told, q);
	while (!q->answered)
		uv_run(l->loop, UV_RUN_ONCE);
	nx_http_client_close(&client);
	uv_run(l->loop, UV_RUN_DEFAULT);
	if (q->err.code)
		return nx_err_set(err, NX_EUNAVAIL, "the server at '%s' cannot be reached: %.500s",
			l->address, q->err.msg);
	return 0;
}

static int check_ready(const struct nx_load *l, struct nx_err *err)
{
	struct question q;
	int rc = ask(l, "/v2/health/ready", &q, err);

	if (rc == 0 && q.status != 200)
		rc = nx_err_set(err, NX_EUNAVAIL, "the server at '%s' is not ready (status %d)",
			l->address, q.status);
	nx_buf_release(&q.body);
	return rc;
}

/* ---- payloads -------------------------------------------------------------------------------- */

static int random_payload(struct nx_bench_setup *s, const struct nx_wl_session *w, uint64_t seed,
	size_t max_bytes, struct nx_payload *p, struct nx_err *err)
{
	struct nx_buf path = NX_BUF_INIT;
	struct question q;

	nx_buf_adds(&path, "/v2/models/");
	nx_wire_add_segment(&path, w->session);
	int rc = ask(&s->load, path.data, &q, err);
	if (rc == 0 && q.status != 200)
		rc = nx_err_set(err, NX_EUNAVAIL,
			"the server at '%s' does not say what it takes (status %d)",
			s->load.address, q.status);
	if (rc == 0)
		rc = nx_payload_random(p, q.body.data ? q.body.data : "", q.body.len,
			s->load.address, seed, max_bytes, err);
	nx_buf_release(&path);
	nx_buf_release(&q.body);
	return rc;
}

/* The model of a session where it is at hand; *m stays NULL where it is not. */
static int find_model(
	const struct nx_bench_setup *s, const char *name, struct nx_model **m, struct nx_err *err)
{
	struct nx_err missing = NX_ERR_INIT;
	char *path = NULL;

	*m = NULL;
	if (!s->dirs || nx_model_find(name, s->dirs, &path, &missing))
		return 0;
	int rc = nx_model_load(path, m, err);
	free(path);
	if (rc == 0)
		nx_model_drop_weights(*m);
	return rc;
}

static int make_payload(struct nx_bench_setup *s, const struct nx_bench_config *c, size_t i,
	bool *pictures, struct nx_err *err)
{
	const struct nx_wl_session *w = &s->workload.session[i];
	size_t max_bytes = NX_PAYLOAD_MAX_BYTES / s->workload.n_sessions;
	uint64_t seed = (uint64_t)c->seed + i;
	struct nx_model *m;

	int rc = find_model(s, w->model, &m, err);
	*pictures = rc == 0 && m && nx_payload_takes_pictures(m);
	if (*pictures && s->frames.n == 0)
		nx_frames_noise(&s->frames, (uint64_t)c->seed);
	if (*pictures)
		rc = nx_payload_pictures(&s->payload[i], m, &s->frames, max_bytes, err);
	else if (rc == 0)
		rc = random_payload(s, w, seed, max_bytes, &s->payload[i], err);
	nx_model_free(&m);
	return rc ? nx_err_wrap(err, "session '%s'", w->session) : 0;
}

static int add_sessions(
	struct nx_bench_setup *s, const struct nx_bench_config *c, struct nx_err *err)
{
	size_t n = s->workload.n_sessions, with_pictures = s->workload.n_queries;

	s->payload = nx_alloc(n, sizeof *s->payload);
	for (size_t i = 0; i < n; i++) {
		const struct nx_wl_session *w = &s->workload.session[i];
		bool pictures = false;
		int rc = make_payload(s, c, i, &pictures, err);
		if (rc)
			return rc;
		with_pictures += pictures;
		s->load.target[s->load.n_targets++] = (struct nx_load_target){ .name = w->session,
			.model = w->model,
			.rate = w->rate,
			.slo_ms = w->slo_ms,
			.payload = &s->payload[i] };
	}
	if (c->input && with_pictures == 0)
		nx_warn("'%s' is not used: no model that takes pictures was found in '%s'",
			c->input, s->dirs ? s->dirs : "");
	return 0;
}

static int add_queries(struct nx_bench_setup *s, struct nx_err *err)
{
	for (size_t i = 0; i < s->workload.n_queries; i++) {
		const struct nx_wl_query *w = &s->workload.query[i];
		struct nx_load_target *t = &s->load.target[s->load.n_targets];
		if (!nx_plan_find_query(&s->plan, w->query))
			return nx_err_set(err, NX_EDATA, "the plan has no query '%s'", w->query);
		int rc = nx_query_new(s->load.loop, &s->plan, w->query, s->dirs, nx_load_infer,
			&s->load, &t->query, err);
		if (rc)
			return nx_err_wrap(err, "query '%s'", w->query);
		t->name = w->query;
		t->rate = w->rate;
		t->slo_ms = w->slo_ms;
		s->load.n_targets++;
	}
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int check_workload(
	const struct nx_workload *w, const struct nx_bench_config *c, struct nx_err *err)
{
	double rate = 0;

	for (size_t i = 0; i < w->n_sessions; i++)
		rate += w->session[i].rate;
	for (size_t i = 0; i < w->n_queries; i++)
		rate += w->query[i].rate;
	if (rate <= 0)
		return nx_err_set(
			err, NX_EDATA, "'%s' has no session or query with a rate", c->workload);
	if (rate * c->scale > NX_LOAD_MAX_RATE)
		return nx_err_set(err, NX_EDATA,
			"'%s' asks for %.0f requests/s, more than the %.0f that can be sent",
			c->workload, rate * c->scale, NX_LOAD_MAX_RATE);
	if (w->n_queries && !c->plan)
		return nx_err_set(
			err, NX_EUSAGE, "query '%s' needs its plan (-P FILE)", w->query[0].query);
	if (w->n_queries && !c->input)
		return nx_err_set(err, NX_EUSAGE, "query '%s' needs pictures (--input SOURCE)",
			w->query[0].query);
	return 0;
}

int nx_bench_setup_open(
	struct nx_bench_setup *s, const struct nx_bench_config *c, struct nx_err *err)
{
	memset(s, 0, sizeof *s);
	s->dirs = nx_model_dirs(c->models, c->plan);
	s->load.loop = uv_default_loop();
	s->load.address = c->url;
	s->load.frames = &s->frames;
	int rc = nx_workload_load(c->workload, &s->workload, err);
	if (rc == 0)
		rc = check_workload(&s->workload, c, err);
	if (rc == 0 && c->plan)
		rc = nx_plan_load(c->plan, &s->plan, err);
	if (rc == 0 && c->input)
		rc = nx_frames_load(&s->frames, c->input, err);
	if (rc == 0)
		rc = check_ready(&s->load, err);
	if (rc)
		return rc;
	s->load.target =
		nx_alloc(s->workload.n_sessions + s->workload.n_queries, sizeof *s->load.target);
	rc = add_sessions(s, c, err);
	return rc ? rc : add_queries(s, err);
}

void nx_bench_setup_close(struct nx_bench_setup *s)
{
	for (size_t i = 0; i < s->load.n_targets; i++)
		nx_query_free(&s->load.target[i].query);
	free(s->load.target);
	for (size_t i = 0; s->payload && i < s->workload.n_sessions; i++)
		nx_payload_release(&s->payload[i]);
	free(s->payload);
	nx_frames_release(&s->frames);
	nx_plan_release(&s->plan);
	nx_workload_release(&s->workload);
	free(s->dirs);
}
