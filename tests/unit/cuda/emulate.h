/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program run on the host: the bodies of our kernels as they are, thread by thread, and plain
 * loops for what cuDNN and cuBLASLt do.  What the tests then compare with the model's reference
 * kernels is everything but the libraries themselves: layouts, padding, fusion, strides, memory.
 */
#ifndef NX_TESTS_CUDA_EMULATE_H
#define NX_TESTS_CUDA_EMULATE_H

#include "core/alloc.h"
#include "plugins/cuda/bodies.h"
#include "plugins/cuda/program.h"

#include <stdlib.h>
#include <string.h>

struct emulator {
	const struct cu_program *p;
	char *arena;
	void **at; /* of each buffer */
};

static inline void emulate_conv(const struct cu_conv *c, void *const *p)
{
	const struct cu_window *w = &c->win;
	int per_in = c->c / c->groups, per_out = c->k / c->groups;

	for (int64_t i = 0; i < (int64_t)w->n * w->p * w->q * c->k; i++) {
		struct cu_place at = cu_place_of(w, c->k, (uint32_t)i, 1);
		float sum = 0;
		for (int r = 0; r < w->r; r++)
			for (int s = 0; s < w->s; s++) {
				int y = at.p * w->stride[0] - w->pad[0] + r * w->dilation[0];
				int x = at.q * w->stride[1] - w->pad[1] + s * w->dilation[1];
				if (y < 0 || y >= w->h || x < 0 || x >= w->w)
					continue;
				int64_t from = cu_pixel(at.n, y, x, w->h, w->w, c->c) +
					       at.c / per_out * per_in;
				int64_t weight = (((int64_t)at.c * w->r + r) * w->s + s) * per_in;
				for (int ch = 0; ch < per_in; ch++)
					sum += cu_load(p[1], c->type, from + ch) *
					       cu_load(p[2], c->type, weight + ch);
			}
		if (c->residual)
			sum += cu_load(p[4], c->type, i);
		sum += cu_load(p[3], cu_conv_bias_type(c), at.c);
		cu_store(p[0], c->type, i, cu_unary(c->act.op, sum, c->act.alpha, c->act.beta));
	}
}

static inline void emulate_gemm(const struct cu_gemm *g, void *const *p)
{
	for (int64_t i = 0; i < g->batch * g->m * g->n; i++) {
		int64_t col = i % g->n, row = i / g->n, batch = row / g->m;
		float sum = 0;
		for (int64_t k = 0; k < g->k; k++) {
			int64_t b = batch * g->stride_b +
				    (g->trans_b ? col * g->k + k : k * g->n + col);
			sum += cu_load(p[1], g->type, row * g->k + k) * cu_load(p[2], g->type, b);
		}
		if (g->bias)
			sum += cu_load(p[3], g->type, col);
		cu_store(p[0], g->type, i, g->relu && sum < 0 ? 0 : sum);
	}
}

static inline void emulate_rows(const struct cu_rows *r)
{
	struct cu_row_shared shared;

	for (int64_t row = 0; row < r->outer * r->inner; row++)
		for (int phase = 0; phase < cu_rows_phases(r); phase++)
			for (int t = 0; t < CU_ROW_THREADS; t++)
				cu_rows_phase(r, phase, row, t, &shared);
}

static inline void emulate_global(const struct cu_global *g)
{
	int vectors = g->channels / g->width;
	int blocks = g->n * ((vectors + CU_GLOBAL_VECS - 1) / CU_GLOBAL_VECS);
	struct cu_global_shared shared;

	for (int block = 0; block < blocks; block++)
		for (int phase = 0; phase < 2; phase++)
			for (int t = 0; t < CU_GLOBAL_VECS * CU_GLOBAL_LANES; t++)
				cu_global_phase(g, phase, block, t, g->width, &shared);
}

static inline int64_t pixels_of(const struct cu_window *w)
{
	return (int64_t)w->n * w->p * w->q;
}

#define EMULATE_EACH(n, call)                        \
	for (uint32_t i = 0; i < (uint32_t)(n); i++) \
		call;                                \
	break

static inline void emulate_step(const struct cu_step *step, void *const *p)
{
	struct cu_step s = *step;

	for (int k = 0; cu_step_is_kernel(&s) && k < CU_STEP_BUFS; k++)
		if (s.buf[k] != CU_NO_BUF)
			s.u.p[k] = p[k];
	switch (s.kind) {
	case CU_STEP_CONV:
		emulate_conv(&s.u.conv, p);
		break;
	case CU_STEP_GEMM:
		emulate_gemm(&s.u.gemm, p);
		break;
	case CU_STEP_COPY:
		EMULATE_EACH(s.u.copy.count, cu_copy_at(&s.u.copy, i));
	case CU_STEP_MAP:
		EMULATE_EACH(s.u.map.count, cu_map_at(&s.u.map, i, s.u.map.width));
	case CU_STEP_POOL:
		EMULATE_EACH(pixels_of(&s.u.pool.win) * s.u.pool.channels / s.u.pool.width,
			cu_pool_at(&s.u.pool, i, s.u.pool.width));
	case CU_STEP_DEPTHWISE:
		EMULATE_EACH(pixels_of(&s.u.depthwise.win) * s.u.depthwise.channels /
				     s.u.depthwise.width,
			cu_depthwise_at(&s.u.depthwise, i, s.u.depthwise.width));
	case CU_STEP_DIRECT:
		EMULATE_EACH(pixels_of(&s.u.direct.win) * s.u.direct.k_padded,
			cu_direct_at(&s.u.direct, i));
	case CU_STEP_GLOBAL:
		emulate_global(&s.u.global);
		break;
	case CU_STEP_ROWS:
		emulate_rows(&s.u.rows);
		break;
	case CU_STEP_LRN:
		EMULATE_EACH(s.u.lrn.pixels * s.u.lrn.c_padded, cu_lrn_at(&s.u.lrn, i));
	case CU_STEP_RESIZE:
		EMULATE_EACH((int64_t)s.u.resize.n * s.u.resize.p_out * s.u.resize.q_out *
				     s.u.resize.channels / s.u.resize.width,
			cu_resize_at(&s.u.resize, i, s.u.resize.width));
	case CU_STEP_PREPROCESS:
		EMULATE_EACH((int64_t)s.u.preprocess.n * s.u.preprocess.h * s.u.preprocess.w,
			cu_preprocess_at(&s.u.preprocess, i));
	case CU_STEP_GATHER:
		EMULATE_EACH(s.u.gather.outer * s.u.gather.n * s.u.gather.inner,
			cu_gather_at(&s.u.gather, i));
	}
}

static inline void emulator_init(struct emulator *e, const struct cu_program *p)
{
	e->p = p;
	e->arena = aligned_alloc(256, (p->arena_bytes + 511) / 256 * 256);
	/* What no step has written is no number. */
	memset(e->arena, 0xff, p->arena_bytes);
	e->at = nx_alloc(p->n_bufs, sizeof(void *));
	for (size_t i = 0; i < p->n_bufs; i++) {
		if (p->buf[i].kind == CU_BUF_ARENA)
			e->at[i] = e->arena + p->buf[i].offset;
		else if (p->buf[i].kind == CU_BUF_CONST)
			e->at[i] = p->buf[i].data;
	}
}

static inline void emulator_run(struct emulator *e, const void *const *in, void *const *out)
{
	for (size_t i = 0; i < e->p->n_bufs; i++) {
		if (e->p->buf[i].kind == CU_BUF_INPUT)
			e->at[i] = (void *)(uintptr_t)in[e->p->buf[i].index];
		else if (e->p->buf[i].kind == CU_BUF_OUTPUT)
			e->at[i] = out[e->p->buf[i].index];
	}
	for (size_t i = 0; i < e->p->n_steps; i++) {
		const struct cu_step *s = &e->p->step[i];
		void *p[CU_STEP_BUFS] = { NULL };
		for (int k = 0; k < CU_STEP_BUFS; k++)
			if (s->buf[k] != CU_NO_BUF)
				p[k] = e->at[s->buf[k]];
		emulate_step(s, p);
	}
}

static inline void emulator_release(struct emulator *e)
{
	free(e->arena);
	free(e->at);
}

#endif
