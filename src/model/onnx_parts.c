/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of ONNX files: tensors, attributes, types. */
#include "model/onnx.h"

#include "core/alloc.h"

#include <string.h>

/* ---- tensors -------------------------------------------------------------------------------- */

/* How many numbers the typed field for this data type holds, and how they become bytes. */
#define COPY_FIELD(field, T)                                                                 \
	if (p->n_##field != count)                                                           \
		return nx_err_set(                                                           \
			err, NX_EDATA, "%zu numbers for %zu elements", p->n_##field, count); \
	for (size_t i = 0; i < count; i++)                                                   \
		((T *)out->data)[i] = (T)p->field[i];                                        \
	return 0

static int copy_typed(
	const Onnx__TensorProto *p, struct nx_tensor *out, size_t count, struct nx_err *err)
{
	switch (out->dtype) {
	case NX_F32:
		COPY_FIELD(float_data, float);
	case NX_F64:
		COPY_FIELD(double_data, double);
	case NX_I64:
		COPY_FIELD(int64_data, int64_t);
	case NX_U64:
		COPY_FIELD(uint64_data, uint64_t);
	case NX_U32:
		COPY_FIELD(uint64_data, uint32_t);
	case NX_I32:
		COPY_FIELD(int32_data, int32_t);
	case NX_U16:
	case NX_F16:
	case NX_BF16:
		COPY_FIELD(int32_data, uint16_t);
	case NX_I16:
		COPY_FIELD(int32_data, int16_t);
	case NX_U8:
	case NX_BOOL:
		COPY_FIELD(int32_data, uint8_t);
	case NX_I8:
		COPY_FIELD(int32_data, int8_t);
	default:
		return nx_err_set(err, NX_EUNSUPP, "a tensor of type %d", (int)out->dtype);
	}
}

static int tensor_shape(const Onnx__TensorProto *p, struct nx_shape *s, struct nx_err *err)
{
	if (p->n_dims > NX_MAX_DIMS)
		return nx_err_set(err, NX_EUNSUPP, "a tensor of rank %zu", p->n_dims);
	*s = (struct nx_shape){ .rank = (int)p->n_dims };
	for (size_t i = 0; i < p->n_dims; i++) {
		s->dim[i] = p->dims[i];
		if (s->dim[i] < 0 || (uint64_t)s->dim[i] > NX_TENSOR_CAP)
			return nx_err_set(
				err, NX_EDATA, "a dimension of %lld", (long long)s->dim[i]);
	}
	return 0;
}

/* Whether the data that is there has the size that dims ask for, before memory is. */
static int check_size(
	const Onnx__TensorProto *p, size_t raw, size_t size, int64_t count, struct nx_err *err)
{
	size_t have = p->has_raw_data ? raw / size
				      : p->n_float_data + p->n_int32_data + p->n_int64_data +
						p->n_double_data + p->n_uint64_data;

	if (p->has_raw_data && raw % size)
		return nx_err_set(err, NX_EDATA, "%zu bytes of data are no whole elements", raw);
	if (count < 0 || (uint64_t)count != have)
		return nx_err_set(err, NX_EDATA, "dims ask for %lld elements, the data has %zu",
			(long long)count, have);
	return 0;
}

static int check_kind(const Onnx__TensorProto *p, enum nx_dtype dtype, struct nx_err *err)
{
	if (p->n_external_data || (p->has_data_location && p->data_location != 0))
		return nx_err_set(err, NX_EUNSUPP, "its data is in another file");
	if (p->segment)
		return nx_err_set(err, NX_EUNSUPP, "its data is segmented");
	if (nx_dtype_size(dtype) == 0)
		return nx_err_set(err, NX_EUNSUPP, "a tensor of type %d", (int)dtype);
	return 0;
}

int nx_onnx_tensor(const struct nx_onnx_file *file, const Onnx__TensorProto *p,
	struct nx_tensor *out, struct nx_err *err)
{
	enum nx_dtype dtype = p->has_data_type ? (enum nx_dtype)p->data_type : NX_DT_NONE;
	size_t size = nx_dtype_size(dtype), raw_len = 0;
	uint64_t at = 0;
	struct nx_shape s;
	int rc = check_kind(p, dtype, err);

	*out = (struct nx_tensor){ 0 };
	if (rc == 0)
		rc = tensor_shape(p, &s, err);
	if (rc == 0 && p->has_raw_data)
		rc = nx_onnx_raw(p, &at, &raw_len, err);
	if (rc == 0)
		rc = check_size(p, raw_len, size, nx_shape_count(&s), err);
	if (rc == 0)
		rc = nx_tensor_init(out, dtype, &s, err);
	if (rc)
		return rc;
	if (!p->has_raw_data)
		rc = copy_typed(p, out, out->bytes / size, err);
	else
		rc = nx_onnx_read(file, at, out->data, out->bytes, err);
	/* A BOOL is 0 or 1, whatever the file says. */
	for (size_t i = 0; rc == 0 && dtype == NX_BOOL && i < out->bytes; i++)
		((uint8_t *)out->data)[i] = ((uint8_t *)out->data)[i] != 0;
	if (rc)
		nx_tensor_release(out);
	return rc;
}

/* ---- attributes ----------------------------------------------------------------------------- */

static void *copy(const void *data, size_t n, size_t size)
{
	void *p = nx_alloc(n, size);

	if (n)
		memcpy(p, data, n * size);
	return p;
}

/* Files of IR versions before 2 leave the type out: it is what is there. */
static Onnx__AttributeProto__AttributeType type_of(const Onnx__AttributeProto *p)
{
	if (p->has_type && p->type)
		return p->type;
	if (p->has_f)
		return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
	if (p->has_i)
		return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
	if (p->has_s)
		return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
	if (p->t)
		return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
	if (p->n_floats)
		return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
	if (p->n_ints)
		return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
	return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static int read_attr(const struct nx_onnx_file *file, const Onnx__AttributeProto *p,
	struct nx_attr *a, struct nx_err *err)
{
	a->name = nx_strdup(p->name ? p->name : "");
	switch (type_of(p)) {
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
		a->kind = NX_ATTR_FLOAT;
		a->f = p->f;
		break;
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
		a->kind = NX_ATTR_INT;
		a->i = p->i;
		break;
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
		a->kind = NX_ATTR_STRING;
		a->s = nx_strndup(p->s.data ? (const char *)p->s.data : "", p->s.len);
		break;
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
		a->kind = NX_ATTR_INTS;
		a->n = p->n_ints;
		a->ints = copy(p->ints, p->n_ints, sizeof *p->ints);
		break;
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
		a->kind = NX_ATTR_FLOATS;
		a->n = p->n_floats;
		a->floats = copy(p->floats, p->n_floats, sizeof *p->floats);
		break;
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
		a->kind = NX_ATTR_TENSOR;
		if (!p->t)
			return nx_err_set(
				err, NX_EDATA, "attribute '%.60s' has no tensor", a->name);
		if (nx_onnx_tensor(file, p->t, &a->tensor, err))
			return nx_err_wrap(err, "attribute '%.60s'", a->name);
		break;
	default:
		a->kind = NX_ATTR_OTHER;
	}
	return 0;
}

int nx_onnx_attrs(const struct nx_onnx_file *file, const Onnx__NodeProto *p, struct nx_node *n,
	struct nx_err *err)
{
	n->attrs = nx_alloc(p->n_attribute, sizeof *n->attrs);
	for (size_t i = 0; i < p->n_attribute; i++) {
		n->n_attrs = i + 1;
		int rc = read_attr(file, p->attribute[i], &n->attrs[i], err);
		if (rc)
			return nx_err_wrap(err, "node '%.120s' (%.60s)", n->name, n->op);
	}
	if (nx_node_sort_attrs(n))
		return nx_err_set(err, NX_EDATA, "node '%.120s' (%.60s): an attribute comes twice",
			n->name, n->op);
	return 0;
}

int nx_onnx_type(const Onnx__ValueInfoProto *p, struct nx_value *v, struct nx_err *err)
{
	if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
		return nx_err_set(err, NX_EUNSUPP, "'%.120s' is no tensor", v->name);
	const Onnx__TypeProto__Tensor *t = p->type->tensor_type;
	v->dtype = t->has_elem_type ? (enum nx_dtype)t->elem_type : NX_DT_NONE;
	if (nx_dtype_size(v->dtype) == 0)
		return nx_err_set(err, NX_EUNSUPP, "'%.120s' has type %d", v->name, (int)v->dtype);
	if (!t->shape)
		return nx_err_set(err, NX_EUNSUPP, "'%.120s' has no shape", v->name);
	if (t->shape->n_dim > NX_MAX_DIMS)
		return nx_err_set(
			err, NX_EUNSUPP, "'%.120s' has rank %zu", v->name, t->shape->n_dim);
	v->shape = (struct nx_shape){ .rank = (int)t->shape->n_dim };
	for (size_t i = 0; i < t->shape->n_dim; i++) {
		const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
		bool fixed =
			d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
			d->dim_value >= 0;
		v->shape.dim[i] = fixed ? d->dim_value : NX_DIM_OPEN;
		if (fixed && (uint64_t)d->dim_value > NX_TENSOR_CAP)
			return nx_err_set(err, NX_EDATA, "'%.120s' has a dimension of %lld",
				v->name, (long long)d->dim_value);
	}
	return 0;
}
