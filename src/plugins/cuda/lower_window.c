/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, LRN and Resize: kernels on maps. */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"
#include "model/ops.h"

#include <stdlib.h>
#include <string.h>

static int width_of(int64_t channels)
{
	return channels % CU_VEC ? 4 : CU_VEC;
}

static int emit_global(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	int64_t channels = cu_padded(b, n->in[0]);
	const struct cu_global g = { .n = (int)s->dim[0],
		.pixels = (int)(nx_shape_count(s) / (s->dim[0] * s->dim[1])),
		.channels = (int)channels,
		.type = b->p->type,
		.width = width_of(channels),
		.max = nx_node_is(n, "GlobalMaxPool") };

	if (!cu_can_map(b, n->in[0]) || cu_padded(b, n->out[0]) != channels)
		return CU_NOT_MINE;
	const int x = cu_need(b, n->in[0], CU_MAP);
	const int buf[] = { cu_make(b, n->out[0], CU_MAP), x };
	cu_step_new(b->p, CU_STEP_GLOBAL, n, buf, 2)->u.global = g;
	return 0;
}

static int emit_pool(struct cu_build *b, const struct nx_node *n)
{
	struct cu_pool p = { .type = b->p->type,
		.max = nx_node_is(n, "MaxPool"),
		.with_pad = nx_node_int(n, "count_include_pad", 0) != 0 };

	if ((n->n_out > 1 && n->out[1] != NX_NO_VALUE) || !cu_can_map(b, n->in[0]) ||
		!cu_window_of(b, n, n->in[0], n->out[0], NULL, &p.win) ||
		cu_padded(b, n->in[0]) != cu_padded(b, n->out[0]))
		return CU_NOT_MINE;
	p.channels = (int)cu_padded(b, n->in[0]);
	p.width = width_of(p.channels);
	const int x = cu_need(b, n->in[0], CU_MAP);
	const int buf[] = { cu_make(b, n->out[0], CU_MAP), x };
	cu_step_new(b->p, CU_STEP_POOL, n, buf, 2)->u.pool = p;
	return 0;
}

static int emit_lrn(struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct cu_lrn l = { .type = b->p->type,
		.size = (int)nx_node_int(n, "size", 1),
		.beta = nx_node_float(n, "beta", 0.75f),
		.bias = nx_node_float(n, "bias", 1) };

	if (!cu_can_map(b, n->in[0]) || cu_padded(b, n->in[0]) != cu_padded(b, n->out[0]))
		return CU_NOT_MINE;
	l.alpha = nx_node_float(n, "alpha", 1e-4f) / (float)l.size;
	l.c = (int)s->dim[1];
	l.c_padded = (int)cu_padded(b, n->in[0]);
	l.pixels = nx_shape_count(s) / s->dim[1];
	const int x = cu_need(b, n->in[0], CU_MAP);
	const int buf[] = { cu_make(b, n->out[0], CU_MAP), x };
	cu_step_new(b->p, CU_STEP_LRN, n, buf, 2)->u.lrn = l;
	return 0;
}

int cu_emit_window(struct cu_build *b, const struct nx_node *n)
{
	if (nx_node_is(n, "GlobalAveragePool") || nx_node_is(n, "GlobalMaxPool"))
		return cu_can_map(b, n->in[0]) ? emit_global(b, n) : CU_NOT_MINE;
	if (nx_node_is(n, "MaxPool") || nx_node_is(n, "AveragePool"))
		return emit_pool(b, n);
	return nx_node_is(n, "LRN") ? emit_lrn(b, n) : CU_NOT_MINE;
}

/* ---- resize ---------------------------------------------------------------------------------- */

/*
 * The weights along one axis are read off the reference kernel: it is given the unit vectors of
 * that axis as a batch, so that what comes out is the matrix of the interpolation.  So all modes
 * and all ways to map coordinates are as the model's operators define them, and are defined once.
 */
struct probe {
	const struct cu_build *b;
	const struct nx_node *n;
	int axis;
	int64_t in, out;
	struct nx_tensor x, y, scales;
	size_t scales_at; /* input */
};

/* The constant that gives scales or sizes, with 1 (the batch's size) for the other axes. */
static bool probe_scales(struct probe *p, struct nx_err *err)
{
	size_t at = p->n->n_in > 3 && p->n->in[3] != NX_NO_VALUE ? 3 : p->n->n_in > 2 ? 2 : 1;
	const struct nx_tensor *t = at < p->n->n_in && p->n->in[at] != NX_NO_VALUE
					    ? p->b->g->values[p->n->in[at]].constant
					    : NULL;
	bool sizes = at == 3;

	if (!t || nx_shape_count(&t->shape) != p->x.shape.rank ||
		t->dtype != (sizes ? NX_I64 : NX_F32) ||
		nx_tensor_init(&p->scales, t->dtype, &t->shape, err))
		return false;
	for (int d = 0; d < p->x.shape.rank; d++) {
		bool here = d == p->axis;
		if (sizes)
			((int64_t *)p->scales.data)[d] =
				here ? ((const int64_t *)t->data)[d] : p->x.shape.dim[d];
		else
			((float *)p->scales.data)[d] = here ? ((const float *)t->data)[d] : 1;
	}
	p->scales_at = at;
	return true;
}

static bool probe_run(struct probe *p, struct nx_err *err)
{
	const struct nx_tensor *in[4] = { &p->x };
	struct nx_tensor *out[1] = { &p->y };
	int64_t opset = p->b->g->opset;

	in[p->scales_at] = &p->scales;
	if (p->n->n_in > 4 || nx_op_infer(opset, p->n, in, out, err))
		return false;
	struct nx_shape s = p->y.shape;
	return s.dim[p->axis] == p->out && nx_tensor_init(&p->y, NX_F32, &s, err) == 0 &&
	       nx_op_eval(opset, p->n, in, out, err) == 0;
}

/* Taps of an axis; how many there are at most, or 0 if it cannot be said. */
static int taps_of(const struct cu_build *b, const struct nx_node *n, int axis, struct cu_tap *taps)
{
	const struct nx_shape *s = cu_shape(b, n->in[0]);
	struct probe p = { .b = b,
		.n = n,
		.axis = axis,
		.in = s->dim[axis],
		.out = cu_shape(b, n->out[0])->dim[axis] };
	struct nx_shape basis = { .rank = s->rank, .dim = { 1, 1, 1, 1 } };
	struct nx_err err = NX_ERR_INIT;
	int most = 0;

	basis.dim[0] = basis.dim[axis] = p.in;
	bool ok = nx_tensor_init(&p.x, NX_F32, &basis, &err) == 0;
	for (int64_t i = 0; ok && i < p.in; i++)
		((float *)p.x.data)[i * p.in + i] = 1;
	ok = ok && probe_scales(&p, &err) && probe_run(&p, &err);
	for (int64_t o = 0; ok && o < p.out; o++) {
		int used = 0;
		for (int64_t i = 0; i < p.in; i++) {
			float w = ((const float *)p.y.data)[i * p.out + o];
			if (w == 0)
				continue;
			ok = ok && used < 4;
			if (!ok)
				break;
			taps[o].at[used] = (int)i;
			taps[o].w[used++] = w;
		}
		most = used > most ? used : most;
	}
	nx_tensor_release(&p.x);
	nx_tensor_release(&p.y);
	nx_tensor_release(&p.scales);
	return ok ? most : 0;
}

static int tap_buf(struct cu_build *b, const struct cu_tap *taps, size_t n)
{
	int buf = cu_buf_new(b->p, CU_BUF_CONST, n * sizeof *taps);

	b->p->buf[buf].data = nx_alloc(n, sizeof *taps);
	memcpy(b->p->buf[buf].data, taps, n * sizeof *taps);
	return buf;
}

static bool can_resize(const struct cu_build *b, const struct nx_node *n)
{
	const struct nx_shape *x, *y;

	if ((!nx_node_is(n, "Resize") && !nx_node_is(n, "Upsample")) || !cu_can_map(b, n->in[0]) ||
		nx_node_attr(n, "axes") || nx_node_attr(n, "keep_aspect_ratio_policy") ||
		strcmp(nx_node_str(n, "coordinate_transformation_mode", ""),
			"tf_crop_and_resize") == 0)
		return false;
	x = cu_shape(b, n->in[0]);
	y = cu_shape(b, n->out[0]);
	return x->rank == 4 && x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1];
}

int cu_emit_resize(struct cu_build *b, const struct nx_node *n)
{
	if (!can_resize(b, n))
		return CU_NOT_MINE;
	const struct nx_shape *x = cu_shape(b, n->in[0]), *y = cu_shape(b, n->out[0]);
	size_t rows = (size_t)y->dim[2], columns = (size_t)y->dim[3];
	struct cu_tap *taps = nx_alloc(rows + columns, sizeof *taps);
	struct cu_resize r = { .n = (int)x->dim[0],
		.h = (int)x->dim[2],
		.w = (int)x->dim[3],
		.p_out = (int)rows,
		.q_out = (int)columns,
		.type = b->p->type,
		.channels = (int)cu_padded(b, n->in[0]) };
	int buf[4];

	r.width = width_of(r.channels);
	r.taps_h = taps_of(b, n, 2, taps);
	r.taps_w = taps_of(b, n, 3, taps + rows);
	if (r.taps_h && r.taps_w && cu_padded(b, n->out[0]) == r.channels) {
		buf[1] = cu_need(b, n->in[0], CU_MAP);
		buf[0] = cu_make(b, n->out[0], CU_MAP);
		buf[2] = tap_buf(b, taps, rows);
		buf[3] = tap_buf(b, taps + rows, columns);
		cu_step_new(b->p, CU_STEP_RESIZE, n, buf, 4)->u.resize = r;
	}
	free(taps);
	return r.taps_h && r.taps_w ? 0 : CU_NOT_MINE;
}
