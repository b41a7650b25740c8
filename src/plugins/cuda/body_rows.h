/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: a block each, in phases with a barrier between them. */
#ifndef NX_PLUGINS_CUDA_BODY_ROWS_H
#define NX_PLUGINS_CUDA_BODY_ROWS_H

#include "plugins/cuda/body_element.h"

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

#endif
