/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool, AveragePool and their global forms. */
#include "plugins/cpu/codes.h"
#include "plugins/cpu/nodes.h"

#include <string.h>

struct pool {
	dnnl_alg_kind_t alg;
	int dst;
	dnnl_dims_t kernel, strides, dilation, pad_l, pad_r;
};

static dnnl_primitive_desc_t describe_pool(
	struct cpu_build *b, const void *op, const dnnl_memory_desc_t *src)
{
	const struct pool *p = op;
	dnnl_memory_desc_t dst;
	dnnl_pooling_v2_desc_t d;

	dnn_md_any(&dst, src->data_type, cpu_shape(b, p->dst));
	if (dnnl_pooling_v2_forward_desc_init(&d, dnnl_forward_inference, p->alg, src, &dst,
		    p->strides, p->kernel, p->dilation, p->pad_l, p->pad_r) != dnnl_success)
		return NULL;
	return dnn_pd_new(b->e->dev->engine, &d, NULL);
}

/* False where oneDNN and ONNX would differ. */
static bool fill_window(
	const struct nx_node *n, int i, int spatial, int64_t in, int64_t out, struct pool *p)
{
	const char *automatic = nx_node_str(n, "auto_pad", "NOTSET");

	p->kernel[i] = cpu_ints_at(n, "kernel_shape", i, 1);
	p->strides[i] = cpu_ints_at(n, "strides", i, 1);
	p->dilation[i] = cpu_ints_at(n, "dilations", i, 1) - 1;
	int64_t range = (p->kernel[i] - 1) * (p->dilation[i] + 1) + 1;
	int64_t total = (out - 1) * p->strides[i] + range - in;
	int64_t behind = cpu_ints_at(n, "pads", i + spatial, 0);

	p->pad_l[i] = cpu_ints_at(n, "pads", i, 0);
	if (strcmp(automatic, "NOTSET") != 0) {
		total = total > 0 ? total : 0;
		p->pad_l[i] = strcmp(automatic, "SAME_LOWER") == 0 ? total - total / 2 : total / 2;
		p->pad_r[i] = behind = total - p->pad_l[i];
	} else {
		p->pad_r[i] = total - p->pad_l[i];
	}
	/* A window that hangs over the padding (ceil_mode) must not count what is not there. */
	bool hangs = p->pad_r[i] > behind && nx_node_int(n, "count_include_pad", 0);
	return !hangs && p->pad_l[i] < range && p->pad_r[i] < range;
}

/* Averages of codes. */
static int emit_average(struct cpu_build *b, const struct nx_node *n, const struct pool *p,
	int axes, struct nx_err *err)
{
	struct cpu_window w = { { 1, 1 }, { 1, 1 }, { 0, 0 },
		p->alg == dnnl_pooling_avg_include_padding };

	if (axes > 2)
		return CPU_NOT_MINE;
	for (int i = 0; i < axes; i++) {
		if (p->dilation[i])
			return CPU_NOT_MINE;
		w.kernel[i] = p->kernel[i];
		w.stride[i] = p->strides[i];
		w.pad[i] = p->pad_l[i];
	}
	return cpu_emit_mean(b, n, &w, err);
}

int cpu_emit_pool(struct cpu_build *b, const struct nx_node *n, struct nx_err *err)
{
	const struct nx_shape *src = cpu_shape(b, n->in[0]), *dst = cpu_shape(b, n->out[0]);
	bool global = strncmp(n->op, "Global", 6) == 0;
	struct pool p = { .dst = n->out[0] };

	if (src->rank < 3 || src->rank > 5 || dst->rank != src->rank || nx_shape_count(src) <= 0 ||
		nx_shape_count(dst) <= 0 || (n->n_out > 1 && n->out[1] != NX_NO_VALUE))
		return CPU_NOT_MINE;
	p.alg = dnnl_pooling_avg_exclude_padding;
	if (strstr(n->op, "Max"))
		p.alg = dnnl_pooling_max;
	else if (nx_node_int(n, "count_include_pad", 0))
		p.alg = dnnl_pooling_avg_include_padding;
	for (int i = 0; i < src->rank - 2; i++) {
		int64_t in = src->dim[i + 2], out = dst->dim[i + 2];
		if (global)
			p.kernel[i] = in, p.strides[i] = 1;
		else if (!fill_window(n, i, src->rank - 2, in, out, &p))
			return CPU_NOT_MINE;
	}
	if (p.alg != dnnl_pooling_max) {
		int rc = emit_average(b, n, &p, src->rank - 2, err);
		if (rc != CPU_NOT_MINE)
			return rc;
	}
	return cpu_emit_channelwise(b, n, describe_pool, &p, p.alg == dnnl_pooling_max, err);
}
