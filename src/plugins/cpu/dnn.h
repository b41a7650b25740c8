/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers around oneDNN 2.6's C interface. */
#ifndef NX_PLUGINS_CPU_DNN_H
#define NX_PLUGINS_CPU_DNN_H

#include "core/err.h"
#include "fuse/fuse.h"
#include "model/graph.h"

#include <oneapi/dnnl/dnnl.h>

#define DNN_ANY NULL /* a memory descriptor whose layout oneDNN may choose */

/* Translates a status; 'what' names the call for the message. */
int dnn_check(dnnl_status_t status, const char *what, struct nx_err *err);

/* oneDNN's name of an activation that is one. */
dnnl_alg_kind_t dnn_alg_of(enum nx_act_kind kind);

/* The element type of a value, dnnl_data_type_undef where oneDNN is never given one. */
dnnl_data_type_t dnn_type_of(enum nx_dtype dtype);

/* Row-major descriptor of a shape; a scalar has one dimension of 1. */
void dnn_md_plain(dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape);
/* The same dimensions with channels (axis 1) innermost. */
void dnn_md_channels_last(
	dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape);
/* The same dimensions with channels in blocks of 16, each innermost; rank 3 to 5. */
void dnn_md_blocked(dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape);
/* The same dimensions, layout open. */
void dnn_md_any(dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape);
/* The same layout with elements of another type. */
void dnn_md_retype(dnnl_memory_desc_t *md, dnnl_data_type_t type);

/* Whether the memory, read front to back, is the row-major tensor (dimensions of 1 may have any
 * stride); whether it is the tensor with its axes in some other order, without gaps. */
bool dnn_md_is_plain(const dnnl_memory_desc_t *md);
bool dnn_md_is_dense(const dnnl_memory_desc_t *md);

/* Whether blocks are filled up with channels that the tensor does not have. */
bool dnn_md_is_padded(const dnnl_memory_desc_t *md);

/* Whether two descriptors of equal dimensions put every element at the same place. */
bool dnn_md_same(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b);

/* What a primitive does beside its operation. */
struct dnn_attr {
	const_dnnl_post_ops_t post_ops; /* or NULL */
	const float *scales;            /* of the sums, before post-ops: 0, 1 or one a channel */
	int n_scales;
	int32_t src_zero, dst_zero; /* codes of zero */
	float src_scale[2];         /* of the operands of a sum of codes; 0: none */
};

/* A descriptor of a described operation with scratchpads in our hands and 'with' (or NULL);
 * NULL where oneDNN has no implementation. */
dnnl_primitive_desc_t dnn_pd_new(
	dnnl_engine_t engine, const_dnnl_op_desc_t desc, const struct dnn_attr *with);
const dnnl_memory_desc_t *dnn_pd_md(const_dnnl_primitive_desc_t pd, dnnl_query_t what);
/* Whether the implementation is generated code and no plain loop ("ref", "simple"). */
bool dnn_pd_is_fast(const_dnnl_primitive_desc_t pd);

/* The name of the implementation, as "brgconv:avx512_core"; never NULL. */
const char *dnn_pd_name(const_dnnl_primitive_desc_t pd);

/* Copies between layouts, once, now. */
int dnn_reorder_now(dnnl_engine_t engine, dnnl_stream_t stream, const dnnl_memory_desc_t *from_md,
	const void *from, dnnl_memory_t to, struct nx_err *err);

#endif
