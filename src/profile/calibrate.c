/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes over the samples in fp32, with all activations as outputs: the first finds how far
 * they reach, the second how they are spread.  Then the quantised network, as bytes, is loaded
 * and run as any other, and its answers are compared with those of the first pass; once with all
 * that was seen in range, once with ranges that clip the rarest values.
 */
#include "profile/calibrate.h"

#include "core/alloc.h"
#include "model/ops.h"
#include "model/quantise.h"
#include "profile/ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOP 5

/* A network on the device, with room for the outputs of one row. */
struct net {
	struct nx_model *model;
	struct nx_loaded *loaded;
	const struct nx_io *io;
	size_t n_out;
	void **out;
};

struct work {
	struct nx_engine *engine;
	const struct nx_rows_set *set;
	nx_calibrate_fn *progress;
	void *arg;
	size_t n_answers;       /* outputs of the network itself */
	float **answer;         /* in fp32: of sample i, all outputs one after another */
	size_t answer_count;    /* floats of one */
	struct nx_observed *at; /* of points */
	size_t n_points;
};

static void net_release(struct net *n)
{
	for (size_t i = 0; n->out && i < n->n_out; i++)
		free(n->out[i]);
	free(n->out);
	nx_loaded_free(&n->loaded);
	nx_model_free(&n->model);
}

static int net_load(struct work *w, const struct nx_buf *onnx, const char *precision, struct net *n,
	struct nx_err *err)
{
	const struct nx_load_opts opts = { .max_batch = 1, .precision = precision, .tuning = "" };
	int rc = nx_model_load_bytes(
		onnx->data, onnx->len, "the calibrated network", &n->model, err);

	if (rc == 0)
		rc = nx_engine_load(w->engine, n->model, &opts, &n->loaded, err);
	if (rc)
		return rc;
	n->n_out = nx_loaded_outputs(n->loaded, &n->io);
	n->out = nx_alloc(n->n_out, sizeof *n->out);
	for (size_t i = 0; i < n->n_out; i++) {
		n->out[i] = nx_try_alloc(1, n->io[i].row_bytes);
		if (!n->out[i])
			return nx_err_set(err, NX_EOS, "no memory for '%.120s'", n->io[i].name);
	}
	return 0;
}

static int net_run(struct net *n, const void *row, struct nx_err *err)
{
	return nx_loaded_run(n->loaded, 1, &row, n->out, err);
}

static void tell(const struct work *w, const char *what, size_t done)
{
	if (w->progress)
		w->progress(w->arg, what, done, w->set->n);
}

/* ---- answers --------------------------------------------------------------------------------- */

static size_t count_of(const struct nx_io *io)
{
	return io->row_bytes / nx_dtype_size(io->dtype);
}

/* The network's own outputs of a row as floats; integers are no answers to be compared. */
static void take_answer(const struct work *w, const struct net *n, float *to)
{
	for (size_t i = 0; i < w->n_answers; i++) {
		const struct nx_io *io = &n->io[i];
		for (size_t k = 0; k < count_of(io); k++)
			*to++ = io->dtype == NX_F32 ? ((const float *)n->out[i])[k]
				: io->dtype == NX_F16
					? nx_half_to_float(((const uint16_t *)n->out[i])[k])
					: 0;
	}
}

static size_t answer_count(const struct work *w, const struct net *n)
{
	size_t sum = 0;

	for (size_t i = 0; i < w->n_answers; i++)
		sum += count_of(&n->io[i]);
	return sum;
}

/* Classes: one output, one value a class. */
static bool are_classes(const struct work *w, const struct net *n)
{
	size_t wide = 0;

	for (int d = 1; w->n_answers == 1 && d < n->io[0].shape.rank; d++)
		wide += n->io[0].shape.dim[d] > 1;
	return wide == 1;
}

static size_t first_of(const float *x, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		best = x[i] > x[best] ? i : best;
	return best;
}

/* How many are larger than x[at]. */
static size_t rank_of(const float *x, size_t n, size_t at)
{
	size_t rank = 0;

	for (size_t i = 0; i < n; i++)
		rank += x[i] > x[at];
	return rank;
}

static double relative_error(const float *x, const float *ref, size_t n)
{
	double diff = 0, size = 0;

	for (size_t i = 0; i < n; i++) {
		diff += ((double)x[i] - (double)ref[i]) * ((double)x[i] - (double)ref[i]);
		size += (double)ref[i] * (double)ref[i];
	}
	return size > 0 ? sqrt(diff / size) : diff > 0 ? 1 : 0;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static int first_pass(struct work *w, struct net *n, struct nx_err *err)
{
	w->answer_count = answer_count(w, n);
	for (size_t i = 0; i < w->set->n; i++) {
		if (net_run(n, w->set->row[i], err))
			return -err->code;
		w->answer[i] = nx_try_alloc(w->answer_count, sizeof **w->answer);
		if (!w->answer[i])
			return nx_err_set(err, NX_EOS, "no memory for %zu answers", w->set->n);
		take_answer(w, n, w->answer[i]);
		for (size_t p = 0; p < w->n_points; p++) {
			const struct nx_io *io = &n->io[w->n_answers + p];
			if (nx_observed_add(&w->at[p], n->out[w->n_answers + p], count_of(io)))
				return nx_err_set(err, NX_EDATA,
					"'%.120s' is not finite for sample %zu", io->name, i);
		}
		tell(w, "finding ranges", i + 1);
	}
	return 0;
}

static int second_pass(struct work *w, struct net *n, struct nx_err *err)
{
	for (size_t i = 0; i < w->set->n; i++) {
		if (net_run(n, w->set->row[i], err))
			return -err->code;
		for (size_t p = 0; p < w->n_points; p++)
			nx_observed_bin(&w->at[p], n->out[w->n_answers + p],
				count_of(&n->io[w->n_answers + p]));
		tell(w, "choosing ranges", i + 1);
	}
	return 0;
}

/* Runs the fp32 network with its points as outputs. */
static int observe(struct work *w, const struct nx_quant *q, struct nx_err *err)
{
	struct nx_buf onnx = NX_BUF_INIT;
	struct nx_graph *g = NULL;
	struct net n = { 0 };
	int rc = nx_quant_observed(q, &g, err);

	if (rc == 0)
		rc = nx_onnx_write(g, &onnx, err);
	nx_graph_free(&g);
	if (rc == 0)
		rc = net_load(w, &onnx, "fp32", &n, err);
	nx_buf_release(&onnx);
	if (rc == 0)
		rc = first_pass(w, &n, err);
	if (rc == 0)
		rc = second_pass(w, &n, err);
	net_release(&n);
	return rc;
}

/* With the whole ranges, or with the chosen ones. */
static int quantise(struct work *w, const struct nx_quant *q, bool whole, struct nx_buf *onnx,
	struct nx_err *err)
{
	struct nx_range *range = nx_alloc(w->n_points, sizeof *range);
	struct nx_graph *g = NULL;

	for (size_t p = 0; p < w->n_points; p++)
		range[p] = whole ? w->at[p].all : nx_observed_range(&w->at[p]);
	int rc = nx_quant_apply(q, range, &g, err);
	if (rc == 0)
		rc = nx_onnx_write(g, onnx, err);
	nx_graph_free(&g);
	free(range);
	return rc;
}

static int compare(struct work *w, struct net *n, struct nx_calibration *c, struct nx_err *err)
{
	float *got = nx_try_alloc(w->answer_count, sizeof *got);
	bool classes = are_classes(w, n);
	size_t first = 0, among = 0;
	int rc = got ? 0 : nx_err_set(err, NX_EOS, "no memory for an answer");

	for (size_t i = 0; i < w->set->n && rc == 0; i++) {
		rc = net_run(n, w->set->row[i], err);
		if (rc)
			break;
		take_answer(w, n, got);
		double e = relative_error(got, w->answer[i], w->answer_count);
		size_t best = first_of(w->answer[i], w->answer_count);
		size_t rank = classes ? rank_of(got, w->answer_count, best) : 0;
		c->error_mean += e / (double)w->set->n;
		c->error_max = e > c->error_max ? e : c->error_max;
		first += rank == 0;
		among += rank < TOP;
		tell(w, "checking", i + 1);
	}
	free(got);
	c->top1 = classes ? (double)first / (double)w->set->n : -1;
	c->top5 = classes ? (double)among / (double)w->set->n : -1;
	return rc;
}

/* In int8 where the device has it, else in whatever it computes such a network in. */
static int check(
	struct work *w, const struct nx_buf *onnx, struct nx_calibration *c, struct nx_err *err)
{
	struct nx_err first = NX_ERR_INIT;
	struct net n = { 0 };
	int rc = net_load(w, onnx, "int8", &n, &first);

	if (rc) {
		net_release(&n);
		n = (struct net){ 0 };
		rc = net_load(w, onnx, NULL, &n, err);
	}
	if (rc == 0)
		c->precision = nx_strdup(nx_loaded_precision(n.loaded));
	if (rc == 0)
		rc = compare(w, &n, c, err);
	net_release(&n);
	return rc;
}

/* Neither rule for ranges is the better one for every network: the samples decide. */
static int quantise_best(struct work *w, const struct nx_quant *q, struct nx_buf *onnx,
	struct nx_calibration *out, struct nx_err *err)
{
	struct nx_buf other = NX_BUF_INIT;
	struct nx_calibration second = { 0 };
	int rc = quantise(w, q, true, onnx, err);

	if (rc == 0)
		rc = check(w, onnx, out, err);
	if (rc == 0)
		rc = quantise(w, q, false, &other, err);
	if (rc == 0)
		rc = check(w, &other, &second, err);
	if (rc == 0 && second.error_mean < out->error_mean) {
		struct nx_buf swap = *onnx;
		*onnx = other;
		other = swap;
		out->top1 = second.top1;
		out->top5 = second.top5;
		out->error_mean = second.error_mean;
		out->error_max = second.error_max;
	}
	nx_calibration_release(&second);
	nx_buf_release(&other);
	out->onnx_bytes = onnx->len;
	return rc;
}

int nx_calibrate(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_rows_set *set, nx_calibrate_fn *progress, void *arg, struct nx_buf *onnx,
	struct nx_calibration *out, struct nx_err *err)
{
	struct work w = { .engine = engine, .set = set, .progress = progress, .arg = arg };
	struct nx_quant *q = NULL;

	memset(out, 0, sizeof *out);
	if (nx_engine_info(engine)->simulated)
		return nx_err_set(err, NX_EUSAGE, "device '%s' computes nothing to calibrate with",
			nx_engine_info(engine)->spec);
	int rc = nx_quant_new(model->graph, &q, err);
	if (rc)
		return nx_err_wrap(err, "model '%s'", model->name);
	w.n_points = q->n_points;
	w.n_answers = q->graph->n_out;
	w.at = nx_alloc(w.n_points, sizeof *w.at);
	w.answer = nx_alloc(set->n, sizeof *w.answer);
	out->model = nx_strdup(model->name);
	out->samples = set->n;
	out->points = q->n_points;
	rc = observe(&w, q, err);
	if (rc == 0)
		rc = quantise_best(&w, q, onnx, out, err);
	for (size_t p = 0; p < w.n_points; p++)
		nx_observed_release(&w.at[p]);
	for (size_t i = 0; i < set->n; i++)
		free(w.answer[i]);
	free(w.at);
	free(w.answer);
	nx_quant_free(&q);
	if (rc == 0)
		return 0;
	nx_calibration_release(out);
	return nx_err_wrap(err, "model '%s'", model->name);
}

void nx_calibration_release(struct nx_calibration *c)
{
	free(c->model);
	free(c->precision);
	memset(c, 0, sizeof *c);
}

void nx_calibration_format(const struct nx_calibration *c, struct nx_jw *w)
{
	nx_jw_object(w);
	nx_jw_kstring(w, "model", c->model);
	nx_jw_kint(w, "samples", (int64_t)c->samples);
	nx_jw_kint(w, "quantised", (int64_t)c->points);
	nx_jw_kint(w, "bytes", (int64_t)c->onnx_bytes);
	nx_jw_kstring(w, "checked_in", c->precision);
	if (c->top1 >= 0) {
		nx_jw_knumber(w, "top1", c->top1);
		nx_jw_knumber(w, "top5", c->top5);
	}
	nx_jw_knumber(w, "error_mean", c->error_mean);
	nx_jw_knumber(w, "error_max", c->error_max);
	nx_jw_end(w);
}
