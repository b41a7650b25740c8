/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors that are files of their own. */
#include "model/model.h"
#include "model/onnx.h"

int nx_tensor_load_bytes(const void *data, size_t len, struct nx_tensor *out, struct nx_err *err)
{
	*out = (struct nx_tensor){ 0 };
	if (nx_onnx_scan(data, len, &onnx__tensor_proto__descriptor, err))
		return -err->code;
	Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, len, data);
	if (!p)
		return nx_err_set(err, NX_EDATA, "the file is damaged or holds no tensor");
	int rc = nx_onnx_tensor(p, out, err);
	onnx__tensor_proto__free_unpacked(p, NULL);
	return rc;
}
