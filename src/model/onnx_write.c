/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graph to ONNX.  The messages borrow all they can from the graph; only arrays of messages are
 * made here.
 */
#include "model/names.h"
#include "model/onnx.h"
#include "model/quantise.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#define ONNX_CAP ((size_t)2 << 30) /* protobuf's own limit */
#define PRODUCER "nexus"

struct writer {
	const struct nx_graph *g;
	char **name;           /* of values, unique */
	struct nx_names nodes; /* names of nodes, unique as some runtimes want them */
	/* Everything allocated, to be freed at the end. */
	void **owned;
	size_t n_owned, cap_owned;
};

static void *own(struct writer *w, void *p)
{
	w->owned = nx_grow(w->owned, &w->cap_owned, w->n_owned + 1, sizeof *w->owned);
	w->owned[w->n_owned++] = p;
	return p;
}

static void *make(struct writer *w, size_t n, size_t size)
{
	return own(w, nx_alloc(n ? n : 1, size));
}

/* Inputs and outputs keep their names, which callers know; then the first of a name has it. */
static void name_values(struct writer *w)
{
	const struct nx_graph *g = w->g;
	struct nx_names names = { 0 };

	w->name = make(w, g->n_values, sizeof *w->name);
	for (int pass = 0; pass < 3; pass++) {
		size_t n = pass == 0 ? g->n_in : pass == 1 ? g->n_out : g->n_values;
		for (size_t i = 0; i < n; i++) {
			size_t v = pass == 2 ? i : (size_t)(pass == 0 ? g->in : g->out)[i];
			if (w->name[v])
				continue;
			const char *wish = g->values[v].name;
			bool taken = *wish == '\0' || nx_names_get(&names, wish) >= 0;
			w->name[v] =
				own(w, taken ? nx_asprintf("%s#%zu", wish, v) : nx_strdup(wish));
			while (taken && nx_names_get(&names, w->name[v]) >= 0)
				w->name[v] = own(w, nx_asprintf("%s'", w->name[v]));
			nx_names_add(&names, w->name[v], (int)v);
		}
	}
	nx_names_release(&names);
}

static Onnx__TensorProto *write_tensor(struct writer *w, const struct nx_tensor *t, char *name)
{
	Onnx__TensorProto *p = make(w, 1, sizeof *p);

	onnx__tensor_proto__init(p);
	p->name = name;
	p->n_dims = (size_t)t->shape.rank;
	p->dims = (int64_t *)t->shape.dim;
	p->has_data_type = 1;
	p->data_type = (int32_t)t->dtype;
	p->has_raw_data = 1;
	p->raw_data.len = t->bytes;
	p->raw_data.data = t->data;
	return p;
}

static int write_attr(
	struct writer *w, const struct nx_attr *a, Onnx__AttributeProto **out, struct nx_err *err)
{
	Onnx__AttributeProto *p = make(w, 1, sizeof *p);

	onnx__attribute_proto__init(p);
	*out = p;
	p->name = a->name;
	p->has_type = 1;
	switch (a->kind) {
	case NX_ATTR_INT:
		p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
		p->has_i = 1;
		p->i = a->i;
		return 0;
	case NX_ATTR_FLOAT:
		p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
		p->has_f = 1;
		p->f = a->f;
		return 0;
	case NX_ATTR_STRING:
		p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
		p->has_s = 1;
		p->s.data = (uint8_t *)a->s;
		p->s.len = strlen(a->s);
		return 0;
	case NX_ATTR_INTS:
		p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
		p->n_ints = a->n;
		p->ints = a->ints;
		return 0;
	case NX_ATTR_FLOATS:
		p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
		p->n_floats = a->n;
		p->floats = a->floats;
		return 0;
	case NX_ATTR_TENSOR:
		p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
		p->t = write_tensor(w, &a->tensor, NULL);
		return 0;
	case NX_ATTR_OTHER:
		break;
	}
	return nx_err_set(err, NX_EUNSUPP, "attribute '%.60s' cannot be written", a->name);
}

static char **write_names(struct writer *w, const int *values, size_t *n)
{
	char **names = make(w, *n, sizeof *names);

	/* Optional ones at the end are not said at all. */
	while (*n && values[*n - 1] == NX_NO_VALUE)
		--*n;
	for (size_t i = 0; i < *n; i++)
		names[i] = values[i] == NX_NO_VALUE ? "" : w->name[values[i]];
	return names;
}

static int write_node(
	struct writer *w, const struct nx_node *n, Onnx__NodeProto **out, struct nx_err *err)
{
	Onnx__NodeProto *p = make(w, 1, sizeof *p);

	onnx__node_proto__init(p);
	*out = p;
	p->name = n->name;
	while (nx_names_get(&w->nodes, p->name) >= 0)
		p->name = own(w, nx_asprintf("%s'", p->name));
	nx_names_add(&w->nodes, p->name, 0);
	p->op_type = n->op;
	p->domain = *n->domain ? n->domain : NULL;
	p->n_input = n->n_in;
	p->input = write_names(w, n->in, &p->n_input);
	p->n_output = n->n_out;
	p->output = write_names(w, n->out, &p->n_output);
	p->attribute = make(w, n->n_attrs, sizeof *p->attribute);
	for (size_t i = 0; i < n->n_attrs; i++) {
		if (write_attr(w, &n->attrs[i], &p->attribute[i], err))
			return nx_err_wrap(err, "node '%.120s'", n->name);
		p->n_attribute++;
	}
	return 0;
}

static Onnx__ValueInfoProto *write_info(struct writer *w, int v)
{
	const struct nx_value *value = &w->g->values[v];
	Onnx__ValueInfoProto *p = make(w, 1, sizeof *p);
	Onnx__TypeProto *type = make(w, 1, sizeof *type);
	Onnx__TypeProto__Tensor *tensor = make(w, 1, sizeof *tensor);
	Onnx__TensorShapeProto *shape = make(w, 1, sizeof *shape);

	onnx__value_info_proto__init(p);
	onnx__type_proto__init(type);
	onnx__type_proto__tensor__init(tensor);
	onnx__tensor_shape_proto__init(shape);
	p->name = w->name[v];
	p->type = type;
	type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	type->tensor_type = tensor;
	tensor->has_elem_type = 1;
	tensor->elem_type = (int32_t)value->dtype;
	tensor->shape = shape;
	shape->dim = make(w, (size_t)value->shape.rank, sizeof *shape->dim);
	for (int d = 0; d < value->shape.rank; d++) {
		Onnx__TensorShapeProto__Dimension *dim = make(w, 1, sizeof *dim);
		onnx__tensor_shape_proto__dimension__init(dim);
		if (value->shape.dim[d] != NX_DIM_OPEN) {
			dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
			dim->dim_value = value->shape.dim[d];
		} else if (d == 0) {
			dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
			dim->dim_param = "N";
		}
		shape->dim[shape->n_dim++] = dim;
	}
	return p;
}

static int write_graph(struct writer *w, Onnx__GraphProto *p, struct nx_err *err)
{
	const struct nx_graph *g = w->g;

	onnx__graph_proto__init(p);
	p->name = *g->name ? g->name : PRODUCER;
	p->initializer = make(w, g->n_values, sizeof *p->initializer);
	for (size_t v = 0; v < g->n_values; v++) {
		if (g->values[v].constant)
			p->initializer[p->n_initializer++] =
				write_tensor(w, g->values[v].constant, w->name[v]);
	}
	p->input = make(w, g->n_in, sizeof *p->input);
	for (size_t i = 0; i < g->n_in; i++)
		p->input[p->n_input++] = write_info(w, g->in[i]);
	p->output = make(w, g->n_out, sizeof *p->output);
	for (size_t i = 0; i < g->n_out; i++)
		p->output[p->n_output++] = write_info(w, g->out[i]);
	p->node = make(w, g->n_nodes, sizeof *p->node);
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (write_node(w, &g->nodes[i], &p->node[i], err))
			return -err->code;
		p->n_node++;
	}
	return 0;
}

/* The oldest IR version that goes with an opset. */
static int64_t ir_version(int64_t opset)
{
	static const struct {
		int64_t opset, ir;
	} first[] = { { 25, 12 }, { 23, 11 }, { 21, 10 }, { 19, 9 }, { 15, 8 } };

	for (size_t i = 0; i < NX_ARRAY_LEN(first); i++) {
		if (opset >= first[i].opset)
			return first[i].ir;
	}
	return 7;
}

int nx_onnx_write(const struct nx_graph *g, struct nx_buf *out, struct nx_err *err)
{
	struct writer w = { .g = g };
	Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
	Onnx__GraphProto graph;
	Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets = &opset;

	name_values(&w);
	int rc = write_graph(&w, &graph, err);
	opset.domain = "";
	opset.has_version = 1;
	opset.version = g->opset;
	model.has_ir_version = 1;
	model.ir_version = ir_version(g->opset);
	model.n_opset_import = 1;
	model.opset_import = &opsets;
	model.producer_name = PRODUCER;
	model.producer_version = NX_VERSION;
	model.graph = &graph;
	if (rc == 0) {
		size_t size = onnx__model_proto__get_packed_size(&model);
		if (size > ONNX_CAP) {
			rc = nx_err_set(err, NX_EUNSUPP, "the network is larger than 2 GiB");
		} else {
			nx_buf_reserve(out, size);
			out->len +=
				onnx__model_proto__pack(&model, (uint8_t *)out->data + out->len);
			out->data[out->len] = '\0';
		}
	}
	nx_names_release(&w.nodes);
	for (size_t i = 0; i < w.n_owned; i++)
		free(w.owned[i]);
	free(w.owned);
	return rc;
}
