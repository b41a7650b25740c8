/* SPDX-License-Identifier: Apache-2.0 */
/* The sliding window of convolution and pooling, up to three spatial dimensions. */
#ifndef NX_MODEL_OPS_WINDOW_H
#define NX_MODEL_OPS_WINDOW_H

#include "model/ops/util.h"

/* Dimensions beyond rank are 1 (pads 0), so that loops may always run over three. */
struct nx_window {
	int rank;
	int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], pad_end[3];
};

/* Reads the attributes for an input of shape N,C,spatial…; 'kernel' is the weights' spatial
 * shape, or NULL where the attribute kernel_shape must say it. */
int nx_window_init(struct nx_window *w, const struct nx_op_call *c, const struct nx_shape *x,
	const int64_t *kernel, struct nx_err *err);

/* auto_pad: 0 NOTSET, 1 SAME (*upper says which), 2 VALID, or -NX_EDATA. */
int nx_window_same(const struct nx_op_call *c, bool *upper, struct nx_err *err);

/* Output sizes, and pads where auto_pad decides them. */
int nx_window_outputs(struct nx_window *w, const struct nx_op_call *c, struct nx_err *err);

#endif
