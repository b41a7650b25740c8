/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on tensors of codes whose results are codes too. */
#include "core/alloc.h"
#include "model/ops.h"
#include "plugins/cpu/codes.h"
#include "plugins/cpu/table.h"

/* ---- functions of one element ---------------------------------------------------------------- */

/* Whether the node is a function of each element of its first input alone. */
static bool is_function(const struct cpu_build *b, const struct nx_node *n)
{
	const struct nx_op *op = nx_op_find(n->domain, n->op);

	if (!op || op->rows != NX_ROWS_ELEMENTWISE || n->n_out != 1 || b->val[n->in[0]].coded ||
		b->g->values[n->in[0]].constant)
		return false;
	for (size_t i = 1; i < n->n_in; i++) {
		const struct nx_tensor *t =
			n->in[i] == NX_NO_VALUE ? NULL : b->g->values[n->in[i]].constant;
		if (n->in[i] != NX_NO_VALUE &&
			(!t || t->shape.rank > 1 || nx_shape_count(&t->shape) != 1))
			return false;
	}
	return n->n_in <= 4;
}

/* What the node makes of all codes, with the model's own kernel. */
static int fill_table(const struct cpu_build *b, const struct nx_node *n,
	const struct cpu_rep *from, const struct cpu_wish *to, struct cpu_table *table,
	struct nx_err *err)
{
	const struct nx_shape all = { 1, { 256 } };
	struct nx_tensor x, y, *out[] = { &y };
	const struct nx_tensor *in[4] = { &x };
	int rc = nx_tensor_init(&x, NX_F32, &all, err);

	if (rc)
		return rc;
	rc = nx_tensor_init(&y, NX_F32, &all, err);
	if (rc) {
		nx_tensor_release(&x);
		return rc;
	}
	for (int i = 0; i < 256; i++)
		((float *)x.data)[i] = cpu_real_of(from->md.data_type, (uint8_t)i, &from->codes);
	for (size_t i = 1; i < n->n_in; i++)
		in[i] = n->in[i] == NX_NO_VALUE ? NULL : b->g->values[n->in[i]].constant;
	rc = nx_op_eval(b->g->opset, n, in, out, err);
	for (int i = 0; i < 256 && rc == 0; i++)
		table->to[i] = cpu_code_of(to->type, ((const float *)y.data)[i], &to->codes);
	nx_tensor_release(&x);
	nx_tensor_release(&y);
	return rc;
}

static int emit_function(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct cpu_wish *wish = &b->val[n->out[0]].wish;
	struct cpu_view view = { n->in[0], CPU_VIEW_TABLE, wish->type, wish->codes, { { 0 } }, n };
	struct cpu_rep src;

	if (!is_function(b, n))
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, n->in[0], &src, err))
		return -err->code;
	if (src.codes.scale == 0 || !dnn_md_is_dense(&src.md))
		return CPU_NOT_MINE;
	int rc = fill_table(b, n, &src, wish, &view.table, err);
	if (rc)
		return rc == -NX_EUNSUPP ? CPU_NOT_MINE : rc;
	if (cpu_table_is_identity(&view.table) && src.md.data_type == wish->type) {
		src.codes = wish->codes;
		cpu_rep_put(b, n->out[0], &src);
		return 0;
	}
	cpu_view_add(b, n->out[0], &view);
	return 0;
}

/* The table that a value still is a view through, with nothing but changes of name between. */
static const struct cpu_view *table_behind(const struct cpu_build *b, int value)
{
	const struct cpu_view *view;

	while ((view = cpu_view_get(b, value)) && view->kind == CPU_VIEW_CODES)
		value = view->of;
	return view && view->kind == CPU_VIEW_TABLE ? view : NULL;
}

/* x f(x) is a function of x: SiLU, as quantisers leave it. */
static int emit_gate(
	struct cpu_build *b, const struct nx_node *n, int x, int gate, struct nx_err *err)
{
	const struct cpu_wish *wish = &b->val[n->out[0]].wish;
	const struct cpu_view *f = table_behind(b, gate), *last = cpu_view_get(b, gate);
	struct cpu_rep a, c;

	if (!f || last->codes.scale == 0)
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, x, &a, err) || cpu_rep_home(b, f->of, &c, err))
		return -err->code;
	if (a.buf != c.buf || a.codes.scale == 0 || !cpu_rep_same(&a, &c))
		return CPU_NOT_MINE;
	struct cpu_view view = { x, CPU_VIEW_TABLE, wish->type, wish->codes, { { 0 } }, n };
	for (int i = 0; i < 256; i++)
		view.table.to[i] = cpu_code_of(wish->type,
			cpu_real_of(a.md.data_type, (uint8_t)i, &a.codes) *
				cpu_real_of(f->type, f->table.to[i], &last->codes),
			&wish->codes);
	cpu_view_add(b, n->out[0], &view);
	return 0;
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* (a - za) sa / s + (b - zb) sb / s + z: what does not depend on the elements is one number. */
static dnnl_primitive_desc_t describe_sum(struct cpu_build *b, const struct cpu_rep *x,
	const struct cpu_rep *y, const struct cpu_rep *to)
{
	struct dnn_attr attr = { .src_scale = { x->codes.scale / to->codes.scale,
					 y->codes.scale / to->codes.scale } };
	float shift = (float)to->codes.zero - (float)x->codes.zero * attr.src_scale[0] -
		      (float)y->codes.zero * attr.src_scale[1];
	dnnl_binary_desc_t d;
	dnnl_post_ops_t ops = NULL;
	dnnl_primitive_desc_t pd = NULL;

	if (dnnl_binary_desc_init(&d, dnnl_binary_add, &x->md, &y->md, &to->md) != dnnl_success ||
		dnnl_post_ops_create(&ops) != dnnl_success)
		return NULL;
	attr.post_ops = ops;
	if (shift == 0 ||
		dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_linear, 1, shift) == dnnl_success)
		pd = dnn_pd_new(b->e->dev->engine, &d, &attr);
	dnnl_post_ops_destroy(ops);
	if (pd && !dnn_pd_is_fast(pd)) {
		dnnl_primitive_desc_destroy(pd);
		pd = NULL;
	}
	return pd;
}

static int emit_sum(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *shape = cpu_shape(b, n->out[0]);
	const struct cpu_wish *wish = &b->val[n->out[0]].wish;
	struct cpu_rep x, y;

	if (n->n_in != 2 || !nx_shape_equal(shape, cpu_shape(b, n->in[0])) ||
		!nx_shape_equal(shape, cpu_shape(b, n->in[1])))
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, n->in[0], &x, err) || cpu_rep_home(b, n->in[1], &y, err))
		return -err->code;
	if (x.codes.scale == 0 || y.codes.scale == 0)
		return CPU_NOT_MINE;
	struct cpu_rep form = y, to = { .md = x.md, .codes = wish->codes };
	form.md = x.md;
	dnn_md_retype(&form.md, y.md.data_type);
	dnn_md_retype(&to.md, wish->type);
	dnnl_primitive_desc_t pd = describe_sum(b, &x, &form, &to);
	if (!pd)
		return CPU_NOT_MINE;
	if (cpu_rep_get(b, n->in[1], &form, &y, err)) {
		dnnl_primitive_desc_destroy(pd);
		return -err->code;
	}
	to = cpu_rep_wished(b, n->out[0], &x.md);
	if (cpu_step_primitive(b->e, pd, n, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC_0, x.buf, &x.md);
	cpu_step_use(b->e, DNNL_ARG_SRC_1, y.buf, &y.md);
	cpu_step_use(b->e, DNNL_ARG_DST, to.buf, &to.md);
	return 0;
}

int cpu_emit_coded(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	if (!b->integers || n->n_out < 1 || n->n_in < 1 ||
		b->val[n->out[0]].wish.type == dnnl_data_type_undef ||
		!nx_value_is_f32(b->g, n->in[0]))
		return CPU_NOT_MINE;
	int rc = CPU_NOT_MINE;
	if (nx_node_is(n, "Add"))
		rc = emit_sum(b, n, err);
	for (size_t k = 0; k < 2 && rc == CPU_NOT_MINE && n->n_in == 2 && nx_node_is(n, "Mul"); k++)
		rc = emit_gate(b, n, n->in[k], n->in[1 - k], err);
	return rc == CPU_NOT_MINE ? emit_function(b, n, err) : rc;
}
