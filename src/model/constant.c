/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants: tensors that do not change any more, each with a count of its own, so that weights
 * go as soon as nobody needs them, whichever graph they came with.
 *
 * The content id is a cut-off SHA-256 and not a cheap hash: equal ids make two models share
 * memory, and a file must not be able to choose whose weights it gets.  It is made when first
 * asked for, since many constants are never asked.
 */
#include "model/graph.h"

#include "core/alloc.h"
#include "core/digest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct constant {
	struct nx_tensor tensor; /* first: this is what everybody else sees */
	atomic_int refs;
	pthread_mutex_t lock; /* around the id */
	bool has_id;
	uint8_t id[NX_CONST_ID_SIZE];
};

struct nx_tensor *nx_const_new(struct nx_tensor *t)
{
	struct constant *c = nx_alloc(1, sizeof *c);

	c->tensor = *t;
	*t = (struct nx_tensor){ 0 };
	atomic_init(&c->refs, 1);
	pthread_mutex_init(&c->lock, NULL);
	return &c->tensor;
}

struct nx_tensor *nx_const_ref(struct nx_tensor *constant)
{
	atomic_fetch_add(&((struct constant *)constant)->refs, 1);
	return constant;
}

void nx_const_unref(struct nx_tensor **constant)
{
	struct constant *c = (struct constant *)*constant;

	*constant = NULL;
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&c->lock);
	nx_tensor_release(&c->tensor);
	free(c);
}

static void make_id(const struct nx_tensor *t, uint8_t id[NX_CONST_ID_SIZE])
{
	int64_t head[2 + NX_MAX_DIMS] = { t->dtype, t->shape.rank };
	struct nx_digest *d = nx_digest_new();
	uint8_t hash[NX_DIGEST_BYTES];

	for (int i = 0; i < t->shape.rank; i++)
		head[2 + i] = t->shape.dim[i];
	nx_digest_add(d, head, sizeof head);
	nx_digest_add(d, t->data, t->bytes);
	nx_digest_finish_bytes(&d, hash);
	memcpy(id, hash, NX_CONST_ID_SIZE);
}

const uint8_t *nx_const_id(struct nx_tensor *constant)
{
	struct constant *c = (struct constant *)constant;

	pthread_mutex_lock(&c->lock);
	if (!c->has_id)
		make_id(&c->tensor, c->id);
	c->has_id = true;
	pthread_mutex_unlock(&c->lock);
	return c->id;
}
