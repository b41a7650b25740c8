/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample of pictures: each output element is looked up where a grid of coordinates says. */
#include "model/ops/kernels.h"

#include <math.h>
#include <string.h>

#define FAR ((double)(1 << 30)) /* coordinates beyond are as good as this one */

enum { ZEROS, BORDER, REFLECTION };

struct sampler {
	int64_t n[2]; /* height, width */
	int taps;     /* 1 nearest, 2 linear, 4 cubic */
	int padding;
	bool align; /* -1 and 1 are the middles of the outer elements, else their edges */
};

static int read_sampler(const struct nx_op_call *c, struct sampler *s, struct nx_err *err)
{
	const struct nx_shape *x = &c->in[0]->shape, *grid = &c->in[1]->shape;
	const char *mode = nx_node_str(c->node, "mode", "linear");
	const char *padding = nx_node_str(c->node, "padding_mode", "zeros");

	if (x->rank != 4)
		return nx_err_set(err, NX_EUNSUPP, "an input of rank %d", x->rank);
	if (grid->rank != 4 || grid->dim[0] != x->dim[0] || grid->dim[3] != 2 || x->dim[2] < 1 ||
		x->dim[3] < 1)
		return nx_err_set(err, NX_EDATA, "input and grid do not match");
	if (c->in[0]->dtype != NX_F32 || c->in[1]->dtype != NX_F32)
		return nx_err_set(err, NX_EUNSUPP, "only FP32 has a kernel");
	*s = (struct sampler){ { x->dim[2], x->dim[3] },
		strstr(mode, "linear")    ? 2
		: strstr(mode, "cubic")   ? 4
		: strcmp(mode, "nearest") ? 0
					  : 1,
		strcmp(padding, "border") == 0       ? BORDER
		: strcmp(padding, "reflection") == 0 ? REFLECTION
		: strcmp(padding, "zeros") == 0      ? ZEROS
						     : -1,
		nx_node_int(c->node, "align_corners", 0) != 0 };
	if (s->taps == 0 || s->padding < 0)
		return nx_err_set(
			err, NX_EUNSUPP, "mode '%.40s' or padding_mode '%.40s'", mode, padding);
	return 0;
}

/* Mirrors v at both ends of the axis until it is within. */
static double reflect(const struct sampler *s, double v, int64_t n)
{
	double low = s->align ? 0 : -0.5, high = (double)n - (s->align ? 1 : 0.5);
	double range = high - low, beyond = v < low ? low - v : v > high ? v - high : 0;

	if (beyond == 0)
		return v;
	if (range <= 0)
		return 0;
	double turns = floor(beyond / range), rest = beyond - turns * range;
	bool back = fmod(turns, 2) != 0;
	return (v < low) == back ? high - rest : low + rest;
}

/* Where coordinate v on an axis of n lies, in elements, as the padding has it. */
static double place(const struct sampler *s, double v, int64_t n)
{
	v = s->align ? (v + 1) / 2 * (double)(n - 1) : ((v + 1) * (double)n - 1) / 2;
	v = fabs(v) <= FAR ? v : v > 0 ? FAR : -FAR;
	if (s->taps == 1)
		v = nearbyint(v);
	if (s->padding == BORDER)
		return v < 0 ? 0 : v > (double)(n - 1) ? (double)(n - 1) : v;
	return s->padding == REFLECTION ? reflect(s, v, n) : v;
}

/* The element that stands for i, or -1 for zero. */
static int64_t element(const struct sampler *s, int64_t i, int64_t n)
{
	if (i >= 0 && i < n)
		return i;
	if (s->padding == ZEROS)
		return -1;
	if (s->padding == BORDER)
		return i < 0 ? 0 : n - 1;
	i = (int64_t)reflect(s, (double)i, n);
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

struct tap {
	int64_t at[4];
	double w[4];
};

/* Neighbours and weights on one axis; cubic is Keys' kernel with a = -0.75. */
static void find_taps(const struct sampler *s, double v, int64_t n, struct tap *t)
{
	const double a = -0.75;
	double base = floor(v), r = v - base;
	int64_t first = (int64_t)base - (s->taps == 4);

	if (s->taps == 1) {
		t->w[0] = 1;
		first = (int64_t)nearbyint(v);
	} else if (s->taps == 2) {
		t->w[0] = 1 - r;
		t->w[1] = r;
	} else {
		t->w[0] = ((a * (r + 1) - 5 * a) * (r + 1) + 8 * a) * (r + 1) - 4 * a;
		t->w[1] = ((a + 2) * r - (a + 3)) * r * r + 1;
		t->w[2] = ((a + 2) * (1 - r) - (a + 3)) * (1 - r) * (1 - r) + 1;
		t->w[3] = ((a * (2 - r) - 5 * a) * (2 - r) + 8 * a) * (2 - r) - 4 * a;
	}
	for (int k = 0; k < s->taps; k++)
		t->at[k] = element(s, first + k, n);
}

static double sample(const struct sampler *s, const float *plane, const struct tap t[2])
{
	double sum = 0;

	for (int i = 0; i < s->taps; i++) {
		for (int j = 0; j < s->taps; j++) {
			if (t[0].at[i] >= 0 && t[1].at[j] >= 0)
				sum += t[0].w[i] * t[1].w[j] *
				       (double)plane[t[0].at[i] * s->n[1] + t[1].at[j]];
		}
	}
	return sum;
}

int nx_infer_grid_sample(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape shape = c->in[0]->shape;
	struct sampler s;
	int rc = read_sampler(c, &s, err);

	if (rc)
		return rc;
	shape.dim[2] = c->in[1]->shape.dim[1];
	shape.dim[3] = c->in[1]->shape.dim[2];
	nx_ops_out(c, 0, NX_F32, &shape);
	return 0;
}

int nx_eval_grid_sample(const struct nx_op_call *c, struct nx_err *err)
{
	const struct nx_shape *y = &c->out[0]->shape;
	const float *grid = c->in[1]->data;
	struct sampler s;
	int rc = read_sampler(c, &s, err);

	if (rc)
		return rc;
	int64_t area = y->dim[2] * y->dim[3], plane = s.n[0] * s.n[1];
	for (int64_t i = 0; i < y->dim[0] * area; i++, grid += 2) {
		const float *x = (const float *)c->in[0]->data + i / area * y->dim[1] * plane;
		float *to = (float *)c->out[0]->data + i / area * y->dim[1] * area + i % area;
		struct tap t[2];
		/* Coordinates are x, then y. */
		for (int d = 0; d < 2; d++)
			find_taps(&s, place(&s, (double)grid[1 - d], s.n[d]), s.n[d], &t[d]);
		for (int64_t ch = 0; ch < y->dim[1]; ch++)
			to[ch * area] = (float)sample(&s, x + ch * plane, t);
	}
	return 0;
}
