/* SPDX-License-Identifier: Apache-2.0 */
/* Shape inference and constant folding over a graph, node by node. */
#include "model/build.h"
#include "model/ops.h"

#include "core/alloc.h"
#include "core/buf.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 3500 /* bytes of a list of operators; an error has room for little more */

/* A node's tensors as the operators see them. */
struct view {
	struct nx_tensor *store;
	const struct nx_tensor **in;
	struct nx_tensor **out;
};

static void view_init(struct view *v, const struct nx_graph *g, const struct nx_node *n)
{
	v->store = nx_alloc(n->n_in + n->n_out, sizeof *v->store);
	v->in = nx_alloc(n->n_in, sizeof *v->in);
	v->out = nx_alloc(n->n_out, sizeof *v->out);
	for (size_t k = 0; k < n->n_in; k++) {
		if (n->in[k] == NX_NO_VALUE)
			continue;
		const struct nx_value *x = &g->values[n->in[k]];
		v->store[k] = (struct nx_tensor){ .dtype = x->dtype, .shape = x->shape };
		v->in[k] = x->constant ? x->constant : &v->store[k];
	}
	for (size_t k = 0; k < n->n_out; k++)
		v->out[k] = n->out[k] == NX_NO_VALUE ? NULL : &v->store[n->n_in + k];
}

/* Frees the view and what it still owns of outputs. */
static void view_release(struct view *v, const struct nx_node *n)
{
	for (size_t k = 0; k < n->n_out; k++) {
		if (v->out[k])
			nx_tensor_release(v->out[k]);
	}
	free(v->store);
	free(v->in);
	free(v->out);
}

static bool all_constant(const struct nx_graph *g, const struct nx_node *n)
{
	for (size_t k = 0; k < n->n_in; k++) {
		if (n->in[k] != NX_NO_VALUE && !g->values[n->in[k]].constant)
			return false;
	}
	return true;
}

/* Shape and Size need no data at all, an alignment (Unsqueeze to another's rank) its own. */
static bool needs_shapes_only(const struct nx_graph *g, const struct nx_node *n)
{
	if (strcmp(n->op, "Unsqueeze") == 0)
		return n->in[0] != NX_NO_VALUE && g->values[n->in[0]].constant;
	return strcmp(n->op, "Shape") == 0 || strcmp(n->op, "Size") == 0;
}

/* Whether the node is computed now. */
static bool folds(const struct nx_graph *g, const struct nx_node *n)
{
	const struct nx_op *op = nx_op_find(n->domain, n->op);

	if (op->flags & NX_OP_HEAVY)
		return false;
	/* Weights stay codes; biases and what else is one number a channel does not pay. */
	if ((op->flags & NX_OP_KEEP) && g->values[n->in[0]].shape.rank > 1)
		return false;
	return all_constant(g, n) || needs_shapes_only(g, n);
}

/* Reading and writing constants is charged, since hostile files can repeat both. */
static int charge(
	uint64_t *budget, const struct nx_node *n, const struct view *v, struct nx_err *err)
{
	uint64_t bytes = 64;

	for (size_t k = 0; k < n->n_in; k++)
		bytes += v->in[k] && v->in[k]->data ? v->in[k]->bytes : 0;
	for (size_t k = 0; k < n->n_out; k++) {
		if (v->out[k])
			bytes += (uint64_t)nx_shape_count(&v->out[k]->shape) *
				 nx_dtype_size(v->out[k]->dtype);
	}
	if (bytes > *budget)
		return nx_err_set(err, NX_EDATA,
			"node '%.120s' (%.60s): the constants of this graph are too large", n->name,
			n->op);
	*budget -= bytes;
	return 0;
}

static int fold_node(struct nx_graph *g, const struct nx_node *n, struct view *v, uint64_t *budget,
	struct nx_err *err)
{
	int rc = charge(budget, n, v, err);

	for (size_t k = 0; rc == 0 && k < n->n_out; k++) {
		if (!v->out[k])
			continue;
		struct nx_shape shape = v->out[k]->shape;
		rc = nx_tensor_init(v->out[k], v->out[k]->dtype, &shape, err);
	}
	if (rc == 0)
		rc = nx_op_eval(g->opset, n, v->in, v->out, err);
	for (size_t k = 0; rc == 0 && k < n->n_out; k++) {
		if (v->out[k])
			nx_graph_set_constant(g, n->out[k], v->out[k]);
	}
	return rc;
}

int nx_graph_infer_node(struct nx_graph *g, size_t i, uint64_t *budget, struct nx_err *err)
{
	const struct nx_node *n = &g->nodes[i];
	struct view v;

	view_init(&v, g, n);
	int rc = nx_op_infer(g->opset, n, v.in, v.out, err);
	bool fold = rc == 0 && folds(g, n);
	for (size_t k = 0; rc == 0 && k < n->n_out; k++) {
		if (!v.out[k])
			continue;
		struct nx_value *x = &g->values[n->out[k]];
		x->dtype = v.out[k]->dtype;
		x->shape = v.out[k]->shape;
		x->known = true;
	}
	if (fold && rc == 0)
		rc = fold_node(g, n, &v, budget, err);
	view_release(&v, n);
	return rc;
}

int nx_graph_fold(struct nx_graph *g, struct nx_err *err)
{
	uint64_t budget = NX_FOLD_CAP;

	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *n = &g->nodes[i];
		if (!all_constant(g, n))
			continue;
		int rc = nx_graph_infer_node(g, i, &budget, err);
		if (rc)
			return rc;
	}
	return 0;
}

int nx_graph_check_ops(const struct nx_graph *g, struct nx_err *err)
{
	struct nx_buf text = NX_BUF_INIT;
	size_t n = 0, listed = 0;

	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *x = &g->nodes[i];
		if (nx_op_find(x->domain, x->op))
			continue;
		n++;
		if (text.len < LIST_MAX && ++listed)
			nx_buf_addf(&text, "%s%.40s%s%.60s (node '%.60s')", n > 1 ? ", " : "",
				x->domain, *x->domain ? "." : "", x->op, x->name);
	}
	if (n > listed)
		nx_buf_addf(&text, " and %zu more", n - listed);
	if (n)
		nx_err_set(err, NX_EUNSUPP, "unsupported operators: %s", text.data);
	nx_buf_release(&text);
	return n ? -NX_EUNSUPP : 0;
}
