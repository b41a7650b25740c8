/* SPDX-License-Identifier: Apache-2.0 */
/* Trunks that several models share. */
#include "core/alloc.h"
#include "profile/prefix.h"
#include "profile/split.h"

#include <stdlib.h>
#include <string.h>

#define REL_ERROR 0.02

/* One cut of one model. */
struct entry {
	const struct nx_cut *cut;
	size_t model;
};

static int by_digest(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = strcmp(a->cut->digest, b->cut->digest);

	return c ? c : (a->model > b->model) - (a->model < b->model);
}

static int largest_first(const void *pa, const void *pb)
{
	const struct nx_shared *a = pa, *b = pb;

	if (a->cut.work != b->cut.work)
		return a->cut.work < b->cut.work ? 1 : -1;
	return strcmp(a->cut.digest, b->cut.digest);
}

/* The trunk of exactly these models that is in the list already, or a new one. */
static struct nx_shared *same_models(
	struct nx_shared_list *list, const struct entry *e, size_t n_models)
{
	for (size_t i = 0; i < list->n; i++) {
		struct nx_shared *s = &list->item[i];
		size_t k = 0;
		while (s->n_models == n_models && k < n_models && s->model[k] == e[k].model)
			k++;
		if (k == n_models)
			return s;
	}
	list->item = nx_grow(list->item, &list->cap, list->n + 1, sizeof *list->item);
	struct nx_shared *s = &list->item[list->n++];
	*s = (struct nx_shared){ .n_models = n_models,
		.model = nx_alloc(n_models, sizeof *s->model),
		.suffix_ms = nx_alloc(n_models, sizeof *s->suffix_ms) };
	for (size_t k = 0; k < n_models; k++)
		s->model[k] = e[k].model;
	return s;
}

void nx_shared_find(const struct nx_cuts *cuts, size_t n_models, struct nx_shared_list *out)
{
	size_t n = 0;

	*out = (struct nx_shared_list){ 0 };
	for (size_t m = 0; m < n_models; m++)
		n += cuts[m].n;
	struct entry *all = nx_alloc(n, sizeof *all);
	n = 0;
	for (size_t m = 0; m < n_models; m++) {
		for (size_t i = 0; i < cuts[m].n; i++)
			all[n++] = (struct entry){ &cuts[m].cut[i], m };
	}
	qsort(all, n, sizeof *all, by_digest);
	for (size_t i = 0, same; i < n; i += same) {
		for (same = 1; i + same < n; same++) {
			if (strcmp(all[i + same].cut->digest, all[i].cut->digest) != 0)
				break;
		}
		if (same < 2)
			continue;
		struct nx_shared *s = same_models(out, &all[i], same);
		if (!s->cut.node || s->cut.work < all[i].cut->work)
			s->cut = *all[i].cut;
	}
	free(all);
	if (out->n)
		qsort(out->item, out->n, sizeof *out->item, largest_first);
}

int nx_shared_measure(struct nx_engine *engine, const struct nx_model *const *models,
	struct nx_shared *s, const char *precision, double budget_ms, struct nx_err *err)
{
	const struct nx_load_opts opts = { .max_batch = 1, .precision = precision };
	const struct nx_model **member = nx_alloc(s->n_models, sizeof *member);
	struct nx_split b;

	if (nx_engine_info(engine)->simulated) {
		free(member);
		return nx_err_set(err, NX_EUSAGE, "device '%s' cannot tell a trunk's time",
			nx_engine_info(engine)->spec);
	}
	for (size_t i = 0; i < s->n_models; i++)
		member[i] = models[s->model[i]];
	int rc = nx_split_init(&b, engine, s->cut.digest, member, s->n_models, &opts, err);
	s->trunk_ms = 0;
	for (size_t i = 0; i < s->n_models && rc == 0; i++) {
		rc = nx_split_sample(&b, i, 1, budget_ms, REL_ERROR, err);
		s->trunk_ms += b.trunk.mean / (double)s->n_models;
		s->suffix_ms[i] = b.suffix.mean;
	}
	nx_split_release(&b);
	free(member);
	return rc;
}

void nx_shared_format(
	const struct nx_shared *s, const struct nx_model *const *models, struct nx_jw *w)
{
	nx_jw_object(w);
	nx_jw_key(w, "models");
	nx_jw_array_inline(w);
	for (size_t i = 0; i < s->n_models; i++)
		nx_jw_string(w, models[s->model[i]]->name);
	nx_jw_end(w);
	nx_jw_kstring(w, "node", s->cut.node);
	nx_jw_kstring(w, "digest", s->cut.digest);
	nx_jw_kint(w, "batch", 1);
	nx_jw_knumber(w, "trunk_ms", s->trunk_ms);
	nx_jw_key(w, "suffix_ms");
	nx_jw_array_inline(w);
	for (size_t i = 0; i < s->n_models; i++)
		nx_jw_number(w, s->suffix_ms[i]);
	nx_jw_end(w);
	nx_jw_key(w, "time_fraction");
	nx_jw_array_inline(w);
	for (size_t i = 0; i < s->n_models; i++)
		nx_jw_number(w, nx_shared_fraction(s, i));
	nx_jw_end(w);
	nx_jw_kint(w, "weights_bytes", (int64_t)s->cut.weights_bytes);
	nx_jw_kint(w, "saved_bytes", (int64_t)(s->cut.weights_bytes * (s->n_models - 1)));
	nx_jw_end(w);
}

double nx_shared_fraction(const struct nx_shared *s, size_t i)
{
	double whole = s->trunk_ms + s->suffix_ms[i];

	return whole > 0 ? s->trunk_ms / whole : 0;
}

void nx_shared_release(struct nx_shared_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->item[i].model);
		free(list->item[i].suffix_ms);
	}
	free(list->item);
	*list = (struct nx_shared_list){ 0 };
}
