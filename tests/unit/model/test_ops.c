/* SPDX-License-Identifier: Apache-2.0 */
/* Operators against values worked out by hand. */
#include "model/build.h"
#include "model/ops.h"

#include "core/alloc.h"
#include "unit.h"

#include <math.h>
#include <string.h>

/* A node with its tensors. */
struct call {
	struct nx_graph *g;
	struct nx_node *n;
	struct nx_tensor in[5], out[2];
	int64_t opset;
};

static void call_init(struct call *c, const char *op, size_t n_in, size_t n_out)
{
	memset(c, 0, sizeof *c);
	c->g = nx_graph_new("ops");
	c->n = nx_graph_add_node(c->g, op, "n", n_in, n_out);
	c->opset = 13;
}

static void call_release(struct call *c)
{
	for (size_t i = 0; i < 5; i++)
		nx_tensor_release(&c->in[i]);
	for (size_t i = 0; i < 2; i++)
		nx_tensor_release(&c->out[i]);
	nx_graph_free(&c->g);
}

static void set(struct nx_tensor *t, enum nx_dtype dtype, const void *data, int rank, int64_t a,
	int64_t b, int64_t c, int64_t d)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_shape s = { rank, { a, b, c, d } };

	ck_assert_int_eq(nx_tensor_init(t, dtype, &s, &err), 0);
	memcpy(t->data, data, t->bytes);
}

static struct nx_attr *attr(struct call *c, const char *name, enum nx_attr_kind kind)
{
	c->n->attrs = nx_realloc(c->n->attrs, c->n->n_attrs + 1, sizeof *c->n->attrs);
	struct nx_attr *a = &c->n->attrs[c->n->n_attrs++];
	*a = (struct nx_attr){ .name = nx_strdup(name), .kind = kind };
	return a;
}

static void attr_int(struct call *c, const char *name, int64_t v)
{
	attr(c, name, NX_ATTR_INT)->i = v;
}

static void attr_str(struct call *c, const char *name, const char *v)
{
	attr(c, name, NX_ATTR_STRING)->s = nx_strdup(v);
}

static void attr_ints(struct call *c, const char *name, size_t n, const int64_t *v)
{
	struct nx_attr *a = attr(c, name, NX_ATTR_INTS);

	a->n = n;
	a->ints = nx_alloc(n, sizeof *v);
	memcpy(a->ints, v, n * sizeof *v);
}

/* Infers and computes; 0 or the error's code. */
static int run(struct call *c, struct nx_err *err)
{
	const struct nx_tensor *in[5];
	struct nx_tensor *out[2];

	nx_node_sort_attrs(c->n);
	for (size_t i = 0; i < 5; i++)
		in[i] = c->in[i].data ? &c->in[i] : NULL;
	for (size_t i = 0; i < 2; i++)
		out[i] = &c->out[i];
	int rc = nx_op_infer(c->opset, c->n, in, out, err);
	for (size_t i = 0; rc == 0 && i < c->n->n_out; i++) {
		struct nx_shape s = c->out[i].shape;
		rc = nx_tensor_init(&c->out[i], c->out[i].dtype, &s, err);
	}
	return rc ? rc : nx_op_eval(c->opset, c->n, in, out, err);
}

/* Runs, compares shape and floats, releases. */
static void expect_f32(struct call *c, const char *shape, const float *want)
{
	struct nx_err err = NX_ERR_INIT;
	char text[64];

	ck_assert_msg(run(c, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(nx_shape_format(&c->out[0].shape, text, sizeof text), shape);
	for (int64_t i = 0; i < nx_shape_count(&c->out[0].shape); i++)
		ck_assert_float_eq_tol(((float *)c->out[0].data)[i], want[i], 1e-5f);
	call_release(c);
}

static void expect_i64(struct call *c, const char *shape, const int64_t *want)
{
	struct nx_err err = NX_ERR_INIT;
	char text[64];

	ck_assert_msg(run(c, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(nx_shape_format(&c->out[0].shape, text, sizeof text), shape);
	ck_assert_mem_eq(c->out[0].data, want, c->out[0].bytes);
	call_release(c);
}

static void expect_error(struct call *c, int code)
{
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(run(c, &err), -code);
	call_release(c);
}

static const float count[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

START_TEST(arithmetic_broadcasts)
{
	struct call c;
	const int64_t a[] = { 7, -7, INT64_MIN, 5 }, b[] = { 2, 2, -1, 0 };

	call_init(&c, "Add", 2, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 3, 0, 0);
	set(&c.in[1], NX_F32, (float[]){ 10, 20, 30 }, 1, 3, 0, 0, 0);
	expect_f32(&c, "[2,3]", (float[]){ 11, 22, 33, 14, 25, 36 });
	call_init(&c, "Mul", 2, 1);
	set(&c.in[0], NX_F32, count, 3, 2, 1, 2, 0);
	set(&c.in[1], NX_F32, (float[]){ 1, 10 }, 2, 2, 1, 0, 0);
	expect_f32(&c, "[2,2,2]", (float[]){ 1, 2, 10, 20, 3, 4, 30, 40 });
	call_init(&c, "Div", 2, 1);
	set(&c.in[0], NX_I64, a, 1, 4, 0, 0, 0);
	set(&c.in[1], NX_I64, b, 1, 4, 0, 0, 0);
	expect_i64(&c, "[4]", (int64_t[]){ 3, -3, INT64_MIN, 0 });
	call_init(&c, "Mod", 2, 1);
	set(&c.in[0], NX_I64, a, 1, 4, 0, 0, 0);
	set(&c.in[1], NX_I64, b, 1, 4, 0, 0, 0);
	expect_i64(&c, "[4]", (int64_t[]){ 1, 1, 0, 0 });
	call_init(&c, "Sub", 2, 1);
	set(&c.in[0], NX_F32, count, 1, 3, 0, 0, 0);
	set(&c.in[1], NX_F32, count, 1, 2, 0, 0, 0);
	expect_error(&c, NX_EDATA);
}
END_TEST

START_TEST(slices_follow_numpy)
{
	struct call c;
	const int64_t x[] = { 0, 1, 2, 3, 4 };

	call_init(&c, "Slice", 5, 1);
	set(&c.in[0], NX_I64, x, 1, 5, 0, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ 1 }, 1, 1, 0, 0, 0);
	set(&c.in[2], NX_I64, (int64_t[]){ INT64_MAX }, 1, 1, 0, 0, 0);
	set(&c.in[3], NX_I64, (int64_t[]){ -1 }, 1, 1, 0, 0, 0);
	set(&c.in[4], NX_I64, (int64_t[]){ 2 }, 1, 1, 0, 0, 0);
	expect_i64(&c, "[2]", (int64_t[]){ 1, 3 });
	call_init(&c, "Slice", 5, 1);
	set(&c.in[0], NX_I64, x, 1, 5, 0, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ -1 }, 1, 1, 0, 0, 0);
	set(&c.in[2], NX_I64, (int64_t[]){ INT64_MIN }, 1, 1, 0, 0, 0);
	set(&c.in[3], NX_I64, (int64_t[]){ 0 }, 1, 1, 0, 0, 0);
	set(&c.in[4], NX_I64, (int64_t[]){ -2 }, 1, 1, 0, 0, 0);
	expect_i64(&c, "[3]", (int64_t[]){ 4, 2, 0 });
	call_init(&c, "Slice", 1, 1); /* opset 9 */
	set(&c.in[0], NX_I64, x, 1, 5, 0, 0, 0);
	attr_ints(&c, "starts", 1, (int64_t[]){ -2 });
	attr_ints(&c, "ends", 1, (int64_t[]){ 100 });
	expect_i64(&c, "[2]", (int64_t[]){ 3, 4 });
}
END_TEST

START_TEST(moves_keep_elements)
{
	struct call c;

	call_init(&c, "Transpose", 1, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 3, 0, 0);
	expect_f32(&c, "[3,2]", (float[]){ 1, 4, 2, 5, 3, 6 });
	call_init(&c, "Concat", 2, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 1, 0, 0);
	set(&c.in[1], NX_F32, count + 4, 2, 2, 2, 0, 0);
	attr_int(&c, "axis", -1);
	expect_f32(&c, "[2,3]", (float[]){ 1, 5, 6, 2, 7, 8 });
	call_init(&c, "DepthToSpace", 1, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 4, 1, 2);
	attr_int(&c, "blocksize", 2);
	expect_f32(&c, "[1,1,2,4]", (float[]){ 1, 3, 2, 4, 5, 7, 6, 8 });
	call_init(&c, "Pad", 2, 1);
	set(&c.in[0], NX_F32, count, 1, 3, 0, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ 2, 1 }, 1, 2, 0, 0, 0);
	attr_str(&c, "mode", "reflect");
	expect_f32(&c, "[6]", (float[]){ 3, 2, 1, 2, 3, 2 });
	call_init(&c, "Gather", 2, 1);
	set(&c.in[0], NX_F32, count, 2, 3, 2, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ -1, 0 }, 1, 2, 0, 0, 0);
	expect_f32(&c, "[2,2]", (float[]){ 5, 6, 1, 2 });
	call_init(&c, "Gather", 2, 1);
	set(&c.in[0], NX_F32, count, 1, 3, 0, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ 3 }, 1, 1, 0, 0, 0);
	expect_error(&c, NX_EDATA);
	call_init(&c, "Reshape", 2, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 3, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ 0, -1, 1 }, 1, 3, 0, 0, 0);
	expect_f32(&c, "[2,3,1]", count);
	call_init(&c, "Reshape", 2, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 3, 0, 0);
	set(&c.in[1], NX_I64, (int64_t[]){ 4, -1 }, 1, 2, 0, 0, 0);
	expect_error(&c, NX_EDATA);
}
END_TEST

/* 40 of 101 numbers with doubles and a NaN: each comes before the next. */
START_TEST(topk_is_in_order)
{
	struct nx_err err = NX_ERR_INIT;
	float x[101];
	int64_t k = 40;
	struct call c;

	for (int i = 0; i < 101; i++)
		x[i] = (float)(i * 37 % 61);
	x[50] = NAN;
	call_init(&c, "TopK", 2, 2);
	set(&c.in[0], NX_F32, x, 2, 1, 101, 0, 0);
	set(&c.in[1], NX_I64, &k, 1, 1, 0, 0, 0);
	ck_assert_msg(run(&c, &err) == 0, "%s", err.msg);
	const int64_t *at = c.out[1].data;
	ck_assert_int_eq(at[0], 50);
	for (int i = 1; i < 40; i++) {
		ck_assert_float_eq(((float *)c.out[0].data)[i], x[at[i]]);
		ck_assert(i == 1 || x[at[i]] < x[at[i - 1]] ||
			  (x[at[i]] == x[at[i - 1]] && at[i] > at[i - 1]));
	}
	int larger = 0;
	for (int i = 0; i < 101; i++)
		larger += x[i] > x[at[39]];
	ck_assert_int_le(larger, 38);
	call_release(&c);
}
END_TEST

START_TEST(windows_slide)
{
	struct call c;

	call_init(&c, "Conv", 3, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 1, 3, 3);
	set(&c.in[1], NX_F32, (float[]){ 1, 0, 0, 1 }, 4, 1, 1, 2, 2);
	set(&c.in[2], NX_F32, (float[]){ 0.5f }, 1, 1, 0, 0, 0);
	expect_f32(&c, "[1,1,2,2]", (float[]){ 6.5f, 8.5f, 12.5f, 14.5f });
	call_init(&c, "Conv", 2, 1); /* depthwise, two channels */
	set(&c.in[0], NX_F32, count, 4, 1, 2, 1, 2);
	set(&c.in[1], NX_F32, (float[]){ 2, 10 }, 4, 2, 1, 1, 1);
	attr_int(&c, "group", 2);
	expect_f32(&c, "[1,2,1,2]", (float[]){ 2, 4, 30, 40 });
	call_init(&c, "MaxPool", 1, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 1, 3, 3);
	attr_ints(&c, "kernel_shape", 2, (int64_t[]){ 2, 2 });
	attr_ints(&c, "strides", 2, (int64_t[]){ 2, 2 });
	attr_int(&c, "ceil_mode", 1);
	expect_f32(&c, "[1,1,2,2]", (float[]){ 5, 6, 8, 9 });
	call_init(&c, "AveragePool", 1, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 1, 2, 2);
	attr_ints(&c, "kernel_shape", 2, (int64_t[]){ 2, 2 });
	attr_ints(&c, "pads", 4, (int64_t[]){ 1, 1, 0, 0 });
	expect_f32(&c, "[1,1,2,2]", (float[]){ 1, 1.5f, 2, 2.5f });
	call_init(&c, "Conv", 2, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 1, 2, 2);
	set(&c.in[1], NX_F32, count, 4, 1, 1, 3, 3);
	expect_error(&c, NX_EDATA);
}
END_TEST

START_TEST(products_sum)
{
	struct call c;

	call_init(&c, "Gemm", 3, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 2, 0, 0);
	set(&c.in[1], NX_F32, count, 2, 2, 2, 0, 0);
	set(&c.in[2], NX_F32, (float[]){ 100, 200 }, 1, 2, 0, 0, 0);
	attr_int(&c, "transB", 1);
	expect_f32(&c, "[2,2]", (float[]){ 105, 211, 111, 225 });
	call_init(&c, "MatMul", 2, 1);
	set(&c.in[0], NX_F32, count, 3, 2, 1, 2, 0);
	set(&c.in[1], NX_F32, (float[]){ 1, 1 }, 1, 2, 0, 0, 0);
	expect_f32(&c, "[2,1]", (float[]){ 3, 7 });
	call_init(&c, "ReduceMean", 1, 1);
	set(&c.in[0], NX_F32, count, 2, 2, 3, 0, 0);
	attr_ints(&c, "axes", 1, (int64_t[]){ -1 });
	attr_int(&c, "keepdims", 0);
	expect_f32(&c, "[2]", (float[]){ 2, 5 });
	call_init(&c, "Softmax", 1, 1);
	c.opset = 9; /* all behind the axis together */
	set(&c.in[0], NX_F32, (float[]){ 0, 0, 0, 0 }, 3, 1, 2, 2, 0);
	expect_f32(&c, "[1,2,2]", (float[]){ 0.25f, 0.25f, 0.25f, 0.25f });
	call_init(&c, "Softmax", 1, 1);
	set(&c.in[0], NX_F32, (float[]){ 0, 0, 1000, 1000 }, 3, 1, 2, 2, 0);
	expect_f32(&c, "[1,2,2]", (float[]){ 0.5f, 0.5f, 0.5f, 0.5f });
	call_init(&c, "ArgMax", 1, 1);
	set(&c.in[0], NX_F32, (float[]){ 1, 3, 3, 0 }, 2, 2, 2, 0, 0);
	attr_int(&c, "axis", 1);
	expect_i64(&c, "[2,1]", (int64_t[]){ 1, 0 });
}
END_TEST

START_TEST(resize_maps_coordinates)
{
	struct call c;
	const float two[] = { 1, 1, 1, 2 };

	call_init(&c, "Upsample", 2, 1);
	c.opset = 9;
	set(&c.in[0], NX_F32, count, 4, 1, 1, 1, 2);
	set(&c.in[1], NX_F32, two, 1, 4, 0, 0, 0);
	expect_f32(&c, "[1,1,1,4]", (float[]){ 1, 1, 2, 2 });
	call_init(&c, "Resize", 3, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 1, 1, 2);
	set(&c.in[2], NX_F32, two, 1, 4, 0, 0, 0);
	attr_str(&c, "mode", "linear");
	expect_f32(&c, "[1,1,1,4]", (float[]){ 1, 1.25f, 1.75f, 2 });
	call_init(&c, "Resize", 4, 1);
	set(&c.in[0], NX_F32, count, 4, 1, 1, 1, 2);
	set(&c.in[3], NX_I64, (int64_t[]){ 1, 1, 1, 3 }, 1, 4, 0, 0, 0);
	attr_str(&c, "mode", "linear");
	attr_str(&c, "coordinate_transformation_mode", "align_corners");
	expect_f32(&c, "[1,1,1,3]", (float[]){ 1, 1.5f, 2 });
}
END_TEST

/* Every half is exact as a float and comes back; between two halves the even one is taken. */
START_TEST(halves_round_trip)
{
	for (uint32_t h = 0; h < 65536; h++) {
		float f = nx_half_to_float((uint16_t)h);
		if (!isnan(f))
			ck_assert_uint_eq(nx_float_to_half(f), h);
	}
	ck_assert_uint_eq(nx_float_to_half(1.0f + 0x1p-11f), 0x3c00);
	ck_assert_uint_eq(nx_float_to_half(65520.0f), 0x7c00);
	ck_assert(isnan(nx_half_to_float(nx_float_to_half(NAN))));
	ck_assert_float_eq(nx_bf16_to_float(nx_float_to_bf16(-2.5f)), -2.5f);
}
END_TEST

START_TEST(the_table_is_sorted)
{
	static const char *const names[] = { "Abs", "ArgMax", "BatchNormalization", "Clip",
		"ConvTranspose", "Equal", "GlobalMaxPool", "LRN", "LayerNormalization", "MaxPool",
		"PRelu", "Pad", "ReduceSumSquare", "Resize", "Selu", "Slice", "Softmax",
		"SpaceToDepth", "Split", "Tile", "TopK", "Unsqueeze", "Where", "Xor" };

	for (size_t i = 0; i < NX_ARRAY_LEN(names); i++)
		ck_assert_msg(nx_op_find("", names[i]) != NULL, "%s", names[i]);
	ck_assert_ptr_null(nx_op_find("com.vendor", "Abs"));
	ck_assert_ptr_null(nx_op_find("", "Zzz"));
}
END_TEST

UNIT_MAIN("model/ops", arithmetic_broadcasts, slices_follow_numpy, moves_keep_elements,
	windows_slide, products_sum, topk_is_in_order, resize_maps_coordinates, halves_round_trip,
	the_table_is_sorted)
