/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised operators: the kernels, and the forms that are rewritten, against integer arithmetic.
 * Scales are powers of two, so that nothing but the last rounding is inexact. */
#include "core/rng.h"
#include "interpret.h"

#include <math.h>

#define MS "com.microsoft"

static uint8_t saturate(double v, int zero)
{
	v = nearbyint(v) + zero;
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static struct nx_graph *start(int64_t opset)
{
	struct nx_graph *g = nx_graph_new("q");

	g->opset = opset;
	return g;
}

/* Rewrites, closes for 'batch' rows and runs the rows x; releases the graph. */
static struct nx_tensor run(struct nx_graph *g, int out, int64_t batch, const struct nx_tensor *x)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *closed;

	nx_graph_add_io(&g->out, &g->n_out, out);
	ck_assert_msg(nx_graph_expand_qlinear(g, &err) == 0, "%s", err.msg);
	ck_assert_msg(nx_graph_specialize(g, batch, &closed, &err) == 0, "%s", err.msg);
	struct nx_tensor y = interpret(closed, x);
	nx_graph_free(&closed);
	nx_graph_free(&g);
	return y;
}

static struct nx_tensor random_codes(uint64_t seed, int rank, const int64_t *dims)
{
	struct nx_tensor t = tensor(NX_U8, NULL, rank, dims);
	struct nx_rng rng;

	nx_rng_init(&rng, seed);
	for (size_t i = 0; i < t.bytes; i++)
		((uint8_t *)t.data)[i] = (uint8_t)nx_rng_below(&rng, 256);
	return t;
}

START_TEST(quantize_rounds_to_even_and_saturates)
{
	static const float x[8] = { 0.25f, 0.75f, -0.25f, -70, 70, NAN, INFINITY, -1.5f };
	static const int8_t want[8] = { 5, 7, 5, -128, 127, -128, 127, 2 };
	struct nx_graph *g = start(13);
	struct nx_tensor t = tensor(NX_F32, x, SHAPE(1, 8));

	int in = input(g, NX_F32, SHAPE(-1, 8));
	struct nx_tensor y =
		run(g, NODE(g, "", "QuantizeLinear", in, scale(g, 0.5f), zero_i8(g, 5)), 1, &t);
	ck_assert_int_eq(y.dtype, NX_I8);
	ck_assert_mem_eq(y.data, want, sizeof want);
	nx_tensor_release(&y);
	nx_tensor_release(&t);
}
END_TEST

START_TEST(scales_lie_along_an_axis)
{
	static const int16_t x[6] = { 300, -300, 5, 7, 0, 1 }, zero[2] = { 0, 5 };
	static const float scales[2] = { 2, 0.5f }, want[6] = { 600, -600, 10, 1, -2.5f, -2 };
	struct nx_graph *g = start(21);
	struct nx_tensor t = tensor(NX_I16, x, SHAPE(1, 2, 3));

	int in = input(g, NX_I16, SHAPE(-1, 2, 3));
	int s = constant(g, NX_F32, scales, SHAPE(2)), z = constant(g, NX_I16, zero, SHAPE(2));
	int out = NODE(g, "", "DequantizeLinear", in, s, z);
	attr_int(g, "axis", -2);
	struct nx_tensor y = run(g, out, 1, &t);
	ck_assert_mem_eq(y.data, want, sizeof want);
	nx_tensor_release(&y);
	nx_tensor_release(&t);
}
END_TEST

START_TEST(forms_without_kernel_are_refused)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *closed;

	for (int form = 0; form < 3; form++) {
		struct nx_graph *g = start(21);
		float scales[3] = { 1, 2, 3 };
		int in = input(g, NX_U8, SHAPE(-1, 2));
		int s = constant(g, NX_F32, scales, SHAPE(form == 0 ? 3 : 2));
		int out = NODE(g, "", "DequantizeLinear", in, s, form == 1 ? zero_i8(g, 0) : -1);
		if (form == 2)
			attr_int(g, "block_size", 2);
		nx_graph_add_io(&g->out, &g->n_out, out);
		ck_assert_int_eq(nx_graph_specialize(g, 1, &closed, &err),
			form == 2 ? -NX_EUNSUPP : -NX_EDATA);
		nx_graph_free(&g);
	}
}
END_TEST

START_TEST(dynamic_range_covers_zero)
{
	static const float x[3] = { 0.5f, 2.55f, 1 };
	static const uint8_t want[3] = { 50, 255, 100 };
	struct nx_graph *g = start(13);
	struct nx_tensor t = tensor(NX_F32, x, SHAPE(1, 3));

	int in = input(g, NX_F32, SHAPE(-1, 3));
	struct nx_tensor y = run(g, NODE(g, "", "DynamicQuantizeLinear", in), 1, &t);
	ck_assert_mem_eq(y.data, want, sizeof want);
	nx_tensor_release(&y);
	nx_tensor_release(&t);
}
END_TEST

/* Three filters of 2 x 3 x 3 with scales of their own, and a bias. */
static uint8_t conv_at(const uint8_t *x, const int8_t *w, const int32_t *b, int o, int i, int j)
{
	static const double ws[3] = { 0.25, 0.5, 0.125 };
	int64_t sum = b[o];

	for (int c = 0; c < 2; c++)
		for (int u = 0; u < 3; u++)
			for (int v = 0; v < 3; v++)
				sum += (x[(c * 5 + i + u) * 5 + j + v] - 120) *
				       (w[((o * 2 + c) * 3 + u) * 3 + v] - 1);
	return saturate((double)sum * 0.5 * ws[o] / 64, 100);
}

START_TEST(qlinear_conv_is_exact)
{
	static const float ws[3] = { 0.25f, 0.5f, 0.125f };
	static const int8_t wz[3] = { 1, 1, 1 };
	static const int32_t b[3] = { 77, -900, 12 };
	struct nx_tensor w = random_codes(2, SHAPE(3, 2, 3, 3)),
			 x = random_codes(1, SHAPE(2, 2, 5, 5));

	for (int batch = 1; batch <= 2; batch++) {
		struct nx_graph *g = start(13);
		int in = input(g, NX_U8, SHAPE(-1, 2, 5, 5));
		x.shape.dim[0] = batch;
		x.bytes = (size_t)batch * 50;
		struct nx_tensor y = run(g,
			NODE(g, "", "QLinearConv", in, scale(g, 0.5f), zero_u8(g, 120),
				constant(g, NX_I8, w.data, SHAPE(3, 2, 3, 3)),
				constant(g, NX_F32, ws, SHAPE(3)), constant(g, NX_I8, wz, SHAPE(3)),
				scale(g, 64), zero_u8(g, 100), constant(g, NX_I32, b, SHAPE(3))),
			batch, &x);
		ck_assert_uint_eq(y.bytes, (size_t)batch * 27);
		for (int i = 0; i < batch * 27; i++)
			ck_assert_uint_eq(((uint8_t *)y.data)[i],
				conv_at((uint8_t *)x.data + i / 27 * 50, w.data, b, i / 9 % 3,
					i / 3 % 3, i % 3));
		nx_tensor_release(&y);
	}
	nx_tensor_release(&w);
	nx_tensor_release(&x);
}
END_TEST

START_TEST(integer_products_are_exact)
{
	struct nx_tensor x = random_codes(3, SHAPE(4, 6)), w = random_codes(4, SHAPE(6, 3));
	static const uint8_t wz[3] = { 1, 128, 255 };
	struct nx_graph *g = start(13);
	int in = input(g, NX_U8, SHAPE(-1, 6));
	struct nx_tensor y = run(g,
		NODE(g, "", "MatMulInteger", in, constant(g, NX_U8, w.data, SHAPE(6, 3)),
			zero_u8(g, 9), constant(g, NX_U8, wz, SHAPE(3))),
		4, &x);

	ck_assert_int_eq(y.dtype, NX_I32);
	for (int i = 0; i < 12; i++) {
		int32_t sum = 0;
		for (int k = 0; k < 6; k++)
			sum += (((uint8_t *)x.data)[i / 3 * 6 + k] - 9) *
			       (((uint8_t *)w.data)[k * 3 + i % 3] - wz[i % 3]);
		ck_assert_int_eq(((int32_t *)y.data)[i], sum);
	}
	nx_tensor_release(&y);
	nx_tensor_release(&w);
	nx_tensor_release(&x);
}
END_TEST

START_TEST(qgemm_scales_product_and_bias)
{
	struct nx_tensor x = random_codes(5, SHAPE(2, 4)), w = random_codes(6, SHAPE(3, 4));
	static const int32_t b[3] = { 100, -3000, 5 };

	for (int codes = 0; codes < 2; codes++) {
		struct nx_graph *g = start(13);
		int in = input(g, NX_U8, SHAPE(-1, 4));
		int out = NODE(g, MS, "QGemm", in, scale(g, 0.5f), zero_u8(g, 7),
			constant(g, NX_I8, w.data, SHAPE(3, 4)), scale(g, 0.25f), zero_i8(g, 3),
			constant(g, NX_I32, b, SHAPE(3)), codes ? scale(g, 16) : -1,
			codes ? zero_u8(g, 99) : -1);
		attr_int(g, "transB", 1);
		attr_float(g, "alpha", 2);
		struct nx_tensor y = run(g, out, 2, &x);
		for (int i = 0; i < 6; i++) {
			double sum = b[i % 3];
			for (int k = 0; k < 4; k++)
				sum += (((uint8_t *)x.data)[i / 3 * 4 + k] - 7) *
				       (((int8_t *)w.data)[i % 3 * 4 + k] - 3);
			sum *= 2 * 0.5 * 0.25;
			if (codes)
				ck_assert_uint_eq(((uint8_t *)y.data)[i], saturate(sum / 16, 99));
			else
				ck_assert_double_eq((double)((float *)y.data)[i], sum);
		}
		nx_tensor_release(&y);
	}
	nx_tensor_release(&w);
	nx_tensor_release(&x);
}
END_TEST

static double real(uint8_t code)
{
	return (code - 100) * 0.25;
}

START_TEST(elementwise_forms_are_exact)
{
	static const char *const ops[] = { "QLinearAdd", "QLinearMul", "QLinearConcat",
		"QLinearLeakyRelu", "QLinearSigmoid" };
	struct nx_tensor x = random_codes(7, SHAPE(3, 8));

	for (int k = 0; k < 5; k++) {
		struct nx_graph *g = start(13);
		int in = input(g, NX_U8, SHAPE(-1, 8)), out;
		int s = scale(g, 0.25f), z = zero_u8(g, 100),
		    ys = scale(g, k == 4 ? 0.0078125f : 2), yz = zero_u8(g, 3);
		if (k < 2)
			out = NODE(g, MS, ops[k], in, s, z, in, s, z, ys, yz);
		else if (k == 2)
			out = NODE(g, MS, ops[k], ys, yz, in, s, z, in, s, z);
		else
			out = NODE(g, MS, ops[k], in, s, z, ys, yz);
		if (k == 2)
			attr_int(g, "axis", 1);
		if (k == 3)
			attr_float(g, "alpha", 0.5f);
		struct nx_tensor y = run(g, out, 3, &x);
		ck_assert_uint_eq(y.bytes, k == 2 ? 48 : 24);
		for (size_t i = 0; i < y.bytes; i++) {
			size_t row = i / (y.bytes / 3);
			double v = real(((uint8_t *)x.data)[row * 8 + i % 8]);
			double want[] = { v + v, v * v, v, v < 0 ? v / 2 : v, 1 / (1 + exp(-v)) };
			ck_assert_uint_eq(((uint8_t *)y.data)[i],
				saturate(want[k] / (k == 4 ? 0.0078125 : 2), 3));
		}
		nx_tensor_release(&y);
	}
	nx_tensor_release(&x);
}
END_TEST

START_TEST(pooled_forms_are_exact)
{
	struct nx_tensor x = random_codes(8, SHAPE(2, 3, 4, 4));
	struct nx_graph *g = start(13);
	int in = input(g, NX_U8, SHAPE(-1, 3, 4, 4));
	int out = NODE(g, MS, "QLinearGlobalAveragePool", in, scale(g, 0.25f), zero_u8(g, 100),
		scale(g, 0.25f), zero_u8(g, 100));
	attr_int(g, "channels_last", 0);
	struct nx_tensor y = run(g, out, 2, &x);

	for (int c = 0; c < 6; c++) {
		double sum = 0;
		for (int i = 0; i < 16; i++)
			sum += ((uint8_t *)x.data)[c * 16 + i] - 100;
		ck_assert_uint_eq(((uint8_t *)y.data)[c], saturate(sum / 16, 100));
	}
	nx_tensor_release(&y);
	nx_tensor_release(&x);
}
END_TEST

START_TEST(weights_stay_integers)
{
	struct nx_tensor w = random_codes(9, SHAPE(2, 3));
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(13), *closed;
	int in = input(g, NX_F32, SHAPE(-1, 3)), codes = constant(g, NX_I8, w.data, SHAPE(2, 3));
	int real_w = NODE(g, "", "DequantizeLinear", codes, scale(g, 0.5f));
	int out = NODE(g, "", "Gemm", in, real_w);

	attr_int(g, "transB", 1);
	nx_graph_add_io(&g->out, &g->n_out, out);
	ck_assert_int_eq(nx_graph_fold(g, &err), 0);
	for (int64_t batch = 1; batch <= 3; batch += 2) {
		ck_assert_msg(nx_graph_specialize(g, batch, &closed, &err) == 0, "%s", err.msg);
		ck_assert_uint_eq(closed->n_nodes, 2);
		ck_assert_str_eq(closed->nodes[0].op, "DequantizeLinear");
		ck_assert_ptr_eq(closed->values[codes].constant, g->values[codes].constant);
		nx_graph_free(&closed);
	}
	nx_tensor_release(&w);
	nx_graph_free(&g);
}
END_TEST

START_TEST(one_scale_is_for_all_rows)
{
	static const float scales[1] = { 1 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(13), *closed;
	int in = input(g, NX_F32, SHAPE(-1, 2, 3));
	int t = NODE(g, "", "Transpose", in);
	int out = NODE(g, "", "QuantizeLinear", t, constant(g, NX_F32, scales, SHAPE(1)));

	attr_int(g, "axis", 2);
	out = NODE(g, "", "Transpose", out);
	nx_graph_add_io(&g->out, &g->n_out, out);
	ck_assert_msg(nx_graph_specialize(g, 2, &closed, &err) == 0, "%s", err.msg);
	nx_graph_free(&closed);
	nx_graph_free(&g);
}
END_TEST

START_TEST(damaged_forms_are_refused)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(13);
	int in = input(g, NX_U8, SHAPE(-1, 8));

	NODE(g, MS, "QLinearConcat", in, in, in, in);
	ck_assert_int_eq(nx_graph_expand_qlinear(g, &err), -NX_EDATA);
	nx_graph_free(&g);
	g = start(13);
	in = input(g, NX_U8, SHAPE(-1, 8));
	NODE(g, MS, "QLinearGlobalAveragePool", in, in, in, in, in);
	attr_int(g, "channels_last", 1);
	ck_assert_int_eq(nx_graph_expand_qlinear(g, &err), -NX_EUNSUPP);
	nx_graph_free(&g);
}
END_TEST

UNIT_MAIN("model/quantised", quantize_rounds_to_even_and_saturates, scales_lie_along_an_axis,
	forms_without_kernel_are_refused, dynamic_range_covers_zero, qlinear_conv_is_exact,
	integer_products_are_exact, qgemm_scales_product_and_bias, elementwise_forms_are_exact,
	pooled_forms_are_exact, weights_stay_integers, one_scale_is_for_all_rows,
	damaged_forms_are_refused)
