/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softplus.  oneDNN 2.6 computes it with an error of 2e-6 wherever it is: 1 % of what is small at
 * x = -10, all of it at -14, and Mish and logarithms behind it show that.
 */
#include "plugins/cpu/nodes.h"
#include "plugins/cpu/power.h"
#include "plugins/cpu/simd.h"

#include "core/alloc.h"

/* max(x, 0) + log(1 + u) for u = e^-|x|; the logarithm is 2 artanh(u / (2 + u)), whose series at up
 * to 1/3 ends within 2e-8. */
CPU_SIMD static void softplus(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float u = cpu_power(x[i] < 0 ? x[i] : -x[i]), s = u / (2.0f + u), q = s * s;
		float p = 1.0f / 13;
		p = p * q + 1.0f / 11;
		p = p * q + 1.0f / 9;
		p = p * q + 1.0f / 7;
		p = p * q + 1.0f / 5;
		p = p * q + 1.0f / 3;
		p = p * q + 1.0f;
		/* A NaN is not below 0. */
		y[i] = (x[i] < 0 ? 0.0f : x[i]) + 2.0f * s * p;
	}
}

static int run_softplus(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	const size_t *n = s->own;

	(void)e;
	(void)err;
	softplus(s->op[1].ptr, s->op[0].ptr, *n);
	return 0;
}

int cpu_emit_softplus(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *shape = cpu_shape(b, n->in[0]);
	struct cpu_rep src;
	dnnl_memory_desc_t md;

	if (nx_shape_count(shape) <= 0)
		return CPU_NOT_MINE;
	if (cpu_rep_real(b, n->in[0], &src, err))
		return -err->code;
	md = src.md;
	dnn_md_retype(&md, dnnl_f32);
	/* What fills up a block would not stay 0. */
	if (dnn_md_is_padded(&md))
		dnn_md_channels_last(&md, dnnl_f32, shape);
	if (cpu_rep_as(b, n->in[0], &md, &src, err))
		return -err->code;
	int to = cpu_rep_new(b, n->out[0], &md);
	struct cpu_step *s = cpu_step_new(b->e, run_softplus, "softplus", n);
	size_t *own = nx_alloc(1, sizeof *own);
	*own = dnnl_memory_desc_get_size(&md) / sizeof(float);
	s->own = own;
	cpu_step_use(b->e, 0, src.buf, NULL);
	cpu_step_use(b->e, 0, to, NULL);
	return 0;
}
