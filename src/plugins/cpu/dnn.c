/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/dnn.h"

#include <string.h>

int dnn_check(dnnl_status_t status, const char *what, struct nx_err *err)
{
	switch (status) {
	case dnnl_success:
		return 0;
	case dnnl_out_of_memory:
		return nx_err_set(err, NX_EOS, "oneDNN: %s: out of memory", what);
	case dnnl_unimplemented:
		return nx_err_set(err, NX_EUNSUPP, "oneDNN: %s: not implemented", what);
	default:
		return nx_err_set(err, NX_ESOFTWARE, "oneDNN: %s: status %d", what, (int)status);
	}
}

dnnl_alg_kind_t dnn_alg_of(enum nx_act_kind kind)
{
	static const dnnl_alg_kind_t alg[] = {
		[NX_ACT_NONE] = dnnl_alg_kind_undef,
		[NX_ACT_RELU] = dnnl_eltwise_relu,
		[NX_ACT_ELU] = dnnl_eltwise_elu,
		[NX_ACT_SIGMOID] = dnnl_eltwise_logistic,
		[NX_ACT_TANH] = dnnl_eltwise_tanh,
		[NX_ACT_HARDSWISH] = dnnl_eltwise_hardswish,
		[NX_ACT_SWISH] = dnnl_eltwise_swish,
		[NX_ACT_EXP] = dnnl_eltwise_exp,
		[NX_ACT_ABS] = dnnl_eltwise_abs,
		[NX_ACT_SQRT] = dnnl_eltwise_sqrt,
		[NX_ACT_CLIP] = dnnl_eltwise_clip,
	};

	return alg[kind];
}

dnnl_data_type_t dnn_type_of(enum nx_dtype dtype)
{
	switch (dtype) {
	case NX_F32:
		return dnnl_f32;
	case NX_U8:
		return dnnl_u8;
	case NX_I8:
		return dnnl_s8;
	default:
		return dnnl_data_type_undef;
	}
}

static int copy_dims(const struct nx_shape *shape, dnnl_dims_t dims)
{
	for (int i = 0; i < shape->rank; i++)
		dims[i] = shape->dim[i];
	if (shape->rank == 0)
		dims[0] = 1;
	return shape->rank ? shape->rank : 1;
}

void dnn_md_plain(dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape)
{
	dnnl_dims_t dims = { 0 }, strides = { 0 };
	int n = copy_dims(shape, dims);
	dnnl_dim_t stride = 1;

	for (int i = n - 1; i >= 0; i--) {
		strides[i] = stride;
		stride *= dims[i];
	}
	dnnl_memory_desc_init_by_strides(md, n, dims, type, strides);
}

void dnn_md_channels_last(
	dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape)
{
	dnnl_dims_t dims = { 0 }, strides = { 0 };
	int n = copy_dims(shape, dims);
	dnnl_dim_t stride = n > 1 ? dims[1] : 1;

	if (n > 1)
		strides[1] = 1;
	for (int i = n - 1; i >= 0; i--) {
		if (i == 1)
			continue;
		strides[i] = stride;
		stride *= dims[i];
	}
	dnnl_memory_desc_init_by_strides(md, n, dims, type, strides);
}

void dnn_md_blocked(dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape)
{
	static const dnnl_format_tag_t tag[] = { dnnl_nCw16c, dnnl_nChw16c, dnnl_nCdhw16c };
	dnnl_dims_t dims = { 0 };
	int n = copy_dims(shape, dims);

	dnnl_memory_desc_init_by_tag(md, n, dims, type, tag[n - 3]);
}

void dnn_md_any(dnnl_memory_desc_t *md, dnnl_data_type_t type, const struct nx_shape *shape)
{
	dnnl_dims_t dims = { 0 };
	int n = copy_dims(shape, dims);

	dnnl_memory_desc_init_by_tag(md, n, dims, type, dnnl_format_tag_any);
}

void dnn_md_retype(dnnl_memory_desc_t *md, dnnl_data_type_t type)
{
	/* Strides and blocks count elements. */
	md->data_type = type;
}

bool dnn_md_is_padded(const dnnl_memory_desc_t *md)
{
	return memcmp(md->dims, md->padded_dims, (size_t)md->ndims * sizeof md->dims[0]) != 0;
}

static bool unblocked(const dnnl_memory_desc_t *md)
{
	return md->format_kind == dnnl_blocked && md->format_desc.blocking.inner_nblks == 0 &&
	       md->offset0 == 0 && !dnn_md_is_padded(md);
}

bool dnn_md_is_plain(const dnnl_memory_desc_t *md)
{
	dnnl_dim_t stride = 1;

	if (!unblocked(md))
		return false;
	for (int i = md->ndims - 1; i >= 0; i--) {
		if (md->dims[i] != 1 && md->format_desc.blocking.strides[i] != stride)
			return false;
		stride *= md->dims[i];
	}
	return true;
}

bool dnn_md_is_dense(const dnnl_memory_desc_t *md)
{
	size_t count = dnnl_data_type_size(md->data_type);

	for (int i = 0; i < md->ndims; i++)
		count *= (size_t)md->dims[i];
	return unblocked(md) && dnnl_memory_desc_get_size(md) == count;
}

bool dnn_md_same(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b)
{
	if (dnnl_memory_desc_equal(a, b))
		return true;
	if (a->ndims != b->ndims || a->data_type != b->data_type || !unblocked(a) || !unblocked(b))
		return false;
	for (int i = 0; i < a->ndims; i++)
		if (a->dims[i] != b->dims[i] ||
			(a->dims[i] != 1 && a->format_desc.blocking.strides[i] !=
						    b->format_desc.blocking.strides[i]))
			return false;
	return true;
}

static dnnl_status_t set_attr(dnnl_primitive_attr_t to, const struct dnn_attr *a)
{
	dnnl_status_t st = dnnl_success;

	if (a->post_ops)
		st = dnnl_primitive_attr_set_post_ops(to, a->post_ops);
	if (st == dnnl_success && a->n_scales)
		st = dnnl_primitive_attr_set_output_scales(
			to, a->n_scales, a->n_scales > 1 ? 1 << 1 : 0, a->scales);
	if (st == dnnl_success && a->src_scale[0] != 0)
		st = dnnl_primitive_attr_set_scales(to, DNNL_ARG_SRC_0, 1, 0, &a->src_scale[0]);
	if (st == dnnl_success && a->src_scale[1] != 0)
		st = dnnl_primitive_attr_set_scales(to, DNNL_ARG_SRC_1, 1, 0, &a->src_scale[1]);
	if (st == dnnl_success && a->src_zero)
		st = dnnl_primitive_attr_set_zero_points(to, DNNL_ARG_SRC, 1, 0, &a->src_zero);
	if (st == dnnl_success && a->dst_zero)
		st = dnnl_primitive_attr_set_zero_points(to, DNNL_ARG_DST, 1, 0, &a->dst_zero);
	return st;
}

dnnl_primitive_desc_t dnn_pd_new(
	dnnl_engine_t engine, const_dnnl_op_desc_t desc, const struct dnn_attr *with)
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;

	if (dnnl_primitive_attr_create(&attr) != dnnl_success)
		return NULL;
	/* One scratchpad an executable, in its hands: the library's own is shared by threads. */
	dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
	if ((with && set_attr(attr, with) != dnnl_success) ||
		dnnl_primitive_desc_create(&pd, desc, attr, engine, NULL) != dnnl_success)
		pd = NULL;
	dnnl_primitive_attr_destroy(attr);
	return pd;
}

const dnnl_memory_desc_t *dnn_pd_md(const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
	return dnnl_primitive_desc_query_md(pd, what, 0);
}

const char *dnn_pd_name(const_dnnl_primitive_desc_t pd)
{
	const char *name = NULL;

	if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name) !=
		dnnl_success)
		return "";
	return name ? name : "";
}

bool dnn_pd_is_fast(const_dnnl_primitive_desc_t pd)
{
	const char *name = dnn_pd_name(pd);

	return strstr(name, "jit") || strstr(name, "brg") || strstr(name, "brdgmm");
}

int dnn_reorder_now(dnnl_engine_t engine, dnnl_stream_t stream, const dnnl_memory_desc_t *from_md,
	const void *from, dnnl_memory_t to, struct nx_err *err)
{
	const dnnl_memory_desc_t *to_md = NULL;
	dnnl_primitive_desc_t pd = NULL;
	dnnl_primitive_t prim = NULL;
	dnnl_memory_t source = NULL;
	/* The handle is only read; oneDNN has no const for it. */
	dnnl_status_t st = dnnl_memory_create(&source, from_md, engine, (void *)(uintptr_t)from);

	if (st == dnnl_success)
		st = dnnl_memory_get_memory_desc(to, &to_md);
	if (st == dnnl_success)
		st = dnnl_reorder_primitive_desc_create(&pd, from_md, engine, to_md, engine, NULL);
	if (st == dnnl_success)
		st = dnnl_primitive_create(&prim, pd);
	if (st == dnnl_success) {
		const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, source }, { DNNL_ARG_TO, to } };
		st = dnnl_primitive_execute(prim, stream, 2, args);
	}
	if (st == dnnl_success)
		st = dnnl_stream_wait(stream);
	dnnl_primitive_destroy(prim);
	dnnl_primitive_desc_destroy(pd);
	dnnl_memory_destroy(source);
	return dnn_check(st, "reorder of weights", err);
}
