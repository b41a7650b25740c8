/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefixes: where a graph can be cut in two, and a digest of everything above each cut.
 *
 * A cut point is a value through which everything behind it depends on the inputs: the graph is
 * a trunk that makes this one value and a suffix that takes it.  Models whose cut points have
 * the same digest compute the same there, so that one trunk serves them all.
 *
 * The digest is SHA-256 over operators, parameters, weights (type, shape, bytes), and the types
 * and row shapes of the inputs, node by node (Merkle).  It is taken of the folded graph of one
 * row, so that it does not depend on the batch, and of what nodes compute instead of how they are
 * written (model/form.h), so that names, order and most of what differs between two exports of
 * one network say nothing.
 */
#ifndef NX_MODEL_PREFIX_H
#define NX_MODEL_PREFIX_H

#include "core/digest.h"
#include "core/err.h"
#include "model/graph.h"

struct nx_cut {
	int value;                   /* of the graph, and of every graph specialized from it */
	char *node;                  /* name of the node that makes it */
	char digest[NX_DIGEST_SIZE]; /* never that of the model, which is of its file */
	uint64_t weights_bytes;      /* constants that the trunk reads */
	double work;                 /* multiplications of the trunk for one row */
};

struct nx_cuts {
	size_t n;
	double work;        /* of the whole model */
	struct nx_cut *cut; /* from the inputs on */
};

/*
 * The cut points of a loaded graph (open in its batch).  Left out are those
 *  - that stack their rows on another axis than the first;
 *  - from which only pointwise work (activations, normalisation, residual sums) leads to the next
 *    one: devices fuse that into the convolution before it, a cut would tear them apart;
 *  - behind a Pad, a DequantizeLinear or what flattens a feature map, which belong to what
 *    follows for the same reason;
 *  - before the first node that is not pointwise: there is nothing to share.
 * The last one may be the output itself: the suffix is then empty.  Errors are those of
 * specializing for one row.
 */
int nx_prefix_cuts(const struct nx_graph *g, struct nx_cuts *out, struct nx_err *err);
void nx_cuts_release(struct nx_cuts *cuts);
/* NULL if there is none of this digest. */
const struct nx_cut *nx_cuts_find(const struct nx_cuts *cuts, const char *digest);

/*
 * Cuts a closed graph at 'value': new closed graphs of what makes the value and of what is made
 * of it, which share the constants with 'g'; both keep its numbering of values.  Where the value
 * is an output, the suffix passes it on by an Identity.  NX_EDATA if the value is no cut point.
 * Either of 'trunk' and 'suffix' may be NULL.
 */
int nx_graph_cut(const struct nx_graph *g, int value, struct nx_graph **trunk,
	struct nx_graph **suffix, struct nx_err *err);

/* Has the one output of a trunk, or the one input of a suffix, pass with its channels last: most
 * devices keep feature maps so, and need not turn them at the cut.  For FP32 feature maps (of rank
 * 3 to 5) of a closed graph; anything else stays. */
void nx_graph_turn_output(struct nx_graph *trunk);
void nx_graph_turn_input(struct nx_graph *suffix);

#endif
