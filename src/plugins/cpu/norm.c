/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch normalisation that no convolution stands before, with what scales and shifts follow
 * it: one scale and shift a channel.  oneDNN's own is given a mean of 0 and a variance of 1.
 */
#include "core/alloc.h"
#include "plugins/cpu/build.h"

#include <stdlib.h>

enum part { SCALE_SHIFT, MEAN, VARIANCE };

static int channel_weights(struct cpu_build *b, const struct nx_group *group, enum part part,
	int64_t channels, const dnnl_memory_desc_t *md, dnnl_memory_t *out, struct nx_err *err)
{
	struct cpu_key key;

	cpu_key_init(&key, (int)part);
	cpu_key_add_group(&key, b, group);
	struct cpu_weights *w = cpu_weights_find(b->e, &key, md, md);
	if (!w) {
		float *data = nx_alloc((size_t)channels * 2, sizeof *data);
		if (part == SCALE_SHIFT)
			nx_affine(b->g, group, channels, data, data + channels);
		for (int64_t c = 0; c < channels && part == VARIANCE; c++)
			data[c] = 1;
		int rc = cpu_weights_add(b->e, &key, md, md, data, &w, err);
		free(data);
		if (rc)
			return rc;
	}
	*out = w->memory;
	return 0;
}

static dnnl_primitive_desc_t describe(
	struct cpu_build *b, const struct nx_group *group, const dnnl_memory_desc_t *md)
{
	dnnl_batch_normalization_desc_t d;
	unsigned flags = dnnl_use_global_stats | dnnl_use_scaleshift;

	if (group->act.kind != NX_ACT_NONE)
		flags |= dnnl_fuse_norm_relu;
	if (dnnl_batch_normalization_forward_desc_init(&d, dnnl_forward_inference, md, 0, flags) !=
		dnnl_success)
		return NULL;
	return dnn_pd_new(b->e->dev->engine, &d, NULL);
}

int cpu_emit_norm(struct cpu_build *b, const struct nx_group *group, struct nx_err *err)
{
	const struct nx_node *head = &b->g->nodes[group->head];
	int64_t channels = cpu_shape(b, head->in[0])->dim[1];
	const struct nx_shape one = { 1, { channels } }, two = { 2, { 2, channels } };
	dnnl_memory_desc_t one_md, two_md;
	dnnl_memory_t scale, mean, variance;
	struct cpu_rep src;

	/* Only a plain ReLU can be fused here. */
	if (group->act.kind != NX_ACT_NONE &&
		(group->act.kind != NX_ACT_RELU || group->act.alpha != 0))
		return CPU_NOT_MINE;
	if (cpu_rep_real(b, head->in[0], &src, err))
		return -err->code;
	/* It leaves what fills up a block as it is, and the next step would read that. */
	if (dnn_md_is_padded(&src.md)) {
		dnnl_memory_desc_t last;
		dnn_md_channels_last(&last, src.md.data_type, cpu_shape(b, head->in[0]));
		if (cpu_rep_as(b, head->in[0], &last, &src, err))
			return -err->code;
	}
	dnnl_primitive_desc_t pd = describe(b, group, &src.md);
	if (!pd)
		return CPU_NOT_MINE;
	dnn_md_plain(&one_md, dnnl_f32, &one);
	dnn_md_plain(&two_md, dnnl_f32, &two);
	if (channel_weights(b, group, SCALE_SHIFT, channels, &two_md, &scale, err) ||
		channel_weights(b, group, MEAN, channels, &one_md, &mean, err) ||
		channel_weights(b, group, VARIANCE, channels, &one_md, &variance, err)) {
		dnnl_primitive_desc_destroy(pd);
		return -err->code;
	}
	int dst = cpu_rep_new(b, group->out, &src.md);
	if (cpu_step_primitive(b->e, pd, head, err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC, src.buf, &src.md);
	cpu_step_use_memory(b->e, DNNL_ARG_SCALE_SHIFT, scale);
	cpu_step_use_memory(b->e, DNNL_ARG_MEAN, mean);
	cpu_step_use_memory(b->e, DNNL_ARG_VARIANCE, variance);
	cpu_step_use(b->e, DNNL_ARG_DST, dst, &src.md);
	return 0;
}
