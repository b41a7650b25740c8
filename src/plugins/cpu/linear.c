/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and matrix products with constant weights, and what is fused into them. */
#include "plugins/cpu/linear.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

void cpu_key_init(struct cpu_key *key, int tag)
{
	memset(key, 0, sizeof *key);
	key->tag = tag;
	key->scale = 1;
}

void cpu_key_add(struct cpu_key *key, const struct nx_graph *g, int value)
{
	/* What is left out holds its place. */
	if (key->n == CPU_KEY_MAX)
		return;
	if (value != NX_NO_VALUE)
		memcpy(key->from[key->n], nx_const_id(g->values[value].constant), NX_CONST_ID_SIZE);
	key->n++;
}

void cpu_key_add_group(struct cpu_key *key, const struct nx_graph *g, const struct nx_group *group)
{
	for (size_t i = 0; i < group->n_affine; i++) {
		const struct nx_node *n = &g->nodes[group->affine[i]];
		/* The same constants may be used in another way. */
		key->tag = key->tag * 4 + 1 + nx_node_is(n, "Mul") + 2 * nx_node_is(n, "Add");
		if (nx_node_is(n, "BatchNormalization"))
			key->epsilon[i] = nx_node_float(n, "epsilon", 1e-5f);
		for (size_t k = 0; k < n->n_in; k++)
			if (n->in[k] != NX_NO_VALUE && g->values[n->in[k]].constant)
				cpu_key_add(key, g, n->in[k]);
	}
}

int cpu_post_ops(const struct nx_group *group, dnnl_post_ops_t *out, struct nx_err *err)
{
	dnnl_status_t st;

	*out = NULL;
	if (group->residual == NX_NO_VALUE && group->act.kind == NX_ACT_NONE)
		return 0;
	st = dnnl_post_ops_create(out);
	if (st == dnnl_success && group->residual != NX_NO_VALUE)
		st = dnnl_post_ops_append_sum(*out, 1);
	if (st == dnnl_success && group->act.kind != NX_ACT_NONE)
		st = dnnl_post_ops_append_eltwise(
			*out, 1, dnn_alg_of(group->act.kind), group->act.alpha, group->act.beta);
	if (st == dnnl_success)
		return 0;
	dnnl_post_ops_destroy(*out);
	*out = NULL;
	return dnn_check(st, "post-ops", err);
}

/* Output channel of element e of the weights as the model stores them. */
static size_t channel_of(const struct cpu_linear *l, size_t e)
{
	size_t in_group = e / l->inner % l->per_group;

	return l->group_span ? in_group + e / l->group_span * l->per_group : in_group;
}

static int scale_weights(
	const struct cpu_build *b, const struct cpu_linear *l, float **out, struct nx_err *err)
{
	int64_t n;
	const float *w = nx_const_f32(b->g, l->weights, &n);
	float *scale = nx_alloc((size_t)l->channels * 2, sizeof *scale);
	float *scaled = nx_try_alloc((size_t)n, sizeof *scaled);

	if (scaled) {
		nx_affine(b->g, l->group, l->channels, scale, scale + l->channels);
		for (size_t e = 0; e < (size_t)n; e += l->inner) {
			float factor = scale[channel_of(l, e)];
			for (size_t i = e; i < e + l->inner; i++)
				scaled[i] = w[i] * l->scale * factor;
		}
	}
	free(scale);
	*out = scaled;
	return scaled ? 0 : nx_err_set(err, NX_EOS, "no memory for weights");
}

static int pack_weights(struct cpu_build *b, const struct cpu_linear *l,
	const dnnl_memory_desc_t *md, dnnl_memory_t *out, struct nx_err *err)
{
	struct cpu_key key;
	int64_t n;
	const float *data = nx_const_f32(b->g, l->weights, &n);
	float *scaled = NULL;

	cpu_key_init(&key, 'W');
	cpu_key_add(&key, b->g, l->weights);
	cpu_key_add_group(&key, b->g, l->group);
	key.scale = l->scale;
	struct cpu_weights *w = cpu_weights_find(b->e, &key, md, &l->stored);
	if (!w) {
		if ((l->group->n_affine || l->scale != 1) && scale_weights(b, l, &scaled, err))
			return -err->code;
		int rc = cpu_weights_add(
			b->e, &key, md, &l->stored, scaled ? scaled : data, &w, err);
		free(scaled);
		if (rc)
			return rc;
	}
	*out = w->memory;
	return 0;
}

static int pack_bias(struct cpu_build *b, const struct cpu_linear *l, const dnnl_memory_desc_t *md,
	dnnl_memory_t *out, struct nx_err *err)
{
	struct cpu_key key;

	cpu_key_init(&key, 'B');
	cpu_key_add(&key, b->g, l->bias);
	cpu_key_add_group(&key, b->g, l->group);
	struct cpu_weights *w = cpu_weights_find(b->e, &key, md, md);
	if (!w) {
		size_t channels = (size_t)l->channels;
		float *scale = nx_alloc(channels * 2, sizeof *scale), *shift = scale + channels;
		int64_t n = 0;
		const float *bias = l->bias == NX_NO_VALUE ? NULL : nx_const_f32(b->g, l->bias, &n);
		nx_affine(b->g, l->group, l->channels, scale, shift);
		for (size_t c = 0; c < channels && bias; c++)
			shift[c] += bias[n == 1 ? 0 : c] * scale[c];
		int rc = cpu_weights_add(b->e, &key, md, md, shift, &w, err);
		free(scale);
		if (rc)
			return rc;
	}
	*out = w->memory;
	return 0;
}

void cpu_linear_weights_md(const struct cpu_linear *l, dnnl_memory_desc_t *md)
{
	dnnl_memory_desc_init_by_tag(
		md, l->stored.ndims, l->stored.dims, l->type, dnnl_format_tag_any);
}

bool cpu_linear_has_bias(const struct cpu_linear *l)
{
	return l->bias != NX_NO_VALUE || l->group->n_affine > 0;
}

void cpu_linear_bias_md(const struct cpu_linear *l, dnnl_memory_desc_t *md)
{
	const struct nx_shape shape = { 1, { l->channels } };

	dnn_md_plain(md, dnnl_f32, &shape);
}

int cpu_linear_step(struct cpu_build *b, const struct cpu_linear *l, dnnl_primitive_desc_t pd,
	int src, int dst, struct nx_err *err)
{
	const dnnl_memory_desc_t src_md = *dnn_pd_md(pd, dnnl_query_src_md);
	const dnnl_memory_desc_t dst_md = *dnn_pd_md(pd, dnnl_query_dst_md);
	const dnnl_memory_desc_t weights_md = *dnn_pd_md(pd, dnnl_query_weights_md);
	dnnl_memory_desc_t bias_md;
	dnnl_memory_t weights = NULL, bias = NULL;
	int rc = pack_weights(b, l, &weights_md, &weights, err);

	cpu_linear_bias_md(l, &bias_md);
	if (rc == 0 && cpu_linear_has_bias(l))
		rc = pack_bias(b, l, &bias_md, &bias, err);
	if (rc) {
		dnnl_primitive_desc_destroy(pd);
		return rc;
	}
	if (cpu_step_primitive(b->e, pd, &b->g->nodes[l->group->head], err))
		return -err->code;
	cpu_step_use(b->e, DNNL_ARG_SRC, src, &src_md);
	cpu_step_use_memory(b->e, DNNL_ARG_WEIGHTS, weights);
	if (bias)
		cpu_step_use_memory(b->e, DNNL_ARG_BIAS, bias);
	cpu_step_use(b->e, DNNL_ARG_DST, dst, &dst_md);
	return 0;
}
