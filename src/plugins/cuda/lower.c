/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

const struct nx_shape *cu_shape(const struct cu_build *b, int value)
{
	return &b->g->values[value].shape;
}

int cu_held_as(const struct cu_build *b, int value)
{
	int type = (int)b->g->values[value].dtype;

	return type == CU_F32 ? b->p->type : type;
}

int64_t cu_padded(const struct cu_build *b, int value)
{
	int64_t c = cu_shape(b, value)->dim[1];

	/* The first convolution has a kernel for pictures of four channels. */
	return b->val[value].only_conv && c <= 4 ? 4 : (c + CU_VEC - 1) / CU_VEC * CU_VEC;
}

bool cu_can_map(const struct cu_build *b, int value)
{
	const struct nx_shape *s = cu_shape(b, value);

	return (s->rank == 3 || s->rank == 4) && nx_value_is_f32(b->g, value) &&
	       nx_shape_count(s) > 0;
}

bool cu_is_map(const struct cu_build *b, int value)
{
	const struct cu_val *v = &b->val[value];

	return v->buf[CU_MAP] != CU_NO_BUF && v->buf[CU_PLAIN] == CU_NO_BUF;
}

bool cu_is_const(const struct cu_build *b, int value)
{
	return b->g->values[value].constant != NULL;
}

bool cu_is_made(const struct cu_build *b, int value)
{
	const struct cu_val *v = &b->val[value];

	return cu_is_const(b, value) || v->raw != CU_NO_BUF || v->buf[CU_PLAIN] != CU_NO_BUF ||
	       v->buf[CU_MAP] != CU_NO_BUF ||
	       (v->view_of != NX_NO_VALUE && cu_is_made(b, v->view_of));
}

struct cu_view cu_view_in(const struct cu_build *b, int value, enum cu_layout layout)
{
	const struct nx_shape *s = cu_shape(b, value);
	struct cu_view v = {
		.buf = b->val[value].buf[layout], .type = cu_held_as(b, value), .rank = s->rank
	};
	int64_t stride = layout == CU_MAP ? cu_padded(b, value) : 1;

	memcpy(v.dim, s->dim, sizeof v.dim);
	for (int d = s->rank - 1; d >= 0; d--) {
		if (layout == CU_MAP && d == 1)
			continue;
		v.stride[d] = stride;
		stride *= d == 0 && layout == CU_MAP ? 1 : s->dim[d];
	}
	if (layout == CU_MAP)
		v.stride[1] = 1;
	return v;
}

int cu_make(struct cu_build *b, int value, enum cu_layout layout)
{
	const struct nx_shape *s = cu_shape(b, value);
	size_t n = (size_t)nx_shape_count(s);

	if (layout == CU_MAP)
		n = n / (size_t)s->dim[1] * (size_t)cu_padded(b, value);
	/* Threads are numbered in 32 bits. */
	b->too_large = b->too_large || n > UINT32_MAX;
	int buf = cu_buf_new(b->p, CU_BUF_ARENA, n * cu_type_size(cu_held_as(b, value)));
	b->val[value].buf[layout] = buf;
	return buf;
}

int cu_const_new(struct cu_build *b, const float *data, size_t n, int type)
{
	int buf = cu_buf_new(b->p, CU_BUF_CONST, n * cu_type_size(type));
	struct cu_copy c = { .count = (int64_t)n,
		.from = CU_F32,
		.to = type,
		.size = 4,
		.rank = 1,
		.dim = { (int64_t)n },
		.to_stride = { 1 },
		.from_stride = { 1 } };

	b->p->buf[buf].data = nx_alloc(n + 1, cu_type_size(type));
	c.p[0] = b->p->buf[buf].data;
	c.p[1] = (void *)(uintptr_t)data; /* only read */
	cu_copy_on_host(&c);
	return buf;
}

/* A constant as it is held, in row-major order. */
static int constant_buf(struct cu_build *b, int value)
{
	const struct nx_tensor *t = b->g->values[value].constant;
	size_t n = (size_t)nx_shape_count(&t->shape);

	if (t->dtype == NX_F32)
		return cu_const_new(b, t->data, n, b->p->type);
	int buf = cu_buf_new(b->p, CU_BUF_CONST, t->bytes);
	b->p->buf[buf].data = nx_alloc(t->bytes + 1, 1);
	memcpy(b->p->buf[buf].data, t->data, t->bytes);
	return buf;
}

/* A map of one pixel without padding is the same bytes as the plain value. */
static bool layouts_agree(const struct cu_build *b, int value)
{
	const struct nx_shape *s = cu_shape(b, value);

	return cu_can_map(b, value) && s->dim[1] == cu_padded(b, value) &&
	       nx_shape_count(s) == s->dim[0] * s->dim[1];
}

struct cu_view cu_view_of(struct cu_build *b, int value)
{
	struct cu_val *v = &b->val[value];

	if (v->buf[CU_PLAIN] == CU_NO_BUF && v->buf[CU_MAP] == CU_NO_BUF && v->raw != CU_NO_BUF) {
		struct cu_view view = cu_view_in(b, value, CU_PLAIN);
		view.buf = v->raw;
		view.type = (int)b->g->values[value].dtype;
		return view;
	}
	if (v->buf[CU_MAP] != CU_NO_BUF)
		return cu_view_in(b, value, CU_MAP);
	cu_need(b, value, CU_PLAIN);
	return cu_view_in(b, value, CU_PLAIN);
}

int cu_need(struct cu_build *b, int value, enum cu_layout layout)
{
	struct cu_val *v = &b->val[value];
	enum cu_layout other = layout == CU_MAP ? CU_PLAIN : CU_MAP;

	if (v->buf[layout] != CU_NO_BUF)
		return v->buf[layout];
	if (cu_is_const(b, value) && v->buf[CU_PLAIN] == CU_NO_BUF)
		v->buf[CU_PLAIN] = constant_buf(b, value);
	else if (v->view_of != NX_NO_VALUE && v->buf[CU_PLAIN] == CU_NO_BUF &&
		 v->buf[CU_MAP] == CU_NO_BUF)
		v->buf[CU_PLAIN] = cu_need(b, v->view_of, CU_PLAIN);
	if (v->buf[layout] != CU_NO_BUF)
		return v->buf[layout];
	if (v->buf[other] != CU_NO_BUF && layouts_agree(b, value)) {
		v->buf[layout] = v->buf[other];
		return v->buf[layout];
	}
	struct cu_view from = cu_view_of(b, value);
	cu_emit_view(b, NULL, value, &from, layout, NULL);
	return v->buf[layout];
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void refuse(struct cu_build *b, const struct nx_node *n)
{
	nx_buf_addf(&b->refused, "%s%s (node '%s')", b->n_refused ? ", " : "", n->op, n->name);
	b->n_refused++;
	/* The rest is looked at all the same, so that all is named at once. */
	for (size_t k = 0; k < n->n_out; k++)
		if (n->out[k] != NX_NO_VALUE)
			cu_make(b, n->out[k], CU_PLAIN);
}

/* A value of the same shape takes over every layout, one of another shape only row-major order. */
static void emit_alias(struct cu_build *b, const struct nx_node *n)
{
	struct cu_val *to = &b->val[n->out[0]], *from = &b->val[n->in[0]];

	to->view_of = n->in[0];
	if (nx_shape_equal(cu_shape(b, n->in[0]), cu_shape(b, n->out[0])) &&
		cu_padded(b, n->in[0]) == cu_padded(b, n->out[0])) {
		to->buf[CU_PLAIN] = from->buf[CU_PLAIN];
		to->buf[CU_MAP] = from->buf[CU_MAP];
	}
}

/* Whether all that a node reads and makes is of types that kernels know. */
static bool types_known(const struct cu_build *b, const struct nx_node *n)
{
	bool known = true;

	for (size_t k = 0; k < n->n_in; k++)
		known = known &&
			(n->in[k] == NX_NO_VALUE || cu_type_size(cu_held_as(b, n->in[k])) > 0);
	for (size_t k = 0; k < n->n_out; k++)
		known = known &&
			(n->out[k] == NX_NO_VALUE || cu_type_size(cu_held_as(b, n->out[k])) > 0);
	return known;
}

static void emit_single(struct cu_build *b, const struct nx_node *n)
{
	static int (*const emit[])(struct cu_build *, const struct nx_node *) = { cu_emit_map,
		cu_emit_move, cu_emit_rows, cu_emit_window, cu_emit_resize, cu_emit_matmul };

	if (!types_known(b, n)) {
		refuse(b, n);
		return;
	}
	if (nx_node_is_view(n)) {
		emit_alias(b, n);
		return;
	}
	for (size_t k = 0; k < n->n_out; k++)
		if (n->out[k] != NX_NO_VALUE && nx_shape_count(cu_shape(b, n->out[k])) == 0) {
			refuse(b, n);
			return;
		}
	for (size_t i = 0; i < NX_ARRAY_LEN(emit); i++)
		if (emit[i](b, n) == 0)
			return;
	refuse(b, n);
}

static void emit_group(struct cu_build *b, const struct nx_group *group)
{
	const struct nx_node *head = &b->g->nodes[group->head];
	int rc;

	if (nx_node_is(head, "Conv") || nx_node_is(head, "ConvTranspose"))
		rc = cu_emit_conv(b, group);
	else if (nx_node_is(head, "BatchNormalization"))
		rc = cu_emit_norm(b, group);
	else
		rc = cu_emit_gemm(b, group);
	for (size_t i = 0; rc && i < group->n_nodes; i++)
		emit_single(b, &b->g->nodes[group->node[i]]);
}

static void emit_all(struct cu_build *b)
{
	for (size_t i = 0; i < b->g->n_nodes; i++) {
		int id = b->fusion.group_of[i];
		if (id >= 0 && b->fusion.group[id].last == (int)i)
			emit_group(b, &b->fusion.group[id]);
		else if (id < 0 && !b->done[i])
			emit_single(b, &b->g->nodes[i]);
	}
}

/* ---- inputs and outputs ---------------------------------------------------------------------- */

static size_t host_bytes(const struct cu_build *b, int value)
{
	const struct nx_value *v = &b->g->values[value];

	return (size_t)nx_shape_count(&v->shape) * nx_dtype_size(v->dtype);
}

static void note_reader(struct cu_build *b, int value, int node, bool conv)
{
	struct cu_val *v = &b->val[value];

	v->only_conv = conv && (v->readers == 0 || v->only_conv);
	v->readers++;
	v->reader = node;
}

/* Whether input k of a node is the map a convolution reads. */
static bool read_by_conv(const struct cu_build *b, size_t node, size_t k)
{
	int id = b->fusion.group_of[node];
	const struct nx_group *group = id < 0 ? NULL : &b->fusion.group[id];

	return group && k == 0 && nx_node_is(&b->g->nodes[group->head], "Conv") &&
	       (group->pad < 0 ? group->head : group->pad) == (int)node;
}

static void start(struct cu_build *b)
{
	const struct nx_graph *g = b->g;

	for (size_t i = 0; i < g->n_values; i++)
		b->val[i] = (struct cu_val){
			.buf = { CU_NO_BUF, CU_NO_BUF }, .raw = CU_NO_BUF, .view_of = NX_NO_VALUE
		};
	for (size_t i = 0; i < g->n_nodes; i++)
		for (size_t k = 0; k < g->nodes[i].n_in; k++)
			if (g->nodes[i].in[k] != NX_NO_VALUE)
				note_reader(b, g->nodes[i].in[k], (int)i, read_by_conv(b, i, k));
	for (size_t i = 0; i < g->n_out; i++)
		b->val[g->out[i]].readers += 2; /* never inside a chain */
	/* Only what the host gives is padded to four channels. */
	bool *input = nx_alloc(g->n_values, sizeof *input);
	for (size_t i = 0; i < g->n_in; i++)
		input[g->in[i]] = true;
	for (size_t i = 0; i < g->n_values; i++)
		b->val[i].only_conv = b->val[i].only_conv && input[i];
	free(input);
}

static void start_inputs(struct cu_build *b)
{
	const struct nx_graph *g = b->g;

	for (size_t i = 0; i < g->n_in; i++) {
		struct cu_val *v = &b->val[g->in[i]];
		int buf = cu_buf_new(b->p, CU_BUF_INPUT, host_bytes(b, g->in[i]));
		b->p->buf[buf].index = i;
		v->raw = buf;
		if (cu_held_as(b, g->in[i]) == (int)g->values[g->in[i]].dtype)
			v->buf[CU_PLAIN] = buf;
	}
}

static void emit_output(struct cu_build *b, size_t k)
{
	int value = b->g->out[k];
	struct cu_view from = cu_view_of(b, value), to = cu_view_in(b, value, CU_PLAIN);

	to.buf = cu_buf_new(b->p, CU_BUF_OUTPUT, host_bytes(b, value));
	to.type = (int)b->g->values[value].dtype;
	b->p->buf[to.buf].index = k;
	cu_emit_copy(b, NULL, &from, &to, NULL);
}

int cu_lower(const struct nx_graph *g, const struct cu_lower_opts *opts, struct cu_program **out,
	struct nx_err *err)
{
	struct cu_build b = { .g = g, .opts = opts };
	int rc = 0;

	b.p = cu_program_new(opts->type);
	b.val = nx_alloc(g->n_values, sizeof *b.val);
	b.done = nx_alloc(g->n_nodes + 1, sizeof *b.done);
	nx_fusion_init(&b.fusion, g, opts->off);
	start(&b);
	start_inputs(&b);
	emit_all(&b);
	for (size_t i = 0; i < g->n_out && !b.n_refused; i++)
		emit_output(&b, i);
	if (b.n_refused)
		rc = nx_err_set(err, NX_EUNSUPP, "the cuda device lacks %zu operators: %.700s",
			b.n_refused, b.refused.data);
	else if (b.too_large)
		rc = nx_err_set(err, NX_EUNSUPP,
			"the cuda device takes no tensors of more than 4294967295 elements");
	nx_fusion_release(&b.fusion);
	nx_buf_release(&b.refused);
	free(b.val);
	free(b.done);
	if (rc) {
		cu_program_free(&b.p);
		return rc;
	}
	cu_program_finish(b.p);
	*out = b.p;
	return 0;
}
