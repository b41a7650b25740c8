/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coordinate descent over the choices of a whole executable.  What a choice costs depends on its
 * neighbours (changes of layout, joins), so nothing is judged alone: one class at a time is
 * changed, and what makes the whole faster stays.  Knows nothing of convolutions.
 */
#ifndef NX_PLUGINS_CPU_DESCEND_H
#define NX_PLUGINS_CPU_DESCEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_descent {
	size_t n_classes;
	uint8_t n_choices; /* of each class, at least 2; choice 0 always works */
	/* Relative error that a choice may have against choice 0. */
	double error_max;
	/* A choice must save this share of the time of the whole to be taken. */
	double margin;
	/* Classes with less than this share of the time are left alone. */
	double share_min;

	void *arg;
	/* The share of the present whole that is spent in a class. */
	double (*share)(void *arg, size_t class);
	/* What a class alone costs with a choice, relative to choice 0, and how far its results
	 * are from choice 0's; false where the class cannot have it.  Asked for once each. */
	bool (*alone)(void *arg, size_t class, uint8_t choice, double *cost, double *error);
	/* The time of the whole with these choices over that of the present whole, measured in
	 * turns; infinite where it cannot be. */
	double (*ratio)(void *arg, const uint8_t *choice);
	/* The whole that was measured last is the present one. */
	void (*accept)(void *arg);
	bool (*expired)(void *arg);
};

/* Improves choice[n_classes], the present whole's, in place. */
void cpu_descend(const struct cpu_descent *d, uint8_t *choice);

#endif
