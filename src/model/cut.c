/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting a closed graph in two. */
#include "model/build.h"
#include "model/prefix.h"

#include <stdbool.h>
#include <stdlib.h>

static void set_io(int **list, size_t *n, int value)
{
	free(*list);
	*list = NULL;
	*n = 0;
	nx_graph_add_io(list, n, value);
}

/* Whether some node makes the value; nobody does any more if 'forget'. */
static bool made(struct nx_graph *g, int value, bool forget)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_out; k++) {
			if (g->nodes[i].out[k] != value)
				continue;
			if (forget)
				g->nodes[i].out[k] = NX_NO_VALUE;
			return true;
		}
	}
	return false;
}

static bool reads(const struct nx_graph *g, int value)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		for (size_t k = 0; k < g->nodes[i].n_in; k++) {
			if (g->nodes[i].in[k] == value)
				return true;
		}
	}
	for (size_t i = 0; i < g->n_out; i++) {
		if (g->out[i] == value)
			return true;
	}
	return false;
}

static struct nx_graph *suffix_of(const struct nx_graph *g, int value)
{
	struct nx_graph *s = nx_graph_clone(g);

	made(s, value, true);
	nx_graph_drop_dead(s);
	for (size_t i = 0; i < g->n_in; i++) {
		if (reads(s, g->in[i])) {
			nx_graph_free(&s);
			return NULL;
		}
	}
	set_io(&s->in, &s->n_in, value);
	nx_graph_make_outputs(s);
	return s;
}

int nx_graph_cut(const struct nx_graph *g, int value, struct nx_graph **trunk,
	struct nx_graph **suffix, struct nx_err *err)
{
	bool there = value >= 0 && (size_t)value < g->n_values;
	struct nx_graph *t = there ? nx_graph_clone(g) : NULL;
	struct nx_graph *s = there ? suffix_of(g, value) : NULL;

	if (t) {
		set_io(&t->out, &t->n_out, value);
		nx_graph_drop_dead(t);
	}
	bool ok = t && s && made(t, value, false);
	if (ok && trunk) {
		*trunk = t;
		t = NULL;
	}
	if (ok && suffix) {
		*suffix = s;
		s = NULL;
	}
	nx_graph_free(&t);
	nx_graph_free(&s);
	return ok ? 0
		  : nx_err_set(err, NX_EDATA, "the graph cannot be cut at '%.120s'",
			    there ? g->values[value].name : "?");
}
