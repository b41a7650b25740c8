/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantising a network by running it on samples: the ranges of its activations are taken from
 * them, and so is what the quantised network's answers are worth.
 */
#ifndef NX_PROFILE_CALIBRATE_H
#define NX_PROFILE_CALIBRATE_H

#include "engine/engine.h"
#include "json/json.h"

/* Rows of a model's only input. */
struct nx_rows_set {
	size_t n, cap, row_bytes;
	void **row;
};

/*
 * At most 'max' rows of 'dir', spread evenly over what is there.  For a model whose manifest
 * describes pictures: its pictures and the frames of its videos, prepared as for inference.  For
 * one of plain tensors: files of a row's bytes, in name order; others are an error.  A picture
 * that cannot be read is left out, with a warning.  NX_ENOINPUT where there is nothing,
 * NX_EUNSUPP for a model of several inputs.  Release it also after a failure.
 */
int nx_rows_read(const struct nx_model *model, const char *dir, size_t max, struct nx_rows_set *set,
	struct nx_err *err);
void nx_rows_release(struct nx_rows_set *set);

struct nx_calibration {
	char *model;
	size_t samples, points; /* rows; activations that were quantised */
	uint64_t onnx_bytes;
	char *precision; /* that the quantised network was checked in */
	/* Over the samples, of the quantised network's answers against those in fp32: how often
	 * the first class is the same, how often fp32's is among the first five (-1: answers are
	 * no classes), and the difference's size over the answer's (Euclidean norms of all
	 * outputs), on average and at worst. */
	double top1, top5, error_mean, error_max;
};
void nx_calibration_release(struct nx_calibration *c);
void nx_calibration_format(const struct nx_calibration *c, struct nx_jw *w);

typedef void nx_calibrate_fn(void *arg, const char *what, size_t done, size_t total);

/*
 * Quantises 'model' with the ranges that 'set' gives; the ONNX bytes go to *onnx, which is empty.
 * 'progress' may be NULL.  *out is released by nx_calibration_release() if 0 is returned.
 * NX_EUSAGE on a simulated device, NX_EUNSUPP where there is nothing to quantise, NX_EDATA where
 * an activation is not finite.
 */
int nx_calibrate(struct nx_engine *engine, const struct nx_model *model,
	const struct nx_rows_set *set, nx_calibrate_fn *progress, void *arg, struct nx_buf *onnx,
	struct nx_calibration *out, struct nx_err *err);

#endif
