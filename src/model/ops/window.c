/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel, strides, dilations and padding of convolution and pooling. */
#include "model/ops/window.h"

#include <string.h>

/* An attribute list of one number per spatial dimension (two for pads). */
static int window_list(const struct nx_op_call *c, const char *name, int64_t dflt, int64_t min,
	size_t n, int64_t *out, struct nx_err *err)
{
	struct nx_ints v;
	int rc = nx_ops_ints(c, NX_NO_INPUT, name, &v, err);

	if (rc)
		return rc;
	if (v.there && v.n != n)
		return nx_err_set(err, NX_EDATA, "attribute '%s' has %zu numbers instead of %zu",
			name, v.n, n);
	for (size_t i = 0; i < n; i++) {
		out[i] = v.there ? v.v[i] : dflt;
		if (out[i] < min || out[i] > NX_ATTR_LIMIT)
			return nx_err_set(err, NX_EDATA, "attribute '%s' holds %lld", name,
				(long long)out[i]);
	}
	return 0;
}

int nx_window_init(struct nx_window *w, const struct nx_op_call *c, const struct nx_shape *x,
	const int64_t *kernel, struct nx_err *err)
{
	int64_t pads[6] = { 0 };
	size_t r = x->rank >= 3 ? (size_t)x->rank - 2 : 0;

	if (r < 1 || r > 3)
		return nx_err_set(err, NX_EUNSUPP, "an input of rank %d", x->rank);
	*w = (struct nx_window){ .rank = (int)r };
	for (size_t i = 0; i < 3; i++)
		w->in[i] = w->out[i] = w->kernel[i] = w->stride[i] = w->dilation[i] = 1;
	int rc = window_list(c, "kernel_shape", kernel ? 1 : 0, 1, r, w->kernel, err);
	if (rc == 0)
		rc = window_list(c, "strides", 1, 1, r, w->stride, err);
	if (rc == 0)
		rc = window_list(c, "dilations", 1, 1, r, w->dilation, err);
	if (rc == 0)
		rc = window_list(c, "pads", 0, 0, 2 * r, pads, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < r; i++) {
		w->in[i] = x->dim[2 + i];
		w->pad[i] = pads[i];
		w->pad_end[i] = pads[r + i];
		if (!kernel)
			continue;
		if (nx_node_attr(c->node, "kernel_shape") && w->kernel[i] != kernel[i])
			return nx_err_set(
				err, NX_EDATA, "kernel_shape contradicts the weights' shape");
		w->kernel[i] = kernel[i];
	}
	return 0;
}

int nx_window_same(const struct nx_op_call *c, bool *upper, struct nx_err *err)
{
	const char *mode = nx_node_str(c->node, "auto_pad", "NOTSET");

	*upper = strcmp(mode, "SAME_UPPER") == 0;
	if (*upper || strcmp(mode, "SAME_LOWER") == 0)
		return 1;
	if (strcmp(mode, "NOTSET") == 0 || strcmp(mode, "") == 0)
		return 0;
	if (strcmp(mode, "VALID") == 0)
		return 2;
	return nx_err_set(err, NX_EDATA, "auto_pad '%s' is not defined", mode);
}

int nx_window_outputs(struct nx_window *w, const struct nx_op_call *c, struct nx_err *err)
{
	bool upper, ceil_mode = nx_node_int(c->node, "ceil_mode", 0) != 0;
	int same = nx_window_same(c, &upper, err);

	if (same < 0)
		return same;
	for (int i = 0; i < w->rank; i++) {
		int64_t span = (w->kernel[i] - 1) * w->dilation[i] + 1;
		if (same == 1) {
			int64_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
			int64_t pad = (out - 1) * w->stride[i] + span - w->in[i];
			pad = pad > 0 ? pad : 0;
			w->pad[i] = upper ? pad / 2 : pad - pad / 2;
			w->pad_end[i] = pad - w->pad[i];
		} else if (same == 2) {
			w->pad[i] = w->pad_end[i] = 0;
		}
		int64_t room = w->in[i] + w->pad[i] + w->pad_end[i] - span;
		if (room < 0)
			return nx_err_set(err, NX_EDATA, "the kernel is larger than its input");
		w->out[i] =
			(room + (ceil_mode && same == 0 ? w->stride[i] - 1 : 0)) / w->stride[i] + 1;
		/* A window that would begin in the padding behind the input is left out. */
		if (ceil_mode && (w->out[i] - 1) * w->stride[i] >= w->in[i] + w->pad[i])
			w->out[i]--;
	}
	return 0;
}
