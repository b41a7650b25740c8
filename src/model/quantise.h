/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an int8 network of an fp32 one: QuantizeLinear and DequantizeLinear are put round what
 * is to be computed in integers (post-training quantisation, as ONNX's QDQ form has it), so that
 * any runtime of opset 13 can execute the result, and one that knows the form in int8.
 *
 * Activations are u8 with a scale and a zero point a tensor, weights s8 with a scale a channel and
 * no zero point, biases s32 in units of both scales.  What the ranges of activations are must be
 * found out by running the network: nx_quant_observed() is the network with those values as
 * further outputs.
 */
#ifndef NX_MODEL_QUANTISE_H
#define NX_MODEL_QUANTISE_H

#include "core/buf.h"
#include "core/err.h"
#include "model/graph.h"

#include <stddef.h>

struct nx_quant {
	struct nx_graph *graph; /* fp32, batch norms folded, opset 13 or newer */
	size_t n_points;        /* values whose ranges must be known */
	int *point;             /* indices of values of 'graph' */
	int *point_of;          /* value -> its point, -1: stays in fp32 */
};

struct nx_range {
	float min, max;
};

/* Decides what is quantised: inputs and results of Conv, Gemm and MatMul with constant weights and
 * of what lies between them.  A result is taken behind its activation function.  'g' is a graph
 * as loaded and is not changed.  NX_EUNSUPP where there is nothing to quantise, it is quantised
 * already, or an operator of an old opset has no form in opset 13. */
int nx_quant_new(const struct nx_graph *g, struct nx_quant **out, struct nx_err *err);
void nx_quant_free(struct nx_quant **q);

/* A new graph whose outputs are the network's and then one for each point. */
int nx_quant_observed(const struct nx_quant *q, struct nx_graph **out, struct nx_err *err);

/* A new graph in QDQ form; range[i] is that of point i (it is widened to hold 0). */
int nx_quant_apply(const struct nx_quant *q, const struct nx_range *range, struct nx_graph **out,
	struct nx_err *err);

/* ONNX bytes of a graph, appended to *out; the batch, where it is open, is "N".  Value names are
 * kept where they are unique.  NX_EUNSUPP over protobuf's 2 GiB. */
int nx_onnx_write(const struct nx_graph *g, struct nx_buf *out, struct nx_err *err);

#endif
