/* SPDX-License-Identifier: Apache-2.0 */
/* Small passes over a graph.  Values keep their indices; nodes may go. */
#include "model/build.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Weights that a pass has replaced, and files' constants that nothing uses, are memory. */
static void drop_constants(struct nx_graph *g)
{
	bool *read = nx_alloc(g->n_values, sizeof *read);

	for (size_t i = 0; i < g->n_out; i++)
		read[g->out[i]] = true;
	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_in; k++) {
			if (g->nodes[i].in[k] != NX_NO_VALUE)
				read[g->nodes[i].in[k]] = true;
		}
	}
	for (size_t i = 0; i < g->n_values; i++) {
		if (!read[i])
			nx_const_unref(&g->values[i].constant);
	}
	free(read);
}

void nx_graph_drop_dead(struct nx_graph *g)
{
	bool *needed = nx_alloc(g->n_values, sizeof *needed);
	bool *live = nx_alloc(g->n_nodes, sizeof *live);
	size_t n = 0;

	for (size_t i = 0; i < g->n_out; i++)
		needed[g->out[i]] = !g->values[g->out[i]].constant;
	for (size_t i = g->n_nodes; i-- > 0;) {
		struct nx_node *x = &g->nodes[i];
		for (size_t k = 0; k < x->n_out; k++) {
			if (x->out[k] != NX_NO_VALUE && needed[x->out[k]])
				live[i] = true;
			else
				x->out[k] = NX_NO_VALUE;
		}
		for (size_t k = 0; live[i] && k < x->n_in; k++) {
			if (x->in[k] != NX_NO_VALUE && !g->values[x->in[k]].constant)
				needed[x->in[k]] = true;
		}
	}
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (live[i])
			g->nodes[n++] = g->nodes[i];
		else
			nx_node_release(&g->nodes[i]);
	}
	/* A smaller count would break the doubling of the array, which goes by powers of two. */
	if (n < g->n_nodes) {
		size_t room = 1;
		while (room < n)
			room *= 2;
		g->nodes = nx_realloc(g->nodes, room, sizeof *g->nodes);
		g->n_nodes = n;
	}
	free(needed);
	free(live);
	drop_constants(g);
}

static void replace_everywhere(struct nx_graph *g, int from, int to)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct nx_node *n = &g->nodes[i];
		for (size_t k = 0; k < n->n_in; k++) {
			if (n->in[k] == from)
				n->in[k] = to;
		}
	}
}

static bool is_io(const int *list, size_t n, int value)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == value)
			return true;
	}
	return false;
}

/* Output and node that make 'value'; NULL if none does. */
static int *producer(struct nx_graph *g, size_t before, int value)
{
	for (size_t i = before; i-- > 0;) {
		for (size_t k = 0; k < g->nodes[i].n_out; k++) {
			if (g->nodes[i].out[k] == value)
				return &g->nodes[i].out[k];
		}
	}
	return NULL;
}

/* Identity, and Dropout whose mask nobody reads. */
static bool is_identity(const struct nx_node *n)
{
	if (*n->domain || n->n_in < 1 || n->n_out < 1 || n->in[0] == NX_NO_VALUE ||
		n->out[0] == NX_NO_VALUE)
		return false;
	if (strcmp(n->op, "Identity") == 0)
		return n->n_in == 1 && n->n_out == 1;
	if (strcmp(n->op, "Dropout") != 0 || nx_node_int(n, "is_test", 1) == 0)
		return false;
	return (n->n_in < 3 || n->in[2] == NX_NO_VALUE) &&
	       (n->n_out < 2 || n->out[1] == NX_NO_VALUE);
}

void nx_graph_drop_identity(struct nx_graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct nx_node *n = &g->nodes[i];
		if (!is_identity(n))
			continue;
		int from = n->in[0], to = n->out[0];
		if (!is_io(g->out, g->n_out, to)) {
			replace_everywhere(g, to, from);
			n->out[0] = NX_NO_VALUE;
			continue;
		}
		/* An output keeps its name: whoever makes the input makes it directly.  Where
		 * nobody does, or the input is an output too, the copy stays. */
		int *made = is_io(g->out, g->n_out, from) ? NULL : producer(g, i, from);
		if (made) {
			n->out[0] = NX_NO_VALUE;
			*made = to;
			replace_everywhere(g, from, to);
		}
	}
	nx_graph_drop_dead(g);
}

void nx_graph_rename_sums(struct nx_graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct nx_node *n = &g->nodes[i];
		if (*n->domain || strcmp(n->op, "Sum") != 0 || n->n_in != 2)
			continue;
		free(n->op);
		n->op = nx_strdup("Add");
	}
}

void nx_graph_make_outputs(struct nx_graph *g)
{
	for (size_t i = 0; i < g->n_out; i++) {
		int from = g->out[i];
		if (producer(g, g->n_nodes, from) && !is_io(g->out, i, from))
			continue;
		int to = nx_graph_add_value(g, g->values[from].name);
		struct nx_node *n = nx_graph_add_node(g, "Identity", g->values[from].name, 1, 1);
		n->in[0] = from;
		n->out[0] = to;
		g->values[to].dtype = g->values[from].dtype;
		g->values[to].shape = g->values[from].shape;
		g->values[to].known = g->values[from].known;
		g->out[i] = to;
	}
}
