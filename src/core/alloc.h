/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory.  Small allocations die when there is no memory (nothing sensible is left to do);
 * sizes that come from input use nx_try_alloc, whose failure is an ordinary error.
 */
#ifndef NX_CORE_ALLOC_H
#define NX_CORE_ALLOC_H

#include <stddef.h>

/* n * size zeroed bytes; exits with status 71 when there are none.  Never returns NULL. */
void *nx_alloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2)));

/* As realloc for n items of 'size' bytes; new bytes are not zeroed; exits when out of memory. */
void *nx_realloc(void *p, size_t n, size_t size);

/* n * size zeroed bytes aligned to 64 bytes, or NULL when that overflows or memory is short.
 * Free with free(). */
void *nx_try_alloc(size_t n, size_t size) __attribute__((malloc));

/*
 * bytes > 0 of zeroed whole pages straight from the system, huge ones (2 MiB) where it has them,
 * or NULL: for what is many megabytes large, like weights.  Its pages cost a hundredth of the
 * faults, and go back to the system at once, which the heap does not promise.  Free with the
 * same size.
 */
void *nx_pages_alloc(size_t bytes) __attribute__((malloc));
void nx_pages_free(void *p, size_t bytes);
#define NX_PAGES_MIN ((size_t)1 << 17) /* from here on it pays */

/* A copy of the string (never NULL), or of its first n bytes, NUL-terminated. */
char *nx_strdup(const char *s);
char *nx_strndup(const char *s, size_t n);

/* A newly allocated printf-style string. */
char *nx_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Grows an array so that it holds at least 'need' items: p and *cap are updated by doubling. */
void *nx_grow(void *p, size_t *cap, size_t need, size_t size);

#define NX_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
