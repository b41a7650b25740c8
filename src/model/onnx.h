/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the ONNX reader; they alone see protobuf-c. */
#ifndef NX_MODEL_ONNX_H
#define NX_MODEL_ONNX_H

#include "model/build.h"

#include "onnx.pb-c.h"

#define NX_ONNX_CAP ((size_t)2 << 30) /* protobuf's own limit of a message */

/*
 * Unpacks a file that holds one 'message'.  protobuf-c gets a skim of it: the same fields, but in
 * the place of every raw_data where it is in the file, to be found with nx_onnx_raw().  Nesting
 * and number of fields stay in bounds, so that unpacking neither exhausts the stack nor blows a
 * small file up, and every length is checked.  The caller frees *out as protobuf-c says.
 * NX_EDATA.
 */
int nx_onnx_unpack(const struct nx_onnx_file *file, const ProtobufCMessageDescriptor *message,
	ProtobufCMessage **out, struct nx_err *err);
/* Where in the file the raw_data of an unpacked tensor is; whether it is there is for
 * nx_onnx_read() to say. */
int nx_onnx_raw(const Onnx__TensorProto *p, uint64_t *at, size_t *len, struct nx_err *err);

/* A TensorProto of 'file' with any of its data forms, to a tensor of its own. */
int nx_onnx_tensor(const struct nx_onnx_file *file, const Onnx__TensorProto *p,
	struct nx_tensor *out, struct nx_err *err);

/* Attributes of a node. */
int nx_onnx_attrs(const struct nx_onnx_file *file, const Onnx__NodeProto *p, struct nx_node *n,
	struct nx_err *err);

/* Dtype and shape of a declared value; open dimensions where they have no number. */
int nx_onnx_type(const Onnx__ValueInfoProto *p, struct nx_value *v, struct nx_err *err);

#endif
