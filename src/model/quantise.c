/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a network is quantised.
 *
 * The input and the result of every convolution and matrix product with constant weights are, the
 * result behind its activation function, so that nothing is rounded in between; but what leads
 * to no further product (the end of the network) stays in fp32: it costs little there and the
 * answers are better for it.  Sums, joins and averages are computed in integers where their result
 * is wanted so, and joins also where all of their parts are.  Operators that only move values
 * (MaxPool, Reshape, …) hand scale and zero point on.
 */
#include "model/quantise.h"

#include "model/build.h"
#include "model/quantise_plan.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

struct plan {
	const struct nx_graph *g;
	const struct nx_graph *one; /* types and shapes */
	size_t *readers;            /* value -> how many inputs and outputs it is */
	int *reader;                /* value -> the last node that reads it */
	int *maker;                 /* value -> node, -1 */
	bool *is_output, *leads, *marked;
};

static bool is_one_of(const struct nx_node *n, const char *const *ops, size_t n_ops)
{
	for (size_t i = 0; *n->domain == '\0' && i < n_ops; i++) {
		if (strcmp(n->op, ops[i]) == 0)
			return true;
	}
	return false;
}

/* A product with constant weights; its activations are input 0. */
bool nx_quant_is_linear(const struct nx_graph *g, const struct nx_node *n)
{
	static const char *const ops[] = { "Conv", "Gemm", "MatMul" };

	if (!is_one_of(n, ops, NX_ARRAY_LEN(ops)) || n->n_in < 2 || n->in[1] == NX_NO_VALUE ||
		n->in[0] == NX_NO_VALUE || n->n_out != 1)
		return false;
	const struct nx_tensor *w = g->values[n->in[1]].constant;
	if (!w || w->dtype != NX_F32 || g->values[n->in[0]].constant ||
		nx_shape_count(&w->shape) < 1)
		return false;
	if (strcmp(n->op, "Conv") == 0)
		return w->shape.rank >= 3;
	return w->shape.rank == 2 && nx_node_float(n, "alpha", 1) == 1 &&
	       nx_node_float(n, "beta", 1) == 1 && nx_node_int(n, "transA", 0) == 0;
}

/* Fills with 0 only, which every scale has. */
static bool pads_zero(const struct nx_graph *g, const struct nx_node *n)
{
	if (strcmp(nx_node_str(n, "mode", "constant"), "constant") != 0)
		return true;
	if (n->n_in < 3 || n->in[2] == NX_NO_VALUE)
		return true;
	const struct nx_tensor *t = g->values[n->in[2]].constant;
	return t && nx_shape_count(&t->shape) == 1 && nx_tensor_real(t, 0) == 0;
}

/* Hands the values of input 0 on as they are. */
static bool is_carrier(const struct nx_graph *g, const struct nx_node *n)
{
	static const char *const ops[] = { "Flatten", "Identity", "MaxPool", "Pad", "Reshape",
		"Resize", "Slice", "Squeeze", "Transpose", "Unsqueeze" };

	if (!is_one_of(n, ops, NX_ARRAY_LEN(ops)) || n->n_in < 1 || n->in[0] == NX_NO_VALUE ||
		n->n_out < 1 || n->out[0] == NX_NO_VALUE)
		return false;
	if (strcmp(n->op, "MaxPool") == 0)
		return n->n_out == 1 || n->out[1] == NX_NO_VALUE;
	if (strcmp(n->op, "Resize") == 0)
		return strcmp(nx_node_str(n, "mode", "nearest"), "nearest") == 0;
	return strcmp(n->op, "Pad") != 0 || pads_zero(g, n);
}

static bool is_join(const struct nx_node *n)
{
	static const char *const ops[] = { "AveragePool", "Concat", "GlobalAveragePool" };

	return is_one_of(n, ops, NX_ARRAY_LEN(ops)) && n->n_out == 1;
}

/* Computed in integers where the result is wanted so: all inputs are activations. */
static bool is_spread(const struct plan *p, const struct nx_node *n)
{
	static const char *const ops[] = { "Add" };

	if (!is_join(n) && !is_one_of(n, ops, NX_ARRAY_LEN(ops)))
		return false;
	for (size_t k = 0; k < n->n_in; k++) {
		if (n->in[k] == NX_NO_VALUE || p->g->values[n->in[k]].constant)
			return false;
	}
	return n->n_in > 0;
}

/* An activation whose rows are stacked, as far as one row can tell. */
static bool is_float(const struct plan *p, int v)
{
	if (v == NX_NO_VALUE || p->g->values[v].constant)
		return false;
	const struct nx_value *one = &p->one->values[v];
	return one->known && one->dtype == NX_F32 && one->shape.rank >= 2 && one->shape.dim[0] == 1;
}

/* A function of single values: of one input, or of an input and a constant. */
static bool is_unary(const struct plan *p, const struct nx_node *n, int v)
{
	static const char *const ops[] = { "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu",
		"PRelu", "Relu", "Sigmoid", "Tanh" };
	static const char *const binary[] = { "Add", "Div", "Mul", "Sub" };

	if (is_one_of(n, ops, NX_ARRAY_LEN(ops)))
		return n->in[0] == v;
	return is_one_of(n, binary, NX_ARRAY_LEN(binary)) && n->n_in == 2 && n->in[0] == v &&
	       n->in[1] != NX_NO_VALUE && p->g->values[n->in[1]].constant;
}

/* x * sigmoid(x) and its like: the product, or NX_NO_VALUE. */
static int gated(const struct plan *p, int v)
{
	static const char *const gates[] = { "HardSigmoid", "Sigmoid" };
	const struct nx_node *mul = &p->g->nodes[p->reader[v]];

	if (p->readers[v] != 2 || p->is_output[v] || strcmp(mul->op, "Mul") != 0 || mul->n_in != 2)
		return NX_NO_VALUE;
	int other = mul->in[0] == v ? mul->in[1] : mul->in[0];
	if (other == v || other == NX_NO_VALUE || p->maker[other] < 0 || p->readers[other] != 1)
		return NX_NO_VALUE;
	const struct nx_node *gate = &p->g->nodes[p->maker[other]];
	return is_one_of(gate, gates, NX_ARRAY_LEN(gates)) && gate->in[0] == v ? mul->out[0]
									       : NX_NO_VALUE;
}

/* Where a result is taken: behind its activation function. */
static int settled(const struct plan *p, int v)
{
	for (;;) {
		int next = NX_NO_VALUE;
		if (p->is_output[v] || p->readers[v] == 0)
			return v;
		const struct nx_node *n = &p->g->nodes[p->reader[v]];
		if (p->readers[v] == 1 && is_unary(p, n, v))
			next = n->out[0];
		else
			next = gated(p, v);
		if (next == NX_NO_VALUE || !is_float(p, next))
			return v;
		v = next;
	}
}

static void index_values(struct plan *p)
{
	const struct nx_graph *g = p->g;

	for (size_t v = 0; v < g->n_values; v++)
		p->maker[v] = -1;
	for (size_t i = 0; i < g->n_out; i++)
		p->is_output[g->out[i]] = true;
	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *n = &g->nodes[i];
		for (size_t k = 0; k < n->n_in; k++) {
			if (n->in[k] == NX_NO_VALUE)
				continue;
			p->readers[n->in[k]]++;
			p->reader[n->in[k]] = (int)i;
		}
		for (size_t k = 0; k < n->n_out; k++) {
			if (n->out[k] != NX_NO_VALUE)
				p->maker[n->out[k]] = (int)i;
		}
	}
}

/* From which values a product is reached. */
static void find_leads(struct plan *p)
{
	for (size_t i = p->g->n_nodes; i-- > 0;) {
		const struct nx_node *n = &p->g->nodes[i];
		bool leads = nx_quant_is_linear(p->g, n);
		for (size_t k = 0; k < n->n_out; k++)
			leads = leads || (n->out[k] != NX_NO_VALUE && p->leads[n->out[k]]);
		for (size_t k = 0; leads && k < n->n_in; k++) {
			if (n->in[k] != NX_NO_VALUE)
				p->leads[n->in[k]] = true;
		}
	}
}

static void mark(struct plan *p, int v)
{
	if (is_float(p, v))
		p->marked[v] = true;
}

static void mark_products(struct plan *p)
{
	for (size_t i = 0; i < p->g->n_nodes; i++) {
		const struct nx_node *n = &p->g->nodes[i];
		if (!nx_quant_is_linear(p->g, n))
			continue;
		mark(p, n->in[0]);
		int v = settled(p, n->out[0]);
		if (p->leads[v])
			mark(p, v);
	}
}

/* Backwards from results that are wanted in integers to what they are made of. */
static void mark_sources(struct plan *p)
{
	for (size_t i = p->g->n_nodes; i-- > 0;) {
		const struct nx_node *n = &p->g->nodes[i];
		if (is_carrier(p->g, n) && p->marked[n->out[0]])
			mark(p, n->in[0]);
		if (!is_spread(p, n) || !p->marked[settled(p, n->out[0])])
			continue;
		for (size_t k = 0; k < n->n_in; k++)
			mark(p, n->in[k]);
	}
}

/* Forwards: what is made of integers alone, and is no end, is made in integers. */
static void mark_joins(struct plan *p)
{
	for (size_t i = 0; i < p->g->n_nodes; i++) {
		const struct nx_node *n = &p->g->nodes[i];
		bool carrier = is_carrier(p->g, n), all = carrier || (is_join(n) && n->n_in > 0);
		for (size_t k = 0; all && k < (carrier ? 1 : n->n_in); k++)
			all = n->in[k] != NX_NO_VALUE && p->marked[n->in[k]];
		if (!all)
			continue;
		int v = carrier ? n->out[0] : settled(p, n->out[0]);
		if (p->leads[v])
			mark(p, v);
	}
}

/* One point a scale: carriers share that of their input. */
static void number_points(struct plan *p, struct nx_quant *q)
{
	const struct nx_graph *g = p->g;

	q->point_of = nx_alloc(g->n_values, sizeof *q->point_of);
	q->point = nx_alloc(g->n_values, sizeof *q->point);
	for (size_t v = 0; v < g->n_values; v++)
		q->point_of[v] = -1;
	for (size_t i = 0; i < g->n_in; i++) {
		if (p->marked[g->in[i]]) {
			q->point_of[g->in[i]] = (int)q->n_points;
			q->point[q->n_points++] = g->in[i];
		}
	}
	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *n = &g->nodes[i];
		for (size_t k = 0; k < n->n_out; k++) {
			int v = n->out[k];
			if (v == NX_NO_VALUE || !p->marked[v])
				continue;
			if (is_carrier(g, n) && q->point_of[n->in[0]] >= 0) {
				q->point_of[v] = q->point_of[n->in[0]];
				continue;
			}
			q->point_of[v] = (int)q->n_points;
			q->point[q->n_points++] = v;
		}
	}
}

static void make_plan(struct nx_quant *q, const struct nx_graph *one)
{
	size_t n = q->graph->n_values;
	struct plan p = {
		.g = q->graph,
		.one = one,
		.readers = nx_alloc(n, sizeof *p.readers),
		.reader = nx_alloc(n, sizeof *p.reader),
		.maker = nx_alloc(n, sizeof *p.maker),
		.is_output = nx_alloc(n, sizeof *p.is_output),
		.leads = nx_alloc(n, sizeof *p.leads),
		.marked = nx_alloc(n, sizeof *p.marked),
	};

	index_values(&p);
	find_leads(&p);
	mark_products(&p);
	mark_sources(&p);
	mark_joins(&p);
	number_points(&p, q);
	free(p.readers);
	free(p.reader);
	free(p.maker);
	free(p.is_output);
	free(p.leads);
	free(p.marked);
}

static int check(const struct nx_graph *g, struct nx_err *err)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (strcmp(g->nodes[i].op, "QuantizeLinear") == 0 ||
			strcmp(g->nodes[i].op, "DequantizeLinear") == 0)
			return nx_err_set(err, NX_EUNSUPP,
				"it is quantised already (node '%.120s')", g->nodes[i].name);
	}
	return 0;
}

/* Shapes of one row for the graph as it is now; values keep their indices. */
static int close_row(const struct nx_graph *g, struct nx_graph **one, struct nx_err *err)
{
	return nx_graph_specialize(g, 1, one, err);
}

int nx_quant_new(const struct nx_graph *g, struct nx_quant **out, struct nx_err *err)
{
	struct nx_quant *q = nx_alloc(1, sizeof *q);
	struct nx_graph *one = NULL;
	int rc = check(g, err);

	q->graph = nx_graph_clone(g);
	if (rc == 0)
		rc = close_row(q->graph, &one, err);
	if (rc == 0)
		rc = nx_graph_upgrade(q->graph, one, err);
	if (rc == 0)
		rc = nx_graph_fold_norms(q->graph, err);
	nx_graph_free(&one);
	if (rc == 0)
		rc = close_row(q->graph, &one, err);
	if (rc == 0)
		make_plan(q, one);
	if (rc == 0 && q->n_points == 0)
		rc = nx_err_set(err, NX_EUNSUPP,
			"it has no convolution or matrix product with constant weights");
	nx_graph_free(&one);
	if (rc)
		nx_quant_free(&q);
	*out = q;
	return rc;
}

void nx_quant_free(struct nx_quant **q)
{
	struct nx_quant *x = *q;

	*q = NULL;
	if (!x)
		return;
	nx_graph_free(&x->graph);
	free(x->point);
	free(x->point_of);
	free(x);
}

int nx_quant_observed(const struct nx_quant *q, struct nx_graph **out, struct nx_err *err)
{
	struct nx_graph *g = nx_graph_clone(q->graph), *one = NULL;

	for (size_t i = 0; i < q->n_points; i++)
		nx_graph_add_io(&g->out, &g->n_out, q->point[i]);
	int rc = close_row(g, &one, err);
	for (size_t i = 0; rc == 0 && i < g->n_out; i++) {
		struct nx_value *to = &g->values[g->out[i]];
		const struct nx_value *from = &one->values[one->out[i]];
		to->dtype = from->dtype;
		to->shape = from->shape;
		to->known = true;
	}
	nx_graph_free(&one);
	if (rc)
		nx_graph_free(&g);
	*out = g;
	return rc;
}
