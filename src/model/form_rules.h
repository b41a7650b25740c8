/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of form.c: each tells the parameters of a family of operators as they act. */
#ifndef NX_MODEL_FORM_RULES_H
#define NX_MODEL_FORM_RULES_H

#include "model/form.h"
#include "model/ops/util.h"

/* A node as its operator sees it: constants with their data, all else with type and shape. */
struct nx_form_node {
	struct nx_op_call c;
	const struct nx_graph *g;
	struct nx_tensor *store;
	const struct nx_tensor **in;
	struct nx_tensor **out;
	size_t k; /* the output that is described */
};

void nx_form_int(struct nx_form *f, const char *name, int64_t v);
void nx_form_real(struct nx_form *f, const char *name, double v);
/* An attribute as it is written. */
void nx_form_attr(struct nx_form *f, const struct nx_attr *a);
/* Negative axes count from the end. */
int64_t nx_form_axis(int64_t axis, int rank);

/* 0, or -1 if the node has parameters that cannot be told: that are not constant, or of a form
 * too rare for a rule. */
typedef int nx_form_rule(const struct nx_form_node *s, struct nx_form *f);
nx_form_rule nx_form_conv, nx_form_pool, nx_form_conv_transpose, nx_form_softmax, nx_form_reduce,
	nx_form_clip, nx_form_relu, nx_form_pad, nx_form_resize, nx_form_topk, nx_form_quantized;

#endif
