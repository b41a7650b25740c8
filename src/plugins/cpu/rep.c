/* SPDX-License-Identifier: Apache-2.0 */
/* The forms a value is held in: layout, data type, and the meaning of codes. */
#include "core/alloc.h"
#include "plugins/cpu/codes.h"
#include "plugins/cpu/table.h"

#include <stdlib.h>
#include <string.h>

const struct nx_shape *cpu_shape(const struct cpu_build *b, int value)
{
	return &b->g->values[value].shape;
}

dnnl_data_type_t cpu_type(const struct cpu_build *b, int value)
{
	return dnn_type_of(b->g->values[value].dtype);
}

size_t cpu_value_bytes(const struct cpu_build *b, int value)
{
	const struct nx_value *v = &b->g->values[value];

	return (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
}

dnnl_data_type_t cpu_made_as(const struct cpu_build *b, int value)
{
	return b->val[value].shown ? dnnl_f32 : b->type;
}

static bool same_codes(const struct cpu_codes *a, const struct cpu_codes *b)
{
	return a->scale == b->scale && (a->scale == 0 || a->zero == b->zero);
}

bool cpu_rep_same(const struct cpu_rep *a, const struct cpu_rep *b)
{
	return same_codes(&a->codes, &b->codes) && dnn_md_same(&a->md, &b->md);
}

void cpu_rep_put(struct cpu_build *b, int value, const struct cpu_rep *rep)
{
	struct cpu_val *v = &b->val[value];

	/* A full table forgets nothing that is needed: the form can be made again. */
	if (v->n == CPU_REPS_MAX)
		v->n--;
	v->rep[v->n++] = *rep;
}

void cpu_rep_add(struct cpu_build *b, int value, const dnnl_memory_desc_t *md, int buf)
{
	struct cpu_rep rep = { .buf = buf };

	if (md)
		rep.md = *md;
	else if (cpu_type(b, value) != dnnl_data_type_undef)
		dnn_md_plain(&rep.md, cpu_type(b, value), cpu_shape(b, value));
	cpu_rep_put(b, value, &rep);
}

int cpu_rep_new(struct cpu_build *b, int value, const dnnl_memory_desc_t *md)
{
	size_t bytes = md ? dnnl_memory_desc_get_size(md) : cpu_value_bytes(b, value);
	int buf = cpu_buf_new(b->e, CPU_ARENA, bytes);

	cpu_rep_add(b, value, md, buf);
	return buf;
}

struct cpu_rep cpu_rep_wished(struct cpu_build *b, int value, const dnnl_memory_desc_t *like)
{
	struct cpu_rep rep = { .md = *like, .codes = b->val[value].wish.codes };

	dnn_md_retype(&rep.md, b->val[value].wish.type);
	rep.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&rep.md));
	cpu_rep_put(b, value, &rep);
	return rep;
}

void cpu_count_uses(struct cpu_build *b, int value, int more)
{
	for (int v = value; v != NX_NO_VALUE; v = b->val[v].view.of)
		b->val[v].uses += more;
}

void cpu_view_add(struct cpu_build *b, int value, const struct cpu_view *view)
{
	b->val[value].view = *view;
	cpu_count_uses(b, view->of, b->val[value].uses);
}

const struct cpu_view *cpu_view_get(const struct cpu_build *b, int value)
{
	const struct cpu_val *v = &b->val[value];

	return v->n == 0 && v->view.of != NX_NO_VALUE ? &v->view : NULL;
}

/* Row-major, in whatever type the elements are there. */
static int reshape(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err)
{
	int of = b->val[value].view.of;

	if (rep->md.ndims == 0)
		return 0;
	dnn_md_plain(&rep->md, rep->md.data_type, cpu_shape(b, of));
	if (cpu_rep_get(b, of, rep, rep, err))
		return -err->code;
	dnn_md_plain(&rep->md, rep->md.data_type, cpu_shape(b, value));
	return 0;
}

static int make_view(struct cpu_build *b, int value, struct nx_err *err)
{
	const struct cpu_view *view = &b->val[value].view;
	struct cpu_rep rep;
	int from;

	if (cpu_rep_home(b, view->of, &rep, err))
		return -err->code;
	switch (view->kind) {
	case CPU_VIEW_SHAPE:
		if (reshape(b, value, &rep, err))
			return -err->code;
		break;
	case CPU_VIEW_TABLE:
		from = rep.buf;
		rep.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&rep.md));
		cpu_emit_table(b, view->node, &view->table, from, rep.buf,
			dnnl_memory_desc_get_size(&rep.md));
		dnn_md_retype(&rep.md, view->type);
		rep.codes = view->codes;
		break;
	case CPU_VIEW_CODES:
		rep.codes = view->codes;
	}
	cpu_rep_put(b, value, &rep);
	return 0;
}

/* A constant kept as codes, in fp32: made once and shared. */
static int make_coded(struct cpu_build *b, int value, struct nx_err *err)
{
	struct cpu_key key;
	dnnl_memory_desc_t md;
	int rc = 0;

	dnn_md_plain(&md, dnnl_f32, cpu_shape(b, value));
	cpu_key_init(&key, 'D');
	cpu_key_add(&key, b, value);
	struct cpu_weights *w = cpu_weights_find(b->e, &key, &md, &md);
	if (!w) {
		float *own;
		int64_t count;
		const float *data = cpu_const_real(b, value, &count, &own);
		rc = data ? cpu_weights_add(b->e, &key, &md, &md, data, &w, err)
			  : nx_err_set(err, NX_EOS, "no memory for '%s'", b->g->values[value].name);
		free(own);
	}
	if (rc)
		return rc;
	int buf = cpu_buf_new(b->e, CPU_PACKED, w->bytes);
	b->e->buf[buf].packed = w->data;
	cpu_rep_add(b, value, &md, buf);
	return 0;
}

/* Makes sure that a value has a form: constants and views get theirs when first asked for. */
static int materialize(struct cpu_build *b, int value, struct nx_err *err)
{
	struct cpu_val *v = &b->val[value];
	struct nx_tensor *constant = b->g->values[value].constant;

	if (v->n)
		return 0;
	if (constant) {
		cpu_rep_add(b, value, NULL, cpu_buf_const(b->e, constant));
		return 0;
	}
	if (v->coded)
		return make_coded(b, value, err);
	if (v->view.of == NX_NO_VALUE)
		return nx_err_set(
			err, NX_EDATA, "value '%s' is made by no node", b->g->values[value].name);
	return make_view(b, value, err);
}

int cpu_rep_home(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err)
{
	if (materialize(b, value, err))
		return -err->code;
	*rep = b->val[value].rep[0];
	return 0;
}

/* from -> to is real = scale * (code - zero), then the code of that. */
static void set_codes(
	dnnl_primitive_attr_t attr, const struct cpu_rep *from, const struct cpu_rep *to)
{
	float scale = 1;
	int32_t zero;

	if (same_codes(&from->codes, &to->codes))
		return;
	if (from->codes.scale != 0) {
		scale *= from->codes.scale;
		zero = from->codes.zero;
		if (zero)
			dnnl_primitive_attr_set_zero_points(attr, DNNL_ARG_SRC, 1, 0, &zero);
	}
	if (to->codes.scale != 0) {
		scale /= to->codes.scale;
		zero = to->codes.zero;
		if (zero)
			dnnl_primitive_attr_set_zero_points(attr, DNNL_ARG_DST, 1, 0, &zero);
	}
	if (scale != 1)
		dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale);
}

/* Codes to other codes in the same place. */
static bool emit_recode(struct cpu_build *b, const struct cpu_rep *from, const struct cpu_rep *to)
{
	struct cpu_table table;
	dnnl_memory_desc_t md = to->md;

	dnn_md_retype(&md, from->md.data_type);
	if (from->codes.scale == 0 || to->codes.scale == 0 || !dnn_md_is_dense(&md) ||
		!dnn_md_same(&md, &from->md) ||
		(same_codes(&from->codes, &to->codes) && from->md.data_type == to->md.data_type))
		return false;
	cpu_table_recode(&table, from, to);
	cpu_emit_table(b, NULL, &table, from->buf, to->buf, dnnl_memory_desc_get_size(&md));
	return true;
}

static int emit_reorder(struct cpu_build *b, const struct cpu_rep *from, const struct cpu_rep *to,
	struct nx_err *err)
{
	dnnl_engine_t engine = b->e->dev->engine;
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;
	dnnl_status_t st;

	if (emit_recode(b, from, to))
		return 0;
	st = dnnl_primitive_attr_create(&attr);
	if (st == dnnl_success) {
		dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
		set_codes(attr, from, to);
		st = dnnl_reorder_primitive_desc_create(
			&pd, &from->md, engine, &to->md, engine, attr);
		dnnl_primitive_attr_destroy(attr);
	}
	if (st != dnnl_success)
		return dnn_check(st, "reorder", err);
	if (cpu_step_primitive(b->e, pd, NULL, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_FROM, from->buf, &from->md);
	cpu_step_use(b->e, DNNL_ARG_TO, to->buf, &to->md);
	return 0;
}

int cpu_emit_copy(struct cpu_build *b, int value, const struct cpu_rep *from,
	const dnnl_memory_desc_t *md, struct nx_err *err)
{
	struct cpu_rep to = { *md, from->codes, 0 };

	to.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(md));
	cpu_rep_put(b, value, &to);
	return emit_reorder(b, from, &to, err);
}

/*
 * oneDNN 2.6 forgets zero points in some reorders that also move axes (512 x 7 x 7, 17 x 16 x 28):
 * such a change is made in two steps.  The form between them, which moves the axes of codes, the
 * smaller elements; false where one step will do.
 */
static bool form_between(
	const struct cpu_rep *from, const struct cpu_rep *to, struct cpu_rep *between)
{
	dnnl_memory_desc_t md = to->md;
	bool codes = from->codes.scale != 0;

	dnn_md_retype(&md, from->md.data_type);
	if (same_codes(&from->codes, &to->codes) || dnn_md_same(&md, &from->md) ||
		(!(codes && from->codes.zero) && !(to->codes.scale != 0 && to->codes.zero)))
		return false;
	*between = codes ? *from : *to;
	between->md = codes ? md : from->md;
	dnn_md_retype(&between->md, codes ? from->md.data_type : to->md.data_type);
	return true;
}

int cpu_rep_get(struct cpu_build *b, int value, const struct cpu_rep *form, struct cpu_rep *rep,
	struct nx_err *err)
{
	const struct cpu_rep want = *form;

	if (materialize(b, value, err))
		return -err->code;
	struct cpu_val *v = &b->val[value];
	for (int i = 0; i < v->n; i++) {
		if (cpu_rep_same(&v->rep[i], &want)) {
			*rep = want;
			rep->buf = v->rep[i].buf;
			return 0;
		}
	}
	struct cpu_rep from = v->rep[0], between;
	if (form_between(&from, &want, &between) && cpu_rep_get(b, value, &between, &from, err))
		return -err->code;
	*rep = want;
	rep->buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&want.md));
	cpu_rep_put(b, value, rep);
	return emit_reorder(b, &from, rep, err);
}

int cpu_rep_as(struct cpu_build *b, int value, const dnnl_memory_desc_t *md, struct cpu_rep *rep,
	struct nx_err *err)
{
	const struct cpu_rep form = { .md = *md };

	return cpu_rep_get(b, value, &form, rep, err);
}

int cpu_rep_real(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err)
{
	dnnl_memory_desc_t md;

	if (cpu_rep_home(b, value, rep, err))
		return -err->code;
	if (rep->codes.scale == 0)
		return 0;
	md = rep->md;
	dnn_md_retype(&md, dnnl_f32);
	return cpu_rep_as(b, value, &md, rep, err);
}

int cpu_rep_plain(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err)
{
	dnnl_memory_desc_t md;

	if (cpu_type(b, value) == dnnl_data_type_undef)
		return cpu_rep_home(b, value, rep, err);
	dnn_md_plain(&md, cpu_type(b, value), cpu_shape(b, value));
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
	struct cpu_build *b, int value, const struct cpu_rep *form, int *buf, struct nx_err *err)
{
	struct cpu_rep rep, to = *form, between;

	if (b->val[value].uses == 1 && cpu_pass(b, CPU_INPLACE)) {
		if (cpu_rep_get(b, value, form, &rep, err))
			return -err->code;
		if (b->e->buf[rep.buf].kind == CPU_ARENA && uses_of(b, rep.buf) == 1) {
			*buf = rep.buf;
			return 0;
		}
	}
	if (cpu_rep_home(b, value, &rep, err))
		return -err->code;
	if (form_between(&rep, form, &between) && cpu_rep_get(b, value, &between, &rep, err))
		return -err->code;
	*buf = to.buf = cpu_buf_new(b->e, CPU_ARENA, dnnl_memory_desc_get_size(&form->md));
	return emit_reorder(b, &rep, &to, err);
}
