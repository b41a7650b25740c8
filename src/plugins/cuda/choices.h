/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kernel each convolution and product runs with, as a text that outlives the process: a
 * line "KEY NUMBER CHECK" for each shape, where NUMBER is the kernel's place in the library's own
 * list and CHECK what must be found there (cuDNN's engine).  A line that is damaged or no longer
 * true is passed over, and the library's first choice taken.
 */
#ifndef NX_PLUGINS_CUDA_CHOICES_H
#define NX_PLUGINS_CUDA_CHOICES_H

#include "core/buf.h"
#include "plugins/cuda/program.h"

#define CU_KEY_SIZE 128

/* What a step is as far as its speed goes; "" for one that has no choice. */
void cu_choice_key(const struct cu_step *s, char key[CU_KEY_SIZE]);

void cu_choice_add(struct nx_buf *text, const char *key, size_t number, int64_t check);
/* False where 'text' (may be NULL) has no good line for the key. */
bool cu_choice_find(const char *text, const char *key, size_t *number, int64_t *check);

#endif
