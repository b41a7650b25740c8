/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/build.h"

#include "core/alloc.h"
#include "plugins/cpu/codes.h"

#include <stdlib.h>
#include <string.h>

bool cpu_pass(const struct cpu_build *b, unsigned bit)
{
	return !(b->e->dev->off & bit);
}

static void done_with(struct cpu_build *b, const struct nx_node *n)
{
	for (size_t i = 0; i < n->n_in; i++)
		if (n->in[i] != NX_NO_VALUE)
			cpu_count_uses(b, n->in[i], -1);
}

static int emit_single(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	int rc = 0;

	if (nx_node_is_view(n) && cpu_pass(b, CPU_VIEW)) {
		const struct cpu_view view = { .of = n->in[0], .kind = CPU_VIEW_SHAPE };
		cpu_view_add(b, n->out[0], &view);
	} else {
		rc = cpu_emit_node(b, n, err);
		if (rc == CPU_NOT_MINE)
			rc = cpu_emit_kernel(b, n, err);
	}
	done_with(b, n);
	return rc < 0 ? nx_err_wrap(err, "node '%s' (%s)", n->name, n->op) : rc;
}

static int emit_group(struct cpu_build *b, const struct nx_group *group, struct nx_err *err)
{
	const struct nx_node *head = &b->g->nodes[group->head];
	int rc;

	if (nx_node_is(head, "Conv") || nx_node_is(head, "ConvTranspose"))
		rc = cpu_emit_conv(b, group, err);
	else if (nx_node_is(head, "BatchNormalization"))
		rc = cpu_emit_norm(b, group, err);
	else
		rc = cpu_emit_gemm(b, group, err);
	if (rc < 0)
		return nx_err_wrap(err, "node '%s' (%s)", head->name, head->op);
	for (size_t i = 0; i < group->n_nodes; i++) {
		const struct nx_node *n = &b->g->nodes[group->node[i]];
		if (rc == 0)
			done_with(b, n);
		else if (emit_single(b, n, err))
			return -err->code;
	}
	return 0;
}

/* Without the pass everything between two steps is row-major. */
static int forget_layout(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	for (size_t i = 0; i < n->n_out; i++) {
		int value = n->out[i];
		struct cpu_rep form;
		if (value == NX_NO_VALUE || b->val[value].n == 0)
			continue;
		form = b->val[value].rep[0];
		if (form.md.ndims)
			dnn_md_plain(&form.md, form.md.data_type, cpu_shape(b, value));
		if (form.md.ndims && cpu_rep_get(b, value, &form, &form, err))
			return -err->code;
		b->val[value].rep[0] = form;
		b->val[value].n = 1;
	}
	return 0;
}

static int emit_all(struct cpu_build *b, struct nx_err *err)
{
	for (size_t i = 0; i < b->g->n_nodes; i++) {
		int id = b->fusion.group_of[i];
		int rc = 0;
		if (id < 0)
			rc = emit_single(b, &b->g->nodes[i], err);
		else if (b->fusion.group[id].last == (int)i)
			rc = emit_group(b, &b->fusion.group[id], err);
		if (rc == 0 && !cpu_pass(b, CPU_LAYOUT))
			rc = forget_layout(b, &b->g->nodes[i], err);
		if (rc)
			return rc;
	}
	return 0;
}

/* An output is made where the caller wants it, or copied there. */
static int emit_output(struct cpu_build *b, size_t k, struct nx_err *err)
{
	int value = b->g->out[k];
	size_t bytes = cpu_value_bytes(b, value);
	struct cpu_rep rep;

	if (cpu_rep_plain(b, value, &rep, err))
		return -err->code;
	struct cpu_buf *buf = &b->e->buf[rep.buf];
	if (buf->kind == CPU_ARENA && buf->bytes == bytes) {
		buf->kind = CPU_OUTPUT;
		buf->index = k;
		return 0;
	}
	int to = cpu_buf_new(b->e, CPU_OUTPUT, bytes);
	b->e->buf[to].index = k;
	cpu_step_join(b->e, NULL, 1, &bytes, 1);
	cpu_step_use(b->e, 0, rep.buf, NULL);
	cpu_step_use(b->e, 0, to, NULL);
	return 0;
}

static void start(struct cpu_build *b)
{
	const struct nx_graph *g = b->g;

	for (size_t i = 0; i < g->n_values; i++)
		b->val[i].view.of = NX_NO_VALUE;
	for (size_t i = 0; i < g->n_nodes; i++)
		for (size_t k = 0; k < g->nodes[i].n_in; k++)
			if (g->nodes[i].in[k] != NX_NO_VALUE)
				b->val[g->nodes[i].in[k]].uses++;
	for (size_t i = 0; i < g->n_out; i++)
		b->val[g->out[i]].uses++;
	for (size_t i = 0; i < g->n_out; i++)
		b->val[g->out[i]].shown = true;
	for (size_t i = g->n_nodes; i-- > 0;)
		if (nx_node_is_view(&g->nodes[i]) && b->val[g->nodes[i].out[0]].shown)
			b->val[g->nodes[i].in[0]].shown = true;
	for (size_t i = 0; i < g->n_in; i++) {
		int buf = cpu_buf_new(b->e, CPU_INPUT, cpu_value_bytes(b, g->in[i]));
		b->e->buf[buf].index = i;
		cpu_rep_add(b, g->in[i], NULL, buf);
	}
}

static int build(struct cpu_build *b, struct nx_err *err)
{
	const struct nx_graph *g = b->g;

	b->val = nx_alloc(g->n_values, sizeof *b->val);
	nx_fusion_init(&b->fusion, g, b->e->dev->off);
	start(b);
	cpu_codes_plan(b);
	int rc = emit_all(b, err);
	for (size_t i = 0; i < g->n_out && rc == 0; i++)
		rc = emit_output(b, i, err);
	nx_fusion_release(&b->fusion);
	free(b->val);
	return rc ? rc : cpu_exec_finish(b->e, err);
}

int cpu_exec_new(struct nx_plugin_device *dev, const struct nx_graph *g, const struct cpu_how *how,
	struct nx_plugin_exec **out, struct nx_err *err)
{
	struct nx_plugin_exec *e = nx_alloc(1, sizeof *e);
	struct cpu_build b = {
		.e = e,
		.g = g,
		.how = how,
		.type = how->precision == CPU_BF16 ? dnnl_bf16 : dnnl_f32,
		.integers = how->precision == CPU_INT8,
	};

	e->dev = dev;
	e->opset = g->opset;
	e->worker = how->worker;
	e->precision = how->precision;
	int rc = dnn_check(dnnl_stream_create(&e->stream, dev->engine, dnnl_stream_default_flags),
		"stream", err);
	if (rc == 0)
		rc = build(&b, err);
	if (rc)
		cpu_exec_free(&e);
	*out = e;
	return rc;
}
