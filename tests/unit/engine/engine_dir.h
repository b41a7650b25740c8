/* SPDX-License-Identifier: Apache-2.0 */
/* Where the plugins of this build are: the tests stand in build/MODE/tests/engine. */
#ifndef NX_TESTS_ENGINE_DIR_H
#define NX_TESTS_ENGINE_DIR_H

#include "core/alloc.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The caller frees. */
static inline char *plugin_dir(void)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);

	exe[len < 0 ? 0 : len] = '\0';
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(exe, '/');
		if (slash)
			*slash = '\0';
	}
	return nx_asprintf("%s/lib/nexus", exe);
}

#endif
