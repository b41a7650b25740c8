/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, gathers and chains of functions: a thread an element or vector. */
#ifndef NX_PLUGINS_CUDA_BODY_CHAIN_H
#define NX_PLUGINS_CUDA_BODY_CHAIN_H

#include "plugins/cuda/body_function.h"

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

#endif
