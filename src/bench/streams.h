/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When which request is due: the arrivals of many streams in the order of their times.  Knows no
 * clock; times are nanoseconds from the start of the load.
 */
#ifndef NX_BENCH_STREAMS_H
#define NX_BENCH_STREAMS_H

#include "stats/arrivals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nx_stream {
	struct nx_arrivals arrivals;
	uint64_t due_ns; /* of its next request */
	size_t id;       /* its place in the rates given */
};

struct nx_streams {
	struct nx_stream *heap; /* binary, the earliest first; streams that are over are gone */
	size_t n;
	uint64_t end_ns;
};

/* One stream a rate (per second, 0: none).  Nothing is due at or after end_ns.  Every stream has
 * random numbers of its own, so that one does not change when another is added behind it. */
void nx_streams_init(struct nx_streams *s, enum nx_arrival_kind kind, const double *rate, size_t n,
	uint64_t seed, uint64_t end_ns);
void nx_streams_release(struct nx_streams *s);

/* When the next request is due; UINT64_MAX when there is none left. */
uint64_t nx_streams_next(const struct nx_streams *s);

/* Takes the earliest request if it is due by now_ns: its stream and when it was due. */
bool nx_streams_take(struct nx_streams *s, uint64_t now_ns, size_t *id, uint64_t *due_ns);

#endif
