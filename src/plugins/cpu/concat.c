/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "plugins/cpu/nodes.h"

#include <stdlib.h>

enum layout { PLAIN, LAST, BLOCKED, LAYOUTS };

/* The type and codes the parts are joined in, their layout, and the bytes of an element. */
struct join {
	struct cpu_rep form; /* its md has no layout yet */
	int axis;
	enum layout layout;
	size_t element;
};

static enum layout layout_of(const dnnl_memory_desc_t *md, const struct nx_shape *shape)
{
	dnnl_memory_desc_t blocked;

	if (shape->rank < 3 || shape->rank > 5)
		return PLAIN;
	if (dnn_md_is_dense(md) && md->format_desc.blocking.strides[1] == 1)
		return LAST;
	dnn_md_blocked(&blocked, md->data_type, shape);
	return dnnl_memory_desc_equal(md, &blocked) ? BLOCKED : PLAIN;
}

/* The layout most of the bytes lie in; runs of blocked channels are whole blocks. */
static enum layout elect(
	const struct cpu_build *b, const struct nx_node *n, int axis, const int64_t *votes)
{
	enum layout best = PLAIN;
	bool whole = axis == 1;

	for (size_t i = 0; i < n->n_in; i++)
		whole = whole && cpu_shape(b, n->in[i])->rank >= 3 &&
			cpu_shape(b, n->in[i])->dim[1] % 16 == 0;
	for (enum layout l = LAST; l < LAYOUTS; l++)
		if (votes[l] > votes[best])
			best = l;
	return best == BLOCKED && !whole ? LAST : best;
}

static int describe(
	struct cpu_build *b, const struct nx_node *n, struct join *j, struct nx_err *err)
{
	int64_t votes[LAYOUTS] = { 0 };
	struct cpu_rep rep;
	bool same = true;

	for (size_t i = 0; i < n->n_in; i++) {
		const struct nx_shape *shape = cpu_shape(b, n->in[i]);
		bool view = b->val[n->in[i]].n == 0;
		if (cpu_rep_home(b, n->in[i], &rep, err))
			return -err->code;
		votes[view || !rep.md.ndims ? PLAIN : layout_of(&rep.md, shape)] +=
			nx_shape_count(shape);
		if (i == 0)
			j->form = rep;
		same = same && rep.md.data_type == j->form.md.data_type &&
		       rep.codes.scale == j->form.codes.scale &&
		       rep.codes.zero == j->form.codes.zero;
	}
	const struct cpu_wish *wish = &b->val[n->out[0]].wish;
	if (!same && wish->type != dnnl_data_type_undef) {
		j->form.md.data_type = wish->type;
		j->form.codes = wish->codes;
	} else if (!same) {
		j->form.md.data_type = cpu_type(b, n->out[0]);
		j->form.codes = (struct cpu_codes){ 0 };
	}
	j->layout = elect(b, n, j->axis, votes);
	j->element = j->form.md.ndims ? dnnl_data_type_size(j->form.md.data_type)
				      : nx_dtype_size(b->g->values[n->out[0]].dtype);
	return 0;
}

/* The layout of a part or of the whole. */
static struct cpu_rep form_of(const struct join *j, const struct nx_shape *shape)
{
	struct cpu_rep form = j->form;

	if (form.md.ndims == 0)
		return form;
	if (j->layout == LAST)
		dnn_md_channels_last(&form.md, form.md.data_type, shape);
	else if (j->layout == BLOCKED)
		dnn_md_blocked(&form.md, form.md.data_type, shape);
	else
		dnn_md_plain(&form.md, form.md.data_type, shape);
	return form;
}

static void emit_join(struct cpu_build *b, const struct nx_node *n, const struct join *j,
	size_t outer, const int *buf)
{
	const struct nx_shape *out = cpu_shape(b, n->out[0]);
	struct cpu_rep whole = form_of(j, out);
	size_t *chunk = nx_alloc(n->n_in, sizeof *chunk);

	for (size_t i = 0; i < n->n_in; i++)
		chunk[i] =
			outer ? (size_t)nx_shape_count(cpu_shape(b, n->in[i])) * j->element / outer
			      : 0;
	whole.buf = cpu_buf_new(b->e, CPU_ARENA, (size_t)nx_shape_count(out) * j->element);
	cpu_rep_put(b, n->out[0], &whole);
	cpu_step_join(b->e, n, outer, chunk, n->n_in);
	for (size_t i = 0; i < n->n_in; i++)
		cpu_step_use(b->e, 0, buf[i], NULL);
	cpu_step_use(b->e, 0, whole.buf, NULL);
	free(chunk);
}

/* How often there is a run of each part: the dimensions before the axis as they lie. */
static size_t runs(const struct join *j, const struct nx_shape *out)
{
	size_t n = 1;

	for (int i = 0; i < out->rank; i++) {
		bool before = i < j->axis;
		/* Channels last: axis 1 goes to the end. */
		if (j->layout == LAST)
			before = j->axis == 1 ? i != 1 : before && i != 1;
		n *= before ? (size_t)out->dim[i] : 1;
	}
	return n;
}

/* Concat by copying runs of bytes, in the layout that most of the inputs have. */
int cpu_emit_concat(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *out = cpu_shape(b, n->out[0]);
	struct join j = { .axis = (int)nx_node_int(n, "axis", 0) };
	int rc = 0;

	j.axis += j.axis < 0 ? out->rank : 0;
	if (describe(b, n, &j, err))
		return -err->code;
	int *buf = nx_alloc(n->n_in, sizeof *buf);
	for (size_t i = 0; i < n->n_in && rc == 0; i++) {
		struct cpu_rep rep = form_of(&j, cpu_shape(b, n->in[i]));
		rc = rep.md.ndims ? cpu_rep_get(b, n->in[i], &rep, &rep, err)
				  : cpu_rep_home(b, n->in[i], &rep, err);
		buf[i] = rc ? 0 : rep.buf;
	}
	if (rc == 0)
		emit_join(b, n, &j, runs(&j, out), buf);
	free(buf);
	return rc;
}
