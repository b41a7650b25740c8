/* SPDX-License-Identifier: Apache-2.0 */
/* Networks quantised, operators carried to opset 13, and graphs written: what comes out of the
 * reference kernels before must come out after. */
#include "core/rng.h"
#include "interpret.h"
#include "model/quantise.h"

#include <math.h>

static struct nx_graph *start(int64_t opset)
{
	struct nx_graph *g = nx_graph_new("net");

	g->opset = opset;
	return g;
}

static int weights(struct nx_graph *g, uint64_t seed, float size, int rank, const int64_t *dims)
{
	struct nx_tensor t = tensor(NX_F32, NULL, rank, dims);
	struct nx_rng rng;
	int v = nx_graph_add_value(g, "w");

	nx_rng_init(&rng, seed);
	for (size_t i = 0; i < t.bytes / sizeof(float); i++)
		((float *)t.data)[i] = size * (float)(2 * nx_rng_uniform(&rng) - 1);
	nx_graph_set_constant(g, v, &t);
	return v;
}

static int positive(struct nx_graph *g, float f, int64_t n)
{
	float data[64];

	for (int64_t i = 0; i < n; i++)
		data[i] = f + 0.01f * (float)i;
	return constant(g, NX_F32, data, SHAPE(n));
}

static struct nx_tensor random_row(int rank, const int64_t *dims)
{
	struct nx_tensor t = tensor(NX_F32, NULL, rank, dims);
	struct nx_rng rng;

	nx_rng_init(&rng, 99);
	for (size_t i = 0; i < t.bytes / sizeof(float); i++)
		((float *)t.data)[i] = (float)(2 * nx_rng_uniform(&rng) - 1);
	return t;
}

static void ints(struct nx_graph *g, const char *name, size_t n, const int64_t *values)
{
	struct nx_attr *a = attr(g, name, NX_ATTR_INTS);

	a->n = n;
	a->ints = nx_alloc(n, sizeof *values);
	memcpy(a->ints, values, n * sizeof *values);
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
}

static int conv(struct nx_graph *g, int x, int w, int b, int64_t pad, int64_t group)
{
	int y = b < 0 ? NODE(g, "", "Conv", x, w) : NODE(g, "", "Conv", x, w, b);

	ints(g, "pads", 4, (const int64_t[]){ pad, pad, pad, pad });
	attr_int(g, "group", group);
	return y;
}

/* Convolution, norm, activation, pool, a depthwise one with SiLU, a sum, an average, a product. */
static struct nx_graph *network(void)
{
	struct nx_graph *g = start(11);
	int x = input(g, NX_F32, SHAPE(-1, 3, 8, 8));
	int a = conv(g, x, weights(g, 1, 0.4f, SHAPE(8, 3, 3, 3)), -1, 1, 1);

	a = NODE(g, "", "BatchNormalization", a, positive(g, 0.9f, 8), weights(g, 2, 1, SHAPE(8)),
		weights(g, 3, 0.1f, SHAPE(8)), positive(g, 0.8f, 8));
	a = NODE(g, "", "Relu", a);
	int pooled = NODE(g, "", "MaxPool", a);
	ints(g, "kernel_shape", 2, (const int64_t[]){ 2, 2 });
	ints(g, "strides", 2, (const int64_t[]){ 2, 2 });
	int d = conv(g, pooled, weights(g, 4, 0.5f, SHAPE(8, 1, 3, 3)),
		weights(g, 5, 0.1f, SHAPE(8)), 1, 8);
	d = NODE(g, "", "Mul", d, NODE(g, "", "Sigmoid", d));
	d = conv(g, d, weights(g, 6, 0.5f, SHAPE(8, 8, 1, 1)), -1, 0, 1);
	a = NODE(g, "", "Relu", NODE(g, "", "Add", d, pooled));
	a = conv(g, a, weights(g, 7, 0.4f, SHAPE(12, 8, 1, 1)), -1, 0, 1);
	a = NODE(g, "", "GlobalAveragePool", a);
	a = NODE(g, "", "Flatten", a);
	a = NODE(
		g, "", "Gemm", a, weights(g, 8, 0.5f, SHAPE(12, 5)), weights(g, 9, 0.2f, SHAPE(5)));
	nx_graph_add_io(&g->out, &g->n_out, NODE(g, "", "Softmax", a));
	return g;
}

/* The answer for one row. */
static struct nx_tensor answer(const struct nx_graph *g, const struct nx_tensor *x)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *one;

	ck_assert_msg(nx_graph_specialize(g, 1, &one, &err) == 0, "%s", err.msg);
	struct nx_tensor y = interpret(one, x);
	nx_graph_free(&one);
	return y;
}

/* Written and read again. */
static struct nx_graph *rewritten(const struct nx_graph *g)
{
	struct nx_buf onnx = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *back;

	ck_assert_msg(nx_onnx_write(g, &onnx, &err) == 0, "%s", err.msg);
	const struct nx_onnx_file file = { (const uint8_t *)onnx.data, onnx.len, -1 };
	ck_assert_msg(nx_onnx_load(&file, &back, &err) == 0, "%s", err.msg);
	nx_buf_release(&onnx);
	return back;
}

static struct nx_range *observe(const struct nx_quant *q, const struct nx_tensor *x)
{
	struct nx_range *range = nx_alloc(q->n_points, sizeof *range);
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *seen, *one;

	ck_assert_msg(nx_quant_observed(q, &seen, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(seen->n_out, q->graph->n_out + q->n_points);
	ck_assert_msg(nx_graph_specialize(seen, 1, &one, &err) == 0, "%s", err.msg);
	for (size_t p = 0; p < q->n_points; p++) {
		one->out[0] = one->out[q->graph->n_out + p];
		struct nx_tensor t = interpret(one, x);
		for (size_t i = 0; i < t.bytes / sizeof(float); i++) {
			float v = ((const float *)t.data)[i];
			range[p].min = v < range[p].min ? v : range[p].min;
			range[p].max = v > range[p].max ? v : range[p].max;
		}
		nx_tensor_release(&t);
	}
	nx_graph_free(&one);
	nx_graph_free(&seen);
	return range;
}

static const struct nx_node *maker(const struct nx_graph *g, int value)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (g->nodes[i].n_out && g->nodes[i].out[0] == value)
			return &g->nodes[i];
	}
	return NULL;
}

static size_t count(const struct nx_graph *g, const char *op)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_nodes; i++)
		n += strcmp(g->nodes[i].op, op) == 0;
	return n;
}

static double difference(const struct nx_tensor *a, const struct nx_tensor *b)
{
	double diff = 0, size = 0;

	ck_assert_uint_eq(a->bytes, b->bytes);
	for (size_t i = 0; i < a->bytes / sizeof(float); i++) {
		double x = ((const float *)a->data)[i], y = ((const float *)b->data)[i];
		diff += (x - y) * (x - y);
		size += x * x;
	}
	return sqrt(diff / size);
}

START_TEST(quantised_answers_are_near)
{
	struct nx_graph *g = network(), *q8;
	struct nx_tensor x = random_row(SHAPE(1, 3, 8, 8)), want = answer(g, &x);
	struct nx_err err = NX_ERR_INIT;
	struct nx_quant *q;

	ck_assert_msg(nx_quant_new(g, &q, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(count(q->graph, "BatchNormalization"), 0);
	struct nx_range *range = observe(q, &x);
	ck_assert_msg(nx_quant_apply(q, range, &q8, &err) == 0, "%s", err.msg);
	struct nx_graph *back = rewritten(q8);
	struct nx_tensor got = answer(back, &x);
	double d = difference(&want, &got);
	ck_assert_msg(d < 0.02, "%g", d);
	ck_assert_msg(d > 1e-6, "nothing was rounded: %g", d);
	/* Every step of the ranges that are halved here is felt. */
	for (size_t p = 0; p < q->n_points; p++)
		range[p].max /= 2;
	nx_graph_free(&q8);
	ck_assert_int_eq(nx_quant_apply(q, range, &q8, &err), 0);
	struct nx_tensor worse = answer(q8, &x);
	ck_assert_msg(difference(&want, &worse) > 2 * d, "ranges do not matter");
	nx_tensor_release(&worse);
	nx_tensor_release(&got);
	nx_tensor_release(&want);
	nx_tensor_release(&x);
	free(range);
	nx_graph_free(&back);
	nx_graph_free(&q8);
	nx_quant_free(&q);
	nx_graph_free(&g);
}
END_TEST

/* The form that runtimes look for: codes behind DQ at each input, Q behind the activation. */
START_TEST(every_product_reads_codes)
{
	struct nx_graph *g = network(), *q8;
	struct nx_err err = NX_ERR_INIT;
	struct nx_quant *q;
	size_t products = 0;

	ck_assert_int_eq(nx_quant_new(g, &q, &err), 0);
	struct nx_range *range = nx_alloc(q->n_points, sizeof *range);
	for (size_t p = 0; p < q->n_points; p++)
		range[p] = (struct nx_range){ -1, 3 };
	ck_assert_int_eq(nx_quant_apply(q, range, &q8, &err), 0);
	for (size_t i = 0; i < q8->n_nodes; i++) {
		const struct nx_node *n = &q8->nodes[i];
		if (strcmp(n->op, "Conv") != 0 && strcmp(n->op, "Gemm") != 0)
			continue;
		products++;
		for (size_t k = 0; k < n->n_in; k++) {
			const struct nx_node *dq = maker(q8, n->in[k]);
			static const enum nx_dtype types[] = { NX_U8, NX_I8, NX_I32 };
			ck_assert_str_eq(dq->op, "DequantizeLinear");
			const struct nx_node *codes = maker(q8, dq->in[0]);
			ck_assert(k == 0 ? strcmp(codes->op, "QuantizeLinear") == 0
					 : q8->values[dq->in[0]].dtype == types[k]);
			ck_assert_int_eq(nx_node_int(dq, "axis", 7),
				k == 0                                 ? 7
				: k == 1 && strcmp(n->op, "Gemm") == 0 ? 1
								       : 0);
		}
	}
	ck_assert_uint_eq(products, 5);
	/* The pool hands its scale on, the end is not quantised, SiLU is within one step. */
	for (size_t i = 0; i < q8->n_nodes; i++) {
		const struct nx_node *n = &q8->nodes[i];
		if (strcmp(n->op, "QuantizeLinear") != 0)
			continue;
		const char *made = maker(q8, n->in[0]) ? maker(q8, n->in[0])->op : "input";
		ck_assert_str_ne(made, "Gemm");
		ck_assert_str_ne(made, "Sigmoid");
		if (strcmp(made, "MaxPool") == 0)
			ck_assert_int_eq(n->in[1], maker(q8, maker(q8, n->in[0])->in[0])->in[1]);
	}
	free(range);
	nx_graph_free(&q8);
	nx_quant_free(&q);
	nx_graph_free(&g);
}
END_TEST

START_TEST(refuses_what_it_cannot)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(13);
	struct nx_quant *q;

	int x = input(g, NX_F32, SHAPE(-1, 4));
	nx_graph_add_io(&g->out, &g->n_out, NODE(g, "", "Relu", x));
	ck_assert_int_eq(nx_quant_new(g, &q, &err), -NX_EUNSUPP);
	ck_assert_ptr_null(q);
	nx_graph_free(&g);

	g = start(13);
	err = (struct nx_err)NX_ERR_INIT;
	x = input(g, NX_F32, SHAPE(-1, 4));
	int codes = NODE(g, "", "QuantizeLinear", x, scale(g, 1), zero_u8(g, 0));
	x = NODE(g, "", "DequantizeLinear", codes, scale(g, 1), zero_u8(g, 0));
	nx_graph_add_io(
		&g->out, &g->n_out, NODE(g, "", "MatMul", x, weights(g, 1, 1, SHAPE(4, 2))));
	ck_assert_int_eq(nx_quant_new(g, &q, &err), -NX_EUNSUPP);
	ck_assert_ptr_nonnull(strstr(err.msg, "quantised already"));
	nx_graph_free(&g);
}
END_TEST

/* ---- old forms ------------------------------------------------------------------------------- */

static int old_clip(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "Clip", x);

	attr_float(g, "min", -0.25f);
	attr_float(g, "max", 0.5f);
	return y;
}

static int old_pad(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "Pad", x);

	ints(g, "pads", 8, (const int64_t[]){ 0, 0, 1, 2, 0, 0, 0, 1 });
	attr_float(g, "value", 0.75f);
	return y;
}

static int old_slice(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "Slice", x);

	ints(g, "starts", 2, (const int64_t[]){ 1, 0 });
	ints(g, "ends", 2, (const int64_t[]){ 3, -1 });
	ints(g, "axes", 2, (const int64_t[]){ 1, 3 });
	return y;
}

static int old_squeeze(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "Unsqueeze", x);

	ints(g, "axes", 1, (const int64_t[]){ 1 });
	y = NODE(g, "", "Squeeze", y);
	ints(g, "axes", 1, (const int64_t[]){ 1 });
	return y;
}

static int old_softmax(struct nx_graph *g, int x)
{
	return NODE(g, "", "Softmax", NODE(g, "", "GlobalAveragePool", x));
}

static int old_upsample(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "Upsample", x);
	struct nx_attr *a = attr(g, "scales", NX_ATTR_FLOATS);
	static const float scales[4] = { 1, 1, 2, 3 };

	a->n = 4;
	a->floats = nx_alloc(4, sizeof *scales);
	memcpy(a->floats, scales, sizeof scales);
	nx_node_sort_attrs(&g->nodes[g->n_nodes - 1]);
	return y;
}

static int old_sum(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "ReduceSum", x);

	ints(g, "axes", 2, (const int64_t[]){ 1, 2 });
	attr_int(g, "keepdims", 0);
	return y;
}

static int old_split(struct nx_graph *g, int x)
{
	int y = NODE(g, "", "Split", x);

	attr_int(g, "axis", 1);
	ints(g, "split", 1, (const int64_t[]){ 4 });
	return y;
}

START_TEST(old_forms_become_new_ones)
{
	static int (*const forms[])(struct nx_graph *, int) = { old_clip, old_pad, old_slice,
		old_squeeze, old_softmax, old_upsample, old_sum, old_split };
	struct nx_tensor x = random_row(SHAPE(1, 4, 3, 5));

	for (size_t i = 0; i < NX_ARRAY_LEN(forms); i++) {
		struct nx_err err = NX_ERR_INIT;
		struct nx_graph *g = start(8), *one;
		int in = input(g, NX_F32, SHAPE(-1, 4, 3, 5));
		nx_graph_add_io(&g->out, &g->n_out, forms[i](g, in));
		struct nx_tensor want = answer(g, &x);
		ck_assert_int_eq(nx_graph_specialize(g, 1, &one, &err), 0);
		ck_assert_msg(nx_graph_upgrade(g, one, &err) == 0, "%s", err.msg);
		ck_assert_int_eq(g->opset, 13);
		struct nx_graph *back = rewritten(g);
		struct nx_tensor got = answer(back, &x);
		ck_assert(nx_shape_equal(&want.shape, &got.shape));
		ck_assert_mem_eq(want.data, got.data, want.bytes);
		nx_tensor_release(&want);
		nx_tensor_release(&got);
		nx_graph_free(&back);
		nx_graph_free(&one);
		nx_graph_free(&g);
	}
	nx_tensor_release(&x);
}
END_TEST

START_TEST(forms_without_a_successor_are_refused)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = start(9), *one;

	int x = input(g, NX_F32, SHAPE(-1, 4, 3, 5));
	nx_graph_add_io(&g->out, &g->n_out, NODE(g, "", "Softmax", x));
	ck_assert_int_eq(nx_graph_specialize(g, 1, &one, &err), 0);
	ck_assert_int_eq(nx_graph_upgrade(g, one, &err), -NX_EUNSUPP);
	ck_assert_ptr_nonnull(strstr(err.msg, "Softmax of opset 9"));
	nx_graph_free(&one);
	nx_graph_free(&g);
}
END_TEST

/* Values of one name, an input that is left out, every kind of attribute. */
START_TEST(what_is_written_is_read)
{
	static const float scales[4] = { 1, 1, 2, 2 };
	struct nx_graph *g = start(18);
	int x = input(g, NX_F32, SHAPE(-1, 2, 3, 3));
	int y = NODE(g, "", "Resize", x, NX_NO_VALUE, constant(g, NX_F32, scales, SHAPE(4)));
	struct nx_attr *a = attr(g, "mode", NX_ATTR_STRING);

	a->s = nx_strdup("nearest");
	y = NODE(g, "", "LeakyRelu", y);
	attr_float(g, "alpha", 0.125f);
	y = NODE(g, "", "LeakyRelu", y);
	attr_float(g, "alpha", 0.5f);
	nx_graph_add_io(&g->out, &g->n_out, y);
	struct nx_tensor row = random_row(SHAPE(1, 2, 3, 3)), want = answer(g, &row);
	struct nx_graph *back = rewritten(g);
	struct nx_tensor got = answer(back, &row);
	ck_assert_int_eq(back->opset, 18);
	ck_assert_str_eq(back->values[back->in[0]].name, "x");
	ck_assert_int_eq(back->values[back->in[0]].shape.dim[0], NX_DIM_OPEN);
	ck_assert_mem_eq(want.data, got.data, want.bytes);
	nx_tensor_release(&row);
	nx_tensor_release(&want);
	nx_tensor_release(&got);
	nx_graph_free(&back);
	nx_graph_free(&g);
}
END_TEST

UNIT_MAIN("model/quantise", quantised_answers_are_near, every_product_reads_codes,
	refuses_what_it_cannot, old_forms_become_new_ones, forms_without_a_successor_are_refused,
	what_is_written_is_read)
