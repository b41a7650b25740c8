/* SPDX-License-Identifier: Apache-2.0 */
/* Packed weights and biases of a convolution or matrix product, found by what they are made of. */
#include "core/alloc.h"
#include "plugins/cpu/codes.h"
#include "plugins/cpu/linear.h"

#include <stdlib.h>
#include <string.h>

void cpu_key_init(struct cpu_key *key, int tag)
{
	memset(key, 0, sizeof *key);
	key->tag = tag;
	key->scale = 1;
}

static void add_id(struct cpu_key *key, const struct nx_graph *g, int value)
{
	/* What is left out holds its place. */
	if (key->n == CPU_KEY_MAX)
		return;
	if (value != NX_NO_VALUE)
		memcpy(key->from[key->n], nx_const_id(g->values[value].constant), NX_CONST_ID_SIZE);
	key->n++;
}

void cpu_key_add(struct cpu_key *key, const struct cpu_build *b, int value)
{
	const struct nx_node *n = value == NX_NO_VALUE ? NULL : b->val[value].coded;

	if (!n) {
		add_id(key, b->g, value);
		return;
	}
	/* Codes, scales and zero points say what they stand for, but for the axis. */
	key->tag = key->tag * 32 + 16 + (int)nx_node_int(n, "axis", 1) % 16;
	for (size_t i = 0; i < 3; i++)
		add_id(key, b->g, i < n->n_in ? n->in[i] : NX_NO_VALUE);
}

void cpu_key_add_group(struct cpu_key *key, const struct cpu_build *b, const struct nx_group *group)
{
	const struct nx_graph *g = b->g;

	for (size_t i = 0; i < group->n_affine; i++) {
		const struct nx_node *n = &g->nodes[group->affine[i]];
		/* The same constants may be used in another way. */
		key->tag = key->tag * 4 + 1 + nx_node_is(n, "Mul") + 2 * nx_node_is(n, "Add");
		if (nx_node_is(n, "BatchNormalization"))
			key->epsilon[i] = nx_node_float(n, "epsilon", 1e-5f);
		for (size_t k = 0; k < n->n_in; k++)
			if (n->in[k] != NX_NO_VALUE && g->values[n->in[k]].constant)
				add_id(key, g, n->in[k]);
	}
}

/* Output channel of element e of the weights as the model stores them. */
static size_t channel_of(const struct cpu_linear *l, size_t e)
{
	size_t in_group = e / l->inner % l->per_group;

	return l->group_span ? in_group + e / l->group_span * l->per_group : in_group;
}

static int no_memory(struct nx_err *err)
{
	return nx_err_set(err, NX_EOS, "no memory for weights");
}

/* Multiplies weights by what is folded into them; *own is theirs, made where it is not. */
static int scale_weights(const struct cpu_build *b, const struct cpu_linear *l, const float *w,
	int64_t n, float **own, struct nx_err *err)
{
	/* From the heap and as it is, so that one piece of it serves one layer after the other. */
	float *scaled = *own ? *own : malloc((size_t)n * sizeof *scaled);

	if (!scaled)
		return no_memory(err);
	float *scale = nx_alloc((size_t)l->channels * 2, sizeof *scale);
	nx_affine(b->g, l->group, l->channels, scale, scale + l->channels);
	for (size_t e = 0; e < (size_t)n; e += l->inner) {
		float factor = scale[channel_of(l, e)];
		for (size_t i = e; i < e + l->inner; i++)
			scaled[i] = w[i] * l->scale * factor;
	}
	free(scale);
	*own = scaled;
	return 0;
}

static int add_weights(struct cpu_build *b, const struct cpu_linear *l, const struct cpu_key *key,
	const dnnl_memory_desc_t *md, struct cpu_weights **out, struct nx_err *err)
{
	struct cpu_coded coded = { .own = NULL };
	float *own = NULL;
	int64_t n;
	int rc;

	if (l->coded) {
		rc = cpu_const_codes(b, l->weights, l->axis, &coded)
			     ? cpu_weights_add(b->e, key, md, &l->stored, coded.codes, out, err)
			     : no_memory(err);
		free(coded.own);
		return rc;
	}
	const float *data = cpu_const_real(b, l->weights, &n, &own);
	rc = data ? 0 : no_memory(err);
	if (rc == 0 && (l->group->n_affine || l->scale != 1))
		rc = scale_weights(b, l, data, n, &own, err);
	if (rc == 0)
		rc = cpu_weights_add(b->e, key, md, &l->stored, own ? own : data, out, err);
	free(own);
	return rc;
}

int cpu_pack_weights(struct cpu_build *b, const struct cpu_linear *l, const dnnl_memory_desc_t *md,
	dnnl_memory_t *out, struct nx_err *err)
{
	struct cpu_key key;
	int rc = 0;

	cpu_key_init(&key, l->coded ? 'w' : 'W');
	cpu_key_add(&key, b, l->weights);
	cpu_key_add_group(&key, b, l->group);
	if (!l->coded)
		key.scale = l->scale;
	struct cpu_weights *w = cpu_weights_find(b->e, &key, md, &l->stored);
	if (!w)
		rc = add_weights(b, l, &key, md, &w, err);
	if (rc == 0)
		*out = w->memory;
	return rc;
}

/* To units of the sums of products of codes, less what the source's code of zero adds to them. */
static int code_bias(
	const struct cpu_build *b, const struct cpu_linear *l, float *bias, struct nx_err *err)
{
	struct cpu_coded coded;

	if (!cpu_const_codes(b, l->weights, l->axis, &coded))
		return no_memory(err);
	for (int64_t c = 0; c < l->channels; c++)
		bias[c] /= l->src.scale * l->scale * coded.scale[coded.n_scales > 1 ? c : 0];
	if (l->shift) {
		int32_t *sum = nx_alloc((size_t)l->channels, sizeof *sum);
		for (size_t e = 0; e < (size_t)coded.count; e += l->inner)
			for (size_t i = e; i < e + l->inner; i++)
				sum[channel_of(l, e)] += coded.codes[i];
		for (int64_t c = 0; c < l->channels; c++)
			bias[c] -= (float)l->src.zero * (float)sum[c];
		free(sum);
	}
	free(coded.own);
	return 0;
}

static int add_bias(struct cpu_build *b, const struct cpu_linear *l, const struct cpu_key *key,
	const dnnl_memory_desc_t *md, struct cpu_weights **out, struct nx_err *err)
{
	size_t channels = (size_t)l->channels;
	float *scale = nx_alloc(channels * 2, sizeof *scale), *shift = scale + channels, *own;
	int64_t n = 0;
	const float *bias = cpu_const_real(b, l->bias, &n, &own);
	int rc = bias || l->bias == NX_NO_VALUE ? 0 : no_memory(err);

	nx_affine(b->g, l->group, l->channels, scale, shift);
	for (size_t c = 0; c < channels && bias; c++)
		shift[c] += bias[n == 1 ? 0 : c] * scale[c];
	if (rc == 0 && l->coded)
		rc = code_bias(b, l, shift, err);
	if (rc == 0)
		rc = cpu_weights_add(b->e, key, md, md, shift, out, err);
	free(scale);
	free(own);
	return rc;
}

int cpu_pack_bias(struct cpu_build *b, const struct cpu_linear *l, const dnnl_memory_desc_t *md,
	dnnl_memory_t *out, struct nx_err *err)
{
	struct cpu_key key;
	int rc = 0;

	cpu_key_init(&key, l->coded ? 'b' : 'B');
	cpu_key_add(&key, b, l->bias);
	if (l->coded) {
		cpu_key_add(&key, b, l->weights);
		key.scale = l->scale;
		key.codes[0] = l->src.scale;
		key.codes[1] = l->shift ? (float)l->src.zero : 0;
		key.codes[2] = (float)l->inner;
	}
	cpu_key_add_group(&key, b, l->group);
	struct cpu_weights *w = cpu_weights_find(b->e, &key, md, md);
	if (!w)
		rc = add_bias(b, l, &key, md, &w, err);
	if (rc == 0)
		*out = w->memory;
	return rc;
}
