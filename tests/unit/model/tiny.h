/* SPDX-License-Identifier: Apache-2.0 */
/* Small ONNX files made in memory: a graph is built message by message and packed. */
#ifndef NX_TESTS_TINY_H
#define NX_TESTS_TINY_H

#include "core/alloc.h"

#include "onnx.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define TINY_MAX 16

struct tiny {
	Onnx__ModelProto model;
	Onnx__GraphProto graph;
	Onnx__OperatorSetIdProto opset, *opsets[1];
	Onnx__NodeProto node[TINY_MAX], *nodes[TINY_MAX];
	char *names[TINY_MAX][4];
	Onnx__TensorProto tensor[TINY_MAX], *tensors[TINY_MAX];
	int64_t dims[TINY_MAX][4];
	Onnx__ValueInfoProto value[4], *inputs[2], *outputs[2];
	Onnx__TypeProto type[4];
	Onnx__TypeProto__Tensor ttype[4];
	Onnx__TensorShapeProto shape[4];
	Onnx__TensorShapeProto__Dimension dim[4][4], *dimp[4][4];
};

static inline void tiny_init(struct tiny *t)
{
	memset(t, 0, sizeof *t);
	onnx__model_proto__init(&t->model);
	onnx__graph_proto__init(&t->graph);
	onnx__operator_set_id_proto__init(&t->opset);
	t->opset.has_version = 1;
	t->opset.version = 13;
	t->opsets[0] = &t->opset;
	t->model.opset_import = t->opsets;
	t->model.n_opset_import = 1;
	t->model.graph = &t->graph;
	t->graph.node = t->nodes;
	t->graph.initializer = t->tensors;
	t->graph.input = t->inputs;
	t->graph.output = t->outputs;
}

/* Adds a node with one output and up to three inputs (NULL ends them). */
static inline Onnx__NodeProto *tiny_node(struct tiny *t, const char *op, const char *out,
	const char *a, const char *b, const char *c)
{
	size_t i = t->graph.n_node++;
	Onnx__NodeProto *n = t->nodes[i] = &t->node[i];
	const char *in[3] = { a, b, c };

	onnx__node_proto__init(n);
	n->op_type = (char *)op;
	n->input = t->names[i];
	n->output = &t->names[i][3];
	t->names[i][3] = (char *)out;
	n->n_output = 1;
	while (n->n_input < 3 && in[n->n_input]) {
		t->names[i][n->n_input] = (char *)in[n->n_input];
		n->n_input++;
	}
	return n;
}

/* Adds an initializer of rank n over borrowed data. */
static inline Onnx__TensorProto *tiny_tensor(struct tiny *t, const char *name, int dtype,
	size_t rank, const int64_t *dims, const void *data, size_t bytes)
{
	size_t i = t->graph.n_initializer++;
	Onnx__TensorProto *x = t->tensors[i] = &t->tensor[i];

	onnx__tensor_proto__init(x);
	memcpy(t->dims[i], dims, rank * sizeof *dims);
	x->name = (char *)name;
	x->dims = t->dims[i];
	x->n_dims = rank;
	x->has_data_type = 1;
	x->data_type = dtype;
	x->has_raw_data = 1;
	x->raw_data.data = (uint8_t *)data;
	x->raw_data.len = bytes;
	return x;
}

/* Declares an input or output of type FP32; a dimension of -1 is open. */
static inline void tiny_io(
	struct tiny *t, int output, const char *name, size_t rank, const int64_t *dims)
{
	size_t i = t->graph.n_input + t->graph.n_output;

	onnx__value_info_proto__init(&t->value[i]);
	onnx__type_proto__init(&t->type[i]);
	onnx__type_proto__tensor__init(&t->ttype[i]);
	onnx__tensor_shape_proto__init(&t->shape[i]);
	t->value[i].name = (char *)name;
	t->value[i].type = &t->type[i];
	t->type[i].value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	t->type[i].tensor_type = &t->ttype[i];
	t->ttype[i].has_elem_type = 1;
	t->ttype[i].elem_type = 1;
	t->ttype[i].shape = &t->shape[i];
	t->shape[i].dim = t->dimp[i];
	t->shape[i].n_dim = rank;
	for (size_t d = 0; d < rank; d++) {
		t->dimp[i][d] = &t->dim[i][d];
		onnx__tensor_shape_proto__dimension__init(&t->dim[i][d]);
		if (dims[d] >= 0) {
			t->dim[i][d].value_case =
				ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
			t->dim[i][d].dim_value = dims[d];
		}
	}
	if (output)
		t->outputs[t->graph.n_output++] = &t->value[i];
	else
		t->inputs[t->graph.n_input++] = &t->value[i];
}

/* The file; the caller frees. */
static inline uint8_t *tiny_pack(const struct tiny *t, size_t *len)
{
	*len = onnx__model_proto__get_packed_size(&t->model);
	uint8_t *p = nx_alloc(*len, 1);
	onnx__model_proto__pack(&t->model, p);
	return p;
}

/* x [1,2,4,4] -> Conv 1x1 -> Relu -> Reshape [1,-1] -> Gemm -> y [1,3]. */
static inline uint8_t *tiny_cnn(size_t *len)
{
	static const float w[6] = { 1, 2, 3, 4, 5, 6 };
	static const int64_t target[2] = { 1, -1 };
	static float f[48 * 3];
	struct tiny t;

	tiny_init(&t);
	tiny_io(&t, 0, "x", 4, (const int64_t[]){ 1, 2, 4, 4 });
	tiny_io(&t, 1, "y", 2, (const int64_t[]){ 1, 3 });
	tiny_tensor(&t, "w", 1, 4, (const int64_t[]){ 3, 2, 1, 1 }, w, sizeof w);
	tiny_tensor(&t, "s", 7, 1, (const int64_t[]){ 2 }, target, sizeof target);
	tiny_tensor(&t, "f", 1, 2, (const int64_t[]){ 48, 3 }, f, sizeof f);
	/* Out of order on purpose. */
	tiny_node(&t, "Gemm", "y", "c", "f", NULL);
	tiny_node(&t, "Conv", "a", "x", "w", NULL);
	tiny_node(&t, "Reshape", "c", "b", "s", NULL);
	tiny_node(&t, "Relu", "b", "a", NULL, NULL);
	return tiny_pack(&t, len);
}

#endif
