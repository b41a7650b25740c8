/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ladder.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

void nx_ladder_init(struct nx_ladder *l, enum nx_ladder_kind kind, size_t top)
{
	l->kind = kind;
	l->n = 0;
	l->rows = nx_alloc(kind == NX_LADDER_DENSE ? top : NX_LADDER_CUT_MAX + 1, sizeof *l->rows);
	if (kind == NX_LADDER_DENSE) {
		while (l->n < top) {
			l->rows[l->n] = l->n + 1;
			l->n++;
		}
		return;
	}
	for (size_t r = 1; r <= top && l->n < NX_LADDER_CUT_MAX; r *= 2)
		l->rows[l->n++] = r;
	if (kind == NX_LADDER_PAD && l->rows[l->n - 1] < top)
		l->rows[l->n++] = top;
}

void nx_ladder_copy(struct nx_ladder *to, const struct nx_ladder *from)
{
	*to = *from;
	to->rows = nx_alloc(from->n, sizeof *to->rows);
	memcpy(to->rows, from->rows, from->n * sizeof *to->rows);
}

void nx_ladder_release(struct nx_ladder *l)
{
	free(l->rows);
	l->rows = NULL;
	l->n = 0;
}

void nx_ladder_single(struct nx_ladder *l)
{
	l->kind = NX_LADDER_CUT;
	l->n = 1;
}

/* The largest rung of at most 'rows' rows. */
static size_t rung_below(const struct nx_ladder *l, size_t rows)
{
	size_t i = l->n - 1;

	while (i > 0 && l->rows[i] > rows)
		i--;
	return i;
}

/* The smallest rung of at least 'rows' rows, or the top. */
static size_t rung_above(const struct nx_ladder *l, size_t rows)
{
	size_t i = 0;

	while (i + 1 < l->n && l->rows[i] < rows)
		i++;
	return i;
}

size_t nx_ladder_cut(
	const struct nx_ladder *l, size_t rows, size_t workers, struct nx_piece *pieces)
{
	/* No piece so large that a worker is left without one. */
	size_t share = (rows + workers - 1) / workers;
	size_t n = 0;

	for (size_t at = 0; at < rows; n++) {
		size_t left = rows - at;
		struct nx_piece *p = &pieces[n];
		if (l->kind == NX_LADDER_CUT)
			p->rung = rung_below(l, left < share ? left : share);
		else
			p->rung = rung_above(l, left);
		p->first = at;
		p->rows = l->rows[p->rung] < left ? l->rows[p->rung] : left;
		at += p->rows;
	}
	return n;
}
