/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/trial.h"

#include "core/alloc.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MIN 2
#define ROUNDS_MAX 40
#define PAIR_NS    40e6 /* what comparing two may take, but for ROUNDS_MIN runs of each */

/* As preprocessing makes them; whole numbers are indices as often as not, so they are zero. */
static void fill(struct nx_rng *rng, const struct nx_value *v, void *data, size_t bytes)
{
	if (v->dtype == NX_F32)
		for (size_t i = 0; i < bytes / sizeof(float); i++)
			((float *)data)[i] = (float)(2 * nx_rng_uniform(rng) - 1);
	else if (v->dtype == NX_U8)
		for (size_t i = 0; i < bytes; i++)
			((unsigned char *)data)[i] = (unsigned char)nx_rng_below(rng, 256);
}

static size_t bytes_of(const struct nx_value *v)
{
	return (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
}

static void **make(const struct nx_graph *g, const int *values, size_t n, struct nx_rng *rng)
{
	void **data = nx_alloc(n + 1, sizeof(void *));

	for (size_t i = 0; i < n; i++) {
		const struct nx_value *v = &g->values[values[i]];
		data[i] = nx_try_alloc(bytes_of(v) + 1, 1);
		if (data[i] && rng)
			fill(rng, v, data[i], bytes_of(v));
	}
	return data;
}

static bool complete(void *const *data, size_t n)
{
	while (n && data[n - 1])
		n--;
	return n == 0;
}

static int run(struct cpu_trial *t, struct nx_err *err)
{
	return cpu_exec_run(t->exec, (const void *const *)t->in, t->out, err);
}

int cpu_trial_init(struct cpu_trial *t, struct nx_plugin_device *dev, const struct nx_graph *g,
	const struct cpu_how *how, struct nx_err *err)
{
	struct nx_rng rng;

	nx_rng_init(&rng, 1);
	*t = (struct cpu_trial){ .graph = g };
	t->in = make(g, g->in, g->n_in, &rng);
	t->out = make(g, g->out, g->n_out, NULL);
	int rc = cpu_exec_new(dev, g, how, &t->exec, err);
	if (rc == 0 && (!complete(t->in, g->n_in) || !complete(t->out, g->n_out)))
		rc = nx_err_set(err, NX_EOS, "no memory to measure with");
	if (rc == 0)
		rc = run(t, err);
	if (rc)
		cpu_trial_release(t);
	return rc;
}

void cpu_trial_release(struct cpu_trial *t)
{
	for (size_t i = 0; t->in && i < t->graph->n_in; i++)
		free(t->in[i]);
	for (size_t i = 0; t->out && i < t->graph->n_out; i++)
		free(t->out[i]);
	free(t->in);
	free(t->out);
	if (t->exec)
		cpu_exec_free(&t->exec);
	memset(t, 0, sizeof *t);
}

static double run_ns(struct cpu_trial *t)
{
	struct nx_err err = NX_ERR_INIT;
	double start = cpu_time_ns();

	return run(t, &err) ? INFINITY : cpu_time_ns() - start;
}

double cpu_trial_ratio(struct cpu_trial *a, struct cpu_trial *b)
{
	double best[2] = { INFINITY, INFINITY }, spent = 0;

	for (int i = 0; i < ROUNDS_MAX && (i < ROUNDS_MIN || spent < PAIR_NS); i++) {
		for (int k = 0; k < 2; k++) {
			/* Who goes first finds other things in the caches. */
			int who = k ^ (i & 1);
			double ns = run_ns(who ? b : a);
			if (isinf(ns))
				return INFINITY;
			best[who] = fmin(best[who], ns);
			spent += ns;
		}
	}
	a->best_ns = best[0];
	return best[1] / fmax(best[0], 1);
}

double cpu_trial_error(const struct cpu_trial *a, const struct cpu_trial *b)
{
	double worst = 0;

	for (size_t o = 0; o < a->graph->n_out; o++) {
		const struct nx_value *v = &a->graph->values[a->graph->out[o]];
		const float *x = a->out[o], *y = b->out[o];
		size_t n = v->dtype == NX_F32 ? bytes_of(v) / sizeof *x : 0;
		double largest = 0, off = 0;
		for (size_t i = 0; i < n; i++) {
			if (x[i] == y[i] || (isnan(x[i]) && isnan(y[i])))
				continue;
			if (!isfinite(x[i]) || !isfinite(y[i]))
				return INFINITY;
			largest = fmax(largest, fabs((double)x[i]));
			off = fmax(off, fabs((double)x[i] - (double)y[i]));
		}
		if (off > 0)
			worst = fmax(worst, largest > 0 ? off / largest : INFINITY);
	}
	return worst;
}
