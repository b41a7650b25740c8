/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say of themselves: numbers from attributes or constants, and windows. */
#include "plugins/cuda/lower.h"

#include <limits.h>
#include <string.h>

int64_t cu_ints_at(const struct nx_node *n, const char *name, int i, int64_t dflt)
{
	size_t count;
	const int64_t *v = nx_node_ints(n, name, &count);

	return (size_t)i < count ? v[i] : dflt;
}

int cu_ints(const struct cu_build *b, const struct nx_node *n, size_t input, const char *attr,
	int64_t *out, int max)
{
	size_t count = 0;
	const int64_t *v = attr ? nx_node_ints(n, attr, &count) : NULL;

	if (!v && input < n->n_in && n->in[input] != NX_NO_VALUE) {
		const struct nx_tensor *t = b->g->values[n->in[input]].constant;
		int64_t size = t ? nx_shape_count(&t->shape) : -1;
		if (size < 0 || size > max || (t->dtype != NX_I64 && t->dtype != NX_I32))
			return -1;
		for (int64_t i = 0; i < size; i++)
			out[i] = t->dtype == NX_I64 ? ((const int64_t *)t->data)[i]
						    : ((const int32_t *)t->data)[i];
		return (int)size;
	}
	if (count > (size_t)max)
		return -1;
	for (size_t i = 0; i < count; i++)
		out[i] = v[i];
	return (int)count;
}

bool cu_scalar(const struct cu_build *b, int value, float *out)
{
	int64_t count;
	const float *p = nx_const_f32(b->g, value, &count);

	if (!p || count != 1)
		return false;
	*out = p[0];
	return true;
}

/* Padding of one axis; 'span' is what the kernel covers. */
static void set_padding(const struct nx_node *n, int i, int spatial, int64_t in, int64_t out,
	int64_t span, struct cu_window *w, int at)
{
	const char *automatic = nx_node_str(n, "auto_pad", "NOTSET");
	int64_t total = (out - 1) * w->stride[at] + span - in;
	int64_t front = cu_ints_at(n, "pads", i, 0), back = cu_ints_at(n, "pads", i + spatial, 0);

	if (strncmp(automatic, "SAME", 4) == 0) {
		total = total > 0 ? total : 0;
		front = strcmp(automatic, "SAME_LOWER") == 0 ? total - total / 2 : total / 2;
		back = total - front;
	} else if (strcmp(automatic, "VALID") == 0) {
		front = back = 0;
	}
	w->pad[at] = (int)front;
	w->pad_end[at] = (int)back;
}

bool cu_window_of(const struct cu_build *b, const struct nx_node *n, int in, int out,
	const struct nx_shape *kernel, struct cu_window *w)
{
	const struct nx_shape *x = cu_shape(b, in), *y = cu_shape(b, out);
	int spatial = x->rank - 2;

	if (!cu_can_map(b, in) || !cu_can_map(b, out) || y->rank != x->rank)
		return false;
	for (int d = 0; d < x->rank; d++)
		if (x->dim[d] > INT_MAX || y->dim[d] > INT_MAX)
			return false;
	memset(w, 0, sizeof *w);
	w->n = (int)x->dim[0];
	w->h = w->p = w->r = w->s = 1;
	for (int at = 0; at < 2; at++)
		w->stride[at] = w->dilation[at] = 1;
	for (int i = 0; i < spatial; i++) {
		int at = i + 2 - spatial;
		int64_t size = kernel ? kernel->dim[i + 2] : cu_ints_at(n, "kernel_shape", i, 1);
		w->stride[at] = (int)cu_ints_at(n, "strides", i, 1);
		w->dilation[at] = (int)cu_ints_at(n, "dilations", i, 1);
		*(at ? &w->w : &w->h) = (int)x->dim[i + 2];
		*(at ? &w->q : &w->p) = (int)y->dim[i + 2];
		*(at ? &w->s : &w->r) = (int)size;
		set_padding(n, i, spatial, x->dim[i + 2], y->dim[i + 2],
			(size - 1) * w->dilation[at] + 1, w, at);
	}
	return true;
}
