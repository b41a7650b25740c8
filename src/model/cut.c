/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting a closed graph in two. */
#include "model/build.h"
#include "model/prefix.h"

#include "core/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

/* The shape and its axes with the channels moved to the end, or from there to their place. */
static bool turn(const struct nx_value *v, bool to_end, struct nx_shape *shape, int64_t *perm)
{
	int rank = v->shape.rank;

	if (v->dtype != NX_F32 || rank < 3 || rank > 5)
		return false;
	perm[0] = 0;
	for (int i = 1; i < rank; i++)
		perm[i] = to_end ? i % (rank - 1) + 1 : (i + rank - 3) % (rank - 1) + 1;
	*shape = v->shape;
	for (int i = 1; i + 1 < rank; i++)
		shape->dim[i] = v->shape.dim[i + 1];
	shape->dim[rank - 1] = v->shape.dim[1];
	return true;
}

static int add_turned(struct nx_graph *g, int v, const struct nx_shape *shape)
{
	int turned = nx_graph_add_value(g, g->values[v].name);

	g->values[turned].dtype = NX_F32;
	g->values[turned].shape = *shape;
	g->values[turned].known = true;
	return turned;
}

static void add_transpose(struct nx_graph *g, int from, int to, const int64_t *perm)
{
	size_t rank = (size_t)g->values[from].shape.rank;
	struct nx_node *n = nx_graph_add_node(g, "Transpose", g->values[to].name, 1, 1);

	n->in[0] = from;
	n->out[0] = to;
	n->attrs = nx_alloc(1, sizeof *n->attrs);
	n->n_attrs = 1;
	n->attrs[0] =
		(struct nx_attr){ .name = nx_strdup("perm"), .kind = NX_ATTR_INTS, .n = rank };
	n->attrs[0].ints = nx_alloc(rank, sizeof *perm);
	memcpy(n->attrs[0].ints, perm, rank * sizeof *perm);
}

void nx_graph_turn_output(struct nx_graph *trunk)
{
	int64_t perm[NX_MAX_DIMS];
	struct nx_shape shape;
	int v = trunk->out[0];

	if (!turn(&trunk->values[v], true, &shape, perm))
		return;
	trunk->out[0] = add_turned(trunk, v, &shape);
	add_transpose(trunk, v, trunk->out[0], perm);
}

void nx_graph_turn_input(struct nx_graph *suffix)
{
	int64_t perm[NX_MAX_DIMS];
	struct nx_shape shape;
	int v = suffix->in[0];

	if (!turn(&suffix->values[v], false, &shape, perm))
		return;
	suffix->in[0] = add_turned(suffix, v, &shape);
	add_transpose(suffix, suffix->in[0], v, perm);
	/* It is the first to run. */
	struct nx_node last = suffix->nodes[suffix->n_nodes - 1];
	memmove(suffix->nodes + 1, suffix->nodes, (suffix->n_nodes - 1) * sizeof last);
	suffix->nodes[0] = last;
}
