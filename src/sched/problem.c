/* SPDX-License-Identifier: Apache-2.0 */
/* Resolving names: device types, profiles, the options of each session. */
#include "sched/problem.h"
#include "sched/resolve.h"

#include "core/alloc.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct nx_profile *nx_problem_match(
	const struct nx_problem *p, const struct nx_demand *d, size_t type, size_t *at)
{
	for (; *at < p->models.n; (*at)++) {
		const struct nx_index_entry *e = &p->models.entry[*at];
		const struct nx_profile *profile = &p->profiles->item[e->value];

		if (strcmp(e->name, d->model) != 0)
			return NULL;
		if (strcmp(profile->device, p->type[type].device) != 0 ||
			(d->threads && profile->threads != d->threads) ||
			(d->precision && (!profile->precision ||
						 strcmp(profile->precision, d->precision) != 0)))
			continue;
		(*at)++;
		return profile;
	}
	return NULL;
}

struct nx_option nx_problem_option(
	struct nx_problem *p, const struct nx_profile *profile, size_t type, double slo_ms)
{
	size_t at = (size_t)(profile - p->profiles->item);
	struct nx_curve *curve = &p->curve[at];

	if (!curve->row)
		nx_curve_init(curve, &profile->latency);
	struct nx_option o = { .type = type,
		.profile = profile,
		.curve = curve,
		.weights_bytes = (double)profile->weights_bytes,
		.row_bytes = (double)profile->activations_bytes,
		.weights_id = p->weights_id[at] };
	double memory = p->type[type].memory_bytes;

	o.max_batch = nx_curve_max_batch(curve, slo_ms);
	o.device_ms = curve->max ? 2 * nx_curve_ms(curve, 1) : INFINITY;
	while (memory > 0 && o.max_batch > 0 &&
		o.weights_bytes + (double)curve->row[o.max_batch - 1].run * o.row_bytes > memory)
		o.max_batch--;
	o.max_rate = nx_curve_max_rate(curve, o.max_batch);
	return o;
}

const struct nx_option *nx_demand_option(const struct nx_demand *d, size_t type)
{
	for (size_t i = 0; i < d->n_options; i++)
		if (d->option[i].type == type)
			return &d->option[i];
	return NULL;
}

struct nx_item nx_demand_item(
	const struct nx_problem *p, size_t i, const struct nx_option *o, double rate)
{
	const struct nx_demand *d = &p->demand[i];
	double floor = nx_curve_floor(o->curve, o->max_batch, d->slo_ms, rate);

	return (struct nx_item){ .curve = o->curve,
		.slo_ms = d->slo_ms,
		.rate = rate,
		.max_batch = o->max_batch,
		.floor = floor,
		.value = floor,
		.weights_bytes = o->weights_bytes,
		.row_bytes = o->row_bytes,
		.weights_id = o->weights_id,
		.demand = i };
}

bool nx_rate_equal(double a, double b)
{
	return a >= b * (1 - NX_SCHED_EPS) && a <= b * (1 + NX_SCHED_EPS);
}

double nx_whole_devices(double rate, double max_rate, double *rest)
{
	double whole = floor(rate / max_rate * (1 + NX_SCHED_EPS) + NX_SCHED_EPS);

	*rest = rate - whole * max_rate;
	if (*rest <= 2 * NX_SCHED_EPS * rate)
		*rest = 0;
	return whole;
}

double nx_option_devices(const struct nx_option *o, double slo_ms, double rate)
{
	double rest, whole = nx_whole_devices(rate, o->max_rate, &rest);
	double one = nx_curve_floor(o->curve, o->max_batch, slo_ms, rest);
	double two = 2 * nx_curve_floor(o->curve, o->max_batch, slo_ms, rest / 2);

	return whole + (two < one ? two : one);
}

/* ---- device types -------------------------------------------------------------------------- */

/* "h200" of "NVIDIA H200": the last word; "cpu" and "sim" for the plugins whose devices have long
 * names.  A second type of the same slug gets a number. */
static char *make_slug(const struct nx_problem *p, const char *device, const char *plugin)
{
	const char *word = strrchr(device, ' ');
	char slug[24];
	size_t n = 0;

	word = word ? word + 1 : device;
	if (plugin && (strcmp(plugin, "cpu") == 0 || strcmp(plugin, "sim") == 0))
		word = plugin;
	for (; *word && n < sizeof slug - 1; word++)
		if (isalnum((unsigned char)*word))
			slug[n++] = (char)tolower((unsigned char)*word);
	slug[n] = '\0';
	if (n == 0)
		memcpy(slug, "dev", sizeof "dev");
	size_t same = 0;
	for (size_t i = 0; i < p->n_types; i++) {
		size_t len = strlen(slug);

		same += strncmp(p->type[i].slug, slug, len) == 0 &&
			(p->type[i].slug[len] == '\0' || p->type[i].slug[len] == '_');
	}
	return same ? nx_asprintf("%s_%zu", slug, same + 1) : nx_strdup(slug);
}

static void add_type(
	struct nx_problem *p, size_t *cap, const char *device, const struct nx_wl_device *wl)
{
	const char *plugin = NULL;

	for (size_t i = 0; i < p->profiles->n && !plugin; i++)
		if (strcmp(p->profiles->item[i].device, device) == 0)
			plugin = p->profiles->item[i].plugin;
	p->type = nx_grow(p->type, cap, p->n_types + 1, sizeof *p->type);
	struct nx_stype t = { .device = device,
		.wl = wl,
		.count = wl ? wl->count : -1,
		.memory_bytes = wl ? (double)wl->memory_bytes : 0,
		.cost = wl ? wl->cost : 1,
		.slug = make_slug(p, device, plugin) };
	p->type[p->n_types++] = t;
}

static bool has_profile(const struct nx_problem *p, const char *device)
{
	for (size_t i = 0; i < p->profiles->n; i++)
		if (strcmp(p->profiles->item[i].device, device) == 0)
			return true;
	return false;
}

/* The workload's device types, or, if it names none, those of the profiles. */
static void make_types(struct nx_problem *p, struct nx_resolve *r)
{
	size_t cap = 0;

	for (size_t i = 0; i < p->workload->n_devices; i++) {
		const struct nx_wl_device *wl = &p->workload->device[i];

		if (!has_profile(p, wl->device))
			nx_resolve_fail(r, wl->line,
				".devices[%d].device: no profile for device type '%s'", wl->index,
				wl->device);
		else
			add_type(p, &cap, wl->device, wl);
	}
	for (size_t i = 0; p->workload->n_devices == 0 && i < p->profiles->n; i++) {
		const char *device = p->profiles->item[i].device;
		size_t j = 0;

		while (j < p->n_types && strcmp(p->type[j].device, device) != 0)
			j++;
		if (j == p->n_types)
			add_type(p, &cap, device, NULL);
	}
}

/* ---- profiles ------------------------------------------------------------------------------ */

static bool same_weights(const struct nx_profile *a, const struct nx_profile *b)
{
	const char *x = a->precision ? a->precision : "";
	const char *y = b->precision ? b->precision : "";

	return strcmp(a->device, b->device) == 0 && strcmp(x, y) == 0;
}

/* Profiles of one model, device and precision differ in threads only: one copy of weights. */
static void index_profiles(struct nx_problem *p)
{
	const struct nx_profiles *set = p->profiles;

	for (size_t i = 0; i < set->n; i++)
		nx_index_add(&p->models, set->item[i].model, i);
	nx_index_sort(&p->models);
	for (size_t i = 0; i < set->n; i++) {
		size_t at = nx_index_find(&p->models, set->item[i].model);

		while (!same_weights(&set->item[p->models.entry[at].value], &set->item[i]))
			at++;
		p->weights_id[i] = p->models.entry[at].value;
	}
}

int nx_problem_init(struct nx_problem *p, const struct nx_workload *workload,
	const struct nx_profiles *profiles, enum nx_split_aim aim, const char *source,
	struct nx_err *err)
{
	struct nx_resolve r = { .problem = p, .aim = aim, .source = source, .text = NX_BUF_INIT };

	*p = (struct nx_problem){ .workload = workload, .profiles = profiles };
	p->curve = nx_alloc(profiles->n + 1, sizeof *p->curve);
	p->weights_id = nx_alloc(profiles->n + 1, sizeof *p->weights_id);
	index_profiles(p);
	make_types(p, &r);
	nx_resolve_demands(&r);
	int rc = nx_resolve_finish(&r, err);
	if (rc < 0)
		nx_problem_release(p);
	return rc;
}

void nx_problem_release(struct nx_problem *p)
{
	for (size_t i = 0; i < p->n_demands; i++) {
		free(p->demand[i].session);
		free(p->demand[i].option);
		free(p->demand[i].reason);
	}
	for (size_t i = 0; i < p->n_queries; i++)
		free(p->query[i].reason);
	for (size_t i = 0; i < p->n_types; i++)
		free(p->type[i].slug);
	for (size_t i = 0; p->curve && i < p->profiles->n; i++)
		nx_curve_release(&p->curve[i]);
	free(p->demand);
	free(p->query);
	free(p->type);
	free(p->curve);
	free(p->weights_id);
	nx_index_release(&p->models);
	*p = (struct nx_problem){ 0 };
}
