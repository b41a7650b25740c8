/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network in QDQ form.  Behind each value that is quantised stand QuantizeLinear and
 * DequantizeLinear, and all that reads the value reads it through them; weights become codes
 * behind a DequantizeLinear of their own.
 */
#include "model/quantise.h"

#include "model/build.h"
#include "model/quantise_plan.h"

#include "core/alloc.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CODE_MAX 127 /* of weights: symmetric, so that -128 is not used */

struct scale {
	float scale;
	uint8_t zero;
	int scale_value, zero_value; /* constants; NX_NO_VALUE until they are made */
};

struct apply {
	struct nx_graph *g;
	const struct nx_quant *q;
	struct scale *scale; /* of points */
	int *through;        /* value -> what reads it reads instead, NX_NO_VALUE for itself */
	int *weights;        /* value -> its dequantised form, with 'weights_axis' */
	int64_t *weights_axis;
	size_t n_values; /* before anything was added */
	struct nx_err *err;
};

static struct scale scale_of(struct nx_range r)
{
	float lo = r.min < 0 ? r.min : 0, hi = r.max > 0 ? r.max : 0;
	struct scale s = { 1, 0, NX_NO_VALUE, NX_NO_VALUE };

	if (!(hi - lo > FLT_MIN * 256) || !isfinite(hi - lo))
		return s;
	s.scale = (hi - lo) / 255;
	s.zero = (uint8_t)lrintf(fminf(fmaxf(-lo / s.scale, 0), 255));
	return s;
}

static int new_value(struct apply *a, const char *of, const char *suffix)
{
	char *name = nx_asprintf("%s_%s", of, suffix);
	int v = nx_graph_add_value(a->g, name);

	free(name);
	return v;
}

/* A new constant; its data, or NULL. */
static void *new_constant(struct apply *a, const char *of, const char *suffix, enum nx_dtype dtype,
	const struct nx_shape *shape, int *value)
{
	struct nx_tensor t;

	*value = NX_NO_VALUE;
	if (nx_tensor_init(&t, dtype, shape, a->err))
		return NULL;
	void *data = t.data;
	*value = new_value(a, of, suffix);
	nx_graph_set_constant(a->g, *value, &t);
	return data;
}

static int convert(struct apply *a, const char *op, int x, int scale, int zero, const char *of,
	const char *suffix)
{
	int out = new_value(a, of, suffix);
	struct nx_node *n =
		nx_graph_add_node(a->g, op, a->g->values[out].name, zero == NX_NO_VALUE ? 2 : 3, 1);

	n->in[0] = x;
	n->in[1] = scale;
	if (zero != NX_NO_VALUE)
		n->in[2] = zero;
	n->out[0] = out;
	return out;
}

static void set_axis(struct nx_node *n, int64_t axis)
{
	n->attrs = nx_alloc(1, sizeof *n->attrs);
	n->attrs[n->n_attrs++] =
		(struct nx_attr){ .name = nx_strdup("axis"), .kind = NX_ATTR_INT, .i = axis };
}

/* Q and DQ behind value v, if it is to have them. */
static int follow(struct apply *a, int v)
{
	const struct nx_shape one = { 0 };

	if (v == NX_NO_VALUE || a->q->point_of[v] < 0)
		return 0;
	char *name = nx_strdup(a->g->values[v].name);
	struct scale *s = &a->scale[a->q->point_of[v]];
	if (s->scale_value == NX_NO_VALUE) {
		float *scale = new_constant(a, name, "scale", NX_F32, &one, &s->scale_value);
		uint8_t *zero = new_constant(a, name, "zero_point", NX_U8, &one, &s->zero_value);
		if (!scale || !zero) {
			free(name);
			return -a->err->code;
		}
		*scale = s->scale;
		*zero = s->zero;
	}
	int codes =
		convert(a, "QuantizeLinear", v, s->scale_value, s->zero_value, name, "quantized");
	a->through[v] = convert(
		a, "DequantizeLinear", codes, s->scale_value, s->zero_value, name, "dequantized");
	free(name);
	return 0;
}

/* Per channel of 'axis': scale[c] so that the largest weight is CODE_MAX, and the codes. */
static void quantise_weights(const struct nx_tensor *w, int axis, float *scale, int8_t *codes)
{
	int64_t channels = w->shape.dim[axis], n = nx_shape_count(&w->shape), inner = 1;
	const float *from = w->data;

	for (int d = axis + 1; d < w->shape.rank; d++)
		inner *= w->shape.dim[d];
	for (int64_t i = 0; i < n; i++) {
		float *s = &scale[i / inner % channels];
		*s = fmaxf(*s, fabsf(from[i]));
	}
	for (int64_t c = 0; c < channels; c++)
		scale[c] = scale[c] > FLT_MIN * CODE_MAX && isfinite(scale[c]) ? scale[c] / CODE_MAX
									       : 1;
	for (int64_t i = 0; i < n; i++)
		codes[i] = (int8_t)lrintf(
			fminf(fmaxf(from[i] / scale[i / inner % channels], -CODE_MAX), CODE_MAX));
}

/* The weights of a node through codes; *scale borrows their scales. */
static int replace_weights(struct apply *a, int v, int axis, int *out, const float **scale)
{
	if (a->weights[v] != NX_NO_VALUE && a->weights_axis[v] == axis) {
		/* Shared by several nodes; the DQ's second input holds the scales. */
		for (size_t i = a->g->n_nodes; i-- > 0;) {
			const struct nx_node *n = &a->g->nodes[i];
			if (n->n_out && n->out[0] == a->weights[v])
				*scale = a->g->values[n->in[1]].constant->data;
		}
		*out = a->weights[v];
		return 0;
	}
	struct nx_tensor *w = a->g->values[v].constant;
	struct nx_shape channels = { 1, { w->shape.dim[axis] } };
	char *name = nx_strdup(a->g->values[v].name);
	int codes_value, scale_value, zero_value;
	int8_t *codes = new_constant(a, name, "quantized", NX_I8, &w->shape, &codes_value);
	float *s = new_constant(a, name, "scale", NX_F32, &channels, &scale_value);
	void *zero = new_constant(a, name, "zero_point", NX_I8, &channels, &zero_value);

	if (codes && s && zero) {
		quantise_weights(w, axis, s, codes);
		*out = convert(a, "DequantizeLinear", codes_value, scale_value, zero_value, name,
			"dequantized");
		set_axis(&a->g->nodes[a->g->n_nodes - 1], axis);
		a->weights[v] = *out;
		a->weights_axis[v] = axis;
		*scale = s;
	}
	free(name);
	return codes && s && zero ? 0 : -a->err->code;
}

/* A bias of one value a channel in units of input scale x weight scale; others stay. */
static int replace_bias(
	struct apply *a, int v, float x_scale, const float *w_scale, int64_t channels, int *out)
{
	const struct nx_tensor *b = a->g->values[v].constant;
	struct nx_shape shape = { 1, { channels } };
	int codes_value, scale_value;

	if (!b || b->dtype != NX_F32 || b->shape.rank != 1 || b->shape.dim[0] != channels)
		return 0;
	char *name = nx_strdup(a->g->values[v].name);
	int32_t *codes = new_constant(a, name, "quantized", NX_I32, &shape, &codes_value);
	float *scale = new_constant(a, name, "scale", NX_F32, &shape, &scale_value);
	for (int64_t c = 0; codes && scale && c < channels; c++) {
		double code = nearbyint((double)((const float *)b->data)[c] /
					((double)x_scale * (double)w_scale[c]));
		scale[c] = x_scale * w_scale[c];
		codes[c] = (int32_t)fmin(fmax(code, INT32_MIN), INT32_MAX);
	}
	if (codes && scale) {
		*out = convert(a, "DequantizeLinear", codes_value, scale_value, NX_NO_VALUE, name,
			"dequantized");
		set_axis(&a->g->nodes[a->g->n_nodes - 1], 0);
	}
	free(name);
	return codes && scale ? 0 : -a->err->code;
}

static int channel_axis(const struct nx_node *n)
{
	if (strcmp(n->op, "Conv") == 0)
		return 0;
	return strcmp(n->op, "Gemm") == 0 && nx_node_int(n, "transB", 0) ? 0 : 1;
}

/* Moves 'old' to the end of the graph, its inputs replaced. */
static int move_node(struct apply *a, struct nx_node *old)
{
	const float *w_scale = NULL;
	int x = old->n_in ? old->in[0] : NX_NO_VALUE, rc = 0;

	if (nx_quant_is_linear(a->g, old) && a->q->point_of[x] >= 0) {
		int64_t channels = a->g->values[old->in[1]].shape.dim[channel_axis(old)];
		rc = replace_weights(a, old->in[1], channel_axis(old), &old->in[1], &w_scale);
		if (rc == 0 && old->n_in > 2 && old->in[2] != NX_NO_VALUE)
			rc = replace_bias(a, old->in[2], a->scale[a->q->point_of[x]].scale, w_scale,
				channels, &old->in[2]);
	}
	for (size_t k = 0; k < old->n_in; k++) {
		int v = old->in[k];
		if (v != NX_NO_VALUE && (size_t)v < a->n_values && a->through[v] != NX_NO_VALUE)
			old->in[k] = a->through[v];
	}
	/* The place of an empty node is given to the old one. */
	struct nx_node *n = nx_graph_add_node(a->g, "", "", 0, 0);
	nx_node_release(n);
	*n = *old;
	*old = (struct nx_node){ 0 };
	size_t at = a->g->n_nodes - 1;
	for (size_t k = 0; rc == 0 && k < a->g->nodes[at].n_out; k++)
		rc = follow(a, a->g->nodes[at].out[k]);
	return rc;
}

static int rewrite(struct apply *a)
{
	struct nx_graph *g = a->g;
	struct nx_node *old = g->nodes;
	size_t n_old = g->n_nodes;
	int rc = 0;

	g->nodes = NULL;
	g->n_nodes = 0;
	for (size_t i = 0; i < g->n_in && rc == 0; i++)
		rc = follow(a, g->in[i]);
	for (size_t i = 0; i < n_old; i++) {
		if (rc == 0)
			rc = move_node(a, &old[i]);
		nx_node_release(&old[i]);
	}
	free(old);
	nx_graph_drop_dead(g);
	return rc;
}

int nx_quant_apply(const struct nx_quant *q, const struct nx_range *range, struct nx_graph **out,
	struct nx_err *err)
{
	size_t n = q->graph->n_values;
	struct apply a = {
		.g = nx_graph_clone(q->graph),
		.q = q,
		.scale = nx_alloc(q->n_points, sizeof *a.scale),
		.through = nx_alloc(n, sizeof *a.through),
		.weights = nx_alloc(n, sizeof *a.weights),
		.weights_axis = nx_alloc(n, sizeof *a.weights_axis),
		.n_values = n,
		.err = err,
	};

	for (size_t i = 0; i < q->n_points; i++)
		a.scale[i] = scale_of(range[i]);
	for (size_t v = 0; v < n; v++)
		a.through[v] = a.weights[v] = NX_NO_VALUE;
	int rc = rewrite(&a);
	free(a.scale);
	free(a.through);
	free(a.weights);
	free(a.weights_axis);
	if (rc)
		nx_graph_free(&a.g);
	*out = a.g;
	return rc;
}
