/* SPDX-License-Identifier: Apache-2.0 */
/* Splits of queries made better for the devices that are really used. */
#ifndef NX_SCHED_RESPLIT_H
#define NX_SCHED_RESPLIT_H

#include "sched/place.h"

/* Moves latency between a stage of a query and the stages after it as long as the packed devices
 * cost less or, at the same cost, keep fewer devices busy.  Changes SLOs and options of the
 * stages.  Tries a bounded number of moves, each with a quick packing; nothing if there are very
 * many sessions.  True if anything was changed. */
bool nx_resplit(struct nx_problem *p);

#endif
