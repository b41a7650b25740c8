/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose form changed between opsets: the older and the newer one give the same, and
 * defaults are those of the model's opset. */
#include "interpret.h"

#include <math.h>

static const float seq[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static struct nx_graph *start(int64_t opset)
{
	struct nx_graph *g = nx_graph_new("o");

	g->opset = opset;
	return g;
}

static int i64s(struct nx_graph *g, size_t n, const int64_t *v)
{
	return constant(g, NX_I64, v, SHAPE((int64_t)n));
}

static void attr_ints(struct nx_graph *g, const char *name, size_t n, const int64_t *v)
{
	struct nx_attr *a = attr(g, name, NX_ATTR_INTS);

	a->n = n;
	a->ints = nx_alloc(n, sizeof *v);
	memcpy(a->ints, v, n * sizeof *v);
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

static void attr_str(struct nx_graph *g, const char *name, const char *s)
{
	attr(g, name, NX_ATTR_STRING)->s = nx_strdup(s);
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

/* Closes the graph for x, runs it, compares shape and numbers; frees the graph. */
static void expect(struct nx_graph *g, int out, int rank, const int64_t *dims, const char *shape,
	const float *want)
{
	struct nx_tensor x = tensor(NX_F32, seq, rank, dims);
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *closed;
	char text[64];

	nx_graph_add_io(&g->out, &g->n_out, out);
	nx_graph_align_legacy(g);
	ck_assert_msg(nx_graph_close(g, &x, &closed, &err) == 0, "%s", err.msg);
	struct nx_tensor y = interpret(closed, &x);
	ck_assert_str_eq(nx_shape_format(&y.shape, text, sizeof text), shape);
	for (int64_t i = 0; i < nx_shape_count(&y.shape); i++)
		ck_assert_double_eq_tol(nx_tensor_real(&y, i), (double)want[i], 1e-5);
	nx_tensor_release(&y);
	nx_tensor_release(&x);
	nx_graph_free(&closed);
	nx_graph_free(&g);
}

START_TEST(axes_move_from_attribute_to_input)
{
	static const int64_t last[1] = { -1 };
	static const float sums[2] = { 6, 15 }, means[2] = { 2, 5 };

	for (int newer = 0; newer < 2; newer++) {
		static const char *const ops[] = { "ReduceSum", "ReduceMean" };
		for (int k = 0; k < 2; k++) {
			struct nx_graph *g = start(newer ? (k ? 18 : 13) : (k ? 17 : 12));
			int x = input(g, NX_F32, SHAPE(-1, 3)), out;
			if (newer) {
				out = NODE(g, "", ops[k], x, i64s(g, 1, last));
			} else {
				out = NODE(g, "", ops[k], x);
				attr_ints(g, "axes", 1, last);
			}
			attr_int(g, "keepdims", 0);
			expect(g, out, SHAPE(2, 3), "[2]", k ? means : sums);
		}
	}
	struct nx_graph *g = start(18);
	int x = input(g, NX_F32, SHAPE(-1, 3)), out = NODE(g, "", "ReduceMax", x);
	attr_int(g, "noop_with_empty_axes", 1);
	expect(g, out, SHAPE(2, 3), "[2,3]", seq);
}
END_TEST

START_TEST(softmax_normalises_the_last_axis_since_13)
{
	static const float all[4] = { 0.0320586f, 0.0871443f, 0.2368828f, 0.6439142f };
	static const float each[4] = { 0.2689414f, 0.7310586f, 0.2689414f, 0.7310586f };

	for (int64_t opset = 12; opset <= 13; opset++) {
		struct nx_graph *g = start(opset);
		int x = input(g, NX_F32, SHAPE(1, 2, 2));
		expect(g, NODE(g, "", "Softmax", x), SHAPE(1, 2, 2), "[1,2,2]",
			opset < 13 ? all : each);
	}
}
END_TEST

START_TEST(pads_name_their_axes_since_18)
{
	static const int64_t all[4] = { 0, 1, 0, 2 }, some[2] = { 1, 2 }, axis[1] = { -1 };
	static const float filled[6] = { 9, 1, 2, 3, 9, 9 }, wrapped[6] = { 3, 1, 2, 3, 1, 2 };

	for (int form = 0; form < 4; form++) {
		struct nx_graph *g = start(form == 0 ? 10 : form == 1 ? 11 : form == 2 ? 18 : 19);
		int x = input(g, NX_F32, SHAPE(-1, 3)), out;
		int nine = constant(g, NX_F32, &(float){ 9 }, SCALAR);
		if (form == 0) {
			out = NODE(g, "", "Pad", x);
			attr_ints(g, "pads", 4, all);
			attr_float(g, "value", 9);
		} else if (form == 1) {
			out = NODE(g, "", "Pad", x, i64s(g, 4, all), nine);
		} else {
			out = NODE(g, "", "Pad", x, i64s(g, 2, some), nine, i64s(g, 1, axis));
			attr_str(g, "mode", form == 2 ? "constant" : "wrap");
		}
		expect(g, out, SHAPE(1, 3), "[1,6]", form == 3 ? wrapped : filled);
	}
}
END_TEST

START_TEST(upsampling_in_all_its_forms)
{
	static const float scales[3] = { 1, 1, 2 }, want[6] = { 1, 1, 2, 2, 3, 3 };
	static const int64_t sizes[1] = { 6 }, axis[1] = { 2 };

	for (int form = 0; form < 5; form++) {
		static const int64_t opset[] = { 7, 9, 10, 13, 18 };
		struct nx_graph *g = start(opset[form]);
		int x = input(g, NX_F32, SHAPE(-1, 1, 3)), out,
		    s = constant(g, NX_F32, scales, SHAPE(3));
		if (form == 0) {
			out = NODE(g, "", "Upsample", x);
			struct nx_attr *a = attr(g, "scales", NX_ATTR_FLOATS);
			a->n = 3;
			a->floats = nx_alloc(3, sizeof *scales);
			memcpy(a->floats, scales, sizeof scales);
		} else if (form == 1) {
			out = NODE(g, "", "Upsample", x, s);
		} else if (form == 2) {
			out = NODE(g, "", "Resize", x, s);
		} else if (form == 3) {
			out = NODE(g, "", "Resize", x, -1, s);
		} else {
			out = NODE(g, "", "Resize", x, -1, -1, i64s(g, 1, sizes));
			attr_ints(g, "axes", 1, axis);
		}
		expect(g, out, SHAPE(1, 1, 3), "[1,1,6]", want);
	}
}
END_TEST

START_TEST(shrinking_looks_at_all_since_18)
{
	static const int64_t sizes[1] = { 2 }, axis[1] = { 2 };
	static const float want[2] = { 1.625f, 3.375f };
	struct nx_graph *g = start(18);
	int x = input(g, NX_F32, SHAPE(-1, 1, 4));
	int out = NODE(g, "", "Resize", x, -1, -1, i64s(g, 1, sizes));

	attr_ints(g, "axes", 1, axis);
	attr_int(g, "antialias", 1);
	attr_str(g, "mode", "linear");
	expect(g, out, SHAPE(1, 1, 4), "[1,1,2]", want);
}
END_TEST

START_TEST(parts_of_a_split_may_be_unequal_since_18)
{
	struct nx_graph *g = start(18);
	int x = input(g, NX_F32, SHAPE(-1, 5)), out = -1;
	struct nx_node *n = nx_graph_add_node(g, "Split", "s", 1, 3);

	n->in[0] = x;
	for (int i = 0; i < 3; i++)
		n->out[i] = out = nx_graph_add_value(g, "part");
	attr_int(g, "axis", 1);
	attr_int(g, "num_outputs", 3);
	expect(g, out, SHAPE(1, 5), "[1,1]", seq + 4);
}
END_TEST

START_TEST(pools_dilate_since_19)
{
	static const int64_t kernel[1] = { 2 }, dilation[1] = { 3 };
	static const float want[3] = { 2.5f, 3.5f, 4.5f };
	struct nx_graph *g = start(19);
	int x = input(g, NX_F32, SHAPE(-1, 1, 6)), out = NODE(g, "", "AveragePool", x);

	attr_ints(g, "kernel_shape", 1, kernel);
	attr_ints(g, "dilations", 1, dilation);
	expect(g, out, SHAPE(1, 1, 6), "[1,1,3]", want);
}
END_TEST

START_TEST(groups_scale_by_channel_since_21)
{
	static const float scale18[2] = { 1, 2 }, scale21[4] = { 1, 1, 2, 3 };
	static const float bias[4] = { 0 };
	static const float want18[4] = { -1, 1, -2, 2 }, want21[4] = { -1, 1, -2, 3 };

	for (int newer = 0; newer < 2; newer++) {
		struct nx_graph *g = start(newer ? 21 : 18);
		int x = input(g, NX_F32, SHAPE(-1, 4));
		int s = newer ? constant(g, NX_F32, scale21, SHAPE(4))
			      : constant(g, NX_F32, scale18, SHAPE(2));
		int b = constant(g, NX_F32, bias, SHAPE(newer ? 4 : 2));
		int out = NODE(g, "", "GroupNormalization", x, s, b);
		attr_int(g, "num_groups", 2);
		attr_float(g, "epsilon", 0);
		expect(g, out, SHAPE(1, 4), "[1,4]", newer ? want21 : want18);
	}
}
END_TEST

START_TEST(gelu_has_two_forms)
{
	static const float exact[2] = { 0.8413447f, 1.9544997f },
			   approx[2] = { 0.8411920f, 1.9545977f };

	for (int form = 0; form < 2; form++) {
		struct nx_graph *g = start(20);
		int out = NODE(g, "", "Gelu", input(g, NX_F32, SHAPE(-1, 2)));
		attr_str(g, "approximate", form ? "tanh" : "none");
		expect(g, out, SHAPE(1, 2), "[1,2]", form ? approx : exact);
	}
}
END_TEST

START_TEST(a_cast_like_takes_the_type_of_another)
{
	static const float half[2] = { 1, 2 };
	struct nx_graph *g = start(15);
	int x = input(g, NX_F32, SHAPE(-1, 2));
	int out = NODE(g, "", "CastLike", x, constant(g, NX_I32, NULL, SHAPE(1)));

	expect(g, out, SHAPE(1, 2), "[1,2]", half);
}
END_TEST

/* b along axis 1 of a, which NumPy's rule would align with the last. */
START_TEST(opset_6_broadcasts_along_an_axis)
{
	static const float b[2] = { 10, 20 }, want[4] = { 11, 12, 23, 24 };
	static const float slope[2] = { 2, 3 }, slopes[4] = { -2, -4, -9, -12 };
	struct nx_graph *g = start(6);
	int x = input(g, NX_F32, SHAPE(-1, 2, 2));
	int out = NODE(g, "", "Add", x, constant(g, NX_F32, b, SHAPE(2)));

	attr_int(g, "axis", 1);
	attr_int(g, "broadcast", 1);
	expect(g, out, SHAPE(1, 2, 2), "[1,2,2]", want);
	g = start(6);
	x = NODE(g, "", "Neg", input(g, NX_F32, SHAPE(-1, 2, 2)));
	out = NODE(g, "", "PRelu", x, constant(g, NX_F32, slope, SHAPE(2)));
	expect(g, out, SHAPE(1, 2, 2), "[1,2,2]", slopes);
}
END_TEST

START_TEST(opset_6_broadcasts_in_batches)
{
	static const float b[2] = { 10, 20 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(6), *closed;
	int x = input(g, NX_F32, SHAPE(-1, 2, 2));
	int out = NODE(g, "", "Add", x, constant(g, NX_F32, b, SHAPE(2)));

	attr_int(g, "axis", 1);
	attr_int(g, "broadcast", 1);
	nx_graph_add_io(&g->out, &g->n_out, out);
	nx_graph_align_legacy(g);
	ck_assert_msg(nx_graph_specialize(g, 3, &closed, &err) == 0, "%s", err.msg);
	/* The aligned constant is folded: devices see an ordinary Add. */
	ck_assert_uint_eq(closed->n_nodes, 1);
	ck_assert_int_eq(closed->values[closed->nodes[0].in[1]].shape.rank, 2);
	nx_graph_free(&closed);
	nx_graph_free(&g);
}
END_TEST

START_TEST(reductions_of_nothing)
{
	static const char *const ops[] = { "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin" };
	static const float want[4] = { 0, 1, -INFINITY, INFINITY };

	for (int k = 0; k < 4; k++) {
		struct nx_tensor x = tensor(NX_F32, NULL, SHAPE(1, 0));
		struct nx_err err = NX_ERR_INIT;
		struct nx_graph *g = start(20), *closed;
		int out = NODE(g, "", ops[k], input(g, NX_F32, SHAPE(-1, -1)));
		nx_graph_add_io(&g->out, &g->n_out, out);
		ck_assert_msg(nx_graph_close(g, &x, &closed, &err) == 0, "%s", err.msg);
		struct nx_tensor y = interpret(closed, &x);
		ck_assert(*(float *)y.data == want[k]);
		nx_tensor_release(&y);
		nx_tensor_release(&x);
		nx_graph_free(&closed);
		nx_graph_free(&g);
	}
}
END_TEST

/* The target of a Reshape as an input: bound, and gone from the inputs. */
START_TEST(inputs_that_shapes_depend_on_are_bound)
{
	static const int64_t target[2] = { 3, 2 };
	struct nx_tensor in[2] = { tensor(NX_F32, seq, SHAPE(2, 3)),
		tensor(NX_I64, target, SHAPE(2)) };
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(13), *closed;
	int x = input(g, NX_F32, SHAPE(-1, -1)), t = input(g, NX_I64, SHAPE(2));

	nx_graph_add_io(&g->out, &g->n_out, NODE(g, "", "Reshape", x, t));
	ck_assert_msg(nx_graph_close(g, in, &closed, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(closed->n_in, 1);
	ck_assert_int_eq(closed->in[0], x);
	ck_assert_int_eq(closed->values[closed->out[0]].shape.dim[0], 3);
	nx_graph_free(&closed);
	in[1].shape.dim[0] = 3;
	ck_assert_int_eq(nx_graph_close(g, in, &closed, &err), -NX_EDATA);
	ck_assert_ptr_null(closed);
	nx_graph_free(&g);
	nx_tensor_release(&in[0]);
	nx_tensor_release(&in[1]);
}
END_TEST

UNIT_MAIN("model/opsets", axes_move_from_attribute_to_input,
	softmax_normalises_the_last_axis_since_13, pads_name_their_axes_since_18,
	upsampling_in_all_its_forms, shrinking_looks_at_all_since_18,
	parts_of_a_split_may_be_unequal_since_18, pools_dilate_since_19,
	groups_scale_by_channel_since_21, gelu_has_two_forms, a_cast_like_takes_the_type_of_another,
	opset_6_broadcasts_along_an_axis, opset_6_broadcasts_in_batches, reductions_of_nothing,
	inputs_that_shapes_depend_on_are_bound)
