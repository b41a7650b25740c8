/* SPDX-License-Identifier: Apache-2.0 */
/* Operators: any bytes that load are closed for inputs of zeros, and all nodes computed with the
 * reference kernels. */
#include "model/build.h"
#include "model/ops.h"

#include "core/alloc.h"

#include <stdlib.h>

#define INPUT_CAP   4096 /* elements of an input */
#define TENSOR_CAP  ((int64_t)1 << 16)
#define HEAVY_CAP   ((int64_t)1 << 10) /* of what a heavy operator reads or makes */
#define TENSORS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int make_inputs(const struct nx_graph *g, struct nx_tensor *in)
{
	struct nx_err err = NX_ERR_INIT;

	for (size_t i = 0; i < g->n_in; i++) {
		struct nx_shape s = g->values[g->in[i]].shape;
		for (int d = 0; d < s.rank; d++)
			s.dim[d] = s.dim[d] == NX_DIM_OPEN ? 2 : s.dim[d];
		int64_t n = nx_shape_count(&s);
		if (n < 0 || n > INPUT_CAP ||
			nx_tensor_init(&in[i], g->values[g->in[i]].dtype, &s, &err))
			return -1;
	}
	return 0;
}

/* The tensor of a value: a constant, or what was made of it; NULL if nothing was. */
static const struct nx_tensor *tensor_of(const struct nx_graph *g, struct nx_tensor *made, int v)
{
	if (v == NX_NO_VALUE)
		return NULL;
	return g->values[v].constant ? g->values[v].constant : made[v].data ? &made[v] : NULL;
}

static void run_node(const struct nx_graph *g, const struct nx_node *n, struct nx_tensor *made)
{
	const struct nx_op *op = nx_op_find(n->domain, n->op);
	int64_t cap = op->flags & NX_OP_HEAVY ? HEAVY_CAP : TENSOR_CAP;
	const struct nx_tensor *in[TENSORS_MAX] = { NULL };
	struct nx_tensor *out[TENSORS_MAX] = { NULL };
	struct nx_err err = NX_ERR_INIT;

	if (n->n_in > TENSORS_MAX || n->n_out > TENSORS_MAX)
		return;
	for (size_t k = 0; k < n->n_in; k++) {
		in[k] = tensor_of(g, made, n->in[k]);
		if (n->in[k] != NX_NO_VALUE && (!in[k] || nx_shape_count(&in[k]->shape) > cap))
			return;
	}
	for (size_t k = 0; k < n->n_out; k++) {
		if (n->out[k] == NX_NO_VALUE)
			continue;
		const struct nx_value *v = &g->values[n->out[k]];
		int64_t count = nx_shape_count(&v->shape);
		if (!v->known || count < 0 || count > cap || made[n->out[k]].data)
			return;
		out[k] = &made[n->out[k]];
		if (nx_tensor_init(out[k], v->dtype, &v->shape, &err))
			return;
	}
	(void)nx_op_eval(g->opset, n, in, out, &err);
}

static void run(const struct nx_graph *g, const struct nx_graph *from, struct nx_tensor *in)
{
	struct nx_tensor *made = nx_alloc(g->n_values, sizeof *made);

	for (size_t i = 0; i < from->n_in; i++) {
		made[from->in[i]] = in[i];
		in[i] = (struct nx_tensor){ 0 };
	}
	for (size_t i = 0; i < g->n_nodes; i++)
		run_node(g, &g->nodes[i], made);
	for (size_t v = 0; v < g->n_values; v++)
		nx_tensor_release(&made[v]);
	free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = NULL, *closed = NULL;

	if (nx_onnx_load(&(struct nx_onnx_file){ data, size, -1 }, &g, &err))
		return 0;
	struct nx_tensor *in = nx_alloc(g->n_in, sizeof *in);
	if (make_inputs(g, in) == 0 && nx_graph_close(g, in, &closed, &err) == 0)
		run(closed, g, in);
	for (size_t i = 0; i < g->n_in; i++)
		nx_tensor_release(&in[i]);
	free(in);
	nx_graph_free(&closed);
	nx_graph_free(&g);
	return 0;
}
