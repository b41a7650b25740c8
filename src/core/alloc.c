/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *alive(void *p)
{
	if (!p) {
		fputs("nexus: out of memory\n", stderr);
		_Exit(71);
	}
	return p;
}

void *nx_alloc(size_t n, size_t size)
{
	return alive(calloc(n ? n : 1, size ? size : 1));
}

void *nx_realloc(void *p, size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return alive(reallocarray(p, n, size));
}

void *nx_try_alloc(size_t n, size_t size)
{
	void *p = NULL;

	if (size && n > (SIZE_MAX - 64) / size)
		return NULL;
	size_t bytes = n == 0 || size == 0 ? 1 : n * size;
	if (posix_memalign(&p, 64, bytes))
		return NULL;
	memset(p, 0, bytes);
	return p;
}

#ifdef NX_SANITIZE
/* From the heap, whose ends and owners the sanitizers watch. */
void *nx_pages_alloc(size_t bytes)
{
	return nx_try_alloc(bytes, 1);
}

void nx_pages_free(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}
#else
#define HUGE ((size_t)2 << 20)

void *nx_pages_alloc(size_t bytes)
{
	if (bytes > SIZE_MAX - HUGE)
		return NULL;
	/* A huge page must begin at a multiple of its size: what is in front is given back. */
	size_t extra = bytes >= HUGE ? HUGE : 0;
	char *p = mmap(
		NULL, bytes + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!extra)
		return p;
	size_t front = (HUGE - (uintptr_t)p % HUGE) % HUGE;
	if (front)
		munmap(p, front);
	p += front;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t used = (bytes + page - 1) / page * page;
	if (extra - front)
		munmap(p + used, extra - front);
	madvise(p, used, MADV_HUGEPAGE); /* no matter if the system has none */
	return p;
}

void nx_pages_free(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}
#endif

char *nx_strdup(const char *s)
{
	return alive(strdup(s));
}

char *nx_strndup(const char *s, size_t n)
{
	char *p = nx_alloc(n + 1, 1);

	memcpy(p, s, n);
	return p;
}

char *nx_asprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return alive(n < 0 ? NULL : s);
}

void *nx_grow(void *p, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return p;
	size_t n = *cap ? *cap : 8;
	while (n < need)
		n *= 2;
	p = nx_realloc(p, n, size);
	*cap = n;
	return p;
}
