/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph: what every model becomes after loading and what every device plugin compiles.
 *
 * A graph is plain data (no globals, no I/O): values (tensors with a name, a type and a shape;
 * constants carry their bytes) and nodes in an order in which they can run.  Operators keep
 * their ONNX names and ONNX semantics.  A loaded graph may have open dimensions;
 * nx_graph_specialize() makes the closed graph of one batch size, and only closed graphs reach
 * a plugin.  Plugins include this header and link src/model/{tensor,graph,ops…}.c, which have no
 * state of their own.
 */
#ifndef NX_MODEL_GRAPH_H
#define NX_MODEL_GRAPH_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NX_MAX_DIMS 8
#define NX_DIM_OPEN (-1) /* a dimension not known before the batch size is */

/* The numbers are ONNX's TensorProto.DataType. */
enum nx_dtype {
	NX_DT_NONE = 0,
	NX_F32 = 1,
	NX_U8 = 2,
	NX_I8 = 3,
	NX_U16 = 4,
	NX_I16 = 5,
	NX_I32 = 6,
	NX_I64 = 7,
	NX_STRING = 8, /* never inside a graph that runs; named here for error messages */
	NX_BOOL = 9,
	NX_F16 = 10,
	NX_F64 = 11,
	NX_U32 = 12,
	NX_U64 = 13,
	NX_BF16 = 16
};

size_t nx_dtype_size(enum nx_dtype t);          /* bytes of an element; 0 for NX_STRING */
const char *nx_dtype_oip_name(enum nx_dtype t); /* "FP32", "UINT8", … as the protocol says */
enum nx_dtype nx_dtype_from_oip(const char *s); /* NX_DT_NONE if unknown; BYTES is NX_STRING */

struct nx_shape {
	int rank;
	int64_t dim[NX_MAX_DIMS]; /* outermost first */
};

/* Elements of a closed shape; -1 if a dimension is open or the product overflows. */
int64_t nx_shape_count(const struct nx_shape *s);
bool nx_shape_equal(const struct nx_shape *a, const struct nx_shape *b);
/* "[1,3,224,224]", open dimensions as -1; returns out. */
const char *nx_shape_format(const struct nx_shape *s, char *out, size_t size);

/* A dense row-major tensor; data is 64-byte aligned and owned by the tensor. */
struct nx_tensor {
	enum nx_dtype dtype;
	struct nx_shape shape;
	void *data;
	size_t bytes;
	bool pages; /* data is of nx_pages_alloc(), else of the heap */
};

/* Allocates zeroed data for dtype and closed shape; more than NX_TENSOR_CAP bytes is NX_EDATA. */
#define NX_TENSOR_CAP ((size_t)1 << 32)
int nx_tensor_init(
	struct nx_tensor *t, enum nx_dtype dtype, const struct nx_shape *shape, struct nx_err *err);
void nx_tensor_release(struct nx_tensor *t);
/* The value of element i of any numeric type, as near as a double can be. */
double nx_tensor_real(const struct nx_tensor *t, int64_t i);

/*
 * Constants: tensors whose bytes never change again, each counted on its own, so that graphs,
 * executables and packed weights hold just those they need.  A pointer to one is a plain tensor
 * pointer, but only what nx_const_new() returned may be given to these functions.  Any thread.
 */
struct nx_tensor *nx_const_new(struct nx_tensor *t); /* takes the contents; one reference */
struct nx_tensor *nx_const_ref(struct nx_tensor *constant);
void nx_const_unref(struct nx_tensor **constant); /* NULL is fine */
/* The first bytes of the SHA-256 of type, shape and data: equal for equal constants of any
 * model.  Made when first asked for; borrowed from the constant. */
#define NX_CONST_ID_SIZE 16
const uint8_t *nx_const_id(struct nx_tensor *constant);

enum nx_attr_kind {
	NX_ATTR_INT,
	NX_ATTR_FLOAT,
	NX_ATTR_STRING,
	NX_ATTR_INTS,
	NX_ATTR_FLOATS,
	NX_ATTR_TENSOR,
	NX_ATTR_OTHER
};

struct nx_attr {
	char *name;
	enum nx_attr_kind kind;
	int64_t i;
	float f;
	char *s;
	size_t n; /* of ints or floats */
	int64_t *ints;
	float *floats;
	struct nx_tensor tensor;
};

#define NX_NO_VALUE (-1) /* an optional input or output that is left out */

struct nx_node {
	char *op;     /* ONNX operator name, e.g. "Conv" */
	char *domain; /* "" for the ONNX domain */
	char *name;   /* for messages; never NULL; made up where the file has none */
	size_t n_in, n_out, n_attrs;
	int *in; /* indices of values, or NX_NO_VALUE */
	int *out;
	struct nx_attr *attrs; /* sorted by name */
};

struct nx_value {
	char *name;
	enum nx_dtype dtype;
	struct nx_shape shape;
	bool known;                 /* dtype and shape have been inferred */
	struct nx_tensor *constant; /* NULL unless it is one; a reference of this graph */
};

struct nx_graph {
	char *name;
	int64_t opset; /* of the ONNX domain */
	size_t n_values, n_nodes, n_in, n_out;
	struct nx_value *values;
	struct nx_node *nodes; /* each node after those that make its inputs */
	int *in;               /* indices of values: real inputs, not initializers */
	int *out;
};

void nx_graph_free(struct nx_graph **g);

/* A copy that needs no graph, for who evaluates the node when its graph is gone. */
struct nx_node *nx_node_dup(const struct nx_node *n);
void nx_node_free(struct nx_node **n);

/* Attributes by name; the default where absent (or of another kind). */
const struct nx_attr *nx_node_attr(const struct nx_node *n, const char *name);
int64_t nx_node_int(const struct nx_node *n, const char *name, int64_t dflt);
float nx_node_float(const struct nx_node *n, const char *name, float dflt);
const char *nx_node_str(const struct nx_node *n, const char *name, const char *dflt);
/* Borrowed; *count is 0 and NULL is returned where absent. */
const int64_t *nx_node_ints(const struct nx_node *n, const char *name, size_t *count);

/*
 * A new closed graph for 'batch' rows: binds the open (or, where the model was exported with a
 * fixed leading 1, that) leading dimension of every input to 'batch', infers every shape, folds
 * what is constant, rewrites Reshape targets that baked the batch in, and drops dead nodes.
 * Constants are shared with 'g', which need not outlive the result.
 * NX_EUNSUPP if the graph cannot run in batches (then batch 1 works and rows run one by one),
 * names all unsupported operators at once with their nodes; NX_EDATA if shapes contradict.
 *
 * Promised of the result: every output is made by a node of its own (an Identity where it is an
 * input or a constant); outputs nobody reads are NX_NO_VALUE; values no node names may be
 * unknown; Dropout and Identity are gone otherwise; a tensor may be empty (a dimension of 0);
 * half precision occurs only in inputs and outputs, behind a Cast from or to FP32.
 */
int nx_graph_specialize(
	const struct nx_graph *g, int64_t batch, struct nx_graph **out, struct nx_err *err);

/*
 * A new closed graph for the inputs 'in' (one for each of the graph's, in order), whatever their
 * shapes.  Where a shape depends on what an input holds (the target of a Reshape), that input
 * becomes a constant and is none of the result's; values keep their indices, so that
 * out->in[i] tells which are left.  Otherwise as nx_graph_specialize().
 */
int nx_graph_close(const struct nx_graph *g, const struct nx_tensor *in, struct nx_graph **out,
	struct nx_err *err);

/* Bytes of all constants that some node of the graph reads. */
uint64_t nx_graph_weights_bytes(const struct nx_graph *g);

#endif
