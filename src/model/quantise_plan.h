/* SPDX-License-Identifier: Apache-2.0 */
/* What deciding and rewriting share. */
#ifndef NX_MODEL_QUANTISE_PLAN_H
#define NX_MODEL_QUANTISE_PLAN_H

#include "model/graph.h"

/* Conv, Gemm or MatMul of activations (input 0) and constant weights (input 1). */
bool nx_quant_is_linear(const struct nx_graph *g, const struct nx_node *n);

#endif
