/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a lineup.  The order matters for messages: the plan is checked before any model is
 * loaded, a file's digest before the device compiles it.  Whatever fails, what has been built so
 * far is freed as a whole by nx_lineup_free().
 */
#include "serve/lineup.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct loading {
	const struct nx_serve_config *cfg;
	struct nx_engine *engine;
	struct nx_profiles profiles;
	struct nx_plan plan;
	char *dirs; /* where models are looked for */
	struct nx_lineup *out;
};

static bool simulated(const struct loading *l)
{
	return nx_engine_info(l->engine)->simulated;
}

/* In the lineup at once, even before it is loaded, so that an error on the way frees it. */
static struct nx_served_model *add_model(
	struct nx_lineup *l, const char *name, const char *precision)
{
	struct nx_served_model *m = nx_alloc(1, sizeof *m);

	m->name = nx_strdup(name);
	m->precision = precision ? nx_strdup(precision) : NULL;
	l->model = nx_realloc(l->model, l->n_models + 1, sizeof *l->model);
	l->model[l->n_models++] = m;
	return m;
}

static struct nx_oip_io *describe(const struct nx_io *io, size_t n)
{
	struct nx_oip_io *out = nx_alloc(n, sizeof *out);

	for (size_t i = 0; i < n; i++)
		out[i] = (struct nx_oip_io){ io[i].name, io[i].dtype, io[i].shape };
	return out;
}

/* What the protocol needs to know of a loaded model, which needs its file's weights no more. */
static int finish_model(struct nx_served_model *m, struct nx_err *err)
{
	if (m->model)
		nx_model_drop_weights(m->model);
	m->n_in = nx_loaded_inputs(m->loaded, &m->in);
	m->n_out = nx_loaded_outputs(m->loaded, &m->out);
	if (m->n_in > NX_OIP_MAX_TENSORS || m->n_out > NX_OIP_MAX_TENSORS)
		return nx_err_set(err, NX_EUNSUPP, "model '%s' has more than %d inputs or outputs",
			m->name, NX_OIP_MAX_TENSORS);
	m->oip_in = describe(m->in, m->n_in);
	m->oip_out = describe(m->out, m->n_out);
	m->pictures = m->model && m->model->manifest->input.image && m->n_in == 1;
	return 0;
}

/* More than can be answered within the SLO need not wait; two batches more because batches may
 * turn out faster than planned. */
static uint32_t queue_limit(double slo_ms, double batch_ms, uint32_t batch)
{
	double rows = (slo_ms / fmax(batch_ms, 0.001) + 2) * batch;

	return rows < 1e6 ? (uint32_t)rows : 1000000;
}

static void add_session(struct nx_lineup *l, struct nx_served_model *m, const char *name,
	double slo_ms, uint32_t batch, double exec_ms)
{
	struct nx_served s = { .name = nx_strdup(name),
		.model = m,
		.slo_ms = slo_ms,
		.exec_ms = exec_ms,
		.batch = batch };
	uint64_t *latency = nx_alloc(batch, sizeof *latency);

	for (uint32_t b = 0; b < batch; b++)
		latency[b] = nx_ms_to_ns(m->cost_ms[b]);
	s.queue_rows = queue_limit(slo_ms, m->cost_ms[batch - 1], batch);
	s.number = nx_dispatch_add(
		l->dispatch, &(struct nx_dispatch_session){ batch, latency, s.queue_rows });
	free(latency);
	l->session = nx_realloc(l->session, l->n + 1, sizeof *l->session);
	l->session[l->n++] = s;
}

/* ---- without a plan ---------------------------------------------------------------------------- */

/* A simulated device needs no file: an operand that looks like no path is just a name. */
static bool is_bare_name(const struct loading *l, const char *operand)
{
	return simulated(l) && !strpbrk(operand, "/.") && access(operand, F_OK);
}

static int load_operand(struct loading *l, const char *operand, struct nx_err *err)
{
	const struct nx_alone alone = { &l->profiles, l->cfg->slo_ms, l->cfg->models.n };
	struct nx_model *model = NULL;
	uint32_t batch;

	if (!is_bare_name(l, operand) && nx_model_load(operand, &model, err))
		return -err->code;
	struct nx_served_model *m = add_model(l->out, model ? model->name : operand, NULL);
	m->model = model;
	if (nx_lineup_find(l->out, m->name))
		return nx_err_set(err, NX_EUSAGE, "two models are named '%s'", m->name);
	if (nx_alone_load(l->engine, &alone, m, &batch, err) || finish_model(m, err))
		return -err->code;
	double exec_ms = m->cost_ms[batch - 1];
	add_session(l->out, m, m->name, l->cfg->slo_ms, batch, exec_ms);
	nx_info("%s: batch %u in %.3g ms, SLO %g ms", m->name, batch, exec_ms, l->cfg->slo_ms);
	return 0;
}

static int load_operands(struct loading *l, struct nx_err *err)
{
	for (size_t i = 0; i < l->cfg->models.n; i++)
		if (load_operand(l, l->cfg->models.item[i], err))
			return -err->code;
	return 0;
}

/* ---- with a plan ------------------------------------------------------------------------------- */

static int find_backend(
	const struct loading *l, const struct nx_plan_backend **b, struct nx_err *err)
{
	struct nx_buf names = NX_BUF_INIT;

	*b = nx_plan_find_backend(&l->plan, l->cfg->backend);
	if (*b)
		return 0;
	for (size_t i = 0; i < l->plan.n_backends; i++)
		nx_buf_addf(&names, "%s%s", i ? ", " : "", l->plan.backend[i].backend);
	nx_err_set(err, NX_EDATA, "%s: there is no backend '%s'; there %s %s", l->cfg->plan,
		l->cfg->backend, names.len ? "are" : "is", names.len ? names.data : "none");
	nx_buf_release(&names);
	return -err->code;
}

/* Only a simulated device can do without the file: the plan says what it costs.  But where the
 * file is there it is used, so that shapes, pictures and results are those of the model. */
static int find_file(const struct loading *l, const struct nx_plan_session *s,
	struct nx_model **model, struct nx_err *err)
{
	char *path = NULL;
	int rc = nx_model_find(s->model, l->dirs, &path, err);

	if (rc == -NX_ENOTFOUND && simulated(l))
		return 0;
	if (rc == 0)
		rc = nx_model_load(path, model, err);
	if (rc == 0 && s->digest && strcmp(s->digest, (*model)->digest) != 0)
		rc = nx_err_set(err, NX_EDATA, "model '%s': '%s' has digest %s, the plan wants %s",
			s->model, path, (*model)->digest, s->digest);
	free(path);
	return rc;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Sessions share a model if they also agree on its precision. */
static struct nx_served_model *find_model(
	const struct nx_lineup *l, const struct nx_plan_session *s)
{
	for (size_t i = 0; i < l->n_models; i++)
		if (same_text(l->model[i]->name, s->model) &&
			same_text(l->model[i]->precision, s->precision))
			return l->model[i];
	return NULL;
}

/* The largest batch of a model over the sessions of the backend that share it. */
static int64_t largest_batch(const struct nx_plan_backend *b, const struct nx_plan_session *of)
{
	int64_t top = 1;

	for (size_t i = 0; i < b->n_sessions; i++)
		if (same_text(b->session[i].model, of->model) &&
			same_text(b->session[i].precision, of->precision) &&
			b->session[i].batch > top)
			top = b->session[i].batch;
	return top;
}

static int load_model(struct loading *l, const struct nx_plan_backend *b,
	const struct nx_plan_session *s, struct nx_served_model **out, struct nx_err *err)
{
	struct nx_served_model *m = *out = add_model(l->out, s->model, s->precision);
	int64_t top = largest_batch(b, s);

	if (top > NX_ENGINE_BATCH_CAP)
		return nx_err_set(err, NX_EDATA, "%s: session '%s': batch %lld is above %d",
			l->cfg->plan, s->session, (long long)top, NX_ENGINE_BATCH_CAP);
	m->max_batch = (uint32_t)top;
	m->cost_ms = nx_alloc(m->max_batch, sizeof *m->cost_ms);
	if (find_file(l, s, &m->model, err))
		return -err->code;
	int known = nx_cost_planned(
		l->cfg, &l->profiles, l->engine, &l->plan, b, s, m->max_batch, m->cost_ms, err);
	if (known < 0)
		return known;
	struct nx_load_opts opts = { .max_batch = (int)top, .precision = s->precision };
	if (known && simulated(l)) {
		opts.cost_ms = m->cost_ms;
		opts.n_cost = m->max_batch;
	}
	if (nx_engine_load(l->engine, m->model, &opts, &m->loaded, err) || finish_model(m, err))
		return -err->code;
	/* On a simulated device its own line is the truth, elsewhere the plan's promise. */
	if (!known)
		return nx_cost_measured(m, m->max_batch, simulated(l) ? 0 : s->exec_ms, err);
	double warm_ms;
	return simulated(l) ? 0 : nx_cost_run(m->loaded, m->max_batch, &warm_ms, err);
}

/* Not errors: a plan for one GPU can well be tried on a CPU. */
static void warn_of_differences(const struct loading *l, const struct nx_plan_backend *b)
{
	const struct nx_device_info *info = nx_engine_info(l->engine);

	if (strcmp(info->name, b->device) != 0)
		nx_warn("backend '%s' is planned for device '%s', this is '%s'", b->backend,
			b->device, info->name);
	if (b->n_groups)
		nx_warn("backend '%s': the sessions of its prefix groups run one by one",
			b->backend);
}

static int load_backend(struct loading *l, struct nx_err *err)
{
	const struct nx_plan_backend *b;

	if (nx_plan_load(l->cfg->plan, &l->plan, err) || find_backend(l, &b, err))
		return -err->code;
	l->out->epoch = l->plan.epoch;
	l->out->address = nx_plan_address(b);
	warn_of_differences(l, b);
	for (size_t i = 0; i < b->n_sessions; i++) {
		const struct nx_plan_session *s = &b->session[i];
		struct nx_served_model *m = find_model(l->out, s);
		if (!m && load_model(l, b, s, &m, err))
			return -err->code;
		add_session(l->out, m, s->session, s->slo_ms, (uint32_t)s->batch, s->exec_ms);
	}
	return 0;
}

/* ---- both -------------------------------------------------------------------------------------- */

int nx_lineup_load(const struct nx_serve_config *cfg, struct nx_engine *engine,
	struct nx_lineup **out, struct nx_err *err)
{
	struct loading l = { .cfg = cfg, .engine = engine };
	int rc = 0;

	l.out = nx_alloc(1, sizeof *l.out);
	l.out->dispatch = nx_dispatch_new();
	l.dirs = nx_model_dirs(cfg->model_dirs, cfg->plan);
	for (size_t i = 0; i < cfg->profiles.n && rc == 0; i++)
		rc = nx_profiles_load(cfg->profiles.item[i], &l.profiles, err);
	if (rc == 0)
		rc = cfg->plan ? load_backend(&l, err) : load_operands(&l, err);
	nx_plan_release(&l.plan);
	nx_profiles_release(&l.profiles);
	free(l.dirs);
	if (rc)
		nx_lineup_free(&l.out);
	else
		*out = l.out;
	return rc;
}

void nx_lineup_free(struct nx_lineup **pl)
{
	struct nx_lineup *l = *pl;

	if (!l)
		return;
	for (size_t i = 0; i < l->n_models; i++) {
		struct nx_served_model *m = l->model[i];
		nx_loaded_free(&m->loaded);
		nx_model_free(&m->model);
		free(m->name);
		free(m->precision);
		free(m->oip_in);
		free(m->oip_out);
		free(m->cost_ms);
		free(m);
	}
	for (size_t i = 0; i < l->n; i++)
		free(l->session[i].name);
	free(l->model);
	free(l->session);
	free(l->address);
	nx_dispatch_free(&l->dispatch);
	free(l);
	*pl = NULL;
}

struct nx_served *nx_lineup_find(const struct nx_lineup *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->session[i].name, name) == 0)
			return &l->session[i];
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->session[i].model->name, name) == 0)
			return &l->session[i];
	return NULL;
}
