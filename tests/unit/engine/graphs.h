/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs written by hand, with random weights. */
#ifndef NX_TESTS_ENGINE_GRAPHS_H
#define NX_TESTS_ENGINE_GRAPHS_H

#include "core/alloc.h"
#include "core/rng.h"
#include "model/build.h"
#include "unit.h"

#include <stdarg.h>
#include <string.h>

static struct nx_rng rng;

static inline int declare(struct nx_graph *g, const char *name, int rank, const int64_t *dims)
{
	int v = nx_graph_add_value(g, name);

	g->values[v].dtype = NX_F32;
	g->values[v].shape.rank = rank;
	for (int i = 0; i < rank; i++)
		g->values[v].shape.dim[i] = dims[i];
	g->values[v].known = true;
	return v;
}

/* Shapes are written SHAPE(1, 3, 8, 8). */
#define SHAPE(...)                                                                     \
	(int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[]) \
	{                                                                              \
		__VA_ARGS__                                                            \
	}

static inline struct nx_graph *graph(int rank, const int64_t *dims)
{
	struct nx_graph *g = nx_graph_new("test");

	nx_rng_init(&rng, 1);
	g->opset = 13;
	nx_graph_add_io(&g->in, &g->n_in, declare(g, "x", rank, dims));
	return g;
}

/* A constant of random numbers from lo to hi. */
static inline int constant(struct nx_graph *g, double lo, double hi, int rank, const int64_t *dims)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_tensor t;
	int v = declare(g, "c", rank, dims);

	ck_assert_int_eq(nx_tensor_init(&t, NX_F32, &g->values[v].shape, &err), 0);
	for (size_t i = 0; i < t.bytes / sizeof(float); i++)
		((float *)t.data)[i] = (float)(lo + (hi - lo) * nx_rng_uniform(&rng));
	nx_graph_set_constant(g, v, &t);
	return v;
}

static inline int weights(struct nx_graph *g, int rank, const int64_t *dims)
{
	return constant(g, -1, 1, rank, dims);
}

static inline int indices(struct nx_graph *g, size_t n, const int64_t *values)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_shape s = { 1, { (int64_t)n } };
	struct nx_tensor t;
	int v = nx_graph_add_value(g, "i");

	ck_assert_int_eq(nx_tensor_init(&t, NX_I64, &s, &err), 0);
	memcpy(t.data, values, n * sizeof *values);
	nx_graph_set_constant(g, v, &t);
	return v;
}

/* A node of up to six inputs (the list ends with -2); returns its output. */
static inline int node(struct nx_graph *g, const char *op, ...)
{
	int in[6], out = nx_graph_add_value(g, op);
	size_t n = 0;
	va_list ap;

	va_start(ap, op);
	while ((in[n] = va_arg(ap, int)) != -2)
		n++;
	va_end(ap);
	struct nx_node *node = nx_graph_add_node(g, op, op, n, 1);
	memcpy(node->in, in, n * sizeof *in);
	node->out[0] = out;
	return out;
}

#define NODE(g, ...) node(g, __VA_ARGS__, -2)

static inline struct nx_attr *attr(struct nx_graph *g, const char *name, enum nx_attr_kind kind)
{
	struct nx_node *n = &g->nodes[g->n_nodes - 1];

	n->attrs = nx_realloc(n->attrs, n->n_attrs + 1, sizeof *n->attrs);
	struct nx_attr *a = &n->attrs[n->n_attrs++];
	memset(a, 0, sizeof *a);
	a->name = nx_strdup(name);
	a->kind = kind;
	return a;
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

static inline void attr_str(struct nx_graph *g, const char *name, const char *s)
{
	attr(g, name, NX_ATTR_STRING)->s = nx_strdup(s);
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

static inline void attr_ints(struct nx_graph *g, const char *name, int n, const int64_t *values)
{
	struct nx_attr *a = attr(g, name, NX_ATTR_INTS);

	a->n = (size_t)n;
	a->ints = nx_alloc((size_t)n, sizeof *a->ints);
	memcpy(a->ints, values, (size_t)n * sizeof *values);
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

static inline void output(struct nx_graph *g, int value)
{
	nx_graph_add_io(&g->out, &g->n_out, value);
}

#endif
