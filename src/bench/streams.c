/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/streams.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Ties go to the stream named first, so that a load is the same every time. */
static bool before(const struct nx_stream *a, const struct nx_stream *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->id < b->id;
}

static void sift_down(struct nx_streams *s, size_t i)
{
	struct nx_stream moved = s->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= s->n)
			break;
		if (child + 1 < s->n && before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!before(&s->heap[child], &moved))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = moved;
}

void nx_streams_init(struct nx_streams *s, enum nx_arrival_kind kind, const double *rate, size_t n,
	uint64_t seed, uint64_t end_ns)
{
	memset(s, 0, sizeof *s);
	s->heap = nx_alloc(n, sizeof *s->heap);
	s->end_ns = end_ns;
	for (size_t i = 0; i < n; i++) {
		struct nx_stream *t = &s->heap[s->n];
		t->id = i;
		/* The golden ratio spreads the seeds (Knuth's multiplicative hashing). */
		nx_arrivals_init(
			&t->arrivals, kind, rate[i], seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
		t->due_ns = nx_arrivals_next(&t->arrivals);
		if (t->due_ns < end_ns)
			s->n++;
	}
	for (size_t i = s->n / 2; i-- > 0;)
		sift_down(s, i);
}

void nx_streams_release(struct nx_streams *s)
{
	free(s->heap);
	s->heap = NULL;
	s->n = 0;
}

uint64_t nx_streams_next(const struct nx_streams *s)
{
	return s->n ? s->heap[0].due_ns : UINT64_MAX;
}

bool nx_streams_take(struct nx_streams *s, uint64_t now_ns, size_t *id, uint64_t *due_ns)
{
	if (nx_streams_next(s) > now_ns || s->n == 0)
		return false;
	struct nx_stream *t = &s->heap[0];
	*id = t->id;
	*due_ns = t->due_ns;
	t->due_ns = nx_arrivals_next(&t->arrivals);
	if (t->due_ns >= s->end_ns)
		*t = s->heap[--s->n];
	if (s->n)
		sift_down(s, 0);
	return true;
}
