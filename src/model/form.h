/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node computes, said in one way however it is written: opsets move parameters between
 * attributes and inputs, exporters spell defaults out or leave them, and some operators are
 * others in disguise.  Two nodes with equal forms and equal inputs compute the same; the
 * converse holds for the operators with a rule in form.c and is tried no further.
 */
#ifndef NX_MODEL_FORM_H
#define NX_MODEL_FORM_H

#include "core/buf.h"
#include "model/graph.h"

struct nx_form {
	struct nx_buf text; /* operator and parameters */
	int same_as;        /* the output has the elements of this input in their order; -1: no */
	bool commutes;      /* the order of the inputs says nothing */
	bool broadcasts;    /* leading dimensions of 1 say nothing */
	unsigned spent;     /* bit k: input k is a parameter that 'text' tells, below 32 */
	bool clips; /* the first input is kept between these; 'text' is what else there is */
	double lo, hi;
};

/*
 * The form of output k of a node of a closed graph, of which everything is known.  *moves is how
 * many elements may still be looked at one by one and is lowered; with none left, or where a node
 * defies its rule, the attributes are told as they stand.  Released by nx_form_release().
 */
void nx_form_of(const struct nx_graph *g, const struct nx_node *n, size_t k, uint64_t *moves,
	struct nx_form *form);
void nx_form_release(struct nx_form *form);

#endif
