/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in files of their own: any bytes load or are refused. */
#include "model/model.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_tensor t;

	if (nx_tensor_load_bytes(data, size, &t, &err) == 0)
		nx_tensor_release(&t);
	return 0;
}
