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

struct search {
	const struct cpu_descent *d;
	uint8_t *choice, *trial;
	struct class *class; /* by share; n of them matter */
	size_t n;
	bool *exact, *good; /* [class * n_choices + choice] */
};

/* Looks at the choices from 'first' to 'last' of each class alone. */
static void look(struct search *s, uint8_t first, uint8_t last)
{
	const struct cpu_descent *d = s->d;

	for (size_t i = 0; i < s->n; i++) {
		for (uint8_t k = first; k <= last && !d->expired(d->arg); k++) {
			size_t at = i * d->n_choices + k;
			s->good[at] = worth(d, s->class[i].index, k, &s->exact[at]);
		}
	}
}

/* Gives a choice to all classes at once: neighbours that change together need no change of layout
 * between them. */
static void try_all(struct search *s, uint8_t choice, const bool *which)
{
	const struct cpu_descent *d = s->d;

	if (d->expired(d->arg))
		return;
	memcpy(s->trial, s->choice, d->n_classes);
	for (size_t i = 0; i < s->n; i++)
		if (which[i * d->n_choices + choice])
			s->trial[s->class[i].index] = choice;
	try(d, s->choice, s->trial);
}

static void try_each(struct search *s)
{
	const struct cpu_descent *d = s->d;

	for (size_t i = 0; i < s->n; i++) {
		for (uint8_t k = 0; k < d->n_choices && !d->expired(d->arg); k++) {
			if (!s->good[i * d->n_choices + k])
				continue;
			memcpy(s->trial, s->choice, d->n_classes);
			s->trial[s->class[i].index] = k;
			try(d, s->choice, s->trial);
		}
	}
}

void cpu_descend(const struct cpu_descent *d, uint8_t *choice)
{
	size_t cells = (d->n_classes + 1) * d->n_choices;
	uint8_t top = (uint8_t)(d->n_choices - 1);
	struct search s = {
		.d = d,
		.choice = choice,
		.trial = nx_alloc(d->n_classes + 1, 1),
		.class = order(d),
		.exact = nx_alloc(cells, sizeof(bool)),
		.good = nx_alloc(cells, sizeof(bool)),
	};

	while (s.n < d->n_classes && s.class[s.n].share >= d->share_min)
		s.n++;
	/* The last choice promises most: it is there even if the time ends early. */
	look(&s, top, top);
	try_all(&s, top, s.good);
	look(&s, 0, (uint8_t)(top - 1));
	for (uint8_t k = top; k > 0; k--) {
		try_all(&s, k, s.exact);
		try_all(&s, k, s.good);
	}
	try_each(&s);
	free(s.class);
	free(s.trial);
	free(s.exact);
	free(s.good);
}
