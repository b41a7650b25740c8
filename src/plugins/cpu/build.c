/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/build.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

const struct nx_shape *cpu_shape(const struct cpu_build *b, int value)
{
	return &b->g->values[value].shape;
}

bool cpu_pass(const struct cpu_build *b, unsigned bit)
{
	return !(b->e->dev->off & bit);
}

static size_t value_bytes(const struct cpu_build *b, int value)
{
	const struct nx_value *v = &b->g->values[value];

	return (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
}

void cpu_rep_add(struct cpu_build *b, int value, const dnnl_memory_desc_t *md, int buf)
{
	struct cpu_val *v = &b->val[value];
	struct cpu_rep *rep = &v->rep[v->n];

	/* A full table forgets nothing that is needed: the layout can be made again. */
	if (v->n == CPU_REPS_MAX)
		rep = &v->rep[CPU_REPS_MAX - 1];
	else
		v->n++;
	rep->buf = buf;
	if (md)
		rep->md = *md;
	else if (nx_value_is_f32(b->g, value))
		dnn_md_plain(&rep->md, cpu_shape(b, value));
	else
		memset(&rep->md, 0, sizeof rep->md);
}

int cpu_rep_new(struct cpu_build *b, int value, const dnnl_memory_desc_t *md)
{
	size_t bytes = md ? dnnl_memory_desc_get_size(md) : value_bytes(b, value);
	int buf = cpu_buf_new(b->e, CPU_ARENA, bytes);

	cpu_rep_add(b, value, md, buf);
	return buf;
}

/* Makes sure that a value has a layout: constants and views get theirs when first asked for. */
static int materialize(struct cpu_build *b, int value, struct nx_err *err)
{
	struct cpu_val *v = &b->val[value];
	const struct nx_tensor *constant = b->g->values[value].constant;
	struct cpu_rep from;

	if (v->n)
		return 0;
	if (constant) {
		int buf = cpu_buf_new(b->e, CPU_CONST, constant->bytes);
		b->e->buf[buf].data = constant->data;
		cpu_rep_add(b, value, NULL, buf);
		return 0;
	}
	if (v->view_of == NX_NO_VALUE)
		return nx_err_set(
			err, NX_EDATA, "value '%s' is made by no node", b->g->values[value].name);
	if (cpu_rep_plain(b, v->view_of, &from, err))
		return -err->code;
	cpu_rep_add(b, value, NULL, from.buf);
	return 0;
}

int cpu_rep_home(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err)
{
	if (materialize(b, value, err))
		return -err->code;
	*rep = b->val[value].rep[0];
	return 0;
}

static int emit_reorder(struct cpu_build *b, const struct cpu_rep *from,
	const dnnl_memory_desc_t *md, int buf, struct nx_err *err)
{
	dnnl_engine_t engine = b->e->dev->engine;
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;
	dnnl_status_t st = dnnl_primitive_attr_create(&attr);

	if (st == dnnl_success) {
		dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
		st = dnnl_reorder_primitive_desc_create(&pd, &from->md, engine, md, engine, attr);
		dnnl_primitive_attr_destroy(attr);
	}
	if (st != dnnl_success)
		return dnn_check(st, "reorder", err);
	if (cpu_step_primitive(b->e, pd, NULL, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_FROM, from->buf, &from->md);
	cpu_step_use(b->e, DNNL_ARG_TO, buf, md);
	return 0;
}

int cpu_emit_copy(struct cpu_build *b, int value, const struct cpu_rep *from,
	const dnnl_memory_desc_t *md, struct nx_err *err)
{
	return emit_reorder(b, from, md, cpu_rep_new(b, value, md), err);
}

int cpu_rep_as(struct cpu_build *b, int value, const dnnl_memory_desc_t *md, struct cpu_rep *rep,
	struct nx_err *err)
{
	if (materialize(b, value, err))
		return -err->code;
	struct cpu_val *v = &b->val[value];
	for (int i = 0; i < v->n; i++) {
		if (dnn_md_same(&v->rep[i].md, md)) {
			rep->md = *md;
			rep->buf = v->rep[i].buf;
			return 0;
		}
	}
	struct cpu_rep from = v->rep[0];
	rep->md = *md;
	rep->buf = cpu_rep_new(b, value, md);
	return emit_reorder(b, &from, md, rep->buf, err);
}

int cpu_rep_plain(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err)
{
	dnnl_memory_desc_t md;

	if (!nx_value_is_f32(b->g, value))
		return cpu_rep_home(b, value, rep, err);
	dnn_md_plain(&md, cpu_shape(b, value));
	return cpu_rep_as(b, value, &md, rep, err);
}

/* Readers to come of a buffer, over all the values that lie in it. */
static int uses_of(const struct cpu_build *b, int buf)
{
	int uses = 0;

	for (size_t i = 0; i < b->g->n_values; i++) {
		bool here = false;
		for (int k = 0; k < b->val[i].n; k++)
			here = here || b->val[i].rep[k].buf == buf;
		uses += here ? b->val[i].uses : 0;
	}
	return uses;
}

int cpu_rep_own(
	struct cpu_build *b, int value, const dnnl_memory_desc_t *md, int *buf, struct nx_err *err)
{
	struct cpu_rep rep;

	if (b->val[value].uses == 1 && cpu_pass(b, CPU_INPLACE)) {
		if (cpu_rep_as(b, value, md, &rep, err))
			return -err->code;
		if (b->e->buf[rep.buf].kind == CPU_ARENA && uses_of(b, rep.buf) == 1) {
			*buf = rep.buf;
			return 0;
		}
	}
	if (cpu_rep_home(b, value, &rep, err))
		return -err->code;
	*buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(md));
	return emit_reorder(b, &rep, md, *buf, err);
}

/* A view's readers are readers of what it views. */
static void count_uses(struct cpu_build *b, int value, int more)
{
	for (int v = value; v != NX_NO_VALUE; v = b->val[v].view_of)
		b->val[v].uses += more;
}

static void done_with(struct cpu_build *b, const struct nx_node *n)
{
	for (size_t i = 0; i < n->n_in; i++)
		if (n->in[i] != NX_NO_VALUE)
			count_uses(b, n->in[i], -1);
}

static bool is_view(const struct nx_node *n)
{
	static const char *const ops[] = { "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity",
		"Dropout" };

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++)
		if (nx_node_is(n, ops[i]))
			return n->n_out == 1 || n->out[1] == NX_NO_VALUE;
	return false;
}

static int emit_single(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	int rc = 0;

	if (is_view(n) && cpu_pass(b, CPU_VIEW)) {
		int uses = b->val[n->out[0]].uses;
		b->val[n->out[0]].view_of = n->in[0];
		count_uses(b, n->in[0], uses);
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
		struct cpu_val *v = n->out[i] == NX_NO_VALUE ? NULL : &b->val[n->out[i]];
		struct cpu_rep rep;
		if (!v || v->n == 0)
			continue;
		if (cpu_rep_plain(b, n->out[i], &rep, err))
			return -err->code;
		v->rep[0] = rep;
		v->n = 1;
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
	size_t bytes = value_bytes(b, value);
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
		b->val[i].view_of = NX_NO_VALUE;
	for (size_t i = 0; i < g->n_nodes; i++)
		for (size_t k = 0; k < g->nodes[i].n_in; k++)
			if (g->nodes[i].in[k] != NX_NO_VALUE)
				b->val[g->nodes[i].in[k]].uses++;
	for (size_t i = 0; i < g->n_out; i++)
		b->val[g->out[i]].uses++;
	for (size_t i = 0; i < g->n_in; i++) {
		int buf = cpu_buf_new(b->e, CPU_INPUT, value_bytes(b, g->in[i]));
		b->e->buf[buf].index = i;
		cpu_rep_add(b, g->in[i], NULL, buf);
	}
}

int cpu_build(struct nx_plugin_exec *e, const struct nx_graph *g, struct nx_err *err)
{
	struct cpu_build b = { .e = e, .g = g };

	b.val = nx_alloc(g->n_values, sizeof *b.val);
	nx_fusion_init(&b.fusion, g, e->dev->off);
	start(&b);
	int rc = emit_all(&b, err);
	for (size_t i = 0; i < g->n_out && rc == 0; i++)
		rc = emit_output(&b, i, err);
	nx_fusion_release(&b.fusion);
	free(b.val);
	return rc ? rc : cpu_exec_finish(e, err);
}
