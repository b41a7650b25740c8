/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over maps, a thread a vector of channels. */
#ifndef NX_PLUGINS_CUDA_BODY_WINDOW_H
#define NX_PLUGINS_CUDA_BODY_WINDOW_H

#include "plugins/cuda/body_function.h"

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

#endif
