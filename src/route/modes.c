/* SPDX-License-Identifier: Apache-2.0 */
/* The router as a filter, and as the client of another router's statistics. */
#include "route/route.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "model/model.h"
#include "route/upstream.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- filter -------------------------------------------------------------------------------------- */

/* The statistics of the run, one line at its end. */
static int append_stats(const struct nx_route_config *c, const struct nx_plan *plan,
	struct nx_query *q, struct nx_upstream *up, uint64_t start_ns, struct nx_err *err)
{
	char now[NX_RFC3339_SIZE];
	struct nx_stats line = { 0 };
	struct nx_buf text = NX_BUF_INIT;
	int rc = 0;

	nx_now_rfc3339(now);
	line.time = nx_strdup(now);
	line.source = nx_strdup("route");
	line.id = nx_strdup(c->id ? c->id : "filter");
	line.interval_ms = nx_ns_to_ms(nx_now_ns() - start_ns);
	line.epoch = plan->epoch;
	nx_query_observe(q, line.interval_ms, &line);
	nx_upstream_observe(up, line.interval_ms, true, &line);
	nx_stats_print(&line, &text);
	FILE *out = fopen(c->stats_out, "ae");
	bool written = out && fwrite(text.data, 1, text.len, out) == text.len;
	if ((out && fclose(out)) || !written)
		rc = nx_err_set(
			err, NX_EIO, "cannot write '%s': %s", c->stats_out, strerror(errno));
	nx_buf_release(&text);
	nx_stats_release(&line);
	return rc;
}

static int run_filter(const struct nx_route_config *c, const struct nx_plan *plan,
	char *const *sources, size_t n, int *status, struct nx_err *err)
{
	uv_loop_t *loop = uv_default_loop();
	struct nx_upstream *up = NULL;
	struct nx_query *q = NULL;
	struct nx_filter_summary sum = { 0 };
	uint64_t start_ns = nx_now_ns();
	char *dirs = nx_model_dirs(c->models, c->plan);

	int rc = nx_upstream_new(loop, plan, &up, err);
	if (rc == 0)
		rc = nx_query_new(loop, plan, c->query ? c->query : c->session, dirs,
			nx_upstream_infer, up, &q, err);
	free(dirs);
	if (rc == 0)
		rc = nx_filter_run(loop, q, sources, n, &c->frames, stdout, &sum, err);
	if (q && c->stats_out) {
		struct nx_err stats_err = NX_ERR_INIT;
		int stats_rc = append_stats(c, plan, q, up, start_ns, rc ? &stats_err : err);
		rc = rc ? rc : stats_rc;
	}
	if (q)
		nx_info("%llu frames, %llu in SLO, %llu failed", (unsigned long long)sum.frames,
			(unsigned long long)sum.in_slo, (unsigned long long)sum.failed);
	nx_query_free(&q);
	nx_upstream_close(&up);
	uv_run(loop, UV_RUN_DEFAULT);
	*status = nx_err_exit_status(sum.failed ? NX_ENO : NX_OK);
	return rc;
}

int nx_route_filter(const struct nx_route_config *c, char *const *sources, size_t n, int *status,
	struct nx_err *err)
{
	struct nx_plan plan = { 0 };

	/* Sockets break with EPIPE; a reader of our events that goes away ends us as it would
	 * end any filter. */
	signal(SIGPIPE, SIG_IGN);
	int rc = nx_media_load(err);
	if (rc == 0)
		rc = nx_plan_load(c->plan, &plan, err);
	if (rc == 0)
		rc = run_filter(c, &plan, sources, n, status, err);
	nx_plan_release(&plan);
	return rc;
}

/* ---- statistics of a running router ----------------------------------------------------------------- */

struct fetch {
	bool done;
	struct nx_buf body;
	struct nx_err err;
};

static void fetched(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct fetch *f = arg;

	f->done = true;
	if (err)
		f->err = *err;
	else if (a->status != 200)
		nx_err_set(&f->err, NX_EUNAVAIL, "it answered with status %d", a->status);
	else
		nx_buf_add(&f->body, a->body, a->body_len);
}

int nx_route_print_stats(const struct nx_route_config *c, const char *address, struct nx_err *err)
{
	uv_loop_t *loop = uv_default_loop();
	struct nx_http_client *client;
	struct fetch f = { .err = NX_ERR_INIT };
	struct nx_buf none = NX_BUF_INIT;

	int rc = nx_http_client_new(loop, address, 1, &client, err);
	if (rc)
		return rc;
	nx_http_send(client, "GET", "/nexus/v1/stats", NULL, &none, 5000, fetched, &f);
	while (!f.done && uv_run(loop, UV_RUN_ONCE))
		;
	nx_http_client_close(&client);
	uv_run(loop, UV_RUN_DEFAULT);
	if (f.err.code) {
		*err = f.err;
		return nx_err_wrap(err, "router at '%s'", address);
	}
	rc = nx_cli_output(NULL, c->filter, &f.body, err);
	nx_buf_release(&f.body);
	return rc;
}
