/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/weights.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

static bool key_equal(const struct cpu_key *a, const struct cpu_key *b)
{
	return a->tag == b->tag && a->n == b->n && a->scale == b->scale &&
	       memcmp(a->epsilon, b->epsilon, sizeof a->epsilon) == 0 &&
	       memcmp(a->codes, b->codes, sizeof a->codes) == 0 &&
	       memcmp(a->from, b->from, a->n * sizeof a->from[0]) == 0;
}

static void hold(struct nx_plugin_exec *e, struct cpu_weights *w)
{
	w->refs++;
	e->weights = nx_grow(
		e->weights, &e->cap_weights, e->n_weights + 1, sizeof(struct cpu_weights *));
	e->weights[e->n_weights++] = w;
}

struct cpu_weights *cpu_weights_find(struct nx_plugin_exec *e, const struct cpu_key *key,
	const dnnl_memory_desc_t *md, const dnnl_memory_desc_t *from_md)
{
	struct nx_plugin_device *dev = e->dev;

	for (size_t i = 0; i < dev->n_weights; i++) {
		struct cpu_weights *w = dev->weights[i];
		if (key_equal(&w->key, key) && dnnl_memory_desc_equal(&w->md, md) &&
			dnnl_memory_desc_equal(&w->from_md, from_md)) {
			hold(e, w);
			return w;
		}
	}
	return NULL;
}

static void weights_free(struct cpu_weights *w)
{
	if (w->memory)
		dnnl_memory_destroy(w->memory);
	if (w->bytes >= NX_PAGES_MIN)
		nx_pages_free(w->data, w->bytes);
	else
		free(w->data);
	free(w);
}

int cpu_weights_add(struct nx_plugin_exec *e, const struct cpu_key *key,
	const dnnl_memory_desc_t *md, const dnnl_memory_desc_t *from_md, const void *data,
	struct cpu_weights **out, struct nx_err *err)
{
	struct nx_plugin_device *dev = e->dev;
	struct cpu_weights *w = nx_alloc(1, sizeof *w);

	w->key = *key;
	w->md = *md;
	w->from_md = *from_md;
	w->bytes = dnnl_memory_desc_get_size(md);
	w->data = w->bytes >= NX_PAGES_MIN ? nx_pages_alloc(w->bytes) : nx_try_alloc(w->bytes, 1);
	if (!w->data) {
		free(w);
		return nx_err_set(err, NX_EOS, "no memory for %zu bytes of packed weights",
			dnnl_memory_desc_get_size(md));
	}
	int rc = dnn_check(dnnl_memory_create(&w->memory, md, dev->engine, w->data), "memory", err);
	if (rc == 0)
		rc = dnn_reorder_now(dev->engine, dev->stream, from_md, data, w->memory, err);
	if (rc) {
		weights_free(w);
		return rc;
	}
	dev->weights = nx_grow(
		dev->weights, &dev->cap_weights, dev->n_weights + 1, sizeof(struct cpu_weights *));
	dev->weights[dev->n_weights++] = w;
	hold(e, w);
	*out = w;
	return 0;
}

void cpu_weights_unref(struct nx_plugin_device *dev, struct cpu_weights *w)
{
	if (--w->refs)
		return;
	for (size_t i = 0; i < dev->n_weights; i++) {
		if (dev->weights[i] == w) {
			dev->weights[i] = dev->weights[--dev->n_weights];
			break;
		}
	}
	weights_free(w);
}
