/* SPDX-License-Identifier: Apache-2.0 */
/* Squishy bin packing: shares of sessions onto as few devices of one type as can be. */
#ifndef NX_SCHED_PACK_H
#define NX_SCHED_PACK_H

#include "sched/fill.h"
#include "sched/work.h"

#define NX_SETS_ITEMS 16 /* the most that nx_pack_sets takes */

struct nx_pack_job {
	const struct nx_item *item; /* each fits a device alone */
	size_t n;
	double memory_bytes;
	bool divide; /* items that have halves may be divided */
	const struct nx_work *work;
};

/* The best there is: never more bins than nx_pack_paper makes.  p is empty before.  True if it was
 * found by trying all that a job may do, so that no packing has fewer. */
bool nx_pack(const struct nx_pack_job *job, struct nx_packing *p);

/* What nx_pack is made of.
 *
 * The Nexus paper's greedy (SOSP'19, Algorithm 1, ScheduleResidue): every item by itself at the
 * largest b with b/r + l(b) <= SLO, then best fit decreasing on occupancy, a merged node running
 * at the shorter duty cycle.  Its holes closed: an item without such a b, or whose occupancy
 * there is above 1, takes its best cycle instead.  p is empty before. */
void nx_pack_paper(const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p);
/* One device after the other, each as full as nx_fill_bin makes it.  p is empty before. */
void nx_pack_filled(const struct nx_pack_job *job, struct nx_packing *p);
/* Empties and packs some bins again and again: for 'part' of the work that the job may take, or
 * until only 'least' are left.  Never more bins than before. */
void nx_pack_refine(struct nx_packing *p, const struct nx_pack_job *job, double part, size_t least);
/* Branch and bound from the packing that is there, over whole items; bounded work, so exact only
 * for few. */
void nx_pack_search(
	const struct nx_item *item, size_t n, double memory_bytes, struct nx_packing *p);
/* The best of all packings of few items (at most 10 that may be divided, 16 that may not) in the
 * place of p, if it has fewer bins.  False, and p is as it was, if there are too many. */
bool nx_pack_sets(const struct nx_pack_job *job, struct nx_packing *p);

#endif
