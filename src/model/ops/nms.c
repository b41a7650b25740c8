/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NonMaxSuppression: greedy selection by score, class by class.  How much comes out depends on
 * what goes in, so that it is supported on constants only.
 */
#include "model/ops/kernels.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

/* Constants alone come here, and hostile files may have any number of such nodes. */
#define WORK_MAX ((double)(1 << 24)) /* pairs of boxes */

struct nms {
	const float *boxes, *scores;
	int64_t batches, classes, n; /* n boxes a batch */
	int64_t max;                 /* of a class */
	double iou, score;           /* thresholds */
	bool center;                 /* boxes are x, y, width, height */
};

/* A box as corners. */
struct corners {
	double x0, y0, x1, y1;
};

static struct corners corners_of(const struct nms *m, const float *b)
{
	if (m->center)
		return (struct corners){ (double)b[0] - (double)b[2] / 2,
			(double)b[1] - (double)b[3] / 2, (double)b[0] + (double)b[2] / 2,
			(double)b[1] + (double)b[3] / 2 };
	/* y, x, y, x of any two opposite corners. */
	return (struct corners){ (double)fminf(b[1], b[3]), (double)fminf(b[0], b[2]),
		(double)fmaxf(b[1], b[3]), (double)fmaxf(b[0], b[2]) };
}

static bool overlap(const struct nms *m, const float *a, const float *b)
{
	struct corners p = corners_of(m, a), q = corners_of(m, b);
	double w = fmin(p.x1, q.x1) - fmax(p.x0, q.x0), h = fmin(p.y1, q.y1) - fmax(p.y0, q.y0);

	if (w <= 0 || h <= 0)
		return false;
	double all = (p.x1 - p.x0) * (p.y1 - p.y0) + (q.x1 - q.x0) * (q.y1 - q.y0) - w * h;
	return all > 0 && w * h / all > m->iou;
}

/* The best box behind 'last' (by score, equal ones by index), or -1. */
static int64_t next_box(const struct nms *m, const float *scores, int64_t last)
{
	int64_t best = -1;

	for (int64_t i = 0; i < m->n; i++) {
		bool behind = last < 0 || scores[i] < scores[last] ||
			      (scores[i] == scores[last] && i > last);
		if (behind && (double)scores[i] > m->score &&
			(best < 0 || scores[i] > scores[best]))
			best = i;
	}
	return best;
}

/* Fills triples of batch, class and box; returns how many.  What a class has picked already is
 * read from 'out'. */
static int64_t pick(const struct nms *m, int64_t *out)
{
	int64_t n = 0;

	for (int64_t g = 0; g < m->batches * m->classes; g++) {
		const float *boxes = m->boxes + g / m->classes * m->n * 4;
		const float *scores = m->scores + g * m->n;
		int64_t first = n;
		for (int64_t i = next_box(m, scores, -1); i >= 0 && n - first < m->max;
			i = next_box(m, scores, i)) {
			bool keep = true;
			for (int64_t k = first; keep && k < n; k++)
				keep = !overlap(m, boxes + out[3 * k + 2] * 4, boxes + i * 4);
			if (!keep)
				continue;
			out[3 * n] = g / m->classes;
			out[3 * n + 1] = g % m->classes;
			out[3 * n + 2] = i;
			n++;
		}
	}
	return n;
}

/* The scalar at input k, or the default. */
static double scalar(const struct nx_op_call *c, size_t k, double dflt)
{
	const struct nx_tensor *t = nx_ops_in(c, k);

	return t ? nx_tensor_real(t, 0) : dflt;
}

static int read_nms(const struct nx_op_call *c, struct nms *m, struct nx_err *err)
{
	const struct nx_shape *b = &c->in[0]->shape, *s = &c->in[1]->shape;

	if (b->rank != 3 || s->rank != 3 || b->dim[2] != 4 || b->dim[0] != s->dim[0] ||
		b->dim[1] != s->dim[2] || c->in[0]->dtype != NX_F32 || c->in[1]->dtype != NX_F32)
		return nx_err_set(err, NX_EDATA, "boxes and scores do not match");
	for (size_t k = 0; k < c->n_in; k++) {
		if (c->in[k] && !c->in[k]->data)
			return nx_err_set(err, NX_EUNSUPP, "supported on constants only");
		if (k > 1 && c->in[k] && nx_shape_count(&c->in[k]->shape) != 1)
			return nx_err_set(err, NX_EDATA, "input %zu must hold one number", k);
	}
	double max = scalar(c, 2, 0);
	*m = (struct nms){ c->in[0]->data, c->in[1]->data, b->dim[0], s->dim[1], b->dim[1],
		max > (double)b->dim[1] ? b->dim[1] : (int64_t)fmax(max, 0), scalar(c, 3, 0),
		scalar(c, 4, -INFINITY), nx_node_int(c->node, "center_point_box", 0) != 0 };
	double groups = (double)m->batches * (double)m->classes;
	if (groups * (double)m->n * (double)m->n > WORK_MAX)
		return nx_err_set(err, NX_EUNSUPP, "too many boxes");
	return 0;
}

int nx_infer_nms(const struct nx_op_call *c, struct nx_err *err)
{
	struct nx_shape s = { 2, { 0, 3 } };
	struct nms m;
	int rc = read_nms(c, &m, err);

	if (rc)
		return rc;
	int64_t *picked = nx_try_alloc((size_t)(m.batches * m.classes * m.max), 3 * sizeof *picked);
	if (!picked)
		return nx_err_set(err, NX_EOS, "no memory for the boxes");
	s.dim[0] = pick(&m, picked);
	free(picked);
	nx_ops_out(c, 0, NX_I64, &s);
	return 0;
}

int nx_eval_nms(const struct nx_op_call *c, struct nx_err *err)
{
	struct nms m;
	int rc = read_nms(c, &m, err);

	if (rc == 0)
		pick(&m, c->out[0]->data);
	return rc;
}
