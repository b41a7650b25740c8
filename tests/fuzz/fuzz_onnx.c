/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX reader and shape inference: any bytes load or are refused, and it makes no difference
 * whether they are in memory or still in a file. */
#include "core/err.h"
#include "model/build.h"
#include "model/model.h"
#include "model/prefix.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load_from_file(const uint8_t *data, size_t size, struct nx_graph **g, struct nx_err *err)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz.onnx", MFD_CLOEXEC);
	NX_ASSERT(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	const struct nx_onnx_file file = { NULL, size, fd };
	return nx_onnx_load(&file, g, err);
}

/* Whatever is said to be a cut point is one. */
static void cut_everywhere(const struct nx_graph *open, const struct nx_graph *closed)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *trunk, *suffix;
	struct nx_cuts cuts;

	if (nx_prefix_cuts(open, &cuts, &err))
		return;
	for (size_t i = 0; i < cuts.n; i++) {
		NX_ASSERT(nx_graph_cut(closed, cuts.cut[i].value, &trunk, &suffix, &err) == 0);
		nx_graph_turn_output(trunk);
		nx_graph_turn_input(suffix);
		nx_graph_free(&trunk);
		nx_graph_free(&suffix);
	}
	nx_cuts_release(&cuts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nx_onnx_file file = { data ? data : (const uint8_t *)"", size, -1 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct nx_graph *g, *same;

	int rc = nx_onnx_load(&file, &g, &err);
	int again = load_from_file(data, size, &same, &err);
	NX_ASSERT(rc == again);
	if (rc)
		return 0;
	NX_ASSERT(nx_graph_weights_bytes(g) == nx_graph_weights_bytes(same));
	nx_graph_free(&g);
	nx_graph_free(&same);
	if (nx_model_load_bytes(data, size, "fuzz.onnx", &m, &err))
		return 0;
	if (nx_graph_specialize(m->graph, 3, &g, &err) == 0) {
		cut_everywhere(m->graph, g);
		nx_graph_free(&g);
	}
	nx_model_free(&m);
	return 0;
}
