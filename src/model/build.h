/* SPDX-License-Identifier: Apache-2.0 */
/* Building and changing graphs: for the loader and the passes of this module alone. */
#ifndef NX_MODEL_BUILD_H
#define NX_MODEL_BUILD_H

#include "model/graph.h"

/* All that constant folding may make and read while one graph is built, in bytes: hostile files
 * can ask for any number of large constants.  Fuzzing lowers it. */
#ifndef NX_FOLD_CAP
#define NX_FOLD_CAP ((uint64_t)1 << 32)
#endif

struct nx_graph *nx_graph_new(const char *name);
/* Adds a value of that name (copied, need not be unique); returns its index. */
int nx_graph_add_value(struct nx_graph *g, const char *name);
/* Makes 'value' a constant with the contents of *t, which is emptied. */
void nx_graph_set_constant(struct nx_graph *g, int value, struct nx_tensor *t);
/* Makes 'value' the same constant as one of another graph or value: a reference more. */
void nx_graph_share_constant(struct nx_graph *g, int value, struct nx_tensor *constant);
/* Adds an empty node at the end; the pointer is valid until the next one is added. */
struct nx_node *nx_graph_add_node(
	struct nx_graph *g, const char *op, const char *name, size_t n_in, size_t n_out);
/* Adds a node at the end, which takes over all that *from has. */
void nx_graph_move_node(struct nx_graph *g, struct nx_node *from);
void nx_graph_add_io(int **list, size_t *n, int value);
void nx_node_release(struct nx_node *n);
void nx_node_clear_attrs(struct nx_node *n);
/* Sorts the attributes by name, as nx_node_attr() expects; -1 if a name comes twice. */
int nx_node_sort_attrs(struct nx_node *n);

/* A deep copy but for the constants, which both graphs share. */
struct nx_graph *nx_graph_clone(const struct nx_graph *g);

/* Passes.  None of them renumbers values. */
/* Nodes that make nothing needed go, and constants that nobody reads. */
void nx_graph_drop_dead(struct nx_graph *g);
void nx_graph_drop_identity(struct nx_graph *g);
/* A Sum of two is an Add, which is what fusing looks for. */
void nx_graph_rename_sums(struct nx_graph *g);
/* Nodes and constants go; what the inputs and outputs are stays. */
void nx_graph_strip(struct nx_graph *g);
/* Half precision is computed in fp32: constants are widened, inputs and outputs keep their type
 * behind a Cast. */
int nx_graph_widen(struct nx_graph *g, struct nx_err *err);
/* Opset 6 broadcasts along an axis that the node names: an Unsqueeze makes it NumPy's rule. */
void nx_graph_align_legacy(struct nx_graph *g);
/* QLinearConv and its like become DequantizeLinear, the operator on floats, QuantizeLinear. */
int nx_graph_expand_qlinear(struct nx_graph *g, struct nx_err *err);
/* Batch norms behind convolutions with constant weights become part of them. */
int nx_graph_fold_norms(struct nx_graph *g, struct nx_err *err);
/* Nodes in the forms of opset 13 where the graph's is older (7 or newer); 'one' is the closed
 * graph of one row, for shapes.  NX_EUNSUPP where there is no such form. */
int nx_graph_upgrade(struct nx_graph *g, const struct nx_graph *one, struct nx_err *err);
/* Every output is made by a node, also where it is an input or a constant. */
void nx_graph_make_outputs(struct nx_graph *g);
/* Infers and folds the nodes whose inputs are all constant. */
int nx_graph_fold(struct nx_graph *g, struct nx_err *err);
/* NX_EUNSUPP with all operators that are not known. */
int nx_graph_check_ops(const struct nx_graph *g, struct nx_err *err);

/* Infers node i (all of its inputs are known) and folds it where all are constant; *budget is
 * what may still be spent on folding. */
int nx_graph_infer_node(struct nx_graph *g, size_t i, uint64_t *budget, struct nx_err *err);

/* Where the rows of a batch lie in a value. */
#define NX_ROWS_NONE  (-1) /* does not depend on the batch */
#define NX_ROWS_SIZES (-2) /* a constant that only says how many rows there are */

/*
 * Given the graph of one row 'one' and the half-inferred graph of 'batch' rows 'g': says in
 * rows[] where each output of node i carries its rows, or fails with NX_EUNSUPP if it mixes
 * them.  Called before the node is inferred: reshapes are rewritten so that rows stay stacked.
 */
int nx_rows_rewrite(struct nx_graph *g, const struct nx_graph *one, size_t i, int64_t batch,
	const int *rows, struct nx_err *err);
/* As above, after it was inferred. */
int nx_rows_track(const struct nx_graph *g, const struct nx_graph *one, size_t i, int64_t batch,
	int *rows, struct nx_err *err);

/* The bytes of an ONNX file: in memory, or still in the file, which is read piece by piece. */
struct nx_onnx_file {
	const uint8_t *data; /* NULL: 'fd' is open for reading */
	size_t len;
	int fd;
};
/* Copies n bytes from 'at' on.  NX_EDATA if they are not there, NX_EIO. */
int nx_onnx_read(
	const struct nx_onnx_file *file, uint64_t at, void *to, size_t n, struct nx_err *err);

/* ONNX bytes to a graph, folded and free of dead nodes. */
int nx_onnx_load(const struct nx_onnx_file *file, struct nx_graph **out, struct nx_err *err);

#endif
