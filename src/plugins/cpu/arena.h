/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_PLUGINS_CPU_ARENA_H
#define NX_PLUGINS_CPU_ARENA_H

#include "plugins/cpu/exec.h"

/* Gives each arena buffer an offset (64-byte aligned) so that buffers used at the same time do
 * not overlap; returns the bytes needed. */
size_t cpu_arena_plan(struct cpu_buf *buf, size_t n);

#endif
