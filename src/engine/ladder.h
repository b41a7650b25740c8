/* SPDX-License-Identifier: Apache-2.0 */
/* Which batch sizes executables are made for, and how a batch is cut into them. */
#ifndef NX_ENGINE_LADDER_H
#define NX_ENGINE_LADDER_H

#include <stdbool.h>
#include <stddef.h>

#define NX_LADDER_CUT_MAX 64 /* rungs of a ladder that is not dense: powers of two and one more */

enum nx_ladder_kind {
	NX_LADDER_CUT, /* powers of two up to 'top'; batches are cut into pieces, nothing padded */
	NX_LADDER_PAD, /* powers of two and 'top'; a batch runs whole on the next larger rung */
	NX_LADDER_DENSE, /* every size up to 'top' */
};

struct nx_ladder {
	enum nx_ladder_kind kind;
	size_t n;
	size_t *rows; /* ascending, the first is 1 */
};

/* top >= 1. */
void nx_ladder_init(struct nx_ladder *l, enum nx_ladder_kind kind, size_t top);
/* The same rungs as those of 'from'. */
void nx_ladder_copy(struct nx_ladder *to, const struct nx_ladder *from);
void nx_ladder_release(struct nx_ladder *l);

/* Leaves only the rung of one row: batches run row by row. */
void nx_ladder_single(struct nx_ladder *l);

struct nx_piece {
	size_t first, rows; /* rows of the batch */
	size_t rung;        /* index of the executable, which may hold more rows (padding) */
};

/* Cuts a batch of 'rows' for 'workers' workers; 'pieces' has room for 'rows'.  Returns how many
 * there are.  Rows over the top rung are cut whatever the kind. */
size_t nx_ladder_cut(
	const struct nx_ladder *l, size_t rows, size_t workers, struct nx_piece *pieces);

#endif
