/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes for which oneDNN has nothing: the model's reference kernels on row-major tensors. */
#include "core/alloc.h"
#include "model/ops.h"
#include "plugins/cpu/build.h"

#include <stdlib.h>

static int run_kernel(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	for (size_t i = 0; i < s->n; i++)
		s->tensor[i].data = s->op[i].ptr;
	return nx_op_eval(e->opset, s->node, s->in, s->out, err);
}

static void set_tensor(const struct cpu_build *b, struct nx_tensor *t, int value)
{
	const struct nx_value *v = &b->g->values[value];

	t->dtype = v->dtype;
	t->shape = v->shape;
	t->bytes = (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
}

int cpu_emit_kernel(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	int *buf = nx_alloc(n->n_in + n->n_out, sizeof *buf);
	struct cpu_rep rep;
	int rc = 0;

	/* All changes of layout come before the step itself. */
	for (size_t i = 0; i < n->n_in && rc == 0; i++) {
		if (n->in[i] == NX_NO_VALUE)
			continue;
		rc = cpu_rep_plain(b, n->in[i], &rep, err);
		buf[i] = rc ? 0 : rep.buf;
	}
	if (rc) {
		free(buf);
		return rc;
	}
	struct cpu_step *s = cpu_step_new(b->e, run_kernel, "reference", n);
	size_t used = 0;
	s->tensor = nx_alloc(n->n_in + n->n_out, sizeof *s->tensor);
	s->in = nx_alloc(n->n_in, sizeof(struct nx_tensor *));
	s->out = nx_alloc(n->n_out, sizeof(struct nx_tensor *));
	for (size_t i = 0; i < n->n_in; i++) {
		if (n->in[i] == NX_NO_VALUE)
			continue;
		set_tensor(b, &s->tensor[used], n->in[i]);
		s->in[i] = &s->tensor[used++];
		cpu_step_use(b->e, 0, buf[i], NULL);
	}
	for (size_t i = 0; i < n->n_out; i++) {
		if (n->out[i] == NX_NO_VALUE)
			continue;
		set_tensor(b, &s->tensor[used], n->out[i]);
		s->out[i] = &s->tensor[used++];
		cpu_step_use(b->e, 0, cpu_rep_new(b, n->out[i], NULL), NULL);
	}
	free(buf);
	return 0;
}
