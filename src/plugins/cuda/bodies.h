/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one thread of each kernel does, in the common part of C and CUDA C++: kernels.cu wraps it
 * for the device, and tests run it on the host, thread by thread, so that everything but the
 * wrapping is proved without a GPU.  Blocks that work together do so in phases with a barrier
 * between them.  Threads are numbered in 32 bits, which divide four times as fast as 64.
 */
#ifndef NX_PLUGINS_CUDA_BODIES_H
#define NX_PLUGINS_CUDA_BODIES_H

#include "plugins/cuda/kernels.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define CU_FN     static __device__ __forceinline__
#define CU_UNROLL _Pragma("unroll")
#else
#include "model/ops.h"
#include <math.h>
#define CU_FN static inline
#define CU_UNROLL
#endif

#define CU_HUGE 3.402823466e38f

/* ---- elements -------------------------------------------------------------------------------- */

CU_FN float cu_from_bits(uint16_t h, int type)
{
#ifdef __CUDACC__
	if (type == CU_F16)
		return __half2float(__ushort_as_half(h));
	return __uint_as_float((uint32_t)h << 16);
#else
	return type == CU_F16 ? nx_half_to_float(h) : nx_bf16_to_float(h);
#endif
}

CU_FN uint16_t cu_to_bits(float f, int type)
{
#ifdef __CUDACC__
	if (type == CU_F16)
		return __half_as_ushort(__float2half_rn(f));
	return __bfloat16_as_ushort(__float2bfloat16_rn(f));
#else
	return type == CU_F16 ? nx_float_to_half(f) : nx_float_to_bf16(f);
#endif
}

CU_FN float cu_load(const void *p, int type, int64_t i)
{
	switch (type) {
	case CU_F32:
		return ((const float *)p)[i];
	case CU_I8:
		return (float)((const int8_t *)p)[i];
	case CU_I32:
		return (float)((const int32_t *)p)[i];
	case CU_I64:
		return (float)((const int64_t *)p)[i];
	case CU_U8:
	case CU_BOOL:
		return (float)((const uint8_t *)p)[i];
	default:
		return cu_from_bits(((const uint16_t *)p)[i], type);
	}
}

CU_FN void cu_store(void *p, int type, int64_t i, float v)
{
	switch (type) {
	case CU_F32:
		((float *)p)[i] = v;
		return;
	case CU_I8:
		((int8_t *)p)[i] = (int8_t)v;
		return;
	case CU_I32:
		((int32_t *)p)[i] = (int32_t)v;
		return;
	case CU_I64:
		((int64_t *)p)[i] = (int64_t)v;
		return;
	case CU_U8:
		((uint8_t *)p)[i] = (uint8_t)v;
		return;
	case CU_BOOL:
		((uint8_t *)p)[i] = v != 0;
		return;
	default:
		((uint16_t *)p)[i] = cu_to_bits(v, type);
	}
}

struct cu_raw16 {
	uint32_t word[4];
} __attribute__((aligned(16)));

CU_FN int cu_is_half(int type)
{
	return type == CU_F16 || type == CU_BF16;
}

/* 'width' elements from i on, which is a multiple of it. */
CU_FN void cu_load_vec(const void *p, int type, int64_t i, int width, float *v)
{
	if (width == 8 && cu_is_half(type)) {
		const struct cu_raw16 raw = *(const struct cu_raw16 *)((const uint16_t *)p + i);
		CU_UNROLL
		for (int k = 0; k < 4; k++) {
			v[2 * k] = cu_from_bits((uint16_t)(raw.word[k] & 0xffffu), type);
			v[2 * k + 1] = cu_from_bits((uint16_t)(raw.word[k] >> 16), type);
		}
		return;
	}
	CU_UNROLL
	for (int k = 0; k < width; k++)
		v[k] = cu_load(p, type, i + k);
}

CU_FN void cu_store_vec(void *p, int type, int64_t i, int width, const float *v)
{
	if (width == 8 && cu_is_half(type)) {
		struct cu_raw16 raw;
		CU_UNROLL
		for (int k = 0; k < 4; k++)
			raw.word[k] = (uint32_t)cu_to_bits(v[2 * k], type) |
				      (uint32_t)cu_to_bits(v[2 * k + 1], type) << 16;
		*(struct cu_raw16 *)((uint16_t *)p + i) = raw;
		return;
	}
	CU_UNROLL
	for (int k = 0; k < width; k++)
		cu_store(p, type, i + k, v[k]);
}

/* ---- functions of an element ----------------------------------------------------------------- */

CU_FN float cu_sigmoid(float v)
{
	return 1.0f / (1.0f + expf(-v));
}

CU_FN float cu_softplus(float v)
{
	return v > 0 ? v + log1pf(expf(-v)) : log1pf(expf(v));
}

CU_FN float cu_unary(int op, float v, float a, float b)
{
	switch (op) {
	case CU_OP_ABS:
		return fabsf(v);
	case CU_OP_AFFINE:
		return v * a + b;
	case CU_OP_CEIL:
		return ceilf(v);
	case CU_OP_CELU:
		return fmaxf(0.0f, v) + fminf(0.0f, a * expm1f(v / a));
	case CU_OP_CLIP:
		v = v < a ? a : v;
		return v > b ? b : v;
	case CU_OP_COS:
		return cosf(v);
	case CU_OP_ELU:
		return v < 0 ? a * expm1f(v) : v;
	case CU_OP_ERF:
		return erff(v);
	case CU_OP_EXP:
		return expf(v);
	case CU_OP_FLOOR:
		return floorf(v);
	case CU_OP_GELU:
		return 0.5f * v * (1.0f + erff(v * 0.70710678118654752f));
	case CU_OP_HARDSIGMOID:
		return fmaxf(0.0f, fminf(1.0f, a * v + b));
	case CU_OP_HARDSWISH:
		return v * fmaxf(0.0f, fminf(1.0f, v / 6.0f + 0.5f));
	case CU_OP_LEAKY:
		return v < 0 ? a * v : v;
	case CU_OP_LOG:
		return logf(v);
	case CU_OP_MISH:
		return v * tanhf(cu_softplus(v));
	case CU_OP_NOT:
		return v == 0 ? 1.0f : 0.0f;
	case CU_OP_RECIPROCAL:
		return 1.0f / v;
	case CU_OP_ROUND:
		return rintf(v);
	case CU_OP_SELU:
		return v > 0 ? b * v : b * a * expm1f(v);
	case CU_OP_SIGMOID:
		return cu_sigmoid(v);
	case CU_OP_SIGN:
		return (float)((v > 0) - (v < 0));
	case CU_OP_SIN:
		return sinf(v);
	case CU_OP_SOFTPLUS:
		return cu_softplus(v);
	case CU_OP_SOFTSIGN:
		return v / (1.0f + fabsf(v));
	case CU_OP_SQRT:
		return sqrtf(v);
	case CU_OP_SWISH:
		return v * cu_sigmoid(v);
	case CU_OP_TANH:
		return tanhf(v);
	case CU_OP_THRESHOLDED:
		return v > a ? v : 0.0f;
	default:
		return v;
	}
}

CU_FN float cu_binary(int op, float v, float x)
{
	switch (op) {
	case CU_OP_ADD:
		return v + x;
	case CU_OP_SUB:
		return v - x;
	case CU_OP_RSUB:
		return x - v;
	case CU_OP_MUL:
		return v * x;
	case CU_OP_DIV:
		return v / x;
	case CU_OP_RDIV:
		return x / v;
	case CU_OP_POW:
		return powf(v, x);
	case CU_OP_RPOW:
		return powf(x, v);
	case CU_OP_FMOD:
		return fmodf(v, x);
	case CU_OP_MAX:
		return v != v ? v : x != x ? x : v > x ? v : x;
	case CU_OP_MIN:
		return v != v ? v : x != x ? x : v < x ? v : x;
	case CU_OP_PRELU:
		return v < 0 ? v * x : v;
	case CU_OP_EQUAL:
		return v == x ? 1.0f : 0.0f;
	case CU_OP_GREATER:
		return v > x ? 1.0f : 0.0f;
	case CU_OP_GREATER_EQUAL:
		return v >= x ? 1.0f : 0.0f;
	case CU_OP_LESS:
		return v < x ? 1.0f : 0.0f;
	case CU_OP_LESS_EQUAL:
		return v <= x ? 1.0f : 0.0f;
	case CU_OP_AND:
		return v != 0 && x != 0 ? 1.0f : 0.0f;
	case CU_OP_OR:
		return v != 0 || x != 0 ? 1.0f : 0.0f;
	default:
		return (v != 0) != (x != 0) ? 1.0f : 0.0f;
	}
}

/* ---- copy ------------------------------------------------------------------------------------ */

/* Where coordinate i of a bounded dimension comes from; -1: the fill. */
CU_FN int64_t cu_source(int mode, int64_t i, int64_t n)
{
	if (i >= 0 && i < n)
		return i;
	if (mode == CU_PAD_EDGE)
		return i < 0 ? 0 : n - 1;
	if (mode == CU_PAD_WRAP)
		return (i % n + n) % n;
	if (mode == CU_PAD_REFLECT)
		return i < 0 ? -i : 2 * (n - 1) - i;
	return -1;
}

/* Element 'from' of one buffer to element 'to' of another. */
CU_FN void cu_move(void *target, int64_t to, const void *source, int64_t from, int size)
{
	switch (size) {
	case 16:
		((struct cu_raw16 *)target)[to] = ((const struct cu_raw16 *)source)[from];
		return;
	case 8:
		((uint64_t *)target)[to] = ((const uint64_t *)source)[from];
		return;
	case 4:
		((uint32_t *)target)[to] = ((const uint32_t *)source)[from];
		return;
	case 2:
		((uint16_t *)target)[to] = ((const uint16_t *)source)[from];
		return;
	default:
		((uint8_t *)target)[to] = ((const uint8_t *)source)[from];
	}
}

CU_FN void cu_copy_at(const struct cu_copy *a, uint32_t i)
{
	int64_t to = a->to_base, from = a->from_base;
	int filled = 0;

	for (int d = a->rank - 1; d >= 0; d--) {
		const uint32_t n = (uint32_t)a->dim[d];
		int64_t at = d ? i % n : i, source = at;
		i /= n;
		if (a->bounded) {
			source = cu_source(a->mode, at - a->low[d], a->from_dim[d]);
			filled = filled || source < 0;
		}
		to += at * a->to_stride[d];
		from += source * a->from_stride[d];
	}
	if (filled)
		cu_store(a->p[0], a->to, to, a->fill);
	else if (a->from != a->to)
		cu_store(a->p[0], a->to, to, cu_load(a->p[1], a->from, from));
	else
		cu_move(a->p[0], to, a->p[1], from, a->size);
}

/* ---- chains of functions --------------------------------------------------------------------- */

CU_FN int64_t cu_map_offset(const struct cu_map *a, int k, uint32_t i)
{
	int64_t at = 0;

	for (int d = a->rank - 1; d >= 0; d--) {
		const uint32_t n = (uint32_t)a->dim[d];
		int64_t c = d ? i % n : i;
		i /= n;
		at += c * a->stride[k][d] * (d == a->rank - 1 ? a->width : 1);
	}
	return at;
}

/* Source k at vector i; a source that stands still in the last dimension is spread. */
CU_FN void cu_map_fetch(const struct cu_map *a, int k, uint32_t i, int width, float *v)
{
	int64_t at = cu_map_offset(a, k, i);

	if (a->stride[k][a->rank - 1]) {
		cu_load_vec(a->p[1 + k], a->type[1 + k], at, width, v);
		return;
	}
	v[0] = cu_load(a->p[1 + k], a->type[1 + k], at);
	CU_UNROLL
	for (int e = 1; e < width; e++)
		v[e] = v[0];
}

CU_FN void cu_map_at(const struct cu_map *a, uint32_t i, int width)
{
	float v[CU_VEC], x[CU_VEC], y[CU_VEC];

	cu_map_fetch(a, 0, i, width, v);
	for (int n = 0; n < a->n_ops; n++) {
		const struct cu_act f = a->op[n].f;
		if (f.op < CU_OP_BINARY) {
			CU_UNROLL
			for (int e = 0; e < width; e++)
				v[e] = cu_unary(f.op, v[e], f.alpha, f.beta);
			continue;
		}
		cu_map_fetch(a, a->op[n].source, i, width, x);
		if (f.op == CU_OP_WHERE) {
			cu_map_fetch(a, a->op[n].source + 1, i, width, y);
			CU_UNROLL
			for (int e = 0; e < width; e++)
				v[e] = v[e] != 0 ? x[e] : y[e];
			continue;
		}
		CU_UNROLL
		for (int e = 0; e < width; e++)
			v[e] = cu_binary(f.op, v[e], x[e]);
	}
	if (a->channels < a->padded) {
		/* A vector never reaches from one pixel into the next. */
		int first = (int)(i % (uint32_t)(a->padded / width)) * width;
		CU_UNROLL
		for (int e = 0; e < width; e++)
			v[e] = first + e < a->channels ? v[e] : 0.0f;
	}
	cu_store_vec(a->p[0], a->type[0], (int64_t)i * width, width, v);
}

/* ---- windows --------------------------------------------------------------------------------- */

struct cu_place {
	int n, p, q, c; /* c: first channel of the thread */
};

CU_FN struct cu_place cu_place_of(const struct cu_window *w, int channels, uint32_t i, int width)
{
	struct cu_place at;
	const uint32_t vectors = (uint32_t)(channels / width), q = (uint32_t)w->q;

	at.c = (int)(i % vectors) * width;
	i /= vectors;
	at.q = (int)(i % q);
	i /= q;
	at.p = (int)(i % (uint32_t)w->p);
	at.n = (int)(i / (uint32_t)w->p);
	return at;
}

CU_FN int64_t cu_pixel(int n, int y, int x, int h, int w, int channels)
{
	return (((int64_t)n * h + y) * w + x) * channels;
}

CU_FN void cu_pool_at(const struct cu_pool *a, uint32_t i, int width)
{
	const struct cu_window *w = &a->win;
	const struct cu_place at = cu_place_of(w, a->channels, i, width);
	float sum[CU_VEC], v[CU_VEC];
	int seen = 0, padded = 0;

	CU_UNROLL
	for (int e = 0; e < width; e++)
		sum[e] = a->max ? -CU_HUGE : 0.0f;
	for (int r = 0; r < w->r; r++) {
		int y = at.p * w->stride[0] - w->pad[0] + r * w->dilation[0];
		for (int s = 0; s < w->s; s++) {
			int x = at.q * w->stride[1] - w->pad[1] + s * w->dilation[1];
			padded += y < w->h + w->pad_end[0] && x < w->w + w->pad_end[1];
			if (y < 0 || y >= w->h || x < 0 || x >= w->w)
				continue;
			seen++;
			cu_load_vec(a->p[1], a->type,
				cu_pixel(at.n, y, x, w->h, w->w, a->channels) + at.c, width, v);
			CU_UNROLL
			for (int e = 0; e < width; e++)
				sum[e] =
					a->max ? cu_binary(CU_OP_MAX, sum[e], v[e]) : sum[e] + v[e];
		}
	}
	int divisor = a->with_pad ? padded : seen;
	CU_UNROLL
	for (int e = 0; e < width && !a->max; e++)
		sum[e] /= (float)(divisor ? divisor : 1);
	cu_store_vec(a->p[0], a->type, (int64_t)i * width, width, sum);
}

CU_FN void cu_depthwise_at(const struct cu_depthwise *a, uint32_t i, int width)
{
	const struct cu_window *w = &a->win;
	const struct cu_place at = cu_place_of(w, a->channels, i, width);
	float sum[CU_VEC], v[CU_VEC], k[CU_VEC];

	cu_load_vec(a->p[3], a->type, at.c, width, sum);
	for (int r = 0; r < w->r; r++) {
		int y = at.p * w->stride[0] - w->pad[0] + r * w->dilation[0];
		if (y < 0 || y >= w->h)
			continue;
		for (int s = 0; s < w->s; s++) {
			int x = at.q * w->stride[1] - w->pad[1] + s * w->dilation[1];
			if (x < 0 || x >= w->w)
				continue;
			cu_load_vec(a->p[1], a->type,
				cu_pixel(at.n, y, x, w->h, w->w, a->channels) + at.c, width, v);
			cu_load_vec(a->p[2], a->type, (int64_t)(r * w->s + s) * a->channels + at.c,
				width, k);
			CU_UNROLL
			for (int e = 0; e < width; e++)
				sum[e] += v[e] * k[e];
		}
	}
	CU_UNROLL
	for (int e = 0; e < width; e++)
		sum[e] = cu_unary(a->act.op, sum[e], a->act.alpha, a->act.beta);
	cu_store_vec(a->p[0], a->type, (int64_t)i * width, width, sum);
}

/* The input coordinate that tap r of output coordinate o sees, or -1. */
CU_FN int cu_direct_in(const struct cu_direct *a, int axis, int o, int r, int n)
{
	const struct cu_window *w = &a->win;
	int at;

	if (!a->transposed) {
		at = o * w->stride[axis] - w->pad[axis] + r * w->dilation[axis];
	} else {
		at = o + w->pad[axis] - r * w->dilation[axis];
		if (at < 0 || at % w->stride[axis])
			return -1;
		at /= w->stride[axis];
	}
	return at >= 0 && at < n ? at : -1;
}

CU_FN void cu_direct_at(const struct cu_direct *a, uint32_t i)
{
	const struct cu_window *w = &a->win;
	const struct cu_place at = cu_place_of(w, a->k_padded, i, 1);
	const int per = a->c / a->groups;
	float sum = 0;

	if (at.c >= a->k) {
		cu_store(a->p[0], a->type, i, 0.0f);
		return;
	}
	int64_t first = (int64_t)(at.c / (a->k / a->groups)) * per;
	for (int r = 0; r < w->r; r++) {
		int y = cu_direct_in(a, 0, at.p, r, w->h);
		for (int s = 0; s < w->s && y >= 0; s++) {
			int x = cu_direct_in(a, 1, at.q, s, w->w);
			if (x < 0)
				continue;
			int64_t from = cu_pixel(at.n, y, x, w->h, w->w, a->c_padded) + first;
			int64_t k = (((int64_t)at.c * w->r + r) * w->s + s) * per;
			for (int c = 0; c < per; c++)
				sum += cu_load(a->p[1], a->type, from + c) *
				       cu_load(a->p[2], a->type, k + c);
		}
	}
	sum += cu_load(a->p[3], a->type, at.c);
	cu_store(a->p[0], a->type, i, cu_unary(a->act.op, sum, a->act.alpha, a->act.beta));
}

CU_FN void cu_lrn_at(const struct cu_lrn *a, uint32_t i)
{
	int c = (int)(i % (uint32_t)a->c_padded), below = (a->size - 1) / 2,
	    above = a->size - 1 - below;
	float sum = 0;

	if (c >= a->c) {
		cu_store(a->p[0], a->type, i, 0.0f);
		return;
	}
	for (int k = c > below ? -below : -c; k <= above && c + k < a->c; k++) {
		float v = cu_load(a->p[1], a->type, (int64_t)i + k);
		sum += v * v;
	}
	cu_store(a->p[0], a->type, i,
		cu_load(a->p[1], a->type, i) / powf(a->bias + a->alpha * sum, a->beta));
}

CU_FN void cu_resize_at(const struct cu_resize *a, uint32_t i, int width)
{
	const uint32_t vectors = (uint32_t)(a->channels / width), pixel = i / vectors;
	const uint32_t columns = (uint32_t)a->q_out, rows = (uint32_t)a->p_out;
	int c = (int)(i % vectors) * width, q = (int)(pixel % columns);
	int p = (int)(pixel / columns % rows), n = (int)(pixel / columns / rows);
	const struct cu_tap *ty = (const struct cu_tap *)a->p[2] + p;
	const struct cu_tap *tx = (const struct cu_tap *)a->p[3] + q;
	float sum[CU_VEC] = { 0 }, v[CU_VEC];

	for (int y = 0; y < a->taps_h; y++) {
		for (int x = 0; x < a->taps_w; x++) {
			float weight = ty->w[y] * tx->w[x];
			if (weight == 0)
				continue;
			cu_load_vec(a->p[1], a->type,
				cu_pixel(n, ty->at[y], tx->at[x], a->h, a->w, a->channels) + c,
				width, v);
			CU_UNROLL
			for (int e = 0; e < width; e++)
				sum[e] += weight * v[e];
		}
	}
	cu_store_vec(a->p[0], a->type, (int64_t)i * width, width, sum);
}

/* ---- gather ---------------------------------------------------------------------------------- */

CU_FN void cu_gather_at(const struct cu_gather *a, uint32_t i)
{
	const uint32_t row = i / (uint32_t)a->inner, n = (uint32_t)a->n;
	int64_t inner = i % (uint32_t)a->inner, k = row % n, outer = row / n;
	int64_t at = a->index_type == CU_I64 ? ((const int64_t *)a->p[2])[k]
					     : ((const int32_t *)a->p[2])[k];

	at += at < 0 ? a->len : 0;
	at = at < 0 ? 0 : at >= a->len ? a->len - 1 : at;
	cu_move(a->p[0], i, a->p[1], (outer * a->len + at) * a->inner + inner, a->size);
}

/* ---- rows: a block each, in phases ------------------------------------------------------------ */

struct cu_row_shared {
	float a[CU_ROW_THREADS], b[CU_ROW_THREADS];
	int64_t at[CU_ROW_THREADS];
	float value;    /* TOP: what was chosen last … */
	int64_t chosen; /* … and where; -1 before the first */
};

CU_FN int cu_rows_phases(const struct cu_rows *a)
{
	if (a->kind == CU_ROW_TOP)
		return 2 * a->k;
	if (a->kind == CU_ROW_SOFTMAX || a->kind == CU_ROW_LOG_SOFTMAX || a->kind == CU_ROW_NORM)
		return 3;
	return 2;
}

CU_FN float cu_row_get(const struct cu_rows *a, int64_t row, int64_t j)
{
	return cu_load(a->p[1], a->type, (row / a->inner * a->len + j) * a->inner + row % a->inner);
}

CU_FN void cu_row_put(const struct cu_rows *a, int64_t row, int64_t j, float v)
{
	cu_store(a->p[0], a->type, (row / a->inner * a->len + j) * a->inner + row % a->inner, v);
}

CU_FN float cu_join(int kind, float a, float v)
{
	switch (kind) {
	case CU_ROW_MAX:
		return v > a || v != v ? v : a;
	case CU_ROW_MIN:
		return v < a || v != v ? v : a;
	case CU_ROW_PROD:
		return a * v;
	default:
		return a + v;
	}
}

CU_FN float cu_join_start(int kind)
{
	return kind == CU_ROW_MAX ? -INFINITY : kind == CU_ROW_MIN ? INFINITY : kind == CU_ROW_PROD;
}

CU_FN float cu_join_all(int kind, const float *v)
{
	float sum = v[0];

	for (int i = 1; i < CU_ROW_THREADS; i++)
		sum = cu_join(kind, sum, v[i]);
	return sum;
}

CU_FN void cu_reduce_phase(
	const struct cu_rows *a, int phase, int64_t row, int t, struct cu_row_shared *s)
{
	int kind = a->kind;
	float sum = cu_join_start(kind);

	if (phase == 0) {
		for (int64_t j = t; j < a->len; j += CU_ROW_THREADS) {
			float v = cu_row_get(a, row, j);
			if (kind == CU_ROW_L2 || kind == CU_ROW_SUM_SQUARE)
				v *= v;
			sum = cu_join(kind, sum, kind == CU_ROW_L1 ? fabsf(v) : v);
		}
		s->a[t] = sum;
	} else if (t == 0) {
		sum = cu_join_all(kind, s->a);
		if (kind == CU_ROW_MEAN)
			sum /= (float)a->len;
		cu_store(a->p[0], a->type, row, kind == CU_ROW_L2 ? sqrtf(sum) : sum);
	}
}

CU_FN void cu_softmax_phase(
	const struct cu_rows *a, int phase, int64_t row, int t, struct cu_row_shared *s)
{
	float sum = phase ? 0.0f : -INFINITY;
	float max = phase ? cu_join_all(CU_ROW_MAX, s->a) : 0.0f;
	float total = phase == 2 ? cu_join_all(CU_ROW_SUM, s->b) : 0.0f;

	for (int64_t j = t; j < a->len; j += CU_ROW_THREADS) {
		float v = cu_row_get(a, row, j);
		if (phase == 0)
			sum = cu_join(CU_ROW_MAX, sum, v);
		else if (phase == 1)
			sum += expf(v - max);
		else
			cu_row_put(a, row, j,
				a->kind == CU_ROW_SOFTMAX ? expf(v - max) / total
							  : v - max - logf(total));
	}
	if (phase == 0)
		s->a[t] = sum;
	else if (phase == 1)
		s->b[t] = sum;
}

CU_FN void cu_norm_phase(
	const struct cu_rows *a, int phase, int64_t row, int t, struct cu_row_shared *s)
{
	float mean = phase ? cu_join_all(CU_ROW_SUM, s->a) / (float)a->len : 0.0f;
	float var = phase == 2 ? cu_join_all(CU_ROW_SUM, s->b) / (float)a->len : 0.0f;
	float sum = 0, scale = 1.0f / sqrtf(var + a->epsilon);

	for (int64_t j = t; j < a->len; j += CU_ROW_THREADS) {
		float v = cu_row_get(a, row, j);
		int64_t k = a->by_row ? row % a->by_row : j;
		if (phase == 0)
			sum += v;
		else if (phase == 1)
			sum += (v - mean) * (v - mean);
		else
			cu_row_put(a, row, j,
				(v - mean) * scale * cu_load(a->p[2], CU_F32, k) +
					cu_load(a->p[3], CU_F32, k));
	}
	if (phase == 0)
		s->a[t] = sum;
	else if (phase == 1)
		s->b[t] = sum;
}

/* Whether (v, i) comes before (w, k): larger first, equals by their place. */
CU_FN int cu_before(const struct cu_rows *a, float v, int64_t i, float w, int64_t k)
{
	if (v != w)
		return a->smallest ? v < w : v > w;
	return a->last ? i > k : i < k;
}

/* The first in order of those behind the last that was chosen. */
CU_FN void cu_choose_phase(
	const struct cu_rows *a, int phase, int64_t row, int t, struct cu_row_shared *s)
{
	int64_t best = -1;
	float value = 0;

	if (phase % 2 == 0) {
		for (int64_t j = t; j < a->len; j += CU_ROW_THREADS) {
			float v = cu_row_get(a, row, j);
			int open = phase == 0 || cu_before(a, s->value, s->chosen, v, j);
			if (open && (best < 0 || cu_before(a, v, j, value, best))) {
				best = j;
				value = v;
			}
		}
		s->a[t] = value;
		s->at[t] = best;
		return;
	}
	if (t)
		return;
	for (int k = 0; k < CU_ROW_THREADS; k++) {
		if (s->at[k] >= 0 && (best < 0 || cu_before(a, s->a[k], s->at[k], value, best))) {
			best = s->at[k];
			value = s->a[k];
		}
	}
	best = best < 0 ? 0 : best; /* all are NaN */
	s->value = value;
	s->chosen = best;
	if (a->kind == CU_ROW_ARG) {
		((int64_t *)a->p[0])[row] = best;
		return;
	}
	int64_t at = (row / a->inner * a->k + phase / 2) * a->inner + row % a->inner;
	cu_store(a->p[0], a->type, at, value);
	((int64_t *)a->p[2])[at] = best;
}

CU_FN void cu_rows_phase(
	const struct cu_rows *a, int phase, int64_t row, int t, struct cu_row_shared *s)
{
	if (a->kind == CU_ROW_SOFTMAX || a->kind == CU_ROW_LOG_SOFTMAX)
		cu_softmax_phase(a, phase, row, t, s);
	else if (a->kind == CU_ROW_NORM)
		cu_norm_phase(a, phase, row, t, s);
	else if (a->kind == CU_ROW_ARG || a->kind == CU_ROW_TOP)
		cu_choose_phase(a, phase, row, t, s);
	else
		cu_reduce_phase(a, phase, row, t, s);
}

/* ---- one number a channel: a block takes CU_GLOBAL_VECS vectors, its threads share the pixels -- */

#define CU_GLOBAL_VECS  16
#define CU_GLOBAL_LANES 8

struct cu_global_shared {
	float v[CU_GLOBAL_LANES][CU_GLOBAL_VECS * CU_VEC];
};

CU_FN void cu_global_phase(const struct cu_global *a, int phase, int64_t block, int t, int width,
	struct cu_global_shared *s)
{
	int vectors = a->channels / width, blocks = (vectors + CU_GLOBAL_VECS - 1) / CU_GLOBAL_VECS;
	int n = (int)(block / blocks), lane = t / CU_GLOBAL_VECS, mine = t % CU_GLOBAL_VECS;
	int vector = (int)(block % blocks) * CU_GLOBAL_VECS + mine;
	float sum[CU_VEC], v[CU_VEC];

	if (vector >= vectors || (phase == 1 && lane))
		return;
	CU_UNROLL
	for (int e = 0; e < width; e++)
		sum[e] = a->max ? -CU_HUGE : 0.0f;
	if (phase == 1) {
		for (int k = 0; k < CU_GLOBAL_LANES; k++) {
			CU_UNROLL
			for (int e = 0; e < width; e++)
				sum[e] = cu_binary(a->max ? CU_OP_MAX : CU_OP_ADD, sum[e],
					s->v[k][mine * CU_VEC + e]);
		}
		CU_UNROLL
		for (int e = 0; e < width && !a->max; e++)
			sum[e] /= (float)a->pixels;
		cu_store_vec(
			a->p[0], a->type, (int64_t)n * a->channels + vector * width, width, sum);
		return;
	}
	for (int i = lane; i < a->pixels; i += CU_GLOBAL_LANES) {
		cu_load_vec(a->p[1], a->type,
			((int64_t)n * a->pixels + i) * a->channels + vector * width, width, v);
		CU_UNROLL
		for (int e = 0; e < width; e++)
			sum[e] = cu_binary(a->max ? CU_OP_MAX : CU_OP_ADD, sum[e], v[e]);
	}
	CU_UNROLL
	for (int e = 0; e < width; e++)
		s->v[lane][mine * CU_VEC + e] = sum[e];
}

/* ---- pictures -------------------------------------------------------------------------------- */

CU_FN int cu_clamp(int v, int n)
{
	return v < 0 ? 0 : v >= n ? n - 1 : v;
}

CU_FN float cu_unit(float v)
{
	return v < 0 ? 0.0f : v > 255.0f ? 255.0f : v;
}

/* Red, green and blue of a pixel; BT.601, limited range, for NV12. */
CU_FN void cu_pixel_rgb(const struct cu_picture *p, int format, int x, int y, float *rgb)
{
	x = cu_clamp(x, p->width);
	y = cu_clamp(y, p->height);
	if (format != CU_NV12) {
		const uint8_t *at = p->plane[0] + (int64_t)y * p->pitch[0] + 3 * (int64_t)x;
		rgb[0] = at[format == CU_BGR ? 2 : 0];
		rgb[1] = at[1];
		rgb[2] = at[format == CU_BGR ? 0 : 2];
		return;
	}
	const uint8_t *chroma = p->plane[1] + (int64_t)(y / 2) * p->pitch[1] + x / 2 * 2;
	float l = 1.164383f * ((float)p->plane[0][(int64_t)y * p->pitch[0] + x] - 16.0f);
	float u = (float)chroma[0] - 128.0f, v = (float)chroma[1] - 128.0f;
	rgb[0] = cu_unit(l + 1.596027f * v);
	rgb[1] = cu_unit(l - 0.391762f * u - 0.812968f * v);
	rgb[2] = cu_unit(l + 2.017232f * u);
}

/* One output pixel with all its channels. */
CU_FN void cu_preprocess_at(const struct cu_preprocess *a, uint32_t i)
{
	const uint32_t w = (uint32_t)a->w, h = (uint32_t)a->h;
	int x = (int)(i % w), y = (int)(i / w % h), n = (int)(i / w / h);
	const struct cu_picture *p = (const struct cu_picture *)a->p[1] + n;
	float fx = p->box[0] + ((float)x + 0.5f) * p->box[2] / (float)a->w - 0.5f;
	float fy = p->box[1] + ((float)y + 0.5f) * p->box[3] / (float)a->h - 0.5f;
	int x0 = (int)floorf(fx), y0 = (int)floorf(fy);
	float dx = fx - (float)x0, dy = fy - (float)y0, sum[3] = { 0, 0, 0 }, rgb[3];

	for (int k = 0; k < 4; k++) {
		float weight = (k % 2 ? dx : 1 - dx) * (k / 2 ? dy : 1 - dy);
		cu_pixel_rgb(p, a->format, x0 + k % 2, y0 + k / 2, rgb);
		for (int c = 0; c < 3; c++)
			sum[c] += weight * rgb[c];
	}
	for (int c = 0; c < a->padded; c++) {
		float v = c < 3 ? (sum[a->swap ? 2 - c : c] - a->mean[c]) * a->scale[c] : 0.0f;
		cu_store(a->p[0], a->type, (int64_t)i * a->padded + c, v);
	}
}

#endif
