/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/search.h"

#include <math.h>

#define STEP 1.03 /* a bracket this narrow is an answer */

void nx_search_init(struct nx_search *s, double start, double min, double max)
{
	*s = (struct nx_search){ 0, INFINITY, start, min, max };
}

double nx_search_next(const struct nx_search *s)
{
	return s->next;
}

void nx_search_report(struct nx_search *s, bool passed)
{
	if (passed)
		s->passed = s->next;
	else
		s->failed = s->next;
	if (s->passed >= s->max || s->failed <= s->min)
		s->next = 0;
	else if (isinf(s->failed))
		s->next = fmin(s->passed * 2, s->max);
	else if (s->passed <= 0)
		s->next = fmax(s->failed / 2, s->min);
	else if (s->failed <= s->passed * STEP)
		s->next = 0;
	else
		s->next = sqrt(s->passed * s->failed); /* halves the bracket's ratio */
}
