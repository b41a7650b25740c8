/* SPDX-License-Identifier: Apache-2.0 */
/* The graph as data: construction, copies, attributes. */
#include "model/build.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more item in an array of n that is doubled whenever n is a power of two, so that
 * the public structs need no capacity. */
static void *grow(void *p, size_t n, size_t size)
{
	if (n && (n & (n - 1)))
		return p;
	return nx_realloc(p, n ? 2 * n : 1, size);
}

struct nx_graph *nx_graph_new(const char *name)
{
	struct nx_graph *g = nx_alloc(1, sizeof *g);

	g->name = nx_strdup(name);
	return g;
}

int nx_graph_add_value(struct nx_graph *g, const char *name)
{
	g->values = grow(g->values, g->n_values, sizeof *g->values);
	g->values[g->n_values] = (struct nx_value){ .name = nx_strdup(name) };
	return (int)g->n_values++;
}

static void adopt_constant(struct nx_graph *g, int value, struct nx_tensor *constant)
{
	struct nx_value *v = &g->values[value];

	nx_const_unref(&v->constant);
	v->constant = constant;
	v->dtype = constant->dtype;
	v->shape = constant->shape;
	v->known = true;
}

void nx_graph_set_constant(struct nx_graph *g, int value, struct nx_tensor *t)
{
	adopt_constant(g, value, nx_const_new(t));
}

void nx_graph_share_constant(struct nx_graph *g, int value, struct nx_tensor *constant)
{
	adopt_constant(g, value, nx_const_ref(constant));
}

static void node_init(
	struct nx_node *n, const char *op, const char *name, size_t n_in, size_t n_out)
{
	*n = (struct nx_node){ .op = nx_strdup(op),
		.domain = nx_strdup(""),
		.name = nx_strdup(name),
		.n_in = n_in,
		.n_out = n_out,
		.in = nx_alloc(n_in, sizeof *n->in),
		.out = nx_alloc(n_out, sizeof *n->out) };
}

struct nx_node *nx_graph_add_node(
	struct nx_graph *g, const char *op, const char *name, size_t n_in, size_t n_out)
{
	g->nodes = grow(g->nodes, g->n_nodes, sizeof *g->nodes);
	struct nx_node *n = &g->nodes[g->n_nodes++];

	node_init(n, op, name, n_in, n_out);
	return n;
}

void nx_graph_move_node(struct nx_graph *g, struct nx_node *from)
{
	g->nodes = grow(g->nodes, g->n_nodes, sizeof *g->nodes);
	g->nodes[g->n_nodes++] = *from;
	*from = (struct nx_node){ 0 };
}

void nx_graph_add_io(int **list, size_t *n, int value)
{
	*list = grow(*list, *n, sizeof **list);
	(*list)[(*n)++] = value;
}

void nx_node_clear_attrs(struct nx_node *n)
{
	for (size_t i = 0; i < n->n_attrs; i++) {
		struct nx_attr *a = &n->attrs[i];
		free(a->name);
		free(a->s);
		free(a->ints);
		free(a->floats);
		nx_tensor_release(&a->tensor);
	}
	free(n->attrs);
	n->attrs = NULL;
	n->n_attrs = 0;
}

void nx_node_release(struct nx_node *n)
{
	nx_node_clear_attrs(n);
	free(n->op);
	free(n->domain);
	free(n->name);
	free(n->in);
	free(n->out);
	*n = (struct nx_node){ 0 };
}

void nx_graph_free(struct nx_graph **g)
{
	struct nx_graph *x = *g;

	*g = NULL;
	if (!x)
		return;
	for (size_t i = 0; i < x->n_values; i++) {
		nx_const_unref(&x->values[i].constant);
		free(x->values[i].name);
	}
	for (size_t i = 0; i < x->n_nodes; i++)
		nx_node_release(&x->nodes[i]);
	free(x->name);
	free(x->values);
	free(x->nodes);
	free(x->in);
	free(x->out);
	free(x);
}

void nx_graph_strip(struct nx_graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++)
		nx_node_release(&g->nodes[i]);
	free(g->nodes);
	g->nodes = NULL;
	g->n_nodes = 0;
	for (size_t i = 0; i < g->n_values; i++)
		nx_const_unref(&g->values[i].constant);
}

static void *copy_bytes(const void *data, size_t n, size_t size)
{
	void *p = nx_alloc(n, size);

	if (n)
		memcpy(p, data, n * size);
	return p;
}

static void clone_attr(struct nx_attr *to, const struct nx_attr *from)
{
	*to = *from;
	to->name = nx_strdup(from->name);
	to->s = from->s ? nx_strdup(from->s) : NULL;
	to->ints = from->ints ? copy_bytes(from->ints, from->n, sizeof *from->ints) : NULL;
	to->floats = from->floats ? copy_bytes(from->floats, from->n, sizeof *from->floats) : NULL;
	to->tensor.pages = false;
	if (from->tensor.data)
		to->tensor.data = copy_bytes(from->tensor.data, from->tensor.bytes, 1);
}

/* Fills a node that has only its operator, name and numbers of inputs and outputs. */
static void copy_node(struct nx_node *to, const struct nx_node *from)
{
	free(to->domain);
	to->domain = nx_strdup(from->domain);
	memcpy(to->in, from->in, from->n_in * sizeof *from->in);
	memcpy(to->out, from->out, from->n_out * sizeof *from->out);
	to->attrs = nx_alloc(from->n_attrs, sizeof *to->attrs);
	to->n_attrs = from->n_attrs;
	for (size_t k = 0; k < from->n_attrs; k++)
		clone_attr(&to->attrs[k], &from->attrs[k]);
}

struct nx_node *nx_node_dup(const struct nx_node *n)
{
	struct nx_node *c = nx_alloc(1, sizeof *c);

	node_init(c, n->op, n->name, n->n_in, n->n_out);
	copy_node(c, n);
	return c;
}

void nx_node_free(struct nx_node **n)
{
	if (*n)
		nx_node_release(*n);
	free(*n);
	*n = NULL;
}

struct nx_graph *nx_graph_clone(const struct nx_graph *g)
{
	struct nx_graph *c = nx_graph_new(g->name);

	c->opset = g->opset;
	for (size_t i = 0; i < g->n_values; i++) {
		int v = nx_graph_add_value(c, g->values[i].name);
		char *name = c->values[v].name;
		c->values[v] = g->values[i];
		c->values[v].name = name;
		if (c->values[v].constant)
			nx_const_ref(c->values[v].constant);
	}
	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct nx_node *from = &g->nodes[i];
		copy_node(
			nx_graph_add_node(c, from->op, from->name, from->n_in, from->n_out), from);
	}
	for (size_t i = 0; i < g->n_in; i++)
		nx_graph_add_io(&c->in, &c->n_in, g->in[i]);
	for (size_t i = 0; i < g->n_out; i++)
		nx_graph_add_io(&c->out, &c->n_out, g->out[i]);
	return c;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct nx_attr *)a)->name, ((const struct nx_attr *)b)->name);
}

int nx_node_sort_attrs(struct nx_node *n)
{
	if (n->n_attrs < 2)
		return 0;
	qsort(n->attrs, n->n_attrs, sizeof *n->attrs, by_name);
	for (size_t i = 1; i < n->n_attrs; i++) {
		if (by_name(&n->attrs[i - 1], &n->attrs[i]) == 0)
			return -1;
	}
	return 0;
}

const struct nx_attr *nx_node_attr(const struct nx_node *n, const char *name)
{
	size_t lo = 0, hi = n->n_attrs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(n->attrs[mid].name, name);
		if (c == 0)
			return &n->attrs[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int64_t nx_node_int(const struct nx_node *n, const char *name, int64_t dflt)
{
	const struct nx_attr *a = nx_node_attr(n, name);

	return a && a->kind == NX_ATTR_INT ? a->i : dflt;
}

float nx_node_float(const struct nx_node *n, const char *name, float dflt)
{
	const struct nx_attr *a = nx_node_attr(n, name);

	return a && a->kind == NX_ATTR_FLOAT ? a->f : dflt;
}

const char *nx_node_str(const struct nx_node *n, const char *name, const char *dflt)
{
	const struct nx_attr *a = nx_node_attr(n, name);

	return a && a->kind == NX_ATTR_STRING ? a->s : dflt;
}

const int64_t *nx_node_ints(const struct nx_node *n, const char *name, size_t *count)
{
	const struct nx_attr *a = nx_node_attr(n, name);
	bool there = a && a->kind == NX_ATTR_INTS;

	*count = there ? a->n : 0;
	return there ? a->ints : NULL;
}

uint64_t nx_graph_weights_bytes(const struct nx_graph *g)
{
	bool *seen = nx_alloc(g->n_values, sizeof *seen);
	uint64_t bytes = 0;

	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_in; k++) {
			int v = g->nodes[i].in[k];
			if (v == NX_NO_VALUE || seen[v] || !g->values[v].constant)
				continue;
			seen[v] = true;
			bytes += g->values[v].constant->bytes;
		}
	}
	free(seen);
	return bytes;
}
