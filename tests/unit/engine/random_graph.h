/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random networks in which every pass finds something, in fp32 or quantised.  Quantised ones are
 * made twice with the same seed: first in fp32 to see the range of each tensor, then with
 * QuantizeLinear and DequantizeLinear behind every node, and weights as codes.
 */
#ifndef NX_TESTS_ENGINE_RANDOM_GRAPH_H
#define NX_TESTS_ENGINE_RANDOM_GRAPH_H

#include "oracle.h"

#define RANDOM_TENSORS 64

struct range {
	float low, high;
};

struct maker {
	struct nx_graph *g;
	struct nx_rng choice;
	bool quantised;
	struct range range[RANDOM_TENSORS]; /* of the tensors that are made, in turn */
	int made[RANDOM_TENSORS];           /* and their values before they are quantised */
	size_t n;
	/* The tensor to go on from. */
	int at;
	int64_t channels, size;
	int kept; /* an earlier one of the same shape, or NX_NO_VALUE */
};

static inline int scalar(struct nx_graph *g, float x)
{
	return constant(g, (double)x, (double)x, 0, NULL);
}

/* Codes from bytes. */
static inline int codes(
	struct nx_graph *g, enum nx_dtype type, const void *bytes, int rank, const int64_t *dims)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_tensor t;
	int v = declare(g, "codes", rank, dims);

	ck_assert_int_eq(nx_tensor_init(&t, type, &g->values[v].shape, &err), 0);
	memcpy(t.data, bytes, t.bytes);
	nx_graph_set_constant(g, v, &t);
	return v;
}

/* x through codes of that type. */
static inline int through_codes(
	struct nx_graph *g, int x, enum nx_dtype type, float scale, int zero)
{
	const uint8_t byte = (uint8_t)zero;
	int s = scalar(g, scale), z = codes(g, type, &byte, 0, NULL);

	x = NODE(g, "QuantizeLinear", x, s, z);
	return NODE(g, "DequantizeLinear", x, s, z);
}

/* Weights [out, …] of INT8 with one scale a channel, or one for all. */
static inline int coded_weights(struct nx_graph *g, bool channels, int rank, const int64_t *dims)
{
	size_t n = 1;

	for (int i = 0; i < rank; i++)
		n *= (size_t)dims[i];
	int8_t *bytes = nx_alloc(n, 1);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (int8_t)((int)nx_rng_below(&rng, 255) - 127);
	int w = codes(g, NX_I8, bytes, rank, dims);
	/* Sums as large as what is summed. */
	double top = 2 / sqrt((double)n / (double)dims[0]) / 127;
	int s = channels ? constant(g, top / 2, top, 1, dims) : scalar(g, (float)top);
	w = NODE(g, "DequantizeLinear", w, s);
	attr_int(g, "axis", 0);
	free(bytes);
	return w;
}

static inline int maker_weights(struct maker *m, int rank, const int64_t *dims)
{
	bool channels = nx_rng_below(&m->choice, 2);

	if (m->quantised)
		return coded_weights(m->g, channels, rank, dims);
	double top = 2 * sqrt((double)dims[0]);
	for (int i = 0; i < rank; i++)
		top /= sqrt((double)dims[i]);
	return constant(m->g, -top, top, rank, dims);
}

/* Goes on from 'value'. */
static inline void maker_take(struct maker *m, int value)
{
	size_t style = nx_rng_below(&m->choice, 3);

	ck_assert_uint_lt(m->n, RANDOM_TENSORS);
	const struct range r = m->range[m->n];
	m->made[m->n++] = m->at = value;
	if (!m->quantised)
		return;
	if (style == 0) {
		float top = fmaxf(-r.low, r.high);
		m->at = through_codes(m->g, value, NX_I8, top / 127, 0);
	} else {
		float low = fminf(r.low, 0), scale = fmaxf(r.high - low, 1e-3f) / 255;
		m->at = through_codes(m->g, value, NX_U8, scale, (int)nearbyintf(-low / scale));
	}
}

static inline void make_conv(struct maker *m)
{
	static const int64_t widths[] = { 8, 16, 20, 32 };
	int64_t kernel = nx_rng_below(&m->choice, 2) ? 3 : 1, groups = 1;
	int64_t out = widths[nx_rng_below(&m->choice, 4)];
	int64_t stride = m->size > 8 && nx_rng_below(&m->choice, 4) == 0 ? 2 : 1;

	if (nx_rng_below(&m->choice, 5) == 0)
		groups = out = m->channels;
	int w = maker_weights(m, SHAPE(out, m->channels / groups, kernel, kernel));
	int y = NODE(m->g, "Conv", m->at, w, weights(m->g, SHAPE(out)));
	attr_int(m->g, "group", groups);
	attr_ints(m->g, "pads", SHAPE(kernel / 2, kernel / 2, kernel / 2, kernel / 2));
	attr_ints(m->g, "strides", SHAPE(stride, stride));
	if (!m->quantised && nx_rng_below(&m->choice, 2))
		y = NODE(m->g, "BatchNormalization", y, constant(m->g, 0.5, 2, SHAPE(out)),
			weights(m->g, SHAPE(out)), weights(m->g, SHAPE(out)),
			constant(m->g, 0.5, 2, SHAPE(out)));
	if (stride > 1 || out != m->channels)
		m->kept = NX_NO_VALUE;
	m->channels = out;
	m->size = (m->size - 1) / stride + 1;
	/* A sum right behind it, with or without codes between. */
	if (m->kept != NX_NO_VALUE && nx_rng_below(&m->choice, 2)) {
		if (nx_rng_below(&m->choice, 2)) {
			maker_take(m, y);
			y = m->at;
		}
		y = NODE(m->g, "Add", y, m->kept);
	}
	switch (nx_rng_below(&m->choice, 5)) {
	case 0:
		y = NODE(m->g, "Mul", y, NODE(m->g, "Sigmoid", y));
		break;
	case 1:
		y = NODE(m->g, "Clip", y, scalar(m->g, 0), scalar(m->g, 6));
		break;
	case 2:
		break;
	default:
		y = NODE(m->g, "Relu", y);
	}
	maker_take(m, y);
}

static inline void make_pool(struct maker *m)
{
	static const char *const ops[] = { "MaxPool", "AveragePool" };

	if (m->size < 4)
		return;
	int y = NODE(m->g, ops[nx_rng_below(&m->choice, 2)], m->at);
	attr_ints(m->g, "kernel_shape", SHAPE(2, 2));
	attr_ints(m->g, "strides", SHAPE(2, 2));
	m->size /= 2;
	m->kept = NX_NO_VALUE;
	maker_take(m, y);
}

static inline void make_join(struct maker *m)
{
	if (m->kept == NX_NO_VALUE || m->channels > 32)
		return;
	int y = NODE(m->g, "Concat", m->at, m->kept);
	attr_int(m->g, "axis", 1);
	m->channels *= 2;
	m->kept = NX_NO_VALUE;
	maker_take(m, y);
}

static inline void make_function(struct maker *m)
{
	static const char *const ops[] = { "Sigmoid", "LeakyRelu", "Relu", "Tanh" };

	if (nx_rng_below(&m->choice, 2)) {
		int x = m->at;
		maker_take(m, NODE(m->g, "Sigmoid", x));
		maker_take(m, NODE(m->g, "Mul", x, m->at));
		return;
	}
	maker_take(m, NODE(m->g, ops[nx_rng_below(&m->choice, 4)], m->at));
}

static inline void make_sum(struct maker *m)
{
	if (m->kept == NX_NO_VALUE)
		return;
	int y = NODE(m->g, "Add", m->at, m->kept);
	maker_take(m, nx_rng_below(&m->choice, 2) ? NODE(m->g, "Relu", y) : y);
}

/* There and back again. */
static inline void make_turn(struct maker *m)
{
	int y = NODE(m->g, "Transpose", m->at);
	attr_ints(m->g, "perm", SHAPE(0, 2, 3, 1));
	y = NODE(m->g, "Relu", y);
	y = NODE(m->g, "Transpose", y);
	attr_ints(m->g, "perm", SHAPE(0, 3, 1, 2));
	maker_take(m, y);
}

static inline void make_step(struct maker *m)
{
	switch (nx_rng_below(&m->choice, 10)) {
	case 0:
		make_pool(m);
		break;
	case 1:
		make_join(m);
		break;
	case 2:
		make_function(m);
		break;
	case 3:
		make_sum(m);
		break;
	case 4:
		make_turn(m);
		break;
	default:
		make_conv(m);
	}
	if (nx_rng_below(&m->choice, 3) == 0)
		m->kept = m->at;
}

static inline void make_end(struct maker *m)
{
	maker_take(m, NODE(m->g, "GlobalAveragePool", m->at));
	int y = NODE(m->g, "Flatten", m->at);
	int w = maker_weights(m, SHAPE(12, m->channels));
	y = NODE(m->g, "Gemm", y, w, weights(m->g, SHAPE(12)));
	attr_int(m->g, "transB", 1);
	maker_take(m, y);
}

static inline void make_all(struct maker *m, uint64_t seed, int steps)
{
	m->g = graph(SHAPE(1, 8, 12, 12));
	nx_rng_init(&rng, seed);
	nx_rng_init(&m->choice, seed);
	m->n = 0;
	m->channels = 8;
	m->size = 12;
	m->kept = NX_NO_VALUE;
	maker_take(m, m->g->in[0]);
	for (int i = 0; i < steps; i++)
		make_step(m);
	if (nx_rng_below(&m->choice, 2))
		make_end(m);
	output(m->g, m->at == m->g->in[0] ? NODE(m->g, "Relu", m->at) : m->at);
}

static inline struct nx_graph *random_graph(uint64_t seed, int steps)
{
	struct maker m = { .quantised = false };

	make_all(&m, seed, steps);
	return m.g;
}

/* The ranges of a few random rows. */
static inline void find_ranges(struct maker *m)
{
	struct nx_graph *closed = NULL;
	struct nx_err err = NX_ERR_INIT;
	float *x = nx_alloc(4 * 8 * 12 * 12, sizeof *x);

	for (size_t i = 0; i < 4 * 8 * 12 * 12; i++)
		x[i] = (float)(2 * nx_rng_uniform(&rng) - 1);
	ck_assert_msg(nx_graph_specialize(m->g, 4, &closed, &err) == 0, "%s", err.msg);
	struct nx_tensor *t = reference(closed, x);
	for (size_t i = 0; i < m->n; i++) {
		const struct nx_tensor *y = &t[m->made[i]];
		m->range[i] = (struct range){ 0, 0 };
		for (size_t k = 0; k < y->bytes / sizeof(float); k++) {
			float v = ((const float *)y->data)[k];
			m->range[i].low = fminf(m->range[i].low, v);
			m->range[i].high = fmaxf(m->range[i].high, v);
		}
	}
	release(closed, t);
	nx_graph_free(&closed);
	free(x);
}

/* 'scale': that of the output's codes. */
static inline struct nx_graph *random_quantised(uint64_t seed, int steps, float *scale)
{
	struct maker m = { .quantised = false };

	make_all(&m, seed, steps);
	find_ranges(&m);
	nx_graph_free(&m.g);
	m.quantised = true;
	make_all(&m, seed, steps);
	const struct nx_node *last = &m.g->nodes[m.g->n_nodes - 1];
	if (strcmp(last->op, "DequantizeLinear") == 0)
		*scale = *(const float *)m.g->values[last->in[1]].constant->data;
	else
		*scale = 0;
	return m.g;
}

#endif
