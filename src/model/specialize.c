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
