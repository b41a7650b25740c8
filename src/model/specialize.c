/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closed graph of one batch size.
 *
 * Batch 1 is plain inference.  For a larger batch the graph of one row is inferred first and
 * kept beside it: node by node, rows.c compares the two and follows on which axis each value
 * carries its rows.  Only if every output stacks its rows on axis 0 is a batch the same as its
 * rows one by one, and nothing else is accepted.
 */
#include "model/build.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

static int bind_inputs(struct nx_graph *g, int64_t batch, struct nx_err *err)
{
	char text[128];

	for (size_t i = 0; i < g->n_in; i++) {
		struct nx_value *v = &g->values[g->in[i]];
		struct nx_shape *s = &v->shape;
		nx_shape_format(s, text, sizeof text);
		if (batch > 1 && (s->rank == 0 || (s->dim[0] != 1 && s->dim[0] != NX_DIM_OPEN)))
			return nx_err_set(err, NX_EUNSUPP,
				"input '%.120s' of shape %s has no dimension for a batch", v->name,
				text);
		if (s->rank && (batch > 1 || s->dim[0] == NX_DIM_OPEN))
			s->dim[0] = batch;
		for (int d = 1; d < s->rank; d++) {
			if (s->dim[d] == NX_DIM_OPEN)
				return nx_err_set(err, NX_EUNSUPP,
					"input '%.120s' of shape %s is open in dimension %d",
					v->name, text, d);
		}
		int64_t n = nx_shape_count(s);
		if (n < 0 || (uint64_t)n > NX_TENSOR_CAP / nx_dtype_size(v->dtype))
			return nx_err_set(err, NX_EDATA, "input '%.120s' of shape %s is too large",
				v->name, text);
	}
	return 0;
}

static int close_row(struct nx_graph *g, struct nx_err *err)
{
	uint64_t budget = NX_FOLD_CAP;
	int rc = bind_inputs(g, 1, err);

	for (size_t i = 0; rc == 0 && i < g->n_nodes; i++)
		rc = nx_graph_infer_node(g, i, &budget, err);
	return rc;
}

/* All of 'g' for 'batch' rows, beside the graph of one row. */
static int close_batch(
	struct nx_graph *g, const struct nx_graph *one, int64_t batch, struct nx_err *err)
{
	uint64_t budget = NX_FOLD_CAP;
	int *rows = nx_alloc(one->n_values, sizeof *rows);
	int rc = bind_inputs(g, batch, err);

	for (size_t v = 0; v < one->n_values; v++)
		rows[v] = NX_ROWS_NONE;
	for (size_t i = 0; i < g->n_in; i++)
		rows[g->in[i]] = 0;
	for (size_t i = 0; rc == 0 && i < g->n_nodes; i++) {
		rc = nx_rows_rewrite(g, one, i, batch, rows, err);
		if (rc == 0)
			rc = nx_graph_infer_node(g, i, &budget, err);
		if (rc == 0)
			rc = nx_rows_track(g, one, i, batch, rows, err);
	}
	for (size_t i = 0; rc == 0 && i < g->n_out; i++) {
		if (rows[g->out[i]] != 0)
			rc = nx_err_set(err, NX_EUNSUPP, "output '%.120s' does not stack its rows",
				g->values[g->out[i]].name);
	}
	free(rows);
	/* One row went well, so that whatever is wrong now is wrong with batches. */
	if (rc == -NX_EDATA)
		err->code = NX_EUNSUPP;
	return rc ? nx_err_wrap(err, "not in batches of %lld", (long long)batch) : 0;
}

int nx_graph_specialize(
	const struct nx_graph *g, int64_t batch, struct nx_graph **out, struct nx_err *err)
{
	if (batch < 1 || batch > (int64_t)1 << 20)
		return nx_err_set(
			err, NX_EUNSUPP, "a batch of %lld is out of range", (long long)batch);
	int rc = nx_graph_check_ops(g, err);
	if (rc)
		return rc;
	struct nx_graph *one = nx_graph_clone(g), *many = NULL;
	rc = close_row(one, err);
	if (rc == 0 && batch > 1) {
		many = nx_graph_clone(g);
		rc = close_batch(many, one, batch, err);
	}
	*out = rc ? NULL : many ? many : one;
	if (*out != one)
		nx_graph_free(&one);
	if (*out != many)
		nx_graph_free(&many);
	if (rc)
		return rc;
	nx_graph_drop_dead(*out);
	nx_graph_make_outputs(*out);
	return 0;
}

/* ---- a graph for given inputs --------------------------------------------------------------- */

/* Takes type and shape of input i from 'given'; a bound one becomes a constant. */
static int bind_given(
	struct nx_graph *g, size_t i, const struct nx_tensor *given, bool bound, struct nx_err *err)
{
	struct nx_value *v = &g->values[g->in[i]];
	bool fits = v->dtype == given->dtype && v->shape.rank == given->shape.rank;
	char want[128], have[128];

	for (int d = 0; fits && d < v->shape.rank; d++)
		fits = v->shape.dim[d] == NX_DIM_OPEN || v->shape.dim[d] == given->shape.dim[d];
	if (!fits)
		return nx_err_set(err, NX_EDATA, "input '%.120s' is %s %s, not %s %s", v->name,
			nx_dtype_oip_name(v->dtype), nx_shape_format(&v->shape, want, sizeof want),
			nx_dtype_oip_name(given->dtype),
			nx_shape_format(&given->shape, have, sizeof have));
	v->shape = given->shape;
	if (!bound)
		return 0;
	struct nx_tensor t;
	int rc = nx_tensor_init(&t, given->dtype, &given->shape, err);
	if (rc)
		return rc;
	memcpy(t.data, given->data, t.bytes);
	nx_graph_set_constant(g, g->in[i], &t);
	return 0;
}

/* Adds to bound[] the inputs that input k of node 'at' is made from; whether there are any. */
static bool bind_sources(const struct nx_graph *g, size_t at, size_t k, bool *bound)
{
	bool *wanted = nx_alloc(g->n_values, sizeof *wanted), any = false;

	if (g->nodes[at].in[k] != NX_NO_VALUE)
		wanted[g->nodes[at].in[k]] = true;
	for (size_t i = at; i-- > 0;) {
		const struct nx_node *n = &g->nodes[i];
		bool here = false;
		for (size_t o = 0; o < n->n_out; o++)
			here = here || (n->out[o] != NX_NO_VALUE && wanted[n->out[o]]);
		for (size_t j = 0; here && j < n->n_in; j++) {
			if (n->in[j] != NX_NO_VALUE)
				wanted[n->in[j]] = true;
		}
	}
	for (size_t i = 0; i < g->n_in; i++) {
		if (wanted[g->in[i]] && !bound[i])
			bound[i] = any = true;
	}
	free(wanted);
	return any;
}

/* A node that cannot be inferred may lack a constant: its parameters, which come behind the
 * first input, or else that one.  Whether there is something to try. */
static bool bind_more(const struct nx_graph *g, size_t at, bool *bound)
{
	bool any = false;

	for (size_t k = 1; k < g->nodes[at].n_in; k++)
		any = bind_sources(g, at, k, bound) || any;
	return any || (g->nodes[at].n_in && bind_sources(g, at, 0, bound));
}

/* 1 if more inputs are bound now, so that it has to be tried again. */
static int close_given(
	struct nx_graph *g, const struct nx_tensor *in, bool *bound, struct nx_err *err)
{
	uint64_t budget = NX_FOLD_CAP;
	size_t left = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_in; i++)
		rc = bind_given(g, i, &in[i], bound[i], err);
	for (size_t i = 0; rc == 0 && i < g->n_nodes; i++) {
		rc = nx_graph_infer_node(g, i, &budget, err);
		if (rc == -NX_EUNSUPP && bind_more(g, i, bound))
			return 1;
	}
	for (size_t i = 0; rc == 0 && i < g->n_in; i++) {
		if (!bound[i])
			g->in[left++] = g->in[i];
	}
	if (rc == 0)
		g->n_in = left;
	return rc;
}

int nx_graph_close(const struct nx_graph *g, const struct nx_tensor *in, struct nx_graph **out,
	struct nx_err *err)
{
	bool *bound = nx_alloc(g->n_in, sizeof *bound);
	struct nx_graph *closed;
	int rc;

	do {
		closed = nx_graph_clone(g);
		rc = close_given(closed, in, bound, err);
		if (rc)
			nx_graph_free(&closed);
	} while (rc > 0);
	free(bound);
	*out = closed;
	if (rc)
		return rc;
	nx_graph_drop_dead(closed);
	nx_graph_make_outputs(closed);
	return 0;
}
