/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of the kernels: which thread does what of bodies.h.  Where a type or a width
 * is a template's argument the compiler drops the branches on it.
 */
#include "plugins/cuda/bodies.h"
#include "plugins/cuda/launch.h"

#include <cuda_runtime.h>

#define THREADS 256

static __device__ __forceinline__ bool thread_of(int64_t count, uint32_t *i)
{
	const uint64_t at = (uint64_t)blockIdx.x * THREADS + threadIdx.x;

	*i = (uint32_t)at;
	return at < (uint64_t)count;
}

static unsigned blocks_for(int64_t count)
{
	return (unsigned)((count + THREADS - 1) / THREADS);
}

static __global__ void copy_kernel(const __grid_constant__ struct cu_copy a)
{
	uint32_t i;

	if (thread_of(a.count, &i))
		cu_copy_at(&a, i);
}

template <int W> static __global__ void map_kernel(const __grid_constant__ struct cu_map a)
{
	uint32_t i;

	if (thread_of(a.count, &i))
		cu_map_at(&a, i, W);
}

template <int T, int W>
static __global__ void pool_kernel(const __grid_constant__ struct cu_pool args, int64_t count)
{
	struct cu_pool a = args;
	uint32_t i;

	a.type = T ? T : a.type;
	if (thread_of(count, &i))
		cu_pool_at(&a, i, W);
}

template <int T, int W>
static __global__ void depthwise_kernel(
	const __grid_constant__ struct cu_depthwise args, int64_t count)
{
	struct cu_depthwise a = args;
	uint32_t i;

	a.type = T ? T : a.type;
	if (thread_of(count, &i))
		cu_depthwise_at(&a, i, W);
}

template <int T, int W>
static __global__ void resize_kernel(const __grid_constant__ struct cu_resize args, int64_t count)
{
	struct cu_resize a = args;
	uint32_t i;

	a.type = T ? T : a.type;
	if (thread_of(count, &i))
		cu_resize_at(&a, i, W);
}

template <int T, int W> static __global__ void global_kernel(const __grid_constant__ struct cu_global args)
{
	__shared__ struct cu_global_shared shared;
	struct cu_global a = args;

	a.type = T ? T : a.type;
	cu_global_phase(&a, 0, blockIdx.x, (int)threadIdx.x, W, &shared);
	__syncthreads();
	cu_global_phase(&a, 1, blockIdx.x, (int)threadIdx.x, W, &shared);
}

static __global__ void direct_kernel(const __grid_constant__ struct cu_direct a, int64_t count)
{
	uint32_t i;

	if (thread_of(count, &i))
		cu_direct_at(&a, i);
}

static __global__ void rows_kernel(const __grid_constant__ struct cu_rows a)
{
	__shared__ struct cu_row_shared shared;
	const int phases = cu_rows_phases(&a);

	for (int phase = 0; phase < phases; phase++) {
		cu_rows_phase(&a, phase, blockIdx.x, (int)threadIdx.x, &shared);
		__syncthreads();
	}
}

static __global__ void lrn_kernel(const __grid_constant__ struct cu_lrn a)
{
	uint32_t i;

	if (thread_of(a.pixels * a.c_padded, &i))
		cu_lrn_at(&a, i);
}

static __global__ void gather_kernel(const __grid_constant__ struct cu_gather a)
{
	uint32_t i;

	if (thread_of(a.outer * a.n * a.inner, &i))
		cu_gather_at(&a, i);
}

static __global__ void preprocess_kernel(const __grid_constant__ struct cu_preprocess a)
{
	uint32_t i;

	if (thread_of((int64_t)a.n * a.h * a.w, &i))
		cu_preprocess_at(&a, i);
}

/* NAME<type, width><<<...>>>(...) for the types there are; maps of four channels are rare and have
 * one kernel for all types. */
#define BY_TYPE(NAME, W, type, grid, block, stream, ...)                         \
	do {                                                                     \
		if ((type) == CU_F16)                                            \
			NAME<CU_F16, W><<<grid, block, 0, stream>>>(__VA_ARGS__); \
		else if ((type) == CU_BF16)                                      \
			NAME<CU_BF16, W><<<grid, block, 0, stream>>>(__VA_ARGS__); \
		else                                                             \
			NAME<CU_F32, W><<<grid, block, 0, stream>>>(__VA_ARGS__); \
	} while (0)
#define BY_TYPE_AND_WIDTH(NAME, type, width, grid, block, stream, ...)           \
	do {                                                                     \
		if ((width) == CU_VEC)                                           \
			BY_TYPE(NAME, CU_VEC, type, grid, block, stream, __VA_ARGS__); \
		else                                                             \
			NAME<0, 4><<<grid, block, 0, stream>>>(__VA_ARGS__);      \
	} while (0)

static int64_t outputs_of(const struct cu_window *w, int channels, int width)
{
	return (int64_t)w->n * w->p * w->q * (channels / width);
}

static void launch_map(const struct cu_map *a, cudaStream_t s)
{
	if (a->width == CU_VEC)
		map_kernel<CU_VEC><<<blocks_for(a->count), THREADS, 0, s>>>(*a);
	else
		map_kernel<1><<<blocks_for(a->count), THREADS, 0, s>>>(*a);
}

static void launch_pool(const struct cu_pool *a, cudaStream_t s)
{
	const int64_t n = outputs_of(&a->win, a->channels, a->width);

	BY_TYPE_AND_WIDTH(pool_kernel, a->type, a->width, blocks_for(n), THREADS, s, *a, n);
}

static void launch_depthwise(const struct cu_depthwise *a, cudaStream_t s)
{
	const int64_t n = outputs_of(&a->win, a->channels, a->width);

	BY_TYPE_AND_WIDTH(depthwise_kernel, a->type, a->width, blocks_for(n), THREADS, s, *a, n);
}

static void launch_resize(const struct cu_resize *a, cudaStream_t s)
{
	const int64_t n = (int64_t)a->n * a->p_out * a->q_out * (a->channels / a->width);

	BY_TYPE_AND_WIDTH(resize_kernel, a->type, a->width, blocks_for(n), THREADS, s, *a, n);
}

static void launch_global(const struct cu_global *a, cudaStream_t s)
{
	const int vectors = a->channels / a->width;
	const unsigned grid =
		(unsigned)(a->n * ((vectors + CU_GLOBAL_VECS - 1) / CU_GLOBAL_VECS));

	BY_TYPE_AND_WIDTH(global_kernel, a->type, a->width, grid,
		CU_GLOBAL_VECS * CU_GLOBAL_LANES, s, *a);
}

static void launch_direct(const struct cu_direct *a, cudaStream_t s)
{
	const int64_t n = outputs_of(&a->win, a->k_padded, 1);

	direct_kernel<<<blocks_for(n), THREADS, 0, s>>>(*a, n);
}

static void launch_rows(const struct cu_rows *a, cudaStream_t s)
{
	rows_kernel<<<(unsigned)(a->outer * a->inner), CU_ROW_THREADS, 0, s>>>(*a);
}

static void launch_lrn(const struct cu_lrn *a, cudaStream_t s)
{
	lrn_kernel<<<blocks_for(a->pixels * a->c_padded), THREADS, 0, s>>>(*a);
}

static void launch_gather(const struct cu_gather *a, cudaStream_t s)
{
	gather_kernel<<<blocks_for(a->outer * a->n * a->inner), THREADS, 0, s>>>(*a);
}

static void launch_preprocess(const struct cu_preprocess *a, cudaStream_t s)
{
	preprocess_kernel<<<blocks_for((int64_t)a->n * a->h * a->w), THREADS, 0, s>>>(*a);
}

extern "C" int cu_launch(enum cu_step_kind kind, const void *args, void *stream)
{
	const cudaStream_t s = (cudaStream_t)stream;

	switch (kind) {
	case CU_STEP_COPY: {
		const struct cu_copy *a = (const struct cu_copy *)args;
		copy_kernel<<<blocks_for(a->count), THREADS, 0, s>>>(*a);
		break;
	}
	case CU_STEP_MAP:
		launch_map((const struct cu_map *)args, s);
		break;
	case CU_STEP_POOL:
		launch_pool((const struct cu_pool *)args, s);
		break;
	case CU_STEP_DEPTHWISE:
		launch_depthwise((const struct cu_depthwise *)args, s);
		break;
	case CU_STEP_DIRECT:
		launch_direct((const struct cu_direct *)args, s);
		break;
	case CU_STEP_GLOBAL:
		launch_global((const struct cu_global *)args, s);
		break;
	case CU_STEP_ROWS:
		launch_rows((const struct cu_rows *)args, s);
		break;
	case CU_STEP_LRN:
		launch_lrn((const struct cu_lrn *)args, s);
		break;
	case CU_STEP_RESIZE:
		launch_resize((const struct cu_resize *)args, s);
		break;
	case CU_STEP_GATHER:
		launch_gather((const struct cu_gather *)args, s);
		break;
	case CU_STEP_PREPROCESS:
		launch_preprocess((const struct cu_preprocess *)args, s);
		break;
	default:
		return (int)cudaErrorInvalidValue;
	}
	return (int)cudaGetLastError();
}
