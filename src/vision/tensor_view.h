/* SPDX-License-Identifier: Apache-2.0 */
/* Output tensors as matrices of floats. */
#ifndef NX_VISION_TENSOR_VIEW_H
#define NX_VISION_TENSOR_VIEW_H

#include "vision/vision.h"

/* rows x cols floats, row-major, owned. */
struct nx_matrix {
	float *at;
	size_t rows, cols;
};

/* Whether the shape, leading ones aside, is a matrix; fills rows and cols. */
bool nx_matrix_fits(const struct nx_vision_output *out, size_t *rows, size_t *cols);

/* Copies the output as floats (FP32, FP16 or FP64; else NX_EUNSUPP): a matrix where it fits one,
 * one row otherwise.  Free m->at. */
int nx_matrix_load(const struct nx_vision_output *out, struct nx_matrix *m, struct nx_err *err);

#endif
