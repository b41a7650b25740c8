/* SPDX-License-Identifier: Apache-2.0 */
/* Constants: who keeps them, and what tells them apart. */
#include "core/alloc.h"
#include "model/build.h"
#include "unit.h"

#include <string.h>

static struct nx_tensor tensor(enum nx_dtype dtype, int64_t rows, int64_t columns)
{
	const struct nx_shape s = { 2, { rows, columns } };
	struct nx_err err = NX_ERR_INIT;
	struct nx_tensor t;

	ck_assert_int_eq(nx_tensor_init(&t, dtype, &s, &err), 0);
	for (size_t i = 0; i < t.bytes; i++)
		((uint8_t *)t.data)[i] = (uint8_t)i;
	return t;
}

static bool same_id(struct nx_tensor *a, struct nx_tensor *b)
{
	return memcmp(nx_const_id(a), nx_const_id(b), NX_CONST_ID_SIZE) == 0;
}

START_TEST(ids_are_those_of_the_contents)
{
	struct nx_tensor t[] = { tensor(NX_F32, 2, 3), tensor(NX_F32, 2, 3), tensor(NX_F32, 3, 2),
		tensor(NX_I32, 2, 3), tensor(NX_F32, 2, 3), tensor(NX_F32, 0, 3),
		tensor(NX_F32, 3, 0) };
	struct nx_tensor *c[NX_ARRAY_LEN(t)];

	((uint8_t *)t[4].data)[23] ^= 1;
	for (size_t i = 0; i < NX_ARRAY_LEN(t); i++)
		c[i] = nx_const_new(&t[i]);
	ck_assert_ptr_null(t[0].data);
	ck_assert_ptr_eq(nx_const_id(c[0]), nx_const_id(c[0]));
	for (size_t i = 0; i < NX_ARRAY_LEN(t); i++) {
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(
				same_id(c[i], c[k]) == (i == 1 && k == 0), "%zu and %zu", i, k);
	}
	for (size_t i = 0; i < NX_ARRAY_LEN(t); i++)
		nx_const_unref(&c[i]);
	nx_const_unref(&c[0]);
}
END_TEST

START_TEST(a_constant_lives_as_long_as_its_readers)
{
	struct nx_graph *a = nx_graph_new("a"), *b = nx_graph_new("b");
	struct nx_tensor t = tensor(NX_F32, 4, 4), *held;
	int in_a = nx_graph_add_value(a, "w"), in_b = nx_graph_add_value(b, "v");

	nx_graph_set_constant(a, in_a, &t);
	nx_graph_share_constant(b, in_b, a->values[in_a].constant);
	ck_assert_ptr_eq(b->values[in_b].constant, a->values[in_a].constant);
	ck_assert_int_eq(b->values[in_b].shape.dim[1], 4);
	held = nx_const_ref(b->values[in_b].constant);
	struct nx_graph *c = nx_graph_clone(a);
	nx_graph_free(&a);
	nx_graph_free(&b);
	nx_graph_free(&c);
	ck_assert_uint_eq(((const uint8_t *)held->data)[63], 63);
	nx_const_unref(&held);
	ck_assert_ptr_null(held);
}
END_TEST

START_TEST(constants_nobody_reads_are_dropped)
{
	struct nx_graph *g = nx_graph_new("g");
	struct nx_tensor read = tensor(NX_F32, 1, 1), unread = tensor(NX_F32, 1, 1),
			 given = tensor(NX_F32, 1, 1), instead = tensor(NX_F32, 2, 2);
	int v[4];

	for (size_t i = 0; i < NX_ARRAY_LEN(v); i++)
		v[i] = nx_graph_add_value(g, "v");
	nx_graph_set_constant(g, v[0], &read);
	nx_graph_set_constant(g, v[1], &unread);
	nx_graph_set_constant(g, v[2], &given);
	/* The first contents go when others take their place. */
	nx_graph_set_constant(g, v[0], &instead);
	struct nx_node *n = nx_graph_add_node(g, "Relu", "n", 1, 1);
	n->in[0] = v[0];
	n->out[0] = v[3];
	nx_graph_add_io(&g->out, &g->n_out, v[3]);
	nx_graph_add_io(&g->out, &g->n_out, v[2]);
	nx_graph_drop_dead(g);
	ck_assert_int_eq(g->values[v[0]].constant->shape.dim[0], 2);
	ck_assert_ptr_null(g->values[v[1]].constant);
	ck_assert_ptr_nonnull(g->values[v[2]].constant);
	nx_graph_free(&g);
}
END_TEST

UNIT_MAIN("model/constant", ids_are_those_of_the_contents, a_constant_lives_as_long_as_its_readers,
	constants_nobody_reads_are_dropped)
