/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measuring chose for a model: an algorithm for each class of convolutions (all that have
 * the same shapes and the same operations behind them) and how many rows a piece of a batch has.
 * Its text is what the engine keeps on disk, so it is read as something anybody may have
 * written: what is not understood is left out, and any choice gives right answers.
 */
#ifndef NX_PLUGINS_CPU_TUNING_H
#define NX_PLUGINS_CPU_TUNING_H

#include "core/buf.h"

#include <stddef.h>
#include <stdint.h>

#define CPU_CLASS_SIZE 192
#define CPU_TUNED_MAX  2048 /* classes; of more only the first are kept */
#define CPU_PIECE_MAX  16   /* rows; larger pieces were never faster */

enum cpu_algo {
	CPU_ALGO_FOLLOW,   /* direct, in the layout that is there */
	CPU_ALGO_LAST,     /* direct, channels last */
	CPU_ALGO_BLOCKED,  /* direct, channels in blocks of 16 */
	CPU_ALGO_WINOGRAD, /* 3x3 of stride 1; oneDNN's own blocked layout */
	CPU_ALGO_COUNT
};

struct cpu_tuned {
	char class[CPU_CLASS_SIZE];
	enum cpu_algo algo[2]; /* in executables of one row, and of more */
};

struct cpu_tuning {
	int piece; /* rows; 0: not measured */
	size_t n, cap;
	struct cpu_tuned *conv;
};

const char *cpu_algo_name(enum cpu_algo algo);

/* Takes what it understands of 'text' into *t, which is overwritten. */
void cpu_tuning_parse(const char *text, struct cpu_tuning *t);
void cpu_tuning_format(const struct cpu_tuning *t, struct nx_buf *out);
void cpu_tuning_release(struct cpu_tuning *t);

/* The choice for a class in an executable of 'rows' rows; CPU_ALGO_FOLLOW if there is none. */
enum cpu_algo cpu_tuning_algo(const struct cpu_tuning *t, int64_t rows, const char *class);
void cpu_tuning_set(struct cpu_tuning *t, int64_t rows, const char *class, enum cpu_algo algo);

#endif
