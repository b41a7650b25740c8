/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "plugins/cpu/nodes.h"

#include <stdlib.h>

/* Concat by copying runs of bytes, channels last where the inputs are. */
int cpu_emit_concat(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *out = cpu_shape(b, n->out[0]);
	int axis = (int)nx_node_int(n, "axis", 0);
	size_t *chunk = nx_alloc(n->n_in, sizeof *chunk), outer = 1;
	int *buf = nx_alloc(n->n_in, sizeof *buf);
	bool last = out->rank >= 3 && nx_value_is_f32(b->g, n->out[0]);
	int rc = 0;

	axis += axis < 0 ? out->rank : 0;
	for (size_t i = 0; i < n->n_in && last; i++)
		last = b->val[n->in[i]].n && dnn_md_is_dense(&b->val[n->in[i]].rep[0].md) &&
		       b->val[n->in[i]].rep[0].md.format_desc.blocking.strides[1] == 1;
	/* Physical order: axis 1 goes to the end. */
	for (int i = 0; i < out->rank; i++)
		if (last ? (axis == 1 ? i != 1 : i < axis && i != 1) : i < axis)
			outer *= (size_t)out->dim[i];
	for (size_t i = 0; i < n->n_in && rc == 0; i++) {
		dnnl_memory_desc_t md;
		struct cpu_rep rep;
		dnn_md_channels_last(&md, cpu_shape(b, n->in[i]));
		rc = last ? cpu_rep_as(b, n->in[i], &md, &rep, err)
			  : cpu_rep_plain(b, n->in[i], &rep, err);
		buf[i] = rc ? 0 : rep.buf;
		const struct nx_value *v = &b->g->values[n->in[i]];
		chunk[i] =
			outer ? (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype) / outer
			      : 0;
	}
	if (rc == 0) {
		dnnl_memory_desc_t md;
		dnn_md_channels_last(&md, out);
		int dst = cpu_rep_new(b, n->out[0], last ? &md : NULL);
		cpu_step_join(b->e, n, outer, chunk, n->n_in);
		for (size_t i = 0; i < n->n_in; i++)
			cpu_step_use(b->e, 0, buf[i], NULL);
		cpu_step_use(b->e, 0, dst, NULL);
	}
	free(chunk);
	free(buf);
	return rc;
}
