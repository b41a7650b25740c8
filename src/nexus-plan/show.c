/* SPDX-License-Identifier: Apache-2.0 */
/* Plans as text. */
#include "nexus-plan/plan.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 9

/* A table whose columns are as wide as they must be; the first two are set to the left. */
struct table {
	struct nx_buf cells; /* NUL-separated */
	size_t rows, columns;
};

static void add_cell(struct table *t, const char *text)
{
	nx_buf_add(&t->cells, text, strlen(text) + 1);
}

static void add_figure(struct table *t, double v)
{
	char *text = nx_asprintf("%.5g", v);

	add_cell(t, text);
	free(text);
}

static void print_table(struct table *t, struct nx_buf *out)
{
	size_t width[COLUMNS + 1] = { 0 };
	const char *cell = t->cells.data;

	for (size_t i = 0; i < t->rows * t->columns; i++, cell += strlen(cell) + 1)
		if (strlen(cell) > width[i % t->columns])
			width[i % t->columns] = strlen(cell);
	cell = t->cells.data;
	for (size_t i = 0; i < t->rows * t->columns; i++, cell += strlen(cell) + 1) {
		size_t column = i % t->columns;
		bool last = column + 1 == t->columns;

		if (column < 2 || column == COLUMNS)
			nx_buf_addf(out, "%-*s", last ? 0 : (int)width[column], cell);
		else
			nx_buf_addf(out, "%*s", (int)width[column], cell);
		nx_buf_adds(out, last ? "\n" : "  ");
	}
	nx_buf_release(&t->cells);
}

static void add_session(
	struct table *t, const struct nx_plan_backend *b, const struct nx_plan_session *s)
{
	t->rows++;
	add_cell(t, b->backend);
	add_cell(t, s->session);
	add_figure(t, s->slo_ms);
	add_figure(t, s->rate);
	add_figure(t, (double)s->batch);
	add_figure(t, s->exec_ms);
	add_figure(t, b->duty_cycle_ms);
	add_figure(t, b->duty_cycle_ms + s->exec_ms);
	add_figure(t, b->occupancy);
}

static void add_header(struct table *t)
{
	static const char *const names[COLUMNS] = { "backend", "session", "slo_ms", "rate", "batch",
		"exec_ms", "duty_ms", "worst_ms", "occupancy" };

	t->rows++;
	for (size_t i = 0; i < COLUMNS; i++)
		add_cell(t, names[i]);
}

void nx_show_table(const struct nx_plan *plan, struct nx_buf *out)
{
	struct table t = { NX_BUF_INIT, 0, COLUMNS };

	add_header(&t);
	for (size_t i = 0; i < plan->n_backends; i++)
		for (size_t j = 0; j < plan->backend[i].n_sessions; j++)
			add_session(&t, &plan->backend[i], &plan->backend[i].session[j]);
	print_table(&t, out);
}

/* What keeps a session's batch from being larger. */
static char *what_binds(const struct nx_plan_backend *b, const struct nx_plan_session *s,
	const struct nx_profiles *profiles)
{
	const struct nx_profile *p =
		nx_profiles_find(profiles, s->model, b->device, s->precision, s->threads);
	double next = p ? nx_latency_at(&p->latency, s->batch + 1) : -1;
	double arrived = s->rate * b->duty_cycle_ms / 1000;

	if (b->occupancy > 1 - 1e-9 && b->n_sessions == 1)
		return nx_asprintf(
			"a whole device: %d requests/s is its best under the slo", (int)s->rate);
	if (b->duty_cycle_ms + s->exec_ms > s->slo_ms * (1 - 1e-9))
		return nx_strdup("slo: cycle and batch fill it");
	if (next < 0 && arrived > (double)s->batch * (1 - 1e-9))
		return nx_strdup("profile: no larger batch was measured");
	if (b->n_sessions > 1 && b->occupancy > 1 - 1e-6)
		return nx_strdup("capacity: the batches fill the cycle");
	return nx_asprintf("rate: %.4g requests arrive in a cycle", arrived);
}

static void explain_query(const struct nx_plan_query *q, struct nx_buf *out)
{
	nx_buf_addf(out, "query %s: slo %g ms at %g/s is split into", q->query, q->slo_ms, q->rate);
	for (size_t i = 0; i < q->n_stages; i++) {
		const struct nx_plan_stage *s = &q->stage[i];

		nx_buf_addf(out, "%s %s %.5g ms", i ? "," : "", s->stage, s->slo_ms);
		if (s->after)
			nx_buf_addf(out, " (%g per output of %s)", s->gamma, s->after);
	}
	nx_buf_addc(out, '\n');
}

void nx_show_reasons(
	const struct nx_plan *plan, const struct nx_profiles *profiles, struct nx_buf *out)
{
	struct table t = { NX_BUF_INIT, 0, COLUMNS + 1 };

	for (size_t i = 0; i < plan->n_queries; i++)
		explain_query(&plan->query[i], out);
	add_header(&t);
	add_cell(&t, "what binds");
	for (size_t i = 0; i < plan->n_backends; i++) {
		const struct nx_plan_backend *b = &plan->backend[i];

		for (size_t j = 0; j < b->n_sessions; j++) {
			char *why = what_binds(b, &b->session[j], profiles);

			add_session(&t, b, &b->session[j]);
			add_cell(&t, why);
			free(why);
		}
	}
	print_table(&t, out);
	nx_buf_addf(out, "no plan needs fewer than %.0f devices (%s: %.5g)\n",
		ceil(plan->lower_bound), plan->bound, plan->lower_bound);
}

void nx_show_summary(const struct nx_plan *plan, struct nx_buf *out)
{
	nx_buf_addf(out, "devices=%zu lower_bound=%.6g ", plan->n_backends, plan->lower_bound);
	if (plan->gap <= 0)
		nx_buf_addf(out, "optimal (%s)", plan->bound);
	else
		nx_buf_addf(out, "gap=%.0f%% (%s)", 100 * plan->gap, plan->bound);
	if (plan->cost >= 0)
		nx_buf_addf(out, " cost=%.6g cost_bound=%.6g", plan->cost, plan->bounds.cost);
}
