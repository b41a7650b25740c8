/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/loader.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/text.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A sanitizer's report needs the plugin's symbols after it is closed. */
#ifdef NX_SANITIZE
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#else
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL)
#endif

static void host_log(int level, const char *text)
{
	nx_log((enum nx_log_level)level, "%s", text);
}

const struct nx_host *nx_plugin_host(void)
{
	static const struct nx_host host = {
		.size = sizeof host,
		.log = host_log,
		.now_ns = nx_now_ns,
	};

	return &host;
}

/* Takes 'dir'; one that is relative would mean the current directory and is left out. */
static void add_dir(struct nx_plugin_dirs *dirs, char *dir)
{
	if (!dir || dir[0] != '/') {
		free(dir);
		return;
	}
	dirs->dir = nx_grow(dirs->dir, &dirs->cap, dirs->n + 1, sizeof *dirs->dir);
	dirs->dir[dirs->n++] = dir;
}

void nx_plugin_dirs_init(struct nx_plugin_dirs *dirs, const char *dir)
{
	const char *path = secure_getenv("NEXUS_PLUGIN_PATH");

	memset(dirs, 0, sizeof *dirs);
	if (dir) {
		add_dir(dirs, realpath(dir, NULL));
		return;
	}
	while (path && *path) {
		size_t len = strcspn(path, ":");
		add_dir(dirs, nx_strndup(path, len));
		path += len + (path[len] == ':');
	}
	add_dir(dirs, nx_fs_plugin_dir());
}

void nx_plugin_dirs_release(struct nx_plugin_dirs *dirs)
{
	for (size_t i = 0; i < dirs->n; i++)
		free(dirs->dir[i]);
	free(dirs->dir);
	memset(dirs, 0, sizeof *dirs);
}

/* A name becomes part of a path, so it may only be a plain word. */
static int check_name(const char *name, struct nx_err *err)
{
	size_t i = 0;

	while (isalnum((unsigned char)name[i]) || name[i] == '_' || name[i] == '-')
		i++;
	if (i == 0 || i > 32 || name[i] != '\0')
		return nx_err_set(err, NX_EUSAGE,
			"'%.64s' is no device: expected PLUGIN or PLUGIN:OPTIONS, as in 'cpu'",
			name);
	return 0;
}

static char *find(const struct nx_plugin_dirs *dirs, const char *name)
{
	for (size_t i = 0; i < dirs->n; i++) {
		char *path = nx_asprintf("%s/%s.so", dirs->dir[i], name);
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static int check_table(
	const char *path, const char *name, const struct nx_plugin *ops, struct nx_err *err)
{
	if (ops->abi != NX_PLUGIN_ABI)
		return nx_err_set(err, NX_EUNAVAIL, "plugin '%s' has ABI %u, this program needs %u",
			path, (unsigned)ops->abi, NX_PLUGIN_ABI);
	if (ops->size < sizeof *ops)
		return nx_err_set(
			err, NX_EUNAVAIL, "plugin '%s' was built for an older program", path);
	if (strcmp(ops->name, name) != 0)
		return nx_err_set(
			err, NX_EUNAVAIL, "plugin '%s' calls itself '%s'", path, ops->name);
	return 0;
}

static int load_file(
	const char *path, const char *name, struct nx_plugin_lib *lib, struct nx_err *err)
{
	nx_plugin_entry_fn *entry = NULL;
	void *handle = dlopen(path, OPEN_FLAGS);

	if (!handle)
		return nx_err_set(
			err, NX_EUNAVAIL, "device '%s' is not available: %s", name, dlerror());
	void *symbol = dlsym(handle, NX_PLUGIN_SYMBOL);
	if (!symbol) {
		dlclose(handle);
		return nx_err_set(err, NX_EUNAVAIL, "'%s' is no device plugin", path);
	}
	/* ISO C knows no cast from an object's address to a function's. */
	memcpy(&entry, &symbol, sizeof entry);

	const struct nx_plugin *ops = entry();
	if (check_table(path, name, ops, err)) {
		dlclose(handle);
		return -err->code;
	}
	lib->handle = handle;
	lib->ops = ops;
	return 0;
}

int nx_plugin_load(const struct nx_plugin_dirs *dirs, const char *name, struct nx_plugin_lib *lib,
	struct nx_err *err)
{
	memset(lib, 0, sizeof *lib);
	if (check_name(name, err))
		return -err->code;
	if (dirs->n == 0)
		return nx_err_set(err, NX_EUNAVAIL, "device '%s': there is no plugin folder", name);

	char *path = find(dirs, name);
	if (!path)
		return nx_err_set(err, NX_EUNAVAIL, "device '%s': there is no %s.so in '%s'", name,
			name, dirs->dir[dirs->n - 1]);
	int rc = load_file(path, name, lib, err);
	free(path);
	return rc;
}

void nx_plugin_unload(struct nx_plugin_lib *lib)
{
	if (lib->handle)
		dlclose(lib->handle);
	memset(lib, 0, sizeof *lib);
}
