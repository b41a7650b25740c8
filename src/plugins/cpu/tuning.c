/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/tuning.h"

#include "core/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "cpu-tuning 1"

static const char *const names[CPU_ALGO_COUNT] = { "follow", "last", "blocked", "winograd" };

const char *cpu_algo_name(enum cpu_algo algo)
{
	return names[algo];
}

static struct cpu_tuned *find(const struct cpu_tuning *t, const char *class)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->conv[i].class, class) == 0)
			return &t->conv[i];
	return NULL;
}

enum cpu_algo cpu_tuning_algo(const struct cpu_tuning *t, int64_t rows, const char *class)
{
	const struct cpu_tuned *c = t ? find(t, class) : NULL;

	return c ? c->algo[rows > 1] : CPU_ALGO_FOLLOW;
}

void cpu_tuning_set(struct cpu_tuning *t, int64_t rows, const char *class, enum cpu_algo algo)
{
	struct cpu_tuned *c = find(t, class);

	if (!c) {
		if (t->n == CPU_TUNED_MAX)
			return;
		t->conv = nx_grow(t->conv, &t->cap, t->n + 1, sizeof *t->conv);
		c = &t->conv[t->n++];
		memset(c, 0, sizeof *c);
		snprintf(c->class, sizeof c->class, "%s", class);
	}
	c->algo[rows > 1] = algo;
}

/* "conv 1 CLASS ALGORITHM", "conv n …", "piece 4". */
static void parse_line(struct cpu_tuning *t, const char *line)
{
	char rows, class[CPU_CLASS_SIZE], name[16];
	int piece, end = 0;

	_Static_assert(CPU_CLASS_SIZE == 192, "the width of the format below");
	if (sscanf(line, "piece %2d%n", &piece, &end) == 1 && line[end] == '\0') {
		if (piece >= 1 && piece <= CPU_PIECE_MAX)
			t->piece = piece;
		return;
	}
	if (sscanf(line, "conv %c %191s %15s%n", &rows, class, name, &end) != 3 ||
		line[end] != '\0' || (rows != '1' && rows != 'n'))
		return;
	for (int a = 0; a < CPU_ALGO_COUNT; a++)
		if (strcmp(name, names[a]) == 0)
			cpu_tuning_set(t, rows == 'n' ? 2 : 1, class, (enum cpu_algo)a);
}

void cpu_tuning_parse(const char *text, struct cpu_tuning *t)
{
	char line[CPU_CLASS_SIZE + 64];
	size_t len = text ? strcspn(text, "\n") : 0;

	memset(t, 0, sizeof *t);
	if (!text || len != strlen(HEAD) || memcmp(text, HEAD, len) != 0)
		return;
	while (text[len]) {
		text += len + 1;
		len = strcspn(text, "\n");
		if (len >= sizeof line)
			continue;
		memcpy(line, text, len);
		line[len] = '\0';
		parse_line(t, line);
	}
}

void cpu_tuning_format(const struct cpu_tuning *t, struct nx_buf *out)
{
	nx_buf_adds(out, HEAD "\n");
	if (t->piece)
		nx_buf_addf(out, "piece %d\n", t->piece);
	for (size_t i = 0; i < t->n; i++)
		for (int many = 0; many < 2; many++)
			if (t->conv[i].algo[many] != CPU_ALGO_FOLLOW)
				nx_buf_addf(out, "conv %c %s %s\n", many ? 'n' : '1',
					t->conv[i].class, names[t->conv[i].algo[many]]);
}

void cpu_tuning_release(struct cpu_tuning *t)
{
	free(t->conv);
	memset(t, 0, sizeof *t);
}
