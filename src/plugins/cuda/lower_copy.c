/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between views: the target is walked in the order of its memory, neighbouring dimensions
 * that both sides cross evenly are joined, and equal types are moved in units as wide as all
 * strides allow.  What has a constant source is done here and now.
 */
#include "plugins/cuda/bodies.h"
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <string.h>

void cu_copy_on_host(const struct cu_copy *c)
{
	for (uint32_t i = 0; i < (uint32_t)c->count; i++)
		cu_copy_at(c, i);
}

static void swap_dims(struct cu_copy *c, int i, int k)
{
	struct cu_copy t = *c;

	c->dim[i] = t.dim[k], c->dim[k] = t.dim[i];
	c->low[i] = t.low[k], c->low[k] = t.low[i];
	c->from_dim[i] = t.from_dim[k], c->from_dim[k] = t.from_dim[i];
	c->to_stride[i] = t.to_stride[k], c->to_stride[k] = t.to_stride[i];
	c->from_stride[i] = t.from_stride[k], c->from_stride[k] = t.from_stride[i];
}

static void drop_dim(struct cu_copy *c, int d)
{
	for (int i = d; i + 1 < c->rank; i++)
		swap_dims(c, i, i + 1);
	c->rank--;
}

static void sort_dims(struct cu_copy *c)
{
	for (int d = c->rank - 1; d >= 0; d--)
		if (c->dim[d] == 1 && !c->bounded && c->rank > 1)
			drop_dim(c, d);
	for (int i = 1; i < c->rank; i++)
		for (int k = i; k > 0 && c->to_stride[k] > c->to_stride[k - 1]; k--)
			swap_dims(c, k, k - 1);
}

static void join_dims(struct cu_copy *c)
{
	for (int d = c->rank - 2; d >= 0 && !c->bounded; d--) {
		if (c->to_stride[d] != c->to_stride[d + 1] * c->dim[d + 1] ||
			c->from_stride[d] != c->from_stride[d + 1] * c->dim[d + 1])
			continue;
		c->dim[d + 1] *= c->dim[d];
		drop_dim(c, d);
	}
}

/* Whether everything is a multiple of 'unit' elements. */
static bool divides(const struct cu_copy *c, int64_t unit)
{
	int last = c->rank - 1;
	bool ok = c->dim[last] % unit == 0 && c->to_base % unit == 0 && c->from_base % unit == 0;

	for (int d = 0; d < last; d++)
		ok = ok && c->to_stride[d] % unit == 0 && c->from_stride[d] % unit == 0;
	return ok;
}

static void widen(struct cu_copy *c)
{
	int last = c->rank - 1;

	if (c->bounded || c->from != c->to || c->to_stride[last] != 1 || c->from_stride[last] != 1)
		return;
	while (c->size < 16 && divides(c, 2)) {
		c->size *= 2;
		c->dim[last] /= 2;
		c->to_base /= 2;
		c->from_base /= 2;
		for (int d = 0; d < last; d++) {
			c->to_stride[d] /= 2;
			c->from_stride[d] /= 2;
		}
	}
}

static struct cu_copy plan_copy(
	const struct cu_view *from, const struct cu_view *to, const struct cu_bounds *bounds)
{
	struct cu_copy c = { .from = from->type,
		.to = to->type,
		.size = (int)cu_type_size(to->type),
		.rank = to->rank,
		.to_base = to->base,
		.from_base = from->base,
		.count = 1 };

	for (int d = 0; d < to->rank; d++) {
		c.dim[d] = to->dim[d];
		c.to_stride[d] = to->stride[d];
		c.from_stride[d] = from->stride[d];
		c.low[d] = bounds ? bounds->low[d] : 0;
		c.from_dim[d] = bounds ? bounds->n[d] : from->dim[d];
		c.bounded = c.bounded || c.low[d] || c.from_dim[d] != to->dim[d];
	}
	if (bounds) {
		c.mode = bounds->mode;
		c.fill = bounds->fill;
	}
	if (c.rank == 0) {
		c.rank = 1;
		c.dim[0] = c.from_dim[0] = c.to_stride[0] = c.from_stride[0] = 1;
	}
	sort_dims(&c);
	join_dims(&c);
	widen(&c);
	for (int d = 0; d < c.rank; d++)
		c.count *= c.dim[d];
	return c;
}

void cu_emit_copy(struct cu_build *b, const struct nx_node *node, const struct cu_view *from,
	const struct cu_view *to, const struct cu_bounds *bounds)
{
	const int buf[] = { to->buf, from->buf };
	struct cu_copy c = plan_copy(from, to, bounds);

	cu_step_new(b->p, CU_STEP_COPY, node, buf, 2)->u.copy = c;
}

void cu_fold_copy(struct cu_build *b, const struct cu_view *from, const struct cu_view *to,
	const struct cu_bounds *bounds)
{
	struct cu_copy c = plan_copy(from, to, bounds);
	struct cu_buf *target = &b->p->buf[to->buf];

	target->kind = CU_BUF_CONST;
	target->data = nx_alloc(target->bytes + 1, 1);
	c.p[0] = target->data;
	c.p[1] = b->p->buf[from->buf].data;
	cu_copy_on_host(&c);
}

/* Whether a view's elements lie where those of the target would. */
static bool same_place(const struct cu_view *from, const struct cu_view *to)
{
	bool same = from->base == 0 && from->type == to->type;

	for (int d = 0; d < to->rank; d++)
		same = same && (to->dim[d] == 1 || from->stride[d] == to->stride[d]);
	return same;
}

void cu_emit_view(struct cu_build *b, const struct nx_node *node, int value,
	const struct cu_view *from, enum cu_layout layout, const struct cu_bounds *bounds)
{
	struct cu_view to = cu_view_in(b, value, layout);
	struct cu_bounds padded;

	if (!bounds && same_place(from, &to) &&
		(layout == CU_PLAIN || cu_shape(b, value)->dim[1] == cu_padded(b, value))) {
		b->val[value].buf[layout] = from->buf;
		return;
	}
	to.buf = cu_make(b, value, layout);
	if (layout == CU_MAP && to.dim[1] < cu_padded(b, value)) {
		padded = bounds ? *bounds : (struct cu_bounds){ .mode = CU_PAD_FILL };
		for (int d = 0; d < to.rank && !bounds; d++)
			padded.n[d] = to.dim[d];
		/* Modes other than the fill make up padded channels too: finite numbers. */
		to.dim[1] = cu_padded(b, value);
		bounds = &padded;
	}
	if (b->p->buf[from->buf].kind == CU_BUF_CONST)
		cu_fold_copy(b, from, &to, bounds);
	else
		cu_emit_copy(b, node, from, &to, bounds);
}
