/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs built by hand and run node by node with the reference kernels. */
#ifndef NX_TESTS_INTERPRET_H
#define NX_TESTS_INTERPRET_H

#include "model/build.h"
#include "model/ops.h"

#include "core/alloc.h"
#include "unit.h"

#include <stdarg.h>
#include <string.h>

#define SHAPE(...)                                                                     \
	(int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[]) \
	{                                                                              \
		__VA_ARGS__                                                            \
	}
#define SCALAR 0, NULL

static inline struct nx_tensor tensor(
	enum nx_dtype dtype, const void *data, int rank, const int64_t *dims)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_shape s = { .rank = rank };
	struct nx_tensor t;

	if (rank)
		memcpy(s.dim, dims, (size_t)rank * sizeof *dims);
	ck_assert_int_eq(nx_tensor_init(&t, dtype, &s, &err), 0);
	if (t.bytes && data)
		memcpy(t.data, data, t.bytes);
	return t;
}

static inline int constant(
	struct nx_graph *g, enum nx_dtype dtype, const void *data, int rank, const int64_t *dims)
{
	struct nx_tensor t = tensor(dtype, data, rank, dims);
	int v = nx_graph_add_value(g, "c");

	nx_graph_set_constant(g, v, &t);
	return v;
}

static inline int scale(struct nx_graph *g, float f)
{
	return constant(g, NX_F32, &f, SCALAR);
}

static inline int zero_u8(struct nx_graph *g, uint8_t z)
{
	return constant(g, NX_U8, &z, SCALAR);
}

static inline int zero_i8(struct nx_graph *g, int8_t z)
{
	return constant(g, NX_I8, &z, SCALAR);
}

static inline int input(struct nx_graph *g, enum nx_dtype dtype, int rank, const int64_t *dims)
{
	int v = nx_graph_add_value(g, "x");

	g->values[v].dtype = dtype;
	g->values[v].shape.rank = rank;
	memcpy(g->values[v].shape.dim, dims, (size_t)rank * sizeof *dims);
	g->values[v].known = true;
	nx_graph_add_io(&g->in, &g->n_in, v);
	return v;
}

/* A node on the values that follow, up to -2; -1 is one left out. */
static inline int node(struct nx_graph *g, const char *domain, const char *op, ...)
{
	int in[16], out = nx_graph_add_value(g, op);
	size_t n = 0;
	va_list ap;

	va_start(ap, op);
	while ((in[n] = va_arg(ap, int)) != -2)
		n++;
	va_end(ap);
	struct nx_node *x = nx_graph_add_node(g, op, op, n, 1);
	free(x->domain);
	x->domain = nx_strdup(domain);
	memcpy(x->in, in, n * sizeof *in);
	x->out[0] = out;
	return out;
}
#define NODE(g, ...) node(g, __VA_ARGS__, -2)

static inline struct nx_attr *attr(struct nx_graph *g, const char *name, enum nx_attr_kind kind)
{
	struct nx_node *n = &g->nodes[g->n_nodes - 1];

	n->attrs = nx_realloc(n->attrs, n->n_attrs + 1, sizeof *n->attrs);
	n->attrs[n->n_attrs] = (struct nx_attr){ .name = nx_strdup(name), .kind = kind };
	return &n->attrs[n->n_attrs++];
}

static inline void attr_int(struct nx_graph *g, const char *name, int64_t i)
{
	attr(g, name, NX_ATTR_INT)->i = i;
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

static inline void attr_float(struct nx_graph *g, const char *name, float f)
{
	attr(g, name, NX_ATTR_FLOAT)->f = f;
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

/* Runs a closed graph of one input and one output; the caller releases what comes back. */
static inline struct nx_tensor interpret(const struct nx_graph *g, const struct nx_tensor *x)
{
	struct nx_tensor *made = nx_alloc(g->n_values, sizeof *made), y;
	struct nx_err err = NX_ERR_INIT;

	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *n = &g->nodes[i];
		const struct nx_tensor *in[16] = { NULL };
		struct nx_tensor *out[16] = { NULL };
		for (size_t k = 0; k < n->n_in; k++) {
			int v = n->in[k];
			if (v != NX_NO_VALUE)
				in[k] = v == g->in[0]           ? x
					: g->values[v].constant ? g->values[v].constant
								: &made[v];
		}
		for (size_t k = 0; k < n->n_out; k++) {
			if (n->out[k] == NX_NO_VALUE)
				continue;
			const struct nx_value *v = &g->values[n->out[k]];
			out[k] = &made[n->out[k]];
			ck_assert_int_eq(nx_tensor_init(out[k], v->dtype, &v->shape, &err), 0);
		}
		ck_assert_msg(nx_op_eval(g->opset, n, in, out, &err) == 0, "%s", err.msg);
	}
	y = made[g->out[0]];
	made[g->out[0]] = (struct nx_tensor){ 0 };
	for (size_t v = 0; v < g->n_values; v++)
		nx_tensor_release(&made[v]);
	free(made);
	return y;
}

#endif
