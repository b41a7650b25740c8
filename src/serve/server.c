/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the server: everything is loaded before anything listens, so that a client that can
 * connect is served, and a mistake on the command line leaves nothing behind.  It ends when the
 * listeners are drained and no request holds a lineup any more.
 */
#include "serve/server.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- statistics ---------------------------------------------------------------------------------- */

static void write_stats(struct nx_server *s)
{
	struct nx_buf text = NX_BUF_INIT;
	struct nx_stats line;

	nx_tally_line(s->tally, s->current->epoch, nx_now_ns(), true, &line);
	nx_stats_print(&line, &text);
	if (s->stats_fd >= 0 && write(s->stats_fd, text.data, text.len) != (ssize_t)text.len)
		nx_warn("cannot write '%s': %s", s->cfg->stats_out, strerror(errno));
	nx_buf_release(&text);
	nx_stats_release(&line);
}

static void on_stats_timer(uv_timer_t *t)
{
	write_stats(t->data);
}

static int open_stats(struct nx_server *s, struct nx_err *err)
{
	s->stats_fd = -1;
	if (!s->cfg->stats_out)
		return 0;
	if (strcmp(s->cfg->stats_out, "-") == 0)
		s->stats_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		s->stats_fd =
			open(s->cfg->stats_out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (s->stats_fd < 0)
		return nx_err_set(err, NX_ECREATE, "cannot open '%s': %s", s->cfg->stats_out,
			strerror(errno));
	return 0;
}

/* ---- lineups ------------------------------------------------------------------------------------- */

/* Makes a lineup the one that new requests go to.  Counters belong to names, not to lineups, so
 * that a reload does not reset them. */
static void install(struct nx_server *s, struct nx_lineup *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->session[i].tally = nx_tally_session(s->tally, l->session[i].name);
	if (s->current)
		s->current->next = l;
	else
		s->oldest = l;
	s->current = l;
}

/* After this only the loop's own callbacks are left, and it runs empty. */
static void close_all(struct nx_server *s)
{
	write_stats(s);
	uv_close((uv_handle_t *)&s->stats_timer, NULL);
	nx_runner_stop(&s->runner);
	nx_daemon_close(&s->daemon);
}

void nx_server_tidy(struct nx_server *s)
{
	while (s->oldest != s->current && s->oldest->refs == 0) {
		struct nx_lineup *old = s->oldest;
		s->oldest = old->next;
		nx_lineup_free(&old);
	}
	if (s->stopped && s->runner && s->oldest == s->current && s->current->refs == 0)
		close_all(s);
}

static void reload_work(uv_work_t *w)
{
	struct nx_server *s = w->data;

	nx_lineup_load(s->cfg, s->engine, &s->loaded, &s->reload_err);
}

static void start_reload(void *arg);

static void reload_done(uv_work_t *w, int status)
{
	struct nx_server *s = w->data;

	(void)status;
	s->reloading = false;
	if (!s->loaded) {
		nx_error("reload: %s; keeping epoch %lld", s->reload_err.msg,
			(long long)s->current->epoch);
	} else if (s->draining) {
		nx_lineup_free(&s->loaded);
	} else {
		install(s, s->loaded);
		nx_info("reloaded: epoch %lld, %zu sessions", (long long)s->current->epoch,
			s->current->n);
		nx_server_tidy(s);
	}
	if (s->reload_again && !s->draining)
		start_reload(s);
}

/* Loading takes seconds, so it happens beside the batches of the present lineup.  A SIGHUP that
 * comes meanwhile may mean a newer file: it is done again afterwards. */
static void start_reload(void *arg)
{
	struct nx_server *s = arg;

	s->reload_again = s->reloading;
	if (s->reloading)
		return;
	s->reloading = true;
	s->loaded = NULL;
	s->reload_err.code = 0;
	s->reload.data = s;
	uv_queue_work(&s->loop, &s->reload, reload_work, reload_done);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static void on_request(void *arg, struct nx_http_req *r)
{
	struct nx_server *s = arg;

	nx_oip_dispatch(&s->service, r);
}

static void on_drain(void *arg)
{
	struct nx_server *s = arg;

	s->draining = true;
	nx_info("draining");
}

static void on_expired(void *arg)
{
	struct nx_server *s = arg;

	s->expired = true;
	nx_server_give_up(s);
}

static void on_stopped(void *arg)
{
	struct nx_server *s = arg;

	s->stopped = true;
	nx_server_tidy(s);
}

static int start_listening(struct nx_server *s, struct nx_err *err)
{
	const char *dflt = s->current->address ? s->current->address : "127.0.0.1:8000";
	const struct nx_opt_list *l = &s->cfg->listen;
	const struct nx_daemon_ops ops = {
		.request = on_request,
		.reload = start_reload,
		.drain = on_drain,
		.expired = on_expired,
		.stopped = on_stopped,
		.arg = s,
		.drain_ms = (uint64_t)s->cfg->drain_ms,
	};

	return nx_daemon_start(
		&s->loop, &ops, l->n ? l->item : &dflt, l->n ? l->n : 1, &s->daemon, err);
}

/* Everything up to "ready"; on failure the caller releases what is there. */
static int start(struct nx_server *s, struct nx_err *err)
{
	const struct nx_serve_config *cfg = s->cfg;
	const char *id = cfg->backend ? cfg->backend : "local";
	struct nx_lineup *l;

	if (open_stats(s, err) || nx_engine_open(cfg->device, NULL, &s->engine, err) ||
		nx_lineup_load(cfg, s->engine, &l, err))
		return -err->code;
	s->tally = nx_tally_new("serve", id, id, nx_now_ns());
	install(s, l);
	/* Not thread-safe the first time, so now, whether or not a model takes pictures: a reload
	 * may bring one. */
	nx_media_load(&s->media);
	for (size_t i = 0; s->media.code && i < l->n_models; i++)
		if (l->model[i]->pictures)
			nx_warn("model '%s' can take no pictures: %s", l->model[i]->name,
				s->media.msg);
	nx_server_set_paths(s);
	if (nx_runner_start(&s->loop, nx_server_job_done, s, &s->runner, err))
		return -err->code;
	return start_listening(s, err);
}

/* Also after a start that failed half way: whatever is not there is NULL. */
static void release(struct nx_server *s)
{
	nx_runner_stop(&s->runner);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
	nx_lineup_free(&s->current);
	nx_engine_close(&s->engine);
	nx_tally_free(&s->tally);
	free(s->job[0].request);
	free(s->job[1].request);
	if (s->stats_fd >= 0)
		close(s->stats_fd);
}

/* As many pool threads as there are processors, for decoding, unless the user says otherwise. */
static void size_pool(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	char text[16];

	snprintf(text, sizeof text, "%ld", n < 4 ? 4 : n > 64 ? 64 : n);
	setenv("UV_THREADPOOL_SIZE", text, 0);
}

int nx_serve_run(const struct nx_serve_config *given, struct nx_err *err)
{
	struct nx_serve_config cfg = *given;
	struct nx_server s = { .cfg = &cfg };

	if (!cfg.device)
		cfg.device = "cpu";
	size_pool();
	int rc = uv_loop_init(&s.loop);
	if (rc)
		return nx_err_set(err, NX_EOS, "cannot make a loop: %s", uv_strerror(rc));
	rc = start(&s, err);
	if (rc == 0) {
		uint64_t ms = (uint64_t)cfg.stats_interval_ms;
		uv_timer_init(&s.loop, &s.stats_timer);
		s.stats_timer.data = &s;
		uv_timer_start(&s.stats_timer, on_stats_timer, ms, ms);
		uv_run(&s.loop, UV_RUN_DEFAULT);
	}
	release(&s);
	return rc;
}
