/* SPDX-License-Identifier: Apache-2.0 */
/* One number a channel: a block takes CU_GLOBAL_VECS vectors, its threads share the pixels. */
#ifndef NX_PLUGINS_CUDA_BODY_GLOBAL_H
#define NX_PLUGINS_CUDA_BODY_GLOBAL_H

#include "plugins/cuda/body_function.h"

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

#endif
