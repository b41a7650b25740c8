/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Half precision in a graph.  Weights that come as FP16 or BF16 are widened once and computed in
 * FP32, as is all between; only the graph's own inputs and outputs keep their type, behind a
 * Cast.  A device that wants to compute in half precision narrows again without loss.
 */
#include "model/build.h"
#include "model/ops.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

float nx_half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 0x1f, frac = h & 0x3ff, u;
	float f;

	if (exp == 0) {
		f = (float)frac * 0x1p-24f;
		return sign ? -f : f;
	}
	u = sign | (exp == 31 ? 0x7f800000u : (exp + 112) << 23) | frac << 13;
	memcpy(&f, &u, sizeof f);
	return f;
}

uint16_t nx_float_to_half(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
	u &= 0x7fffffff;
	if (u > 0x7f800000)
		return sign | 0x7e00; /* a quiet NaN */
	if (u >= 0x477ff000)
		return sign | 0x7c00; /* rounds to infinity */
	if (u < 0x38800000) {
		/* Subnormal: adding 0.5 leaves the rounded fraction in the low bits. */
		float half = 0.5f, v;
		memcpy(&v, &u, sizeof v);
		v += half;
		memcpy(&u, &v, sizeof u);
		return (uint16_t)(sign | (u - 0x3f000000));
	}
	u += 0xfff + (u >> 13 & 1); /* to nearest, ties to even */
	return (uint16_t)(sign | (u - 0x38000000) >> 13);
}

float nx_bf16_to_float(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

uint16_t nx_float_to_bf16(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static bool is_half(enum nx_dtype t)
{
	return t == NX_F16 || t == NX_BF16;
}

/* The tensor with its halves widened, in *wide. */
static int widen(const struct nx_tensor *t, struct nx_tensor *wide, struct nx_err *err)
{
	int rc = nx_tensor_init(wide, NX_F32, &t->shape, err);

	for (size_t i = 0; rc == 0 && i < t->bytes / 2; i++) {
		uint16_t h = ((const uint16_t *)t->data)[i];
		((float *)wide->data)[i] =
			t->dtype == NX_BF16 ? nx_bf16_to_float(h) : nx_half_to_float(h);
	}
	return rc;
}

/* Tensors in attributes, and Casts to half. */
static int widen_node(struct nx_node *n, struct nx_err *err)
{
	for (size_t i = 0; i < n->n_attrs; i++) {
		struct nx_attr *a = &n->attrs[i];
		struct nx_tensor wide;
		if (a->kind == NX_ATTR_INT && strcmp(n->op, "Cast") == 0 &&
			strcmp(a->name, "to") == 0 && (a->i == NX_F16 || a->i == NX_BF16))
			a->i = NX_F32;
		if (a->kind != NX_ATTR_TENSOR || !is_half(a->tensor.dtype))
			continue;
		int rc = widen(&a->tensor, &wide, err);
		if (rc)
			return rc;
		nx_tensor_release(&a->tensor);
		a->tensor = wide;
	}
	return 0;
}

/* A Cast node at the end of the list, not yet connected. */
static struct nx_node *add_cast(struct nx_graph *g, const char *name, enum nx_dtype to)
{
	char *label = nx_asprintf("%s/cast", name);
	struct nx_node *n = nx_graph_add_node(g, "Cast", label, 1, 1);

	free(label);
	n->attrs = nx_alloc(1, sizeof *n->attrs);
	n->n_attrs = 1;
	n->attrs[0] = (struct nx_attr){ .name = nx_strdup("to"), .kind = NX_ATTR_INT, .i = to };
	return n;
}

/* Everything that reads half input 'value' reads a widened copy instead. */
static void widen_input(struct nx_graph *g, int value)
{
	int wide = nx_graph_add_value(g, g->values[value].name);

	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_in; k++) {
			if (g->nodes[i].in[k] == value)
				g->nodes[i].in[k] = wide;
		}
	}
	struct nx_node *n = add_cast(g, g->values[value].name, NX_F32);
	n->in[0] = value;
	n->out[0] = wide;
	/* Its place is in front of all that reads it. */
	struct nx_node cast = *n;
	memmove(g->nodes + 1, g->nodes, (g->n_nodes - 1) * sizeof *g->nodes);
	g->nodes[0] = cast;
}

/* Output i as the file declares it, narrowed from what is computed. */
static void narrow_output(struct nx_graph *g, size_t i, enum nx_dtype to)
{
	int from = g->out[i], narrow = nx_graph_add_value(g, g->values[from].name);
	struct nx_node *n = add_cast(g, g->values[from].name, to);

	n->in[0] = from;
	n->out[0] = narrow;
	g->out[i] = narrow;
}

int nx_graph_widen(struct nx_graph *g, struct nx_err *err)
{
	size_t n_values = g->n_values, n_nodes = g->n_nodes;
	bool any = false;

	for (size_t i = 0; i < n_values; i++) {
		const struct nx_tensor *t = g->values[i].constant;
		struct nx_tensor wide;
		any = any || is_half(g->values[i].dtype);
		if (!t || !is_half(t->dtype))
			continue;
		int rc = widen(t, &wide, err);
		if (rc)
			return rc;
		nx_graph_set_constant(g, (int)i, &wide);
	}
	for (size_t i = 0; i < n_nodes; i++) {
		int rc = widen_node(&g->nodes[i], err);
		if (rc)
			return rc;
	}
	for (size_t i = 0; any && i < g->n_out; i++) {
		enum nx_dtype t = g->values[g->out[i]].dtype;
		bool is_input = false;
		for (size_t k = 0; k < g->n_in; k++)
			is_input = is_input || g->in[k] == g->out[i];
		if (is_half(t) && !is_input)
			narrow_output(g, i, t);
	}
	for (size_t i = 0; i < g->n_in; i++) {
		if (is_half(g->values[g->in[i]].dtype))
			widen_input(g, g->in[i]);
	}
	return 0;
}
