/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on strings. */
#ifndef NX_CORE_TEXT_H
#define NX_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Edit distance with transpositions (optimal string alignment); strings over 64 bytes count as
 * far apart.  O(length²). */
size_t nx_text_distance(const char *a, const char *b);

/* The entry of 'words' that 'word' was probably meant to be (distance at most 2 and less than
 * half its length), or NULL. */
const char *nx_text_closest(const char *word, const char *const *words, size_t n);

bool nx_text_has_prefix(const char *s, const char *prefix);
bool nx_text_has_suffix(const char *s, const char *suffix);

/* Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates). */
bool nx_text_is_utf8(const char *s, size_t len);

#endif
