/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX reader and shape inference: any bytes load or are refused. */
#include "model/model.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_graph *g;

	if (nx_model_load_bytes(data, size, "fuzz.onnx", &m, &err))
		return 0;
	if (nx_graph_specialize(m->graph, 3, &g, &err) == 0)
		nx_graph_free(&g);
	nx_model_free(&m);
	return 0;
}
