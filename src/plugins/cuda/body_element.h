/* SPDX-License-Identifier: Apache-2.0 */
/* Elements in memory, in the common part of C and CUDA C++; see bodies.h. */
#ifndef NX_PLUGINS_CUDA_BODY_ELEMENT_H
#define NX_PLUGINS_CUDA_BODY_ELEMENT_H

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

#endif
