/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "bench/search.h"
#include "bench/setup.h"
#include "bench/table.h"
#include "core/alloc.h"
#include "core/log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FRACTION   0.99 /* that --find-max asks for by default */
#define MIN_FACTOR 4096 /* how far below the first probe a search goes */

static void on_interrupt(uv_signal_t *s, int signum)
{
	struct nx_load *l = s->data;

	(void)signum;
	l->stop = true;
	uv_signal_stop(s); /* a second one ends us as it ends any program */
}

static double total_rate(const struct nx_load *l)
{
	double rate = 0;

	for (size_t i = 0; i < l->n_targets; i++)
		rate += l->target[i].rate;
	return rate;
}

static int find_max(struct nx_load *l, const struct nx_bench_config *c, struct nx_load_opts *o,
	struct nx_bench *best, struct nx_err *err)
{
	double wanted = c->fraction >= 0 ? c->fraction : FRACTION;
	struct nx_bench last = { 0 };
	struct nx_search search;

	nx_search_init(&search, c->scale, c->scale / MIN_FACTOR, NX_LOAD_MAX_RATE / total_rate(l));
	while (!l->stop && (o->scale = nx_search_next(&search)) > 0) {
		nx_bench_release(&last);
		int rc = nx_load_run(l, o, &last, err);
		if (rc) {
			nx_bench_release(best);
			return rc;
		}
		if (l->stop)
			break;
		bool passed = last.offered && last.in_slo_fraction >= wanted;
		nx_info("%.1f/s: %.2f%% of %llu in SLO", last.rate, 100 * last.in_slo_fraction,
			(unsigned long long)last.offered);
		nx_search_report(&search, passed);
		if (passed) {
			nx_bench_release(best);
			*best = last;
			best->max_rate = best->rate;
			last = (struct nx_bench){ 0 };
		}
	}
	if (search.passed > 0) {
		nx_bench_release(&last);
		return 0;
	}
	/* The last try tells at least why. */
	*best = last;
	best->max_rate = l->stop ? -1 : 0;
	if (!l->stop)
		nx_warn("no rate has %g of the requests in their SLO", wanted);
	return 0;
}

static int measure(struct nx_bench_setup *s, const struct nx_bench_config *c,
	struct nx_bench *result, struct nx_err *err)
{
	struct nx_load_opts opts = { .arrivals = (enum nx_arrival_kind)c->arrivals,
		.seed = (uint64_t)c->seed,
		.scale = c->scale,
		.warmup_ms = c->warmup_ms,
		.duration_ms = c->duration_ms };
	uv_signal_t interrupt;

	uv_signal_init(s->load.loop, &interrupt);
	interrupt.data = &s->load;
	uv_signal_start(&interrupt, on_interrupt, SIGINT);
	uv_unref((uv_handle_t *)&interrupt);
	int rc = c->find_max ? find_max(&s->load, c, &opts, result, err)
			     : nx_load_run(&s->load, &opts, result, err);
	uv_close((uv_handle_t *)&interrupt, NULL);
	uv_run(s->load.loop, UV_RUN_DEFAULT);
	if (rc)
		return rc;
	result->kind = nx_strdup(c->find_max ? "find-max" : "load");
	if (result->offered == 0)
		nx_warn("no request was due in the time that counts");
	return 0;
}

static int write_result(
	const struct nx_bench_config *c, const struct nx_bench *b, struct nx_err *err)
{
	struct nx_buf text = NX_BUF_INIT;
	struct nx_jw w;

	if (c->format) {
		nx_bench_table(b, &text);
	} else {
		nx_jw_init(&w, &text, NX_JPRETTY);
		nx_bench_format(b, &w);
	}
	int rc = nx_cli_output(c->output, c->filter, &text, err);
	nx_buf_release(&text);
	return rc;
}

/* A connection a request under way: the soft limit of open files is often 1024. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int nx_bench_command(const struct nx_bench_config *c, const struct nx_common *common, int *status,
	struct nx_err *err)
{
	struct nx_bench_setup s;
	struct nx_bench result = { 0 };

	raise_file_limit();
	int rc = nx_bench_setup_open(&s, c, err);
	s.load.common = common;
	if (rc == 0)
		rc = measure(&s, c, &result, err);
	if (rc == 0)
		rc = write_result(c, &result, err);
	bool missed = !c->find_max && c->fraction >= 0 && result.in_slo_fraction < c->fraction;
	*status = nx_err_exit_status(missed ? NX_ENO : NX_OK);
	nx_bench_release(&result);
	nx_bench_setup_close(&s);
	return rc;
}
