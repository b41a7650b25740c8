/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/descend.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A choice that is slower than this alone will not be faster among others. */
#define HOPELESS 1.15

struct class
{
	size_t index;
	double share;
};

static int by_share(const void *pa, const void *pb)
{
	const struct class *a = pa, *b = pb;

	if (a->share != b->share)
		return a->share < b->share ? 1 : -1;
	return (a->index > b->index) - (a->index < b->index);
}

static struct class *order(const struct cpu_descent *d)
{
	struct class *c = nx_alloc(d->n_classes + 1, sizeof *c);

	for (size_t i = 0; i < d->n_classes; i++)
		c[i] = (struct class){ i, d->share(d->arg, i) };
	qsort(c, d->n_classes, sizeof *c, by_share);
	return c;
}

/* Whether a class may have a choice, and might gain by it. */
static bool worth(const struct cpu_descent *d, size_t class, uint8_t choice, bool *exact)
{
	double cost = 0, error = 0;

	*exact = choice == 0 ||
		 (d->alone(d->arg, class, choice, &cost, &error) && error <= d->error_max);
	return choice == 0 || (*exact && cost <= HOPELESS);
}

static bool try(const struct cpu_descent *d, uint8_t *choice, const uint8_t *trial)
{
	if (memcmp(choice, trial, d->n_classes) == 0 || !(d->ratio(d->arg, trial) < 1 - d->margin))
		return false;
	d->accept(d->arg);
	memcpy(choice, trial, d->n_classes);
	return true;
}

void cpu_descend(const struct cpu_descent *d, uint8_t *choice)
{
	struct class *class = order(d);
	uint8_t *trial = nx_alloc(d->n_classes + 1, 1);
	bool *exact = nx_alloc((d->n_classes + 1) * d->n_choices, sizeof *exact);
	bool *good = nx_alloc((d->n_classes + 1) * d->n_choices, sizeof *good);
	size_t n = 0;

	while (n < d->n_classes && class[n].share >= d->share_min)
		n++;
	for (size_t i = 0; i < n * d->n_choices && !d->expired(d->arg); i++) {
		size_t at = class[i / d->n_choices].index;
		good[i] = worth(d, at, (uint8_t)(i % d->n_choices), &exact[i]);
	}
	/* Neighbours that change together need no change of layout between them.  The last choice,
	 * which promises most, goes first. */
	for (size_t j = 2u * d->n_choices; j-- > 2 && !d->expired(d->arg);) {
		const bool *which = j % 2 ? good : exact;
		memcpy(trial, choice, d->n_classes);
		for (size_t i = 0; i < n; i++)
			if (which[i * d->n_choices + j / 2])
				trial[class[i].index] = (uint8_t)(j / 2);
		try(d, choice, trial);
	}
	for (size_t i = 0; i < n; i++) {
		for (uint8_t k = 0; k < d->n_choices && !d->expired(d->arg); k++) {
			if (!good[i * d->n_choices + k])
				continue;
			memcpy(trial, choice, d->n_classes);
			trial[class[i].index] = k;
			try(d, choice, trial);
		}
	}
	free(class);
	free(trial);
	free(exact);
	free(good);
}
