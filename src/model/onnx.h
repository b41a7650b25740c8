/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the ONNX reader; they alone see protobuf-c. */
#ifndef NX_MODEL_ONNX_H
#define NX_MODEL_ONNX_H

#include "model/build.h"

#include "onnx.pb-c.h"

/* Walks the wire format before protobuf-c does: nesting and number of fields stay in bounds, so
 * that unpacking neither exhausts the stack nor blows a small file up. */
int nx_onnx_scan(const void *data, size_t len, const ProtobufCMessageDescriptor *message,
	struct nx_err *err);

/* A TensorProto with any of its data forms to a tensor of its own. */
int nx_onnx_tensor(const Onnx__TensorProto *p, struct nx_tensor *out, struct nx_err *err);

/* Attributes of a node. */
int nx_onnx_attrs(const Onnx__NodeProto *p, struct nx_node *n, struct nx_err *err);

/* Dtype and shape of a declared value; open dimensions where they have no number. */
int nx_onnx_type(const Onnx__ValueInfoProto *p, struct nx_value *v, struct nx_err *err);

#endif
