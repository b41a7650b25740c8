/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/feed.h"

#include "core/alloc.h"
#include "core/rng.h"

#include <stdlib.h>

static void fill(struct nx_rng *rng, enum nx_dtype dtype, void *data, size_t bytes)
{
	if (dtype == NX_F32)
		for (size_t i = 0; i < bytes / sizeof(float); i++)
			((float *)data)[i] = (float)(2 * nx_rng_uniform(rng) - 1);
	else if (dtype == NX_U8)
		for (size_t i = 0; i < bytes; i++)
			((unsigned char *)data)[i] = (unsigned char)nx_rng_below(rng, 256);
}

static int alloc_rows(void **to, const struct nx_io *io, size_t n, size_t rows, struct nx_err *err)
{
	for (size_t i = 0; i < n; i++) {
		to[i] = nx_try_alloc(rows, io[i].row_bytes);
		if (!to[i])
			return nx_err_set(
				err, NX_EOS, "no memory for %zu rows of '%s'", rows, io[i].name);
	}
	return 0;
}

int nx_feed_init(struct nx_feed *b, const struct nx_io *in, size_t n_in, const struct nx_io *out,
	size_t n_out, size_t rows, uint64_t seed, struct nx_err *err)
{
	struct nx_rng rng;

	b->n_in = n_in;
	b->n_out = n_out;
	b->in = nx_alloc(n_in, sizeof *b->in);
	b->out = nx_alloc(n_out, sizeof *b->out);
	if (alloc_rows(b->in, in, n_in, rows, err) || alloc_rows(b->out, out, n_out, rows, err))
		return -err->code;
	nx_rng_init(&rng, seed);
	for (size_t i = 0; i < n_in; i++)
		fill(&rng, in[i].dtype, b->in[i], rows * in[i].row_bytes);
	return 0;
}

void nx_feed_release(struct nx_feed *b)
{
	for (size_t i = 0; b->in && i < b->n_in; i++)
		free(b->in[i]);
	for (size_t i = 0; b->out && i < b->n_out; i++)
		free(b->out[i]);
	free(b->in);
	free(b->out);
	*b = (struct nx_feed){ 0 };
}
