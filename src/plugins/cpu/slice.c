/* SPDX-License-Identifier: Apache-2.0 */
/* Slice forwards, in the layout that is there. */
#include "core/alloc.h"
#include "plugins/cpu/nodes.h"
#include "plugins/cpu/simd.h"

#include <stdlib.h>
#include <string.h>

struct axis {
	size_t n, step; /* positions that are taken, and floats between two of them */
};

struct slice {
	size_t first; /* floats in front of what is taken */
	int rank;
	struct axis axis[NX_MAX_DIMS]; /* as they lie in memory */
};

CPU_SIMD static void take_second(float *restrict to, const float *restrict from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[2 * i];
}

/* Copies what is taken along the axes from 'a' on; returns where the next goes. */
static float *take(const struct slice *s, int a, float *to, const float *from)
{
	const struct axis *x = &s->axis[a];

	if (a < s->rank - 1) {
		for (size_t i = 0; i < x->n; i++)
			to = take(s, a + 1, to, from + i * x->step);
		return to;
	}
	if (x->step == 1)
		memcpy(to, from, x->n * sizeof *to);
	else if (x->step == 2)
		take_second(to, from, x->n);
	else
		for (size_t i = 0; i < x->n; i++)
			to[i] = from[i * x->step];
	return to + x->n;
}

static int run_slice(struct cpu_step *step, struct nx_plugin_exec *e, struct nx_err *err)
{
	const struct slice *s = step->own;
	const float *from = step->op[0].ptr;

	(void)e;
	(void)err;
	take(s, 0, step->op[1].ptr, from + s->first);
	return 0;
}

/* The numbers of constant input k, or of an attribute where up to opset 9 they are one; false
 * where they are not known.  *n is 0 where they are left out. */
static bool numbers(const struct cpu_build *b, const struct nx_node *n, size_t k, const char *attr,
	int64_t *v, size_t *count)
{
	const struct nx_tensor *t = NULL;

	*count = 0;
	if (k < n->n_in && n->in[k] != NX_NO_VALUE) {
		t = b->g->values[n->in[k]].constant;
		if (!t || (t->dtype != NX_I64 && t->dtype != NX_I32))
			return false;
		*count = (size_t)nx_shape_count(&t->shape);
	}
	const int64_t *list = t ? NULL : nx_node_ints(n, attr, count);
	if (*count > NX_MAX_DIMS)
		return false;
	for (size_t i = 0; i < *count; i++)
		v[i] = !t                   ? list[i]
		       : t->dtype == NX_I64 ? ((const int64_t *)t->data)[i]
					    : ((const int32_t *)t->data)[i];
	return true;
}

/* First position and step along each axis. */
static bool read_steps(const struct cpu_build *b, const struct nx_node *n,
	const struct nx_shape *in, int64_t *start, int64_t *step)
{
	int64_t starts[NX_MAX_DIMS], axes[NX_MAX_DIMS], steps[NX_MAX_DIMS];
	size_t n_starts, n_axes, n_steps;

	if (!numbers(b, n, 1, "starts", starts, &n_starts) ||
		!numbers(b, n, 3, "axes", axes, &n_axes) ||
		!numbers(b, n, 4, "steps", steps, &n_steps) || (n_axes && n_axes != n_starts) ||
		(n_steps && n_steps != n_starts))
		return false;
	for (int a = 0; a < in->rank; a++)
		start[a] = 0, step[a] = 1;
	for (size_t i = 0; i < n_starts; i++) {
		int64_t a = n_axes ? axes[i] : (int64_t)i, s = starts[i];
		a += a < 0 ? in->rank : 0;
		if (a < 0 || a >= in->rank || (n_steps && steps[i] < 1))
			return false;
		s += s < 0 ? in->dim[a] : 0;
		start[a] = s < 0 ? 0 : s;
		step[a] = n_steps ? steps[i] : 1;
	}
	return true;
}

/* Whole axes behind others are one long run. */
static void add_axis(struct slice *s, size_t n, size_t step, size_t length)
{
	struct axis *before = s->rank ? &s->axis[s->rank - 1] : NULL;

	if (before && n == length && before->step == n * step) {
		before->n *= n;
		before->step = step;
	} else {
		s->axis[s->rank++] = (struct axis){ n, step };
	}
}

/* False where the part is not within the whole. */
static bool plan(struct slice *s, const struct nx_shape *in, const struct nx_shape *out, bool last,
	const int64_t *start, const int64_t *step)
{
	size_t stride[NX_MAX_DIMS], floats = 1;

	for (int i = in->rank - 1; i >= 0; i--) {
		int a = !last ? i : i == in->rank - 1 ? 1 : i == 0 ? 0 : i + 1;
		stride[a] = floats;
		floats *= (size_t)in->dim[a];
		if (start[a] + (out->dim[a] - 1) * step[a] >= in->dim[a])
			return false;
		s->first += (size_t)start[a] * stride[a];
	}
	for (int i = 0; i < in->rank; i++) {
		int a = !last ? i : i == in->rank - 1 ? 1 : i == 0 ? 0 : i + 1;
		/* One position does not move, whatever the step. */
		size_t by = out->dim[a] > 1 ? (size_t)step[a] : 1;
		add_axis(s, (size_t)out->dim[a], by * stride[a], (size_t)in->dim[a]);
	}
	return true;
}

int cpu_emit_slice(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *in = cpu_shape(b, n->in[0]), *out = cpu_shape(b, n->out[0]);
	int64_t start[NX_MAX_DIMS], step[NX_MAX_DIMS];
	struct slice plan_of = { 0 };
	struct cpu_rep src;
	dnnl_memory_desc_t md;

	if (in->rank < 1 || out->rank != in->rank || nx_shape_count(in) <= 0 ||
		nx_shape_count(out) <= 0 || !read_steps(b, n, in, start, step))
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	bool last = in->rank > 2 && !dnn_md_is_plain(&src.md);
	if (!plan(&plan_of, in, out, last, start, step))
		return CPU_NOT_MINE;
	(last ? dnn_md_channels_last : dnn_md_plain)(&md, dnnl_f32, in);
	if (cpu_rep_as(b, n->in[0], &md, &src, err))
		return -err->code;
	(last ? dnn_md_channels_last : dnn_md_plain)(&md, dnnl_f32, out);
	int to = cpu_rep_new(b, n->out[0], &md);
	struct cpu_step *s = cpu_step_new(b->e, run_slice, "slice", n);
	s->own = nx_alloc(1, sizeof plan_of);
	memcpy(s->own, &plan_of, sizeof plan_of);
	cpu_step_use(b->e, 0, src.buf, NULL);
	cpu_step_use(b->e, 0, to, NULL);
	return 0;
}
