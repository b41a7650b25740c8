/* SPDX-License-Identifier: Apache-2.0 */
/* Which device serves how much of which session. */
#ifndef NX_SCHED_PLACE_H
#define NX_SCHED_PLACE_H

#include "formats/plan.h"
#include "sched/problem.h"

/* One device. */
struct nx_slot {
	size_t type;
	bool whole; /* one session at the device's best rate for it */
	struct nx_part {
		size_t demand;
		double rate;
	} * part;
	size_t n, cap;
	double load;         /* while sticking: sum of the floors */
	size_t number;       /* its name is <slug>-<number> */
	const char *name;    /* the previous plan's, if it had another form; borrowed */
	const char *address; /* the previous plan's, or NULL; borrowed */
};

struct nx_placement {
	struct nx_slot *slot;
	size_t n, cap;
	double *left;    /* of each demand: rate that is not served */
	char **why_left; /* and why */
	size_t n_demands;
	bool proved; /* by trying everything: no placement of these shares needs fewer devices */
};

/* More devices than a plan will name: what needs more is not served. */
#define NX_MAX_DEVICES 100000

/* Places every demand that has an option: whole devices first, then what is left packed together.
 * A demand goes to the cheapest type that has room, as its options say. */
void nx_place(struct nx_problem *p, struct nx_placement *out);
void nx_placement_release(struct nx_placement *pl);

/* Numbers the slots of each type from 0. */
void nx_place_number(const struct nx_problem *p, struct nx_placement *pl);

/* Names the devices after the previous plan's and, where its placement still works and needs no
 * more devices than 'pl', takes that instead.  Both need nx_place_number's result as a start. */
void nx_place_stick(struct nx_problem *p, const struct nx_plan *previous, struct nx_placement *pl);

/* For placement algorithms: a new empty slot; a part for it. */
struct nx_slot *nx_placement_add(struct nx_placement *pl, size_t type);
void nx_slot_add(struct nx_slot *s, size_t demand, double rate);

/* Packs shares of one type together and appends the slots; 'whole' rates among them get a device
 * each.  Shares must be servable by the type. */
void nx_place_shares(struct nx_problem *p, size_t type, const struct nx_part *share, size_t n,
	struct nx_placement *pl);

#endif
