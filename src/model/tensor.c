/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and shapes: sizes are checked here once, so that kernels may trust them. */
#include "model/ops.h"

#include "core/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum nx_dtype dtype;
	size_t size;
	const char *oip;
} dtypes[] = {
	{ NX_F32, 4, "FP32" },
	{ NX_U8, 1, "UINT8" },
	{ NX_I8, 1, "INT8" },
	{ NX_U16, 2, "UINT16" },
	{ NX_I16, 2, "INT16" },
	{ NX_I32, 4, "INT32" },
	{ NX_I64, 8, "INT64" },
	{ NX_STRING, 0, "BYTES" },
	{ NX_BOOL, 1, "BOOL" },
	{ NX_F16, 2, "FP16" },
	{ NX_F64, 8, "FP64" },
	{ NX_U32, 4, "UINT32" },
	{ NX_U64, 8, "UINT64" },
	{ NX_BF16, 2, "BF16" },
};

size_t nx_dtype_size(enum nx_dtype t)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(dtypes); i++) {
		if (dtypes[i].dtype == t)
			return dtypes[i].size;
	}
	return 0;
}

const char *nx_dtype_oip_name(enum nx_dtype t)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(dtypes); i++) {
		if (dtypes[i].dtype == t)
			return dtypes[i].oip;
	}
	return "UNKNOWN";
}

enum nx_dtype nx_dtype_from_oip(const char *s)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(dtypes); i++) {
		if (strcmp(dtypes[i].oip, s) == 0)
			return dtypes[i].dtype;
	}
	return NX_DT_NONE;
}

int64_t nx_shape_count(const struct nx_shape *s)
{
	int64_t n = 1;

	for (int i = 0; i < s->rank; i++) {
		if (s->dim[i] < 0 || __builtin_mul_overflow(n, s->dim[i], &n))
			return -1;
	}
	return n;
}

bool nx_shape_equal(const struct nx_shape *a, const struct nx_shape *b)
{
	return a->rank == b->rank &&
	       memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

const char *nx_shape_format(const struct nx_shape *s, char *out, size_t size)
{
	size_t at = 0;

	if (size == 0)
		return out;
	for (int i = 0; i < s->rank && at < size; i++)
		at += (size_t)snprintf(
			out + at, size - at, "%s%lld", i ? "," : "[", (long long)s->dim[i]);
	if (at < size)
		snprintf(out + at, size - at, "%s", s->rank ? "]" : "[]");
	return out;
}

int nx_tensor_init(
	struct nx_tensor *t, enum nx_dtype dtype, const struct nx_shape *shape, struct nx_err *err)
{
	size_t size = nx_dtype_size(dtype);
	int64_t count = nx_shape_count(shape);
	char text[128];

	if (size == 0)
		return nx_err_set(err, NX_EUNSUPP, "a tensor of type %d", (int)dtype);
	if (count < 0 || (uint64_t)count > NX_TENSOR_CAP / size)
		return nx_err_set(err, NX_EDATA, "a tensor of shape %s is too large",
			nx_shape_format(shape, text, sizeof text));
	size_t bytes = (size_t)count * size;
	bool pages = bytes >= NX_PAGES_MIN;
	t->data = pages ? nx_pages_alloc(bytes) : nx_try_alloc(bytes, 1);
	if (!t->data)
		return nx_err_set(err, NX_EOS, "no memory for a tensor of shape %s",
			nx_shape_format(shape, text, sizeof text));
	t->dtype = dtype;
	t->shape = *shape;
	t->bytes = bytes;
	t->pages = pages;
	return 0;
}

void nx_tensor_release(struct nx_tensor *t)
{
	if (t->pages)
		nx_pages_free(t->data, t->bytes);
	else
		free(t->data);
	*t = (struct nx_tensor){ 0 };
}

double nx_tensor_real(const struct nx_tensor *t, int64_t i)
{
	switch (t->dtype) {
	case NX_F32:
		return ((const float *)t->data)[i];
	case NX_F64:
		return ((const double *)t->data)[i];
	case NX_F16:
		return nx_half_to_float(((const uint16_t *)t->data)[i]);
	case NX_BF16:
		return nx_bf16_to_float(((const uint16_t *)t->data)[i]);
	case NX_I64:
		return (double)((const int64_t *)t->data)[i];
	case NX_U64:
		return (double)((const uint64_t *)t->data)[i];
	case NX_I32:
		return ((const int32_t *)t->data)[i];
	case NX_U32:
		return ((const uint32_t *)t->data)[i];
	case NX_I16:
		return ((const int16_t *)t->data)[i];
	case NX_U16:
		return ((const uint16_t *)t->data)[i];
	case NX_I8:
		return ((const int8_t *)t->data)[i];
	case NX_U8:
	case NX_BOOL:
		return ((const uint8_t *)t->data)[i];
	default:
		return 0;
	}
}
