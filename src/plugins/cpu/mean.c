/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Averages of windows of codes, channels last.  Sums are whole numbers and are rounded once, to
 * the codes of the result: oneDNN would round to those of the source first.
 */
#include "plugins/cpu/codes.h"
#include "plugins/cpu/simd.h"

#include "core/alloc.h"

#include <math.h>
#include <string.h>

struct mean {
	int64_t rows, in[2], out[2];
	size_t channels;
	struct cpu_window window;
	dnnl_data_type_t from, to;
	struct cpu_codes codes_from, codes_to;
	int32_t *sum; /* of each channel */
};

CPU_SIMD static void add_u8(int32_t *restrict sum, const uint8_t *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += x[i];
}

CPU_SIMD static void add_s8(int32_t *restrict sum, const int8_t *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += x[i];
}

/* To codes: real = scale (sum - offset). */
CPU_SIMD static void finish(uint8_t *restrict y, const int32_t *restrict sum, size_t n, float scale,
	float offset, const struct cpu_codes *to, float low)
{
	float step = to->scale, zero = (float)to->zero, high = low + 255;

	for (size_t i = 0; i < n; i++) {
		float v = rintf(scale * ((float)sum[i] - offset) / step) + zero;
		v = v > low ? v : low;
		v = v < high ? v : high;
		y[i] = (uint8_t)(int32_t)v;
	}
}

/* One place of the result: 'at' in rows and columns of the result, x a picture. */
static void average(const struct mean *m, const uint8_t *x, int64_t row, int64_t column, uint8_t *y)
{
	const struct cpu_window *w = &m->window;
	const int64_t at[] = { row, column };
	int64_t first[2], end[2], all = 1;

	for (int i = 0; i < 2; i++) {
		int64_t start = at[i] * w->stride[i] - w->pad[i];
		first[i] = start > 0 ? start : 0;
		end[i] = start + w->kernel[i] < m->in[i] ? start + w->kernel[i] : m->in[i];
		all *= w->kernel[i];
	}
	memset(m->sum, 0, m->channels * sizeof *m->sum);
	for (int64_t h = first[0]; h < end[0]; h++) {
		for (int64_t c = first[1]; c < end[1]; c++) {
			const uint8_t *p = x + (size_t)(h * m->in[1] + c) * m->channels;
			if (m->from == dnnl_u8)
				add_u8(m->sum, p, m->channels);
			else
				add_s8(m->sum, (const int8_t *)p, m->channels);
		}
	}
	int64_t there = (end[0] - first[0]) * (end[1] - first[1]);
	finish(y, m->sum, m->channels, m->codes_from.scale / (float)(w->include_pad ? all : there),
		(float)there * (float)m->codes_from.zero, &m->codes_to,
		m->to == dnnl_u8 ? 0 : -128);
}

static int run_mean(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	const struct mean *m = s->own;
	const uint8_t *x = s->op[0].ptr;
	uint8_t *y = s->op[1].ptr;

	(void)e;
	(void)err;
	for (int64_t r = 0; r < m->rows; r++) {
		for (int64_t h = 0; h < m->out[0]; h++)
			for (int64_t c = 0; c < m->out[1]; c++, y += m->channels)
				average(m, x, h, c, y);
		x += (size_t)(m->in[0] * m->in[1]) * m->channels;
	}
	return 0;
}

/* A window that lies outside altogether has no average. */
static bool fits(const struct mean *m)
{
	const struct cpu_window *w = &m->window;

	if (w->kernel[0] > INT32_MAX / 256 / w->kernel[1])
		return false;
	for (int i = 0; i < 2; i++) {
		int64_t last = (m->out[i] - 1) * w->stride[i] - w->pad[i];
		if (w->pad[i] >= w->kernel[i] || last >= m->in[i])
			return false;
	}
	return true;
}

int cpu_emit_mean(struct cpu_build *b, const struct nx_node *n, const struct cpu_window *w,
	struct nx_err *err)
{
	const struct nx_shape *in = cpu_shape(b, n->in[0]), *out = cpu_shape(b, n->out[0]);
	const struct cpu_wish *wish = &b->val[n->out[0]].wish;
	dnnl_memory_desc_t last;
	struct cpu_rep src;

	if (!b->integers || wish->type == dnnl_data_type_undef || in->rank < 3 || in->rank > 4)
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	dnn_md_channels_last(&last, src.md.data_type, in);
	if (src.codes.scale == 0 || !dnn_md_same(&last, &src.md))
		return CPU_NOT_MINE;
	bool planes = in->rank == 4;
	const struct mean like = { in->dim[0], { in->dim[2], planes ? in->dim[3] : 1 },
		{ out->dim[2], planes ? out->dim[3] : 1 }, (size_t)in->dim[1], *w, src.md.data_type,
		wish->type, src.codes, wish->codes, NULL };
	if (!fits(&like))
		return CPU_NOT_MINE;
	struct mean *m = nx_alloc(1, sizeof *m + like.channels * sizeof *m->sum);
	*m = like;
	m->sum = (int32_t *)(void *)(m + 1);
	dnn_md_channels_last(&last, wish->type, out);
	struct cpu_rep dst = cpu_rep_wished(b, n->out[0], &last);
	struct cpu_step *s = cpu_step_new(b->e, run_mean, "mean", n);
	s->own = m;
	cpu_step_use(b->e, 0, src.buf, NULL);
	cpu_step_use(b->e, 0, dst.buf, NULL);
	return 0;
}
