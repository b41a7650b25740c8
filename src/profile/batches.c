/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "profile/profile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const int nx_measure_default_batches[NX_MEASURE_DEFAULT_BATCHES] = { 1, 2, 4, 8, 16, 32 };

/* A batch size at *s, which is moved behind it; 0 where there is none that may be. */
static int read_size(const char **s)
{
	long v = 0;

	if (!isdigit((unsigned char)**s))
		return 0;
	for (; isdigit((unsigned char)**s); ++*s)
		if (v <= NX_ENGINE_BATCH_CAP)
			v = v * 10 + (**s - '0');
	return v <= NX_ENGINE_BATCH_CAP ? (int)v : 0;
}

/* Marks the sizes of one item ("4" or "1..8"). */
static int read_item(const char **s, char *wanted)
{
	int from = read_size(s), to = from;

	if (from && strncmp(*s, "..", 2) == 0) {
		*s += 2;
		to = read_size(s);
	}
	if (!from || to < from)
		return -1;
	for (int b = from; b <= to; b++)
		wanted[b] = 1;
	return 0;
}

int nx_measure_parse_batches(const char *text, int **batches, size_t *n, struct nx_err *err)
{
	char *wanted = nx_alloc(NX_ENGINE_BATCH_CAP + 1, 1);
	const char *s = text;
	bool ok = read_item(&s, wanted) == 0;

	while (ok && *s == ',') {
		s++;
		ok = read_item(&s, wanted) == 0;
	}
	if (!ok || *s != '\0') {
		free(wanted);
		return nx_err_set(err, NX_EUSAGE,
			"'%s' is no list of batch sizes from 1 to %d, as '1,2,4' or '1..32'", text,
			NX_ENGINE_BATCH_CAP);
	}
	*n = 0;
	for (int b = 1; b <= NX_ENGINE_BATCH_CAP; b++)
		*n += (size_t)wanted[b];
	*batches = nx_alloc(*n, sizeof **batches);
	for (int b = 1, i = 0; b <= NX_ENGINE_BATCH_CAP; b++)
		if (wanted[b])
			(*batches)[i++] = b;
	free(wanted);
	return 0;
}
