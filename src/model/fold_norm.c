/* SPDX-License-Identifier: Apache-2.0 */
/* A batch norm behind a convolution becomes part of its weights and bias. */
#include "model/build.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float *floats(const struct nx_graph *g, int v, int64_t n)
{
	const struct nx_tensor *t = v == NX_NO_VALUE ? NULL : g->values[v].constant;

	return t && t->dtype == NX_F32 && (n < 0 || nx_shape_count(&t->shape) == n) ? t->data
										    : NULL;
}

static bool is(const struct nx_node *n, const char *op)
{
	return *n->domain == '\0' && strcmp(n->op, op) == 0;
}

/* The only node that reads 'value'; NULL if there are several or it is an output. */
static struct nx_node *only_reader(struct nx_graph *g, int value)
{
	struct nx_node *found = NULL;

	for (size_t i = 0; i < g->n_out; i++) {
		if (g->out[i] == value)
			return NULL;
	}
	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_in; k++) {
			if (g->nodes[i].in[k] != value)
				continue;
			if (found)
				return NULL;
			found = &g->nodes[i];
		}
	}
	return found;
}

static int new_constant(struct nx_graph *g, const char *name, const struct nx_shape *shape,
	float **data, int *value, struct nx_err *err)
{
	struct nx_tensor t;
	int rc = nx_tensor_init(&t, NX_F32, shape, err);

	if (rc)
		return rc;
	*data = t.data;
	*value = nx_graph_add_value(g, name);
	nx_graph_set_constant(g, *value, &t);
	return 0;
}

/* w' = w * s, b' = (b - mean) * s + beta, s = gamma / sqrt(variance + epsilon). */
static int fold(struct nx_graph *g, struct nx_node *conv, struct nx_node *norm, struct nx_err *err)
{
	const struct nx_tensor *weights = g->values[conv->in[1]].constant;
	int64_t channels = weights->shape.dim[0], n = nx_shape_count(&weights->shape);
	const float *w = weights->data, *p[4], *bias = NULL;
	float epsilon = nx_node_float(norm, "epsilon", 1e-5f), *new_w, *new_b;
	bool biased = conv->n_in > 2 && conv->in[2] != NX_NO_VALUE;
	struct nx_shape shape = { 1, { channels } };
	int w_value, b_value;

	for (size_t k = 0; k < 4; k++) {
		p[k] = floats(g, norm->in[k + 1], channels);
		if (!p[k])
			return 0;
	}
	if (biased && !(bias = floats(g, conv->in[2], channels)))
		return 0;
	if (channels < 1 || n < channels ||
		new_constant(
			g, g->values[conv->in[1]].name, &weights->shape, &new_w, &w_value, err) ||
		new_constant(g, norm->name, &shape, &new_b, &b_value, err))
		return channels < 1 || n < channels ? 0 : -err->code;
	for (int64_t c = 0; c < channels; c++) {
		float s = p[0][c] / sqrtf(p[3][c] + epsilon);
		for (int64_t i = c * (n / channels); i < (c + 1) * (n / channels); i++)
			new_w[i] = w[i] * s;
		new_b[c] = ((biased ? bias[c] : 0) - p[2][c]) * s + p[1][c];
	}
	conv->in = nx_realloc(conv->in, 3, sizeof *conv->in);
	conv->n_in = 3;
	conv->in[1] = w_value;
	conv->in[2] = b_value;
	conv->out[0] = norm->out[0];
	norm->out[0] = NX_NO_VALUE;
	return 0;
}

int nx_graph_fold_norms(struct nx_graph *g, struct nx_err *err)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct nx_node *conv = &g->nodes[i];
		if (!is(conv, "Conv") || conv->n_in < 2 || !floats(g, conv->in[1], -1))
			continue;
		struct nx_node *norm = only_reader(g, conv->out[0]);
		if (!norm || !is(norm, "BatchNormalization") || norm->n_in != 5 ||
			norm->in[0] != conv->out[0] || norm->out[0] == NX_NO_VALUE)
			continue;
		int rc = fold(g, conv, norm, err);
		if (rc)
			return rc;
	}
	nx_graph_drop_dead(g);
	return 0;
}
