/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/nodes.h"

/* Moving axes of a tensor may be only another way to read it: NHWC after channels last. */
int cpu_emit_transpose(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *s = cpu_shape(b, n->in[0]);
	struct cpu_rep src;
	dnnl_memory_desc_t view, plain;
	int where[NX_MAX_DIMS];

	if (s->rank < 1 || nx_shape_count(s) <= 0)
		return CPU_NOT_MINE;
	int rc = cpu_emit_shuffle(b, n, err);
	if (rc != CPU_NOT_MINE)
		return rc;
	for (int i = 0; i < s->rank; i++)
		where[cpu_ints_at(n, "perm", i, s->rank - 1 - i)] = i;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	if (dnnl_memory_desc_permute_axes(&view, &src.md, where) != dnnl_success)
		return CPU_NOT_MINE;
	if (cpu_pass(b, CPU_VIEW) && dnn_md_is_dense(&view)) {
		src.md = view;
		cpu_rep_put(b, n->out[0], &src);
		return 0;
	}
	dnn_md_plain(&plain, view.data_type, cpu_shape(b, n->out[0]));
	src.md = view;
	return cpu_emit_copy(b, n->out[0], &src, &plain, err);
}
