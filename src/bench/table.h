/* SPDX-License-Identifier: Apache-2.0 */
/* A nexus-bench/1 object as text for people. */
#ifndef NX_BENCH_TABLE_H
#define NX_BENCH_TABLE_H

#include "core/buf.h"
#include "formats/stats.h"

/* Appends a row a session, and a line for the whole. */
void nx_bench_table(const struct nx_bench *b, struct nx_buf *out);

#endif
