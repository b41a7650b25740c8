/* SPDX-License-Identifier: Apache-2.0 */
#include "nexus-profile/prefixes.h"

#include "core/alloc.h"
#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>

#define BUDGET_MS 500 /* for a model of a shared trunk: a table, not a profile */
#define MIB       0x1p20

int nx_model_set_init(
	struct nx_model_set *set, const struct nx_operands *models, bool keep, struct nx_err *err)
{
	int rc = 0;

	*set = (struct nx_model_set){ .n = models->n };
	set->model = nx_alloc(set->n, sizeof(struct nx_model *));
	set->cuts = nx_alloc(set->n, sizeof *set->cuts);
	for (size_t i = 0; i < set->n && rc == 0; i++) {
		rc = nx_model_load(models->item[i], &set->model[i], err);
		if (rc == 0 && nx_prefix_cuts(set->model[i]->graph, &set->cuts[i], err))
			rc = nx_err_wrap(err, "%s", models->item[i]);
		if (!keep)
			nx_model_free(&set->model[i]);
	}
	if (rc == 0)
		nx_shared_find(set->cuts, set->n, &set->shared);
	return rc;
}

void nx_model_set_release(struct nx_model_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		nx_model_free(&set->model[i]);
		nx_cuts_release(&set->cuts[i]);
	}
	free(set->model);
	free(set->cuts);
	nx_shared_release(&set->shared);
}

/* "93 %" where all models agree, else "61-93 %". */
static void add_share(const struct nx_shared *s, struct nx_buf *out)
{
	double low = 1, high = 0;
	char text[32];

	for (size_t i = 0; i < s->n_models; i++) {
		double f = nx_shared_fraction(s, i);
		low = f < low ? f : low;
		high = f > high ? f : high;
	}
	if ((int)(100 * low + 0.5) == (int)(100 * high + 0.5))
		snprintf(text, sizeof text, "%.0f %%", 100 * high);
	else
		snprintf(text, sizeof text, "%.0f-%.0f %%", 100 * low, 100 * high);
	nx_buf_addf(out, "%9s", text);
}

static void add_table(const struct nx_model_set *set, struct nx_buf *out)
{
	nx_buf_addf(out, "%9s  %11s  %9s  %-24s  %s\n", "of time", "weights_MiB", "saved_MiB",
		"node", "models");
	for (size_t i = 0; i < set->shared.n; i++) {
		const struct nx_shared *s = &set->shared.item[i];
		double mib = (double)s->cut.weights_bytes / MIB;
		add_share(s, out);
		nx_buf_addf(out, "  %11.2f  %9.2f  %-24s ", mib, mib * (double)(s->n_models - 1),
			s->cut.node);
		for (size_t k = 0; k < s->n_models; k++)
			nx_buf_addf(out, " %s", set->model[s->model[k]]->name);
		nx_buf_addc(out, '\n');
	}
}

static int measure_all(const struct nx_profile_config *c, const struct nx_common *common,
	struct nx_model_set *set, struct nx_err *err)
{
	struct nx_engine *engine = NULL;
	char *spec = nx_profile_device_spec(c);
	int rc = nx_engine_open(spec, NULL, &engine, err);

	free(spec);
	for (size_t i = 0; i < set->shared.n && rc == 0; i++) {
		nx_cli_progress(common, "measuring trunks", (double)i, (double)set->shared.n);
		rc = nx_shared_measure(engine, (const struct nx_model *const *)set->model,
			&set->shared.item[i], c->precision, BUDGET_MS, err);
	}
	nx_cli_progress_end(common);
	nx_engine_close(&engine);
	return rc;
}

static int print_all(
	const struct nx_profile_config *c, const struct nx_model_set *set, struct nx_err *err)
{
	struct nx_buf text = NX_BUF_INIT;
	struct nx_jw w;

	nx_jw_init(&w, &text, NX_JCOMPACT);
	for (size_t i = 0; i < set->shared.n && !c->table; i++)
		nx_shared_format(
			&set->shared.item[i], (const struct nx_model *const *)set->model, &w);
	if (c->table)
		add_table(set, &text);
	int rc = nx_cli_output(c->output, c->filter, &text, err);
	nx_buf_release(&text);
	return rc;
}

int nx_profile_prefixes(const struct nx_profile_config *c, const struct nx_common *common,
	const struct nx_operands *models, struct nx_err *err)
{
	struct nx_model_set set;

	if (models->n < 2)
		return nx_err_set(err, NX_EUSAGE, "--prefixes compares at least two models");
	if (c->table && c->filter)
		return nx_err_set(err, NX_EUSAGE, "--filter needs --format json");
	if (nx_profile_check_output(c, err))
		return -err->code;
	int rc = nx_model_set_init(&set, models, true, err);
	if (rc == 0)
		rc = measure_all(c, common, &set, err);
	if (rc == 0)
		rc = print_all(c, &set, err);
	if (rc == 0 && set.shared.n == 0)
		nx_info("no two of these models share a prefix");
	nx_model_set_release(&set);
	return rc;
}
