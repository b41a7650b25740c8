/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize of pictures, channels last: the neighbours of a row are mixed into one row, then the
 * neighbours of each pixel, a run of channels at a time.  Where they are and what they weigh is
 * asked of the model's own kernel, once, when the executable is made.
 */
#include "core/alloc.h"
#include "model/ops.h"
#include "plugins/cpu/nodes.h"
#include "plugins/cpu/simd.h"

#include <stdlib.h>
#include <string.h>

struct tap {
	int n;
	size_t at[4];
	float w[4];
};

struct resize {
	size_t pictures, in_h, in_w, out_h, out_w;
	size_t channels;   /* of a pixel: 1 where planes lie one after another */
	struct tap *y, *x; /* behind this */
};

/* to = sum of the runs of n floats at from + at[] */
CPU_SIMD static void mix(
	float *restrict to, const float *restrict from, const struct tap *t, size_t n)
{
	const float *a = from + t->at[0], *b = from + t->at[t->n > 1];

	if (t->n == 1) {
		memcpy(to, a, n * sizeof *to);
		return;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = t->w[0] * a[i] + t->w[1] * b[i];
	for (int k = 2; k < t->n; k++) {
		const float *c = from + t->at[k];
		for (size_t i = 0; i < n; i++)
			to[i] += t->w[k] * c[i];
	}
}

/* A row of pixels of one float each. */
CPU_SIMD static void mix_singles(
	float *restrict to, const float *restrict from, const struct tap *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float sum = t[i].w[0] * from[t[i].at[0]];
		for (int k = 1; k < t[i].n; k++)
			sum += t[i].w[k] * from[t[i].at[k]];
		to[i] = sum;
	}
}

static int run_resize(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	const struct resize *r = s->own;
	const float *from = s->op[0].ptr;
	float *row = s->op[1].ptr, *to = s->op[2].ptr;
	size_t in_row = r->in_w * r->channels, out_row = r->out_w * r->channels;

	(void)e;
	(void)err;
	for (size_t p = 0; p < r->pictures; p++, from += r->in_h * in_row) {
		for (size_t y = 0; y < r->out_h; y++, to += out_row) {
			const float *mixed = from + r->y[y].at[0];
			if (r->y[y].n > 1) {
				mix(row, from, &r->y[y], in_row);
				mixed = row;
			}
			if (r->channels == 1) {
				mix_singles(to, mixed, r->x, r->out_w);
				continue;
			}
			for (size_t x = 0; x < r->out_w; x++)
				mix(to + x * r->channels, mixed, &r->x[x], r->channels);
		}
	}
	return 0;
}

static int ask(const struct cpu_build *b, const struct nx_node *n, int axis, struct nx_taps *taps)
{
	struct nx_tensor known[4] = { 0 };
	const struct nx_tensor *in[4] = { 0 };
	struct nx_err why = NX_ERR_INIT;

	for (size_t k = 0; k < n->n_in && k < NX_ARRAY_LEN(in); k++) {
		if (n->in[k] == NX_NO_VALUE)
			continue;
		const struct nx_value *v = &b->g->values[n->in[k]];
		known[k] = (struct nx_tensor){ .dtype = v->dtype, .shape = v->shape };
		in[k] = v->constant ? v->constant : &known[k];
	}
	return nx_op_resize_taps(b->g->opset, n, in, axis, taps, &why);
}

/* Fills the taps of one axis, whose positions are 'stride' floats apart, without those that weigh
 * nothing.  False where there is no telling. */
static bool fill_taps(const struct cpu_build *b, const struct nx_node *n, int axis, size_t stride,
	struct tap *mine)
{
	size_t length = (size_t)cpu_shape(b, n->out[0])->dim[axis];
	struct nx_taps *taps = nx_alloc(length, sizeof *taps);
	bool known = ask(b, n, axis, taps) == 0;

	for (size_t i = 0; known && i < length; i++) {
		struct tap *t = &mine[i];
		for (int k = 0; k < taps[i].n; k++) {
			if (taps[i].w[k] == 0 && (k + 1 < taps[i].n || t->n))
				continue;
			t->at[t->n] = (size_t)taps[i].at[k] * stride;
			t->w[t->n++] = (float)taps[i].w[k];
		}
	}
	free(taps);
	return known;
}

/* In the layout that is there: pixels of channels, or planes of single numbers. */
static struct resize *describe(
	const struct cpu_build *b, const struct nx_node *n, const dnnl_memory_desc_t *md)
{
	const struct nx_shape *in = cpu_shape(b, n->in[0]), *out = cpu_shape(b, n->out[0]);
	bool planes = dnn_md_is_plain(md);
	size_t h = (size_t)out->dim[2], w = (size_t)out->dim[3];
	struct resize *r = nx_alloc(1, sizeof *r + (h + w) * sizeof *r->y);

	r->channels = planes ? 1 : (size_t)in->dim[1];
	r->pictures = (size_t)(planes ? in->dim[0] * in->dim[1] : in->dim[0]);
	r->in_h = (size_t)in->dim[2];
	r->in_w = (size_t)in->dim[3];
	r->out_h = h;
	r->out_w = w;
	r->y = (struct tap *)(void *)(r + 1);
	r->x = r->y + h;
	if (fill_taps(b, n, 2, r->in_w * r->channels, r->y) &&
		fill_taps(b, n, 3, r->channels, r->x))
		return r;
	free(r);
	return NULL;
}

int cpu_emit_resize(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *in = cpu_shape(b, n->in[0]), *out = cpu_shape(b, n->out[0]);
	struct cpu_rep src, dst = { 0 };

	if (in->rank != 4 || out->rank != 4 || nx_shape_count(in) <= 0 ||
		nx_shape_count(out) <= 0 || in->dim[0] != out->dim[0] || in->dim[1] != out->dim[1])
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	bool planes =
		src.codes.scale == 0 && src.md.data_type == dnnl_f32 && dnn_md_is_plain(&src.md);
	(planes ? dnn_md_plain : dnn_md_channels_last)(&src.md, dnnl_f32, in);
	(planes ? dnn_md_plain : dnn_md_channels_last)(&dst.md, dnnl_f32, out);
	struct resize *r = describe(b, n, &src.md);
	if (!r)
		return CPU_NOT_MINE;
	if (cpu_rep_as(b, n->in[0], &src.md, &src, err)) {
		free(r);
		return -err->code;
	}
	int row = cpu_buf_new(b->e, CPU_ARENA, r->in_w * r->channels * sizeof(float));
	int to = cpu_rep_new(b, n->out[0], &dst.md);
	struct cpu_step *s = cpu_step_new(b->e, run_resize, "resize", n);
	s->own = r;
	cpu_step_use(b->e, 0, src.buf, NULL);
	cpu_step_use(b->e, 0, row, NULL);
	cpu_step_use(b->e, 0, to, NULL);
	return 0;
}
