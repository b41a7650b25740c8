/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading device plugins. */
#ifndef NX_ENGINE_LOADER_H
#define NX_ENGINE_LOADER_H

#include "core/err.h"
#include "plugins/plugin.h"

#include <stddef.h>

struct nx_plugin_lib {
	void *handle;
	const struct nx_plugin *ops; /* lives as long as the handle */
};

/* The folders plugins are looked for in, first come first served: 'dir' alone if given, else the
 * absolute folders of $NEXUS_PLUGIN_PATH (unless setuid) and the one beside the program. */
struct nx_plugin_dirs {
	char **dir;
	size_t n, cap;
};
void nx_plugin_dirs_init(struct nx_plugin_dirs *dirs, const char *dir);
void nx_plugin_dirs_release(struct nx_plugin_dirs *dirs);

/* Loads plugin 'name' ("cpu") from the first folder that has it.  NX_EUNAVAIL where there is
 * none, it cannot be loaded, or it was built for another ABI; NX_EUSAGE for a name that is no
 * plain word. */
int nx_plugin_load(const struct nx_plugin_dirs *dirs, const char *name, struct nx_plugin_lib *lib,
	struct nx_err *err);
void nx_plugin_unload(struct nx_plugin_lib *lib);

/* What this program gives to plugins. */
const struct nx_host *nx_plugin_host(void);

#endif
