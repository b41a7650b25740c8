/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators on quantised tensors become DequantizeLinear, the operator on floats, and
 * QuantizeLinear, so that devices know one form of quantised networks.  ONNX's own QLinearConv,
 * QLinearMatMul, ConvInteger and MatMulInteger, and those of the domain com.microsoft that
 * quantisers write beside them.
 */
#include "model/build.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MICROSOFT  "com.microsoft"
#define PER_TENSOR INT64_MAX /* for an axis: there is one scale */

/* One node on its way. */
struct rewrite {
	struct nx_graph *g;
	struct nx_node *old; /* already out of the graph's list */
	const struct form *form;
};

struct form {
	const char *domain, *op, *becomes;
	size_t in_min;
	void (*make)(struct rewrite *r);
};

/* Input k of the old node. */
static int input(const struct rewrite *r, size_t k)
{
	return k < r->old->n_in ? r->old->in[k] : NX_NO_VALUE;
}

static int new_value(struct rewrite *r)
{
	return nx_graph_add_value(r->g, r->old->name);
}

static struct nx_node *new_node(struct rewrite *r, const char *op, size_t n_in)
{
	char *name = nx_asprintf("%s/%s", r->old->name, op);
	struct nx_node *n = nx_graph_add_node(r->g, op, name, n_in, 1);

	free(name);
	return n;
}

static void add_int(struct nx_node *n, const char *name, int64_t i)
{
	n->attrs = nx_realloc(n->attrs, n->n_attrs + 1, sizeof *n->attrs);
	n->attrs[n->n_attrs++] =
		(struct nx_attr){ .name = nx_strdup(name), .kind = NX_ATTR_INT, .i = i };
	nx_node_sort_attrs(n);
}

/* Q or DQ of 'x'; the zero point may be left out. */
static void convert(
	struct rewrite *r, const char *op, int x, int scale, int zero, int64_t axis, int out)
{
	struct nx_node *n = new_node(r, op, zero == NX_NO_VALUE ? 2 : 3);

	n->in[0] = x;
	n->in[1] = scale;
	if (zero != NX_NO_VALUE)
		n->in[2] = zero;
	n->out[0] = out;
	if (axis != PER_TENSOR)
		add_int(n, "axis", axis);
}

/* Inputs k, k + 1, k + 2 are codes, scale and zero point: the value in floats. */
static int real(struct rewrite *r, size_t k, int64_t axis)
{
	int out = new_value(r);

	convert(r, "DequantizeLinear", input(r, k), input(r, k + 1), input(r, k + 2), axis, out);
	return out;
}

/* The float operator, with the old node's attributes. */
static struct nx_node *floats(struct rewrite *r, size_t n_in)
{
	struct nx_node *n = new_node(r, r->form->becomes, n_in);
	size_t kept = 0;

	/* What only the quantised form has. */
	for (size_t i = 0; i < r->old->n_attrs; i++) {
		struct nx_attr *a = &r->old->attrs[i];
		if (strcmp(a->name, "channels_last") != 0 && strcmp(a->name, "opset") != 0) {
			n->attrs = nx_realloc(n->attrs, kept + 1, sizeof *n->attrs);
			n->attrs[kept++] = *a;
			*a = (struct nx_attr){ 0 };
		}
	}
	n->n_attrs = kept;
	n->out[0] = nx_graph_add_value(r->g, r->old->name);
	return n;
}

/* 'y' in floats to the old node's output, with scale and zero point at inputs k and k + 1. */
static void codes(struct rewrite *r, int y, size_t k)
{
	convert(r, "QuantizeLinear", y, input(r, k), input(r, k + 1), PER_TENSOR, r->old->out[0]);
}

/* A bias of INT32 is in units of the product of the scales at inputs a and b. */
static int real_bias(struct rewrite *r, size_t k, size_t a, size_t b)
{
	int scale = new_value(r), out = new_value(r);
	struct nx_node *n = new_node(r, "Mul", 2);

	n->in[0] = input(r, a);
	n->in[1] = input(r, b);
	n->out[0] = scale;
	convert(r, "DequantizeLinear", input(r, k), scale, NX_NO_VALUE, 0, out);
	return out;
}

/* x, w and their scales, y's scale, and a bias. */
static void make_conv(struct rewrite *r)
{
	bool biased = input(r, 8) != NX_NO_VALUE;
	int x = real(r, 0, PER_TENSOR), w = real(r, 3, 0);
	int b = biased ? real_bias(r, 8, 1, 4) : NX_NO_VALUE;
	struct nx_node *n = floats(r, biased ? 3 : 2);

	n->in[0] = x;
	n->in[1] = w;
	if (biased)
		n->in[2] = b;
	codes(r, n->out[0], 6);
}

/* Scales of a are one for each row, those of b one for each column. */
static void make_matmul(struct rewrite *r)
{
	int a = real(r, 0, -2), b = real(r, 3, -1);
	struct nx_node *n = floats(r, 2);

	n->in[0] = a;
	n->in[1] = b;
	codes(r, n->out[0], 6);
}

static void make_binary(struct rewrite *r)
{
	int a = real(r, 0, PER_TENSOR), b = real(r, 3, PER_TENSOR);
	struct nx_node *n = floats(r, 2);

	n->in[0] = a;
	n->in[1] = b;
	codes(r, n->out[0], 6);
}

static void make_unary(struct rewrite *r)
{
	int x = real(r, 0, PER_TENSOR);
	struct nx_node *n = floats(r, 1);

	n->in[0] = x;
	codes(r, n->out[0], 3);
}

/* condition, x and y with their scales, the result's scale. */
static void make_where(struct rewrite *r)
{
	int a = real(r, 1, PER_TENSOR), b = real(r, 4, PER_TENSOR);
	struct nx_node *n = floats(r, 3);

	n->in[0] = input(r, 0);
	n->in[1] = a;
	n->in[2] = b;
	codes(r, n->out[0], 7);
}

/* The result's scale, then any number of parts with theirs. */
static void make_concat(struct rewrite *r)
{
	size_t parts = (r->old->n_in - 2) / 3;
	int *part = nx_alloc(parts, sizeof *part);

	for (size_t i = 0; i < parts; i++)
		part[i] = real(r, 2 + 3 * i, PER_TENSOR);
	struct nx_node *n = floats(r, parts);
	memcpy(n->in, part, parts * sizeof *part);
	free(part);
	codes(r, n->out[0], 0);
}

/* alpha scales the product, and the bias is in its units. */
static void make_gemm(struct rewrite *r)
{
	bool biased = input(r, 6) != NX_NO_VALUE;
	bool trans_b = nx_node_int(r->old, "transB", 0) != 0;
	float alpha = nx_node_float(r->old, "alpha", 1);
	int a = real(r, 0, PER_TENSOR), b = real(r, 3, trans_b ? 0 : 1);
	int c = biased ? real_bias(r, 6, 1, 4) : NX_NO_VALUE;
	struct nx_node *n = floats(r, biased ? 3 : 2);

	n->in[0] = a;
	n->in[1] = b;
	if (biased)
		n->in[2] = c;
	n->attrs = nx_realloc(n->attrs, n->n_attrs + 1, sizeof *n->attrs);
	n->attrs[n->n_attrs++] =
		(struct nx_attr){ .name = nx_strdup("beta"), .kind = NX_ATTR_FLOAT, .f = alpha };
	nx_node_sort_attrs(n);
	if (input(r, 7) != NX_NO_VALUE)
		codes(r, n->out[0], 7);
	else
		n->out[0] = r->old->out[0];
}

static int one(struct rewrite *r)
{
	struct nx_err ignored = NX_ERR_INIT;
	struct nx_tensor t;
	int v = new_value(r);

	if (nx_tensor_init(&t, NX_F32, &(struct nx_shape){ 0 }, &ignored) == 0) {
		*(float *)t.data = 1;
		nx_graph_set_constant(r->g, v, &t);
	}
	return v;
}

/* Codes less their zero points, in floats: the product is rounded, since a device may compute
 * it in steps that are no whole numbers. */
static void make_integer(struct rewrite *r)
{
	bool conv = strcmp(r->form->becomes, "Conv") == 0;
	int scale = one(r), side[2];

	for (size_t k = 0; k < 2; k++) {
		int64_t axis = conv ? (k ? 0 : PER_TENSOR) : (k ? -1 : -2);
		side[k] = new_value(r);
		convert(r, "DequantizeLinear", input(r, k), scale, input(r, 2 + k), axis, side[k]);
	}
	struct nx_node *n = floats(r, 2);
	n->in[0] = side[0];
	n->in[1] = side[1];
	int product = n->out[0], rounded = new_value(r);
	n = new_node(r, "Round", 1);
	n->in[0] = product;
	n->out[0] = rounded;
	n = new_node(r, "Cast", 1);
	n->in[0] = rounded;
	n->out[0] = r->old->out[0];
	add_int(n, "to", NX_I32);
}

static const struct form forms[] = {
	{ "", "ConvInteger", "Conv", 2, make_integer },
	{ "", "MatMulInteger", "MatMul", 2, make_integer },
	{ "", "QLinearConv", "Conv", 8, make_conv },
	{ "", "QLinearMatMul", "MatMul", 8, make_matmul },
	{ MICROSOFT, "QGemm", "Gemm", 6, make_gemm },
	{ MICROSOFT, "QLinearAdd", "Add", 7, make_binary },
	{ MICROSOFT, "QLinearAveragePool", "AveragePool", 4, make_unary },
	{ MICROSOFT, "QLinearConcat", "Concat", 5, make_concat },
	{ MICROSOFT, "QLinearConv", "Conv", 8, make_conv },
	{ MICROSOFT, "QLinearGlobalAveragePool", "GlobalAveragePool", 4, make_unary },
	{ MICROSOFT, "QLinearLeakyRelu", "LeakyRelu", 4, make_unary },
	{ MICROSOFT, "QLinearMul", "Mul", 7, make_binary },
	{ MICROSOFT, "QLinearSigmoid", "Sigmoid", 4, make_unary },
	{ MICROSOFT, "QLinearSoftmax", "Softmax", 4, make_unary },
	{ MICROSOFT, "QLinearWhere", "Where", 8, make_where },
};

static const struct form *form_of(const struct nx_node *n)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(forms); i++) {
		if (strcmp(n->op, forms[i].op) == 0 && strcmp(n->domain, forms[i].domain) == 0)
			return &forms[i];
	}
	return NULL;
}

/* Nodes that are QuantizeLinear and DequantizeLinear but for the domain. */
static void take_over(struct nx_node *n)
{
	if (strcmp(n->domain, MICROSOFT) == 0 &&
		(strcmp(n->op, "QuantizeLinear") == 0 || strcmp(n->op, "DequantizeLinear") == 0))
		*n->domain = '\0';
}

static int check(
	const struct nx_graph *g, const struct nx_node *n, const struct form *f, struct nx_err *err)
{
	bool softmax = strcmp(f->becomes, "Softmax") == 0;
	int64_t opset = nx_node_int(n, "opset", g->opset);

	if (n->n_in < f->in_min || n->n_out != 1 ||
		(f->make == make_concat && (n->n_in - 2) % 3 != 0))
		return nx_err_set(err, NX_EDATA, "node '%.120s' (%.60s): %zu inputs, %zu outputs",
			n->name, n->op, n->n_in, n->n_out);
	if (nx_node_int(n, "channels_last", 0))
		return nx_err_set(
			err, NX_EUNSUPP, "node '%.120s' (%.60s): channels_last", n->name, n->op);
	if (softmax && (opset < 13) != (g->opset < 13))
		return nx_err_set(err, NX_EUNSUPP, "node '%.120s' (%.60s): opset %lld", n->name,
			n->op, (long long)opset);
	return 0;
}

int nx_graph_expand_qlinear(struct nx_graph *g, struct nx_err *err)
{
	struct nx_node *old = g->nodes;
	size_t n_old = g->n_nodes;
	bool any = false;

	for (size_t i = 0; i < n_old; i++) {
		const struct form *f = form_of(&old[i]);
		int rc = f ? check(g, &old[i], f, err) : 0;
		if (rc)
			return rc;
		any = any || f;
		take_over(&old[i]);
	}
	if (!any)
		return 0;
	g->nodes = NULL;
	g->n_nodes = 0;
	for (size_t i = 0; i < n_old; i++) {
		struct rewrite r = { g, &old[i], form_of(&old[i]) };
		if (r.form)
			r.form->make(&r);
		else
			nx_graph_move_node(g, &old[i]);
		nx_node_release(&old[i]);
	}
	free(old);
	return 0;
}
