/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to measure with. */
#ifndef NX_PROFILE_FEED_H
#define NX_PROFILE_FEED_H

#include "engine/engine.h"

struct nx_feed {
	size_t n_in, n_out;
	void **in, **out; /* room for all rows of each */
};

/* Fills inputs with numbers as preprocessing makes them: floats in [-1, 1), bytes of any value;
 * whole numbers are indices as often as not, so they are zero.  NX_EOS; released either way. */
int nx_feed_init(struct nx_feed *b, const struct nx_io *in, size_t n_in, const struct nx_io *out,
	size_t n_out, size_t rows, uint64_t seed, struct nx_err *err);
void nx_feed_release(struct nx_feed *b);

#endif
