/* SPDX-License-Identifier: Apache-2.0 */
/* The highest load that still passes, by doubling and bisection.  Pure: who asks runs the probes. */
#ifndef NX_BENCH_SEARCH_H
#define NX_BENCH_SEARCH_H

#include <stdbool.h>

struct nx_search {
	double passed; /* highest scale that passed; 0: none yet */
	double failed; /* lowest scale that failed; infinite: none yet */
	double next;
	double min, max; /* never probed below or above */
};

/* Begins at 'start', which lies in [min, max]. */
void nx_search_init(struct nx_search *s, double start, double min, double max);
/* The scale to probe next; 0 when the answer (s->passed) is known to 3 %, or when min failed or
 * max passed. */
double nx_search_next(const struct nx_search *s);
/* What became of the probe at nx_search_next(). */
void nx_search_report(struct nx_search *s, bool passed);

#endif
