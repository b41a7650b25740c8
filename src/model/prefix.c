/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefix.h"

#include "model/form.h"
#include "model/ops.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Elements that all nodes together may move while they are described: a second and 512 MiB at most. */
#define MOVES_CAP ((uint64_t)1 << 26)

/* What a value is made of, without its shape: reshaping changes nothing of it. */
struct made {
	char base[NX_DIGEST_SIZE]; /* "" while unknown */
	/* Of a value that is another one between two bounds, that one's base: exporters write one
	 * Relu6 as a Clip, or as a Relu and a Clip. */
	char inner[NX_DIGEST_SIZE];
	double lo, hi;
	bool depends;           /* on an input of the graph */
	bool weighed;           /* a constant, or made of constants alone, and counted */
	uint64_t weights_bytes; /* of what is made of constants alone */
	size_t uses;            /* readers and outputs still to come */
};

struct scan {
	const struct nx_graph *g;
	struct made *made; /* of each value */
	uint64_t moves;
	size_t live;      /* values that depend on the inputs and have uses left */
	size_t substance; /* nodes so far that are not pointwise */
	uint64_t weights_bytes;
	double work;
	size_t *at; /* 'substance' when a cut was found */
	size_t cap, at_cap;
};

static bool is(const struct nx_node *n, const char *op)
{
	return strcmp(n->op, op) == 0;
}

/* What devices fuse into the node before it. */
static bool is_pointwise(const struct nx_node *n)
{
	const struct nx_op *op = nx_op_find(n->domain, n->op);

	return (op && op->rows == NX_ROWS_ELEMENTWISE) || is(n, "BatchNormalization") ||
	       is(n, "QuantizeLinear") || is(n, "DequantizeLinear");
}

/* Whether the rows of a value have more than one dimension, and so a layout. */
static bool has_layout(const struct nx_shape *s)
{
	int n = 0;

	for (int i = 1; i < s->rank; i++)
		n += s->dim[i] > 1;
	return n > 1;
}

/* What devices fuse into the node behind it: padding, and what takes a feature map for a vector,
 * which a multiplication can do itself in whatever layout the map is. */
static bool is_prelude(const struct nx_graph *g, const struct nx_node *n)
{
	const struct nx_op *op = nx_op_find(n->domain, n->op);

	if (op && op->rows == NX_ROWS_RESHAPE && n->n_in && n->in[0] != NX_NO_VALUE)
		return has_layout(&g->values[n->in[0]].shape);
	return is(n, "Pad") || is(n, "DequantizeLinear");
}

/* ---- digests -------------------------------------------------------------------------------- */

static const char *base_of(struct scan *s, int v)
{
	const struct nx_tensor *t = s->g->values[v].constant;

	if (t && !*s->made[v].base)
		nx_digest_of(t->data, t->bytes, s->made[v].base);
	return s->made[v].base;
}

/* A value in one line: what it is made of, type, and shape. */
static void put_value(struct scan *s, int v, bool broadcasts, struct nx_buf *line)
{
	const struct nx_value *x = &s->g->values[v];
	struct nx_shape shape = x->shape;
	char text[160];

	while (broadcasts && shape.rank && shape.dim[0] == 1) {
		memmove(shape.dim, shape.dim + 1, (size_t)--shape.rank * sizeof *shape.dim);
	}
	nx_buf_addf(line, "%s%s %d%s\n", x->constant ? "constant " : "", base_of(s, v),
		(int)x->dtype, nx_shape_format(&shape, text, sizeof text));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct nx_buf *)a)->data, ((const struct nx_buf *)b)->data);
}

/* The inputs that are no parameters, in their order or, where that says nothing, sorted. */
static void put_inputs(
	struct scan *s, const struct nx_node *n, const struct nx_form *form, struct nx_buf *text)
{
	struct nx_buf *line = nx_alloc(n->n_in, sizeof *line);

	for (size_t i = 0; i < n->n_in; i++) {
		unsigned bit = i < 32 ? (unsigned)i : 31;
		if (form->spent >> bit & 1)
			nx_buf_adds(&line[i], "");
		else if (n->in[i] == NX_NO_VALUE)
			nx_buf_adds(&line[i], "-\n");
		else
			put_value(s, n->in[i], form->broadcasts, &line[i]);
		nx_buf_addc(&line[i], '\0');
	}
	if (form->commutes)
		qsort(line, n->n_in, sizeof *line, by_text);
	for (size_t i = 0; i < n->n_in; i++) {
		nx_buf_adds(text, line[i].data);
		nx_buf_release(&line[i]);
	}
	free(line);
}

/* Keeping what is between two bounds between two others is one step. */
static void digest_clip(struct scan *s, const struct nx_node *n, const struct nx_form *form)
{
	struct made *to = &s->made[n->out[0]];
	const struct made *from = &s->made[n->in[0]];
	struct nx_buf text = NX_BUF_INIT;

	memcpy(to->inner, *from->inner ? from->inner : base_of(s, n->in[0]), sizeof to->inner);
	to->lo = *from->inner ? fmin(fmax(from->lo, form->lo), form->hi) : form->lo;
	to->hi = *from->inner ? fmin(fmax(from->hi, form->lo), form->hi) : form->hi;
	nx_buf_addf(&text, "Clip;min=%a;max=%a;%s\n%s\n", to->lo, to->hi,
		form->text.len ? form->text.data : "", to->inner);
	nx_digest_of(text.data, text.len, to->base);
	nx_buf_release(&text);
	/* With attributes that nobody knows it is a step of its own. */
	if (form->text.len)
		to->inner[0] = '\0';
}

static void digest_node(struct scan *s, const struct nx_node *n)
{
	for (size_t k = 0; k < n->n_out; k++) {
		struct nx_form form;
		if (n->out[k] == NX_NO_VALUE)
			continue;
		struct made *to = &s->made[n->out[k]];
		nx_form_of(s->g, n, k, &s->moves, &form);
		if (form.same_as >= 0) {
			memcpy(to->base, base_of(s, n->in[form.same_as]), sizeof to->base);
		} else if (form.clips) {
			digest_clip(s, n, &form);
		} else {
			nx_buf_addc(&form.text, '\n');
			put_inputs(s, n, &form, &form.text);
			nx_digest_of(form.text.data, form.text.len, to->base);
		}
		nx_form_release(&form);
	}
}

static void digest_inputs(struct scan *s)
{
	for (size_t i = 0; i < s->g->n_in; i++) {
		struct made *m = &s->made[s->g->in[i]];
		struct nx_buf line = NX_BUF_INIT;
		nx_buf_addf(&line, "input %zu ", i);
		put_value(s, s->g->in[i], false, &line);
		nx_digest_of(line.data, line.len, m->base);
		nx_buf_release(&line);
		m->depends = true;
		s->live += m->uses > 0;
	}
}

/* ---- cut points ----------------------------------------------------------------------------- */

/* Multiplications of a node, or its elements where it has none. */
static double work_of(const struct nx_graph *g, const struct nx_node *n)
{
	const struct nx_shape *w = NULL;
	double count = 0, per = 1;

	for (size_t k = 0; k < n->n_out; k++) {
		if (n->out[k] != NX_NO_VALUE)
			count += (double)nx_shape_count(&g->values[n->out[k]].shape);
	}
	for (size_t k = 1; k < n->n_in && k < 4 && !w; k++) {
		if (n->in[k] != NX_NO_VALUE && g->values[n->in[k]].shape.rank >= 2)
			w = &g->values[n->in[k]].shape;
	}
	/* A transposed convolution scatters what a convolution gathers. */
	if (w && is(n, "ConvTranspose"))
		count = (double)nx_shape_count(&g->values[n->in[0]].shape);
	if (w && strstr(n->op, "Conv"))
		per = (double)nx_shape_count(w) / (double)(w->dim[0] ? w->dim[0] : 1);
	else if (w && (is(n, "Gemm") || strstr(n->op, "MatMul")))
		per = (double)w->dim[w->rank - (nx_node_int(n, "transB", 0) ? 1 : 2)];
	return count * per;
}

/* Adds the constants that a node reads.  One that reads nothing else counts where its result is
 * first used: files have such nodes anywhere. */
static void weigh(struct scan *s, const struct nx_node *n, int made)
{
	uint64_t bytes = 0;

	for (size_t k = 0; k < n->n_in; k++) {
		struct made *m = n->in[k] == NX_NO_VALUE ? NULL : &s->made[n->in[k]];
		if (!m || m->depends || m->weighed)
			continue;
		const struct nx_tensor *t = s->g->values[n->in[k]].constant;
		m->weighed = true;
		bytes += t ? t->bytes : m->weights_bytes;
	}
	if (made != NX_NO_VALUE)
		s->weights_bytes += bytes;
	else if (n->n_out && n->out[0] != NX_NO_VALUE)
		s->made[n->out[0]].weights_bytes = bytes;
	s->work += work_of(s->g, n);
}

/* Lowers the uses of what the node reads and counts what it makes; returns the last made. */
static int advance(struct scan *s, const struct nx_node *n)
{
	bool depends = false;
	int last = NX_NO_VALUE;

	for (size_t k = 0; k < n->n_in; k++) {
		if (n->in[k] == NX_NO_VALUE)
			continue;
		struct made *m = &s->made[n->in[k]];
		depends = depends || m->depends;
		if (--m->uses == 0 && m->depends)
			s->live--;
	}
	for (size_t k = 0; k < n->n_out; k++) {
		if (n->out[k] == NX_NO_VALUE)
			continue;
		struct made *m = &s->made[n->out[k]];
		m->depends = depends;
		if (!depends || m->uses == 0)
			continue;
		s->live++;
		last = n->out[k];
	}
	return last;
}

/* Whether a batch of two has the rows of this value behind one another. */
static bool stacks(const struct nx_graph *one, const struct nx_graph *two, int v)
{
	struct nx_shape s = one->values[v].shape;

	if (!two)
		return true;
	if (s.rank == 0)
		return false;
	s.dim[0] *= 2;
	return nx_shape_equal(&s, &two->values[v].shape);
}

static void add_cut(struct scan *s, struct nx_cuts *cuts, const struct nx_node *n, int v)
{
	struct nx_buf line = NX_BUF_INIT;

	cuts->cut = nx_grow(cuts->cut, &s->cap, cuts->n + 1, sizeof *cuts->cut);
	s->at = nx_grow(s->at, &s->at_cap, cuts->n + 1, sizeof *s->at);
	s->at[cuts->n] = s->substance;
	struct nx_cut *cut = &cuts->cut[cuts->n++];
	*cut = (struct nx_cut){ .value = v,
		.node = nx_strdup(n->name),
		.weights_bytes = s->weights_bytes,
		.work = s->work };
	nx_buf_adds(&line, "nexus prefix 1\n");
	put_value(s, v, false, &line);
	nx_digest_of(line.data, line.len, cut->digest);
	nx_buf_release(&line);
}

/*
 * In an order in which nodes can run, a value is a cut point if and only if it is alone in being
 * needed later when it has just been made: any other that depends on the inputs would lead to an
 * output around it.
 */
static void find_cuts(struct scan *s, const struct nx_graph *two, struct nx_cuts *cuts)
{
	for (size_t i = 0; i < s->g->n_nodes; i++) {
		const struct nx_node *n = &s->g->nodes[i];
		int v = advance(s, n);
		digest_node(s, n);
		weigh(s, n, v);
		s->substance += !is_pointwise(n);
		if (s->live == 1 && v != NX_NO_VALUE && s->substance && !is_prelude(s->g, n) &&
			stacks(s->g, two, v))
			add_cut(s, cuts, n, v);
	}
}

/* Keeps the cuts with something to do between them and the next one, or nothing at all, and of
 * values that are the same the first. */
static void drop_torn(const struct scan *s, struct nx_cuts *cuts)
{
	size_t kept = 0;
	bool empty = cuts->n && s->made[cuts->cut[cuts->n - 1].value].uses == 1 && s->g->n_out == 1;

	for (size_t i = 0; i < cuts->n; i++) {
		bool last = i + 1 == cuts->n;
		size_t next = last ? s->substance : s->at[i + 1];
		bool whole = last && empty && s->g->out[0] == cuts->cut[i].value;
		bool again = kept && strcmp(cuts->cut[kept - 1].digest, cuts->cut[i].digest) == 0;
		if ((next == s->at[i] && !whole) || again) {
			free(cuts->cut[i].node);
			continue;
		}
		cuts->cut[kept++] = cuts->cut[i];
	}
	cuts->n = kept;
	cuts->work = s->work;
}

int nx_prefix_cuts(const struct nx_graph *g, struct nx_cuts *out, struct nx_err *err)
{
	struct nx_graph *one = NULL, *two = NULL;
	struct nx_err ignored = NX_ERR_INIT;

	*out = (struct nx_cuts){ 0 };
	if (nx_graph_specialize(g, 1, &one, err))
		return -err->code;
	/* Without a batch of two, rows run one by one and lie wherever they lie. */
	if (nx_graph_specialize(g, 2, &two, &ignored))
		two = NULL;
	struct scan s = { .g = one, .moves = MOVES_CAP };
	s.made = nx_alloc(one->n_values, sizeof *s.made);
	for (size_t i = 0; i < one->n_nodes; i++) {
		for (size_t k = 0; k < one->nodes[i].n_in; k++) {
			if (one->nodes[i].in[k] != NX_NO_VALUE)
				s.made[one->nodes[i].in[k]].uses++;
		}
	}
	for (size_t i = 0; i < one->n_out; i++)
		s.made[one->out[i]].uses++;
	digest_inputs(&s);
	find_cuts(&s, two, out);
	drop_torn(&s, out);
	free(s.made);
	free(s.at);
	nx_graph_free(&one);
	nx_graph_free(&two);
	return 0;
}

void nx_cuts_release(struct nx_cuts *cuts)
{
	for (size_t i = 0; i < cuts->n; i++)
		free(cuts->cut[i].node);
	free(cuts->cut);
	*cuts = (struct nx_cuts){ 0 };
}

const struct nx_cut *nx_cuts_find(const struct nx_cuts *cuts, const char *digest)
{
	for (size_t i = 0; i < cuts->n; i++) {
		if (strcmp(cuts->cut[i].digest, digest) == 0)
			return &cuts->cut[i];
	}
	return NULL;
}
