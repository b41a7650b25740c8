/* SPDX-License-Identifier: Apache-2.0 */
/* Loading, hostile files, and graphs of a batch size. */
#include "model/model.h"

#include "core/rng.h"
#include "tiny.h"
#include "unit.h"

static int load(const void *data, size_t len, struct nx_model **m, struct nx_err *err)
{
	return nx_model_load_bytes(data, len, "tiny.onnx", m, err);
}

/* Packs, loads and frees; the code of the result, its message in err. */
static int load_tiny(const struct tiny *t, struct nx_err *err)
{
	struct nx_model *m;
	size_t len;
	uint8_t *data = tiny_pack(t, &len);
	int rc = load(data, len, &m, err);

	nx_model_free(&m);
	free(data);
	return rc;
}

/* x -> op -> y with shapes to fill in. */
static void start(struct tiny *t, size_t rank, const int64_t *dims)
{
	tiny_init(t);
	tiny_io(t, 0, "x", rank, dims);
	tiny_io(t, 1, "y", 1, (const int64_t[]){ 1 });
}

START_TEST(baked_batch_is_rewritten)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_graph *g;
	struct nx_shape row;
	char text[64];
	size_t len;
	uint8_t *data = tiny_cnn(&len);

	ck_assert_msg(load(data, len, &m, &err) == 0, "%s", err.msg);
	nx_model_row_shape(m, true, 0, &row);
	ck_assert_str_eq(nx_shape_format(&row, text, sizeof text), "[-1,3]");
	ck_assert_str_eq(m->name, "tiny");
	for (int64_t batch = 1; batch <= 5; batch += 4) {
		ck_assert_msg(nx_graph_specialize(m->graph, batch, &g, &err) == 0, "%s", err.msg);
		ck_assert_uint_eq(g->n_nodes, 4);
		ck_assert_str_eq(g->nodes[0].op, "Conv");
		ck_assert_str_eq(g->nodes[3].op, "Gemm");
		const struct nx_shape *s = &g->values[g->out[0]].shape;
		ck_assert(s->rank == 2 && s->dim[0] == batch && s->dim[1] == 3);
		/* Weights are shared, not copied. */
		ck_assert_ptr_eq(g->values[g->nodes[3].in[1]].constant,
			m->graph->values[m->graph->nodes[3].in[1]].constant);
		nx_graph_free(&g);
	}
	nx_model_free(&m);
	free(data);
}
END_TEST

START_TEST(a_graph_outlives_its_model)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_graph *g;
	size_t len;
	uint8_t *data = tiny_cnn(&len);

	ck_assert_int_eq(load(data, len, &m, &err), 0);
	ck_assert_int_eq(nx_graph_specialize(m->graph, 2, &g, &err), 0);
	nx_model_free(&m);
	/* 6 weights, the target of the Reshape, 48 by 3 weights. */
	ck_assert_uint_eq(nx_graph_weights_bytes(g), 6 * 4 + 2 * 8 + 144 * 4);
	nx_graph_free(&g);
	free(data);
}
END_TEST

/* A Transpose puts the rows on axis 1, so that the Reshape would interleave them; shapes alone
 * would look right. */
START_TEST(interleaved_rows_are_refused)
{
	static const int64_t target[2] = { -1, 3 };
	Onnx__AttributeProto perm, *perms[1] = { &perm };
	int64_t order[3] = { 1, 0, 2 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_graph *g;
	struct tiny t;
	size_t len;

	start(&t, 3, (const int64_t[]){ -1, 2, 3 });
	tiny_tensor(&t, "s", 7, 1, (const int64_t[]){ 2 }, target, sizeof target);
	Onnx__NodeProto *n = tiny_node(&t, "Transpose", "a", "x", NULL, NULL);
	onnx__attribute_proto__init(&perm);
	perm.name = (char *)"perm";
	perm.ints = order;
	perm.n_ints = 3;
	n->attribute = perms;
	n->n_attribute = 1;
	tiny_node(&t, "Reshape", "y", "a", "s", NULL);
	uint8_t *data = tiny_pack(&t, &len);
	ck_assert_int_eq(load(data, len, &m, &err), 0);
	ck_assert_int_eq(nx_graph_specialize(m->graph, 1, &g, &err), 0);
	nx_graph_free(&g);
	ck_assert_int_eq(nx_graph_specialize(m->graph, 2, &g, &err), -NX_EUNSUPP);
	ck_assert_ptr_null(g);
	nx_model_free(&m);
	free(data);
}
END_TEST

START_TEST(unsupported_operators_are_all_named)
{
	struct nx_err err = NX_ERR_INIT;
	struct tiny t;

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_node(&t, "Foo", "a", "x", NULL, NULL);
	tiny_node(&t, "If", "b", "a", NULL, NULL);
	tiny_node(&t, "Loop", "c", "b", NULL, NULL);
	tiny_node(&t, "Scan", "d", "c", NULL, NULL);
	tiny_node(&t, "Bar", "y", "d", NULL, NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EUNSUPP);
	ck_assert_ptr_nonnull(strstr(err.msg, "Foo (node 'a'), If (node 'b'), Loop (node 'c'), "
					      "Scan (node 'd'), Bar (node 'y')"));
}
END_TEST

START_TEST(contradictions_are_refused)
{
	static const float v[4] = { 1, 2, 3, 4 };
	struct nx_err err = NX_ERR_INIT;
	struct tiny t;

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_node(&t, "Relu", "a", "y", NULL, NULL);
	tiny_node(&t, "Relu", "y", "a", NULL, NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "depends on itself"));

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_node(&t, "Relu", "y", "nowhere", NULL, NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "nothing makes 'nowhere'"));

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_node(&t, "Relu", "y", "x", NULL, NULL);
	tiny_node(&t, "Abs", "y", "x", NULL, NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "defined twice"));

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_tensor(&t, "w", 1, 2, (const int64_t[]){ 1 << 20, 1 << 20 }, v, sizeof v);
	tiny_node(&t, "Add", "y", "x", "w", NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "initializer 'w'"));

	start(&t, 2, (const int64_t[]){ 1, 2 });
	Onnx__TensorProto *w = tiny_tensor(&t, "w", 1, 1, (const int64_t[]){ 2 }, v, 8);
	w->has_data_location = 1;
	w->data_location = 1;
	tiny_node(&t, "Add", "y", "x", "w", NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EUNSUPP);

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_tensor(&t, "w", 1, 1, (const int64_t[]){ 3 }, v, 12);
	tiny_node(&t, "Add", "y", "x", "w", NULL);
	ck_assert_int_eq(load_tiny(&t, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "do not broadcast"));
}
END_TEST

/* Initializers listed as inputs (IR 3) are constants, "" is an input left out, and an output
 * that is an input gets a node of its own. */
START_TEST(constants_and_pass_through)
{
	static const float v[2] = { 1, 2 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_graph *g;
	struct tiny t;
	size_t len;

	tiny_init(&t);
	tiny_io(&t, 0, "x", 2, (const int64_t[]){ 1, 2 });
	tiny_io(&t, 0, "w", 1, (const int64_t[]){ 2 });
	tiny_io(&t, 1, "x", 2, (const int64_t[]){ 1, 2 });
	tiny_io(&t, 1, "y", 2, (const int64_t[]){ 1, 2 });
	tiny_tensor(&t, "w", 1, 1, (const int64_t[]){ 2 }, v, sizeof v);
	tiny_node(&t, "Clip", "a", "x", "", NULL);
	tiny_node(&t, "Add", "y", "a", "w", NULL);
	uint8_t *data = tiny_pack(&t, &len);
	ck_assert_msg(load(data, len, &m, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(m->graph->n_in, 1);
	ck_assert_int_eq(m->graph->nodes[0].in[1], NX_NO_VALUE);
	ck_assert_int_eq(nx_graph_specialize(m->graph, 3, &g, &err), 0);
	ck_assert_uint_eq(g->n_nodes, 3);
	ck_assert_str_eq(g->nodes[2].op, "Identity");
	ck_assert_int_ne(g->out[0], g->in[0]);
	nx_graph_free(&g);
	nx_model_free(&m);
	free(data);
}
END_TEST

START_TEST(a_sum_of_two_is_an_add)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct tiny t;
	size_t len;

	start(&t, 2, (const int64_t[]){ 1, 2 });
	tiny_node(&t, "Relu", "a", "x", NULL, NULL);
	tiny_node(&t, "Sum", "b", "x", "a", NULL);
	tiny_node(&t, "Sum", "y", "x", "a", "b");
	uint8_t *data = tiny_pack(&t, &len);
	ck_assert_msg(load(data, len, &m, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(m->graph->nodes[1].op, "Add");
	ck_assert_str_eq(m->graph->nodes[2].op, "Sum");
	nx_model_free(&m);
	free(data);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	/* model.graph.node.attribute.g.node.attribute.g … : 7, 1, 5, 6 as tags. */
	enum { DEPTH = 3000 };
	static const uint8_t tags[4] = { 0x3a, 0x0a, 0x2a, 0x32 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	uint8_t *data = nx_alloc(DEPTH * 6, 1), *p = data + DEPTH * 6;

	for (int i = DEPTH; i-- > 0;) {
		size_t n = (size_t)(data + DEPTH * 6 - p);
		*--p = (uint8_t)(n >> 14);
		*--p = (uint8_t)(n >> 7 | 0x80);
		*--p = (uint8_t)(n | 0x80);
		*--p = i == 0 ? tags[0] : tags[1 + (i - 1) % 3];
	}
	ck_assert_int_eq(load(p, (size_t)(data + DEPTH * 6 - p), &m, &err), -NX_EDATA);
	ck_assert_msg(strstr(err.msg, "nested") != NULL, "%s", err.msg);
	free(data);
}
END_TEST

/* Whatever the damage, it is an error or a model: never a crash, a leak or a hang. */
START_TEST(damaged_files_never_crash)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_rng rng;
	size_t len, refused = 0;
	uint8_t *data = tiny_cnn(&len), *copy = nx_alloc(len, 1);

	for (size_t n = 0; n < len; n += 3) {
		uint8_t *cut = nx_alloc(n, 1);
		memcpy(cut, data, n);
		refused += load(cut, n, &m, &err) != 0;
		nx_model_free(&m);
		free(cut);
	}
	ck_assert_uint_ge(refused, len / 3 - 8);
	nx_rng_init(&rng, 42);
	for (int i = 0; i < 3000; i++) {
		memcpy(copy, data, len);
		for (uint64_t k = 1 + nx_rng_below(&rng, 4); k; k--)
			copy[nx_rng_below(&rng, len < 400 || k % 2 ? len : 400)] ^=
				(uint8_t)(1u << nx_rng_below(&rng, 8));
		if (load(copy, len, &m, &err) == 0) {
			struct nx_graph *g;
			if (nx_graph_specialize(m->graph, 2, &g, &err) == 0)
				nx_graph_free(&g);
			nx_model_free(&m);
		}
	}
	free(copy);
	free(data);
}
END_TEST

UNIT_MAIN("model/graph", baked_batch_is_rewritten, a_graph_outlives_its_model,
	interleaved_rows_are_refused, unsupported_operators_are_all_named,
	contradictions_are_refused, constants_and_pass_through, a_sum_of_two_is_an_add,
	deep_nesting_is_refused, damaged_files_never_crash)
