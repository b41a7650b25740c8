/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors that are files of their own. */
#include "model/model.h"
#include "model/onnx.h"

int nx_tensor_load_bytes(const void *data, size_t len, struct nx_tensor *out, struct nx_err *err)
{
	const struct nx_onnx_file file = { data, len, -1 };
	ProtobufCMessage *p;

	*out = (struct nx_tensor){ 0 };
	if (nx_onnx_unpack(&file, &onnx__tensor_proto__descriptor, &p, err))
		return -err->code;
	int rc = nx_onnx_tensor(&file, (Onnx__TensorProto *)p, out, err);
	protobuf_c_message_free_unpacked(p, NULL);
	return rc;
}
