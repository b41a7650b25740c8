/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators in the forms of older opsets to those of opset 13: mostly attributes that became
 * inputs.  Only what differs in form is listed; an operator that merely learnt more stays as it
 * is.  (Source: the change logs of the operators, ONNX's docs/Changelog.md.)
 */
#include "model/build.h"

#include "core/alloc.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#define OPSET_OLDEST 7 /* before, binary operators broadcast by an axis */

struct upgrade {
	struct nx_graph *g;
	const struct nx_graph *one; /* the same for one row, closed: shapes */
	struct nx_node *n;
};

static int refuse(const struct upgrade *u, const char *what, struct nx_err *err)
{
	return nx_err_set(err, NX_EUNSUPP,
		"node '%.120s' (%.60s of opset %lld): %s has no form in opset 13", u->n->name,
		u->n->op, (long long)u->g->opset, what);
}

static void drop_attr(struct nx_node *n, const char *name)
{
	struct nx_node gone = { 0 };

	for (size_t i = 0; i < n->n_attrs; i++) {
		if (strcmp(n->attrs[i].name, name) != 0)
			continue;
		gone.attrs = nx_alloc(1, sizeof *gone.attrs);
		gone.attrs[gone.n_attrs++] = n->attrs[i];
		nx_node_clear_attrs(&gone);
		n->n_attrs--;
		memmove(&n->attrs[i], &n->attrs[i + 1], (n->n_attrs - i) * sizeof *n->attrs);
		return;
	}
}

static void set_string(struct nx_node *n, const char *name, const char *value)
{
	drop_attr(n, name);
	n->attrs = nx_realloc(n->attrs, n->n_attrs + 1, sizeof *n->attrs);
	n->attrs[n->n_attrs++] = (struct nx_attr){
		.name = nx_strdup(name), .kind = NX_ATTR_STRING, .s = nx_strdup(value)
	};
	nx_node_sort_attrs(n);
}

/* Input 'at' of the node becomes 'value'; inputs before it that are not there are left out. */
static void set_input(struct nx_node *n, size_t at, int value)
{
	if (at >= n->n_in) {
		n->in = nx_realloc(n->in, at + 1, sizeof *n->in);
		while (n->n_in <= at)
			n->in[n->n_in++] = NX_NO_VALUE;
	}
	n->in[at] = value;
}

static int add_constant(struct upgrade *u, size_t at, enum nx_dtype dtype,
	const struct nx_shape *shape, const void *data, struct nx_err *err)
{
	struct nx_tensor t;
	int rc = nx_tensor_init(&t, dtype, shape, err);

	if (rc)
		return rc;
	if (t.bytes)
		memcpy(t.data, data, t.bytes);
	int v = nx_graph_add_value(u->g, u->n->name);
	nx_graph_set_constant(u->g, v, &t);
	set_input(u->n, at, v);
	return 0;
}

/* An attribute of whole numbers becomes input 'at'; nothing where it is absent. */
static int move_ints(struct upgrade *u, const char *name, size_t at, struct nx_err *err)
{
	size_t n;
	const int64_t *ints = nx_node_ints(u->n, name, &n);
	struct nx_shape shape = { 1, { (int64_t)n } };
	int rc = ints ? add_constant(u, at, NX_I64, &shape, ints, err) : 0;

	drop_attr(u->n, name);
	return rc;
}

static int move_float(
	struct upgrade *u, const char *name, float absent, size_t at, struct nx_err *err)
{
	float f = nx_node_float(u->n, name, absent);

	drop_attr(u->n, name);
	return add_constant(u, at, NX_F32, &(struct nx_shape){ 0 }, &f, err);
}

static int upgrade_clip(struct upgrade *u, struct nx_err *err)
{
	int rc = move_float(u, "min", -FLT_MAX, 1, err);

	return rc ? rc : move_float(u, "max", FLT_MAX, 2, err);
}

static int upgrade_pad(struct upgrade *u, struct nx_err *err)
{
	int rc = move_ints(u, "pads", 1, err);

	return rc ? rc : move_float(u, "value", 0, 2, err);
}

static int upgrade_slice(struct upgrade *u, struct nx_err *err)
{
	int rc = move_ints(u, "starts", 1, err);

	if (rc == 0)
		rc = move_ints(u, "ends", 2, err);
	return rc ? rc : move_ints(u, "axes", 3, err);
}

static int upgrade_axes(struct upgrade *u, struct nx_err *err)
{
	return move_ints(u, "axes", 1, err);
}

static int upgrade_split(struct upgrade *u, struct nx_err *err)
{
	return move_ints(u, "split", 1, err);
}

/* The old form works on all axes from 'axis' on as if they were one. */
static int upgrade_softmax(struct upgrade *u, struct nx_err *err)
{
	const struct nx_shape *s = &u->one->values[u->n->in[0]].shape;
	int64_t axis = nx_node_int(u->n, "axis", 1), wide = 0, only = -1;

	axis = axis < 0 ? axis + s->rank : axis;
	for (int64_t d = axis; d >= 0 && d < s->rank; d++) {
		if (s->dim[d] != 1) {
			wide++;
			only = d;
		}
	}
	if (wide > 1)
		return refuse(u, "an axis that stands for several", err);
	drop_attr(u->n, "axis");
	u->n->attrs = nx_realloc(u->n->attrs, u->n->n_attrs + 1, sizeof *u->n->attrs);
	u->n->attrs[u->n->n_attrs++] = (struct nx_attr){
		.name = nx_strdup("axis"), .kind = NX_ATTR_INT, .i = only < 0 ? axis : only
	};
	nx_node_sort_attrs(u->n);
	return 0;
}

/* Upsample, and Resize as it was in opset 10: scales behind the regions, pixels by floor. */
static int upgrade_resize(struct upgrade *u, struct nx_err *err)
{
	struct nx_node *n = u->n;
	size_t count = 0;
	const struct nx_attr *a = nx_node_attr(n, "scales");
	int rc = 0;

	if (a && a->kind == NX_ATTR_FLOATS) {
		count = a->n;
		struct nx_shape shape = { 1, { (int64_t)count } };
		rc = add_constant(u, 2, NX_F32, &shape, a->floats, err);
		drop_attr(n, "scales");
	} else if (n->n_in == 2) {
		set_input(n, 2, n->in[1]);
	} else {
		return refuse(u, "what it is scaled by", err);
	}
	n->in[1] = NX_NO_VALUE;
	free(n->op);
	n->op = nx_strdup("Resize");
	set_string(n, "coordinate_transformation_mode", "asymmetric");
	set_string(n, "nearest_mode", "floor");
	return rc;
}

static int upgrade_norm(struct upgrade *u, struct nx_err *err)
{
	if (nx_node_int(u->n, "spatial", 1) == 0)
		return refuse(u, "spatial=0", err);
	drop_attr(u->n, "spatial");
	return 0;
}

static int upgrade_never(struct upgrade *u, struct nx_err *err)
{
	return refuse(u, "it", err);
}

static const struct {
	const char *op;
	int64_t before; /* opsets below this have the old form */
	int (*upgrade)(struct upgrade *u, struct nx_err *err);
} forms[] = {
	{ "BatchNormalization", 9, upgrade_norm },
	{ "Clip", 11, upgrade_clip },
	{ "Hardmax", 13, upgrade_softmax },
	{ "LogSoftmax", 13, upgrade_softmax },
	{ "Pad", 11, upgrade_pad },
	{ "ReduceSum", 13, upgrade_axes },
	{ "Resize", 11, upgrade_resize },
	{ "Scatter", 13, upgrade_never },
	{ "Slice", 10, upgrade_slice },
	{ "Softmax", 13, upgrade_softmax },
	{ "Split", 13, upgrade_split },
	{ "Squeeze", 13, upgrade_axes },
	{ "TopK", 10, upgrade_never },
	{ "Unsqueeze", 13, upgrade_axes },
	{ "Upsample", 13, upgrade_resize },
};

int nx_graph_upgrade(struct nx_graph *g, const struct nx_graph *one, struct nx_err *err)
{
	if (g->opset < OPSET_OLDEST)
		return nx_err_set(
			err, NX_EUNSUPP, "opset %lld has no form in opset 13", (long long)g->opset);
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct upgrade u = { g, one, &g->nodes[i] };
		for (size_t k = 0; k < NX_ARRAY_LEN(forms); k++) {
			if (g->opset >= forms[k].before || strcmp(u.n->op, forms[k].op) != 0)
				continue;
			int rc = forms[k].upgrade(&u, err);
			if (rc)
				return rc;
			break;
		}
	}
	if (g->opset < 13)
		g->opset = 13;
	return 0;
}
