/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX to graph.  Nothing in the file is trusted: not the order of nodes (they are sorted), not
 * the sizes of tensors, not that names are defined once.  The opset number decides between forms
 * of operators and is never a reason to refuse.
 */
#include "model/onnx.h"

#include "model/names.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What is known while a graph is read. */
struct reader {
	const struct nx_onnx_file *file;
	const Onnx__GraphProto *p;
	struct nx_graph *g;
	struct nx_names names; /* values */
	int *maker;            /* file's node that makes a value, -1 for none */
};

static const char *text(const char *s)
{
	return s ? s : "";
}

static int add_value(struct reader *r, const char *name, int *index, struct nx_err *err)
{
	if (nx_names_get(&r->names, name) >= 0)
		return nx_err_set(err, NX_EDATA, "value '%.120s' is defined twice", name);
	*index = nx_graph_add_value(r->g, name);
	nx_names_add(&r->names, name, *index);
	return 0;
}

static int read_initializers(struct reader *r, struct nx_err *err)
{
	if (r->p->n_sparse_initializer)
		return nx_err_set(err, NX_EUNSUPP, "sparse initializers");
	for (size_t i = 0; i < r->p->n_initializer; i++) {
		const Onnx__TensorProto *t = r->p->initializer[i];
		struct nx_tensor tensor;
		int v, rc = add_value(r, text(t->name), &v, err);
		if (rc)
			return rc;
		if (nx_onnx_tensor(r->file, t, &tensor, err))
			return nx_err_wrap(err, "initializer '%.120s'", text(t->name));
		nx_graph_set_constant(r->g, v, &tensor);
	}
	return 0;
}

/* Inputs of IR 3 list the initializers too; those are no inputs. */
static int read_inputs(struct reader *r, struct nx_err *err)
{
	for (size_t i = 0; i < r->p->n_input; i++) {
		const Onnx__ValueInfoProto *p = r->p->input[i];
		int v = nx_names_get(&r->names, text(p->name));
		if (v >= 0 && r->g->values[v].constant)
			continue;
		int rc = add_value(r, text(p->name), &v, err);
		if (rc == 0)
			rc = nx_onnx_type(p, &r->g->values[v], err);
		if (rc)
			return nx_err_wrap(err, "input");
		r->g->values[v].known = true;
		nx_graph_add_io(&r->g->in, &r->g->n_in, v);
	}
	return 0;
}

/* Values for what the nodes make. */
static int read_results(struct reader *r, struct nx_err *err)
{
	size_t first = r->g->n_values;

	for (size_t i = 0; i < r->p->n_node; i++) {
		const Onnx__NodeProto *n = r->p->node[i];
		for (size_t k = 0; k < n->n_output; k++) {
			int v, rc = *text(n->output[k]) ? add_value(r, n->output[k], &v, err) : 0;
			if (rc)
				return nx_err_wrap(err, "node %zu (%.60s)", i, text(n->op_type));
		}
	}
	r->maker = nx_alloc(r->g->n_values, sizeof *r->maker);
	for (size_t v = 0; v < first; v++)
		r->maker[v] = -1;
	for (size_t i = 0, v = first; i < r->p->n_node; i++) {
		for (size_t k = 0; k < r->p->node[i]->n_output; k++) {
			if (*text(r->p->node[i]->output[k]))
				r->maker[v++] = (int)i;
		}
	}
	return 0;
}

static int read_outputs(struct reader *r, struct nx_err *err)
{
	for (size_t i = 0; i < r->p->n_output; i++) {
		const Onnx__ValueInfoProto *p = r->p->output[i];
		struct nx_value declared = { .name = (char *)text(p->name) };
		struct nx_err ignored = NX_ERR_INIT;
		int v = nx_names_get(&r->names, text(p->name));
		if (v < 0)
			return nx_err_set(
				err, NX_EDATA, "nothing makes output '%.120s'", text(p->name));
		/* Shapes are inferred, whatever is declared, if any is; the type says where
		 * half precision ends. */
		(void)nx_onnx_type(p, &declared, &ignored);
		if (r->maker[v] >= 0 && nx_dtype_size(declared.dtype))
			r->g->values[v].dtype = declared.dtype;
		nx_graph_add_io(&r->g->out, &r->g->n_out, v);
	}
	if (r->g->n_out == 0)
		return nx_err_set(err, NX_EDATA, "the graph has no outputs");
	return 0;
}

/* An ONNX node as a node at the end of the graph. */
static int add_node(struct reader *r, const Onnx__NodeProto *p, struct nx_err *err)
{
	const char *first = p->n_output ? text(p->output[0]) : "";
	struct nx_node *n = nx_graph_add_node(
		r->g, text(p->op_type), *text(p->name) ? p->name : first, p->n_input, p->n_output);

	if (strcmp(text(p->domain), "ai.onnx") != 0) {
		free(n->domain);
		n->domain = nx_strdup(text(p->domain));
	}
	for (size_t k = 0; k < p->n_input; k++)
		n->in[k] = *text(p->input[k]) ? nx_names_get(&r->names, p->input[k]) : NX_NO_VALUE;
	for (size_t k = 0; k < p->n_output; k++)
		n->out[k] =
			*text(p->output[k]) ? nx_names_get(&r->names, p->output[k]) : NX_NO_VALUE;
	return nx_onnx_attrs(r->file, p, n, err);
}

enum { UNSEEN, OPEN, DONE };

struct frame {
	size_t node, input;
};

/* The next input of the frame's node that must come first: its node, or -1; -2 on error. */
static int next_before(
	const struct reader *r, struct frame *f, const char *state, struct nx_err *err)
{
	const Onnx__NodeProto *p = r->p->node[f->node];

	while (f->input < p->n_input) {
		const char *name = text(p->input[f->input++]);
		int v = *name ? nx_names_get(&r->names, name) : -1;
		if (*name && v < 0) {
			nx_err_set(err, NX_EDATA,
				"nothing makes '%.120s', which node '%.120s' reads", name,
				text(p->name));
			return -2;
		}
		int before = v < 0 ? -1 : r->maker[v];
		if (before < 0 || state[before] == DONE)
			continue;
		if (state[before] == OPEN) {
			nx_err_set(err, NX_EDATA, "node '%.120s' depends on itself", text(p->name));
			return -2;
		}
		return before;
	}
	return -1;
}

/* Depth first from each node in the file's order, so that a sorted file keeps its order. */
static int read_nodes(struct reader *r, struct nx_err *err)
{
	size_t n = r->p->n_node;
	char *state = nx_alloc(n, 1);
	struct frame *stack = nx_alloc(n, sizeof *stack);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t depth = 0;
		if (state[i] == DONE)
			continue;
		state[i] = OPEN;
		stack[depth++] = (struct frame){ i, 0 };
		while (rc == 0 && depth) {
			struct frame *f = &stack[depth - 1];
			int before = next_before(r, f, state, err);
			if (before == -2) {
				rc = -NX_EDATA;
			} else if (before >= 0) {
				state[before] = OPEN;
				stack[depth++] = (struct frame){ (size_t)before, 0 };
			} else {
				state[f->node] = DONE;
				rc = add_node(r, r->p->node[f->node], err);
				depth--;
			}
		}
	}
	free(state);
	free(stack);
	return rc;
}

/* Constant nodes become constants: tensor (taken from the node, which goes), or one of the short
 * forms of opset 12. */
static int constant_of(struct nx_node *n, struct nx_tensor *t, struct nx_err *err)
{
	struct nx_attr *a = n->n_attrs == 1 ? &n->attrs[0] : NULL;
	bool is_int = a && (a->kind == NX_ATTR_INT || a->kind == NX_ATTR_INTS);
	bool list = a && (a->kind == NX_ATTR_INTS || a->kind == NX_ATTR_FLOATS);

	if (!a || a->kind == NX_ATTR_STRING || a->kind == NX_ATTR_OTHER)
		return nx_err_set(
			err, NX_EUNSUPP, "node '%.120s' (Constant): no tensor of numbers", n->name);
	if (a->kind == NX_ATTR_TENSOR) {
		*t = a->tensor;
		a->tensor = (struct nx_tensor){ 0 };
		return 0;
	}
	struct nx_shape s = { list ? 1 : 0, { list ? (int64_t)a->n : 0 } };
	int rc = nx_tensor_init(t, is_int ? NX_I64 : NX_F32, &s, err);
	if (rc)
		return rc;
	const void *from = list     ? (is_int ? (void *)a->ints : a->floats)
			   : is_int ? (const void *)&a->i
				    : (const void *)&a->f;
	if (t->bytes)
		memcpy(t->data, from, t->bytes);
	return 0;
}

static int take_constants(struct nx_graph *g, struct nx_err *err)
{
	struct nx_tensor t;

	for (size_t i = 0; i < g->n_nodes; i++) {
		struct nx_node *n = &g->nodes[i];
		if (strcmp(n->op, "Constant") != 0 || *n->domain || n->n_out != 1 ||
			n->out[0] == NX_NO_VALUE)
			continue;
		int rc = constant_of(n, &t, err);
		if (rc)
			return rc;
		nx_graph_set_constant(g, n->out[0], &t);
	}
	return 0;
}

static int read_graph(struct reader *r, struct nx_err *err)
{
	int rc = read_initializers(r, err);

	if (rc == 0)
		rc = read_inputs(r, err);
	if (rc == 0)
		rc = read_results(r, err);
	if (rc == 0)
		rc = read_nodes(r, err);
	if (rc == 0)
		rc = read_outputs(r, err);
	if (rc == 0)
		rc = take_constants(r->g, err);
	if (rc)
		return rc;
	nx_graph_drop_dead(r->g);
	nx_graph_align_legacy(r->g);
	rc = nx_graph_expand_qlinear(r->g, err);
	if (rc == 0)
		rc = nx_graph_check_ops(r->g, err);
	if (rc == 0)
		rc = nx_graph_widen(r->g, err);
	if (rc)
		return rc;
	nx_graph_drop_identity(r->g);
	nx_graph_rename_sums(r->g);
	rc = nx_graph_fold(r->g, err);
	nx_graph_drop_dead(r->g);
	return rc;
}

static int64_t opset_of(const Onnx__ModelProto *m)
{
	int64_t version = 1;

	for (size_t i = 0; i < m->n_opset_import; i++) {
		const char *domain = text(m->opset_import[i]->domain);
		if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0)
			version = m->opset_import[i]->version;
	}
	return version;
}

int nx_onnx_load(const struct nx_onnx_file *file, struct nx_graph **out, struct nx_err *err)
{
	ProtobufCMessage *message;
	int rc = nx_onnx_unpack(file, &onnx__model_proto__descriptor, &message, err);

	if (rc)
		return rc;
	Onnx__ModelProto *m = (Onnx__ModelProto *)message;
	if (!m->graph) {
		onnx__model_proto__free_unpacked(m, NULL);
		return nx_err_set(err, NX_EDATA, "the file holds no graph");
	}
	struct reader r = { .file = file, .p = m->graph, .g = nx_graph_new(text(m->graph->name)) };
	r.g->opset = opset_of(m);
	rc = read_graph(&r, err);
	nx_names_release(&r.names);
	free(r.maker);
	onnx__model_proto__free_unpacked(m, NULL);
	if (rc)
		nx_graph_free(&r.g);
	*out = r.g;
	return rc;
}
