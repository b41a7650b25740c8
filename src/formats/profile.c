/* SPDX-License-Identifier: Apache-2.0 */
/* Latency tables, and profiles to and from JSON.  Figures that a profile may leave out are negative
 * (times) or 0 (sizes, counts) in memory, so that they are left out again when it is written. */
#include "formats/profile.h"

#include "formats/reader.h"

#include "core/alloc.h"
#include "core/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- latency ------------------------------------------------------------------------------- */

double nx_latency_at(const struct nx_latency *l, int64_t b)
{
	size_t i = 0;

	while (i < l->n && l->point[i].batch < b)
		i++;
	if (i == l->n)
		return -1;

	const struct nx_latency_point *p = &l->point[i];
	if (i == 0 || p->batch == b || !l->interpolate)
		return p->mean_ms;
	double part = (double)(b - p[-1].batch) / (double)(p->batch - p[-1].batch);
	return p[-1].mean_ms + part * (p->mean_ms - p[-1].mean_ms);
}

int64_t nx_latency_max_batch(const struct nx_latency *l)
{
	return l->n ? l->point[l->n - 1].batch : 0;
}

static void read_point(
	struct nx_jcheck *c, const struct nx_jv *v, struct nx_latency_point *p, int64_t above)
{
	static const char *const known[] = { "batch", "mean_ms", "std_ms", "p99_ms", "samples" };

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	p->std_ms = p->p99_ms = -1;
	if (nx_jget_int(c, v, "batch", NX_REQUIRED, 1, NX_FMT_BATCH_MAX, &p->batch) &&
		p->batch <= above)
		nx_jcheck_fail(c, v, "batch", "must be larger than the one before (got %lld)",
			(long long)p->batch);
	nx_fmt_above_zero(c, v, "mean_ms", NX_REQUIRED, &p->mean_ms);
	nx_fmt_figure(c, v, "std_ms", NX_OPTIONAL, &p->std_ms);
	nx_fmt_figure(c, v, "p99_ms", NX_OPTIONAL, &p->p99_ms);
	nx_jget_int(c, v, "samples", NX_OPTIONAL, 0, INT64_MAX, &p->samples);
}

static void read_latency(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, struct nx_latency *l)
{
	const struct nx_jv *items = NULL;

	l->point = nx_fmt_objects(c, v, key, need, sizeof *l->point, &items, &l->n);
	for (size_t i = 0; i < l->n; i++)
		read_point(c, &items->items[i], &l->point[i], i ? l->point[i - 1].batch : 0);
	if (items && items->n == 0 && need == NX_REQUIRED)
		nx_jcheck_fail(c, v, key, "must have at least one point (empty profile)");
}

static void write_latency(struct nx_jw *w, const char *key, const struct nx_latency *l)
{
	nx_jw_key(w, key);
	nx_jw_array(w);
	for (size_t i = 0; i < l->n; i++) {
		const struct nx_latency_point *p = &l->point[i];

		nx_jw_object_inline(w);
		nx_jw_kint(w, "batch", p->batch);
		nx_jw_knumber(w, "mean_ms", p->mean_ms);
		if (p->std_ms >= 0)
			nx_jw_knumber(w, "std_ms", p->std_ms);
		if (p->p99_ms >= 0)
			nx_jw_knumber(w, "p99_ms", p->p99_ms);
		if (p->samples > 0)
			nx_jw_kint(w, "samples", p->samples);
		nx_jw_end(w);
	}
	nx_jw_end(w);
}

/* ---- reading ------------------------------------------------------------------------------- */

static void read_prefix(
	struct nx_jcheck *c, const struct nx_jv *v, bool interpolate, struct nx_profile_prefix *p)
{
	static const char *const known[] = { "digest", "node", "weights_bytes", "interpolate",
		"latency", "suffix_latency" };

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "digest", NX_REQUIRED, &p->digest);
	nx_fmt_name(c, v, "node", NX_OPTIONAL, &p->node);
	nx_fmt_bytes(c, v, "weights_bytes", &p->weights_bytes);
	nx_jget_bool(c, v, "interpolate", NX_OPTIONAL, &interpolate);
	p->latency.interpolate = p->suffix.interpolate = interpolate;
	read_latency(c, v, "latency", NX_REQUIRED, &p->latency);
	read_latency(c, v, "suffix_latency", NX_OPTIONAL, &p->suffix);
}

static void read_memory(struct nx_jcheck *c, const struct nx_jv *v, struct nx_profile *p)
{
	static const char *const known[] = { "weights_bytes", "activations_bytes" };
	const struct nx_jv *memory;

	if (!nx_jget_object(c, v, "memory", NX_OPTIONAL, &memory))
		return;
	nx_jcheck_keys(c, memory, known, NX_ARRAY_LEN(known));
	nx_fmt_bytes(c, memory, "weights_bytes", &p->weights_bytes);
	nx_fmt_bytes(c, memory, "activations_bytes", &p->activations_bytes);
}

static void read_profile(struct nx_jcheck *c, const struct nx_jv *v, struct nx_profile *p)
{
	static const char *const known[] = { "format", "model", "digest", "device", "plugin",
		"precision", "threads", "memory", "load_ms", "preprocess_ms", "postprocess_ms",
		"interpolate", "latency", "prefix" };
	const struct nx_jv *items = NULL;

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "model", NX_REQUIRED, &p->model);
	nx_fmt_name(c, v, "digest", NX_OPTIONAL, &p->digest);
	nx_fmt_name(c, v, "device", NX_REQUIRED, &p->device);
	nx_fmt_name(c, v, "plugin", NX_OPTIONAL, &p->plugin);
	nx_fmt_name(c, v, "precision", NX_OPTIONAL, &p->precision);
	nx_jget_int(c, v, "threads", NX_OPTIONAL, 0, 1000000, &p->threads);
	read_memory(c, v, p);
	nx_fmt_figure(c, v, "load_ms", NX_OPTIONAL, &p->load_ms);
	nx_fmt_figure(c, v, "preprocess_ms", NX_OPTIONAL, &p->preprocess_ms);
	nx_fmt_figure(c, v, "postprocess_ms", NX_OPTIONAL, &p->postprocess_ms);
	nx_jget_bool(c, v, "interpolate", NX_OPTIONAL, &p->latency.interpolate);
	read_latency(c, v, "latency", NX_REQUIRED, &p->latency);
	p->prefix = nx_fmt_objects(
		c, v, "prefix", NX_OPTIONAL, sizeof *p->prefix, &items, &p->n_prefix);
	for (size_t i = 0; i < p->n_prefix; i++)
		read_prefix(c, &items->items[i], p->latency.interpolate, &p->prefix[i]);
}

/* Larger batches that take less time are odd, but a noisy measurement may say so. */
static void warn_if_falling(const struct nx_profile *p, const char *source, int line)
{
	const struct nx_latency *l = &p->latency;

	for (size_t i = 1; i < l->n; i++) {
		if (l->point[i].mean_ms >= l->point[i - 1].mean_ms)
			continue;
		nx_warn("%s:%d: latency of '%s' falls from batch %lld to batch %lld", source, line,
			p->model, (long long)l->point[i - 1].batch, (long long)l->point[i].batch);
		return;
	}
}

int nx_profile_parse(const struct nx_jdoc *doc, struct nx_profiles *set, struct nx_err *err)
{
	const struct nx_jv *root = nx_jdoc_root(doc);
	struct nx_profile p = { .load_ms = -1, .preprocess_ms = -1, .postprocess_ms = -1 };
	struct nx_jcheck c;

	p.latency.interpolate = true;
	nx_jcheck_init(&c, doc);
	if (nx_jcheck_format(&c, root, "nexus-profile", 1))
		read_profile(&c, root, &p);
	int rc = nx_jcheck_result(&c, err);
	nx_jcheck_release(&c);
	if (rc) {
		nx_profile_release(&p);
		return rc;
	}
	warn_if_falling(&p, nx_jdoc_source(doc), root->line);
	set->item = nx_grow(set->item, &set->cap, set->n + 1, sizeof *set->item);
	set->item[set->n++] = p;
	return 0;
}

/* Puts the mistakes of one document behind those of the ones before it. */
static void join_errors(struct nx_err *all, const struct nx_err *more)
{
	size_t used = strlen(all->msg), len = strlen(more->msg);

	if (used == 0) {
		*all = *more;
	} else if (used + len + 2 <= sizeof all->msg) {
		all->msg[used] = '\n';
		memcpy(all->msg + used + 1, more->msg, len + 1);
	}
}

int nx_profiles_load(const char *path, struct nx_profiles *set, struct nx_err *err)
{
	struct nx_jdoc **docs;
	struct nx_err all = NX_ERR_INIT;
	size_t n;

	int rc = nx_fmt_load(path, &docs, &n, err);
	for (size_t i = 0; i < n; i++) {
		struct nx_err one = NX_ERR_INIT;

		if (nx_profile_parse(docs[i], set, &one))
			join_errors(&all, &one);
	}
	nx_jdocs_free(&docs, n);
	if (!rc && all.code) {
		*err = all;
		rc = -all.code;
	}
	return rc;
}

void nx_profile_release(struct nx_profile *p)
{
	for (size_t i = 0; i < p->n_prefix; i++) {
		free(p->prefix[i].digest);
		free(p->prefix[i].node);
		free(p->prefix[i].latency.point);
		free(p->prefix[i].suffix.point);
	}
	free(p->prefix);
	free(p->latency.point);
	free(p->model);
	free(p->digest);
	free(p->device);
	free(p->plugin);
	free(p->precision);
	*p = (struct nx_profile){ 0 };
}

void nx_profiles_release(struct nx_profiles *set)
{
	for (size_t i = 0; i < set->n; i++)
		nx_profile_release(&set->item[i]);
	free(set->item);
	*set = (struct nx_profiles){ 0 };
}

/* ---- writing ------------------------------------------------------------------------------- */

static void write_prefix(struct nx_jw *w, const struct nx_profile_prefix *p, bool interpolate)
{
	nx_jw_object_inline(w);
	nx_jw_kstring(w, "digest", p->digest);
	nx_jw_kstring(w, "node", p->node);
	nx_jw_kint(w, "weights_bytes", (int64_t)p->weights_bytes);
	if (p->latency.interpolate != interpolate)
		nx_jw_kbool(w, "interpolate", p->latency.interpolate);
	write_latency(w, "latency", &p->latency);
	if (p->suffix.n)
		write_latency(w, "suffix_latency", &p->suffix);
	nx_jw_end(w);
}

/* A figure that is negative when it was not given. */
static void write_if_given(struct nx_jw *w, const char *key, double v)
{
	if (v >= 0)
		nx_jw_knumber(w, key, v);
}

void nx_profile_format(const struct nx_profile *p, struct nx_jw *w)
{
	nx_jw_object(w);
	nx_jw_kstring(w, "format", "nexus-profile/1");
	nx_jw_kstring(w, "model", p->model);
	nx_jw_kstring(w, "digest", p->digest);
	nx_jw_kstring(w, "device", p->device);
	nx_jw_kstring(w, "plugin", p->plugin);
	nx_jw_kstring(w, "precision", p->precision);
	if (p->threads)
		nx_jw_kint(w, "threads", p->threads);
	if (p->weights_bytes || p->activations_bytes) {
		nx_jw_key(w, "memory");
		nx_jw_object_inline(w);
		nx_jw_kint(w, "weights_bytes", (int64_t)p->weights_bytes);
		nx_jw_kint(w, "activations_bytes", (int64_t)p->activations_bytes);
		nx_jw_end(w);
	}
	write_if_given(w, "load_ms", p->load_ms);
	write_if_given(w, "preprocess_ms", p->preprocess_ms);
	write_if_given(w, "postprocess_ms", p->postprocess_ms);
	if (!p->latency.interpolate)
		nx_jw_kbool(w, "interpolate", false);
	write_latency(w, "latency", &p->latency);
	if (p->n_prefix) {
		nx_jw_key(w, "prefix");
		nx_jw_array(w);
		for (size_t i = 0; i < p->n_prefix; i++)
			write_prefix(w, &p->prefix[i], p->latency.interpolate);
		nx_jw_end(w);
	}
	nx_jw_end(w);
}

/* ---- finding ------------------------------------------------------------------------------- */

/* Rows per millisecond at the best batch. */
static double best_throughput(const struct nx_latency *l)
{
	double best = 0;

	for (size_t i = 0; i < l->n; i++) {
		double rows_per_ms = (double)l->point[i].batch / l->point[i].mean_ms;
		if (rows_per_ms > best)
			best = rows_per_ms;
	}
	return best;
}

static bool matches(const char *wanted, const char *have)
{
	return !wanted || (have && strcmp(wanted, have) == 0);
}

const struct nx_profile *nx_profiles_find(const struct nx_profiles *set, const char *model,
	const char *device, const char *precision, int64_t threads)
{
	const struct nx_profile *best = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct nx_profile *p = &set->item[i];

		if (!matches(model, p->model) || !matches(device, p->device) ||
			!matches(precision, p->precision) || (threads && threads != p->threads))
			continue;
		if (!best || best_throughput(&p->latency) > best_throughput(&best->latency))
			best = p;
	}
	return best;
}
