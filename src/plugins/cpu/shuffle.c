/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channel shuffle (ShuffleNet): a Reshape to groups of channels, a Transpose of groups and
 * channels, and a Reshape back are one gather of channels.
 */
#include "plugins/cpu/nodes.h"
#include "plugins/cpu/simd.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

struct shuffle {
	size_t pixels, groups, channels; /* channels of a group */
};

/* Writes run through the channels in order, reads along one run a group. */
CPU_SIMD static void shuffle_pixels(
	float *restrict to, const float *restrict from, const struct shuffle *f)
{
	size_t groups = f->groups, channels = f->channels;

	for (size_t p = 0; p < f->pixels; p++) {
		for (size_t c = 0; c < channels; c++)
			for (size_t g = 0; g < groups; g++)
				*to++ = from[g * channels + c];
		from += groups * channels;
	}
}

static int run_shuffle(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	(void)e;
	(void)err;
	shuffle_pixels(s->op[1].ptr, s->op[0].ptr, s->own);
	return 0;
}

/* The one node that reads a value nobody else wants, or NULL. */
static const struct nx_node *only_reader(const struct cpu_build *b, int value)
{
	const struct nx_node *reader = NULL;

	if (b->val[value].uses != 1)
		return NULL;
	for (size_t i = 0; i < b->g->n_nodes; i++)
		for (size_t k = 0; k < b->g->nodes[i].n_in; k++)
			if (b->g->nodes[i].in[k] == value)
				reader = &b->g->nodes[i];
	return reader;
}

/* The value before the first Reshape if this Transpose is in the middle of a shuffle, and the one
 * behind the second in *out; else NX_NO_VALUE. */
static int find(const struct cpu_build *b, const struct nx_node *n, int *out)
{
	const struct nx_shape *five = cpu_shape(b, n->in[0]);
	const struct cpu_view *view = cpu_view_get(b, n->in[0]);
	int from = view && view->kind == CPU_VIEW_SHAPE ? view->of : NX_NO_VALUE;
	const struct nx_node *next = only_reader(b, n->out[0]);
	size_t count;
	const int64_t *perm = nx_node_ints(n, "perm", &count);

	if (from == NX_NO_VALUE || !next || !nx_node_is(next, "Reshape") || count != 5 ||
		memcmp(perm, (const int64_t[]){ 0, 2, 1, 3, 4 }, sizeof(int64_t[5])) != 0)
		return NX_NO_VALUE;
	const struct nx_shape *four = cpu_shape(b, from);
	*out = next->out[0];
	bool fits = four->rank == 4 && five->rank == 5 && nx_shape_count(four) > 0 &&
		    nx_shape_equal(four, cpu_shape(b, *out)) && four->dim[0] == five->dim[0] &&
		    four->dim[1] == five->dim[1] * five->dim[2] && four->dim[2] == five->dim[3] &&
		    four->dim[3] == five->dim[4];
	return fits ? from : NX_NO_VALUE;
}

int cpu_emit_shuffle(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	int out, from = cpu_pass(b, CPU_VIEW) ? find(b, n, &out) : NX_NO_VALUE;
	struct cpu_rep src;

	if (from == NX_NO_VALUE)
		return CPU_NOT_MINE;
	if (cpu_rep_home(b, from, &src, err))
		return -err->code;
	/* Row-major planes move in long runs anyhow, and codes and halves have no clone here. */
	if (dnn_md_is_plain(&src.md) || src.codes.scale != 0 || src.md.data_type != dnnl_f32)
		return CPU_NOT_MINE;
	const struct nx_shape *five = cpu_shape(b, n->in[0]);
	struct shuffle *f = nx_alloc(1, sizeof *f);
	*f = (struct shuffle){ (size_t)(five->dim[0] * five->dim[3] * five->dim[4]),
		(size_t)five->dim[1], (size_t)five->dim[2] };
	dnn_md_channels_last(&src.md, dnnl_f32, cpu_shape(b, from));
	if (cpu_rep_as(b, from, &src.md, &src, err)) {
		free(f);
		return -err->code;
	}
	int to = cpu_rep_new(b, out, &src.md);
	struct cpu_step *s = cpu_step_new(b->e, run_shuffle, "shuffle", n);
	s->own = f;
	cpu_step_use(b->e, 0, src.buf, NULL);
	cpu_step_use(b->e, 0, to, NULL);
	return 0;
}
