/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and loads media.so: $NEXUS_PLUGIN_PATH (not in a setuid program), then the folder beside
 * the program; never the current directory. */
#include "media/load.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "core/log.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "media.so"

static void host_debug(const char *text)
{
	nx_debug("libav: %s", text);
}

static const struct nx_media_host the_host = { .debug = host_debug };

/* libav* keeps state of its own, so the library is loaded once and never unloaded. */
static _Atomic(const struct nx_media_ops *) loaded;
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

/* dir/media.so if that is readable and 'dir' absolute; else NULL.  Takes 'dir'. */
static char *library_in(char *dir)
{
	char *path = dir && dir[0] == '/' ? nx_fs_join(dir, LIBRARY) : NULL;

	free(dir);
	if (path && access(path, R_OK) != 0) {
		free(path);
		return NULL;
	}
	return path;
}

static char *find_library(void)
{
	const char *list = secure_getenv("NEXUS_PLUGIN_PATH");

	while (list && *list) {
		size_t len = strcspn(list, ":");
		char *path = library_in(nx_strndup(list, len));
		if (path)
			return path;
		list += len + (list[len] == ':');
	}
	return library_in(nx_fs_plugin_dir());
}

static int open_library(const char *path, const struct nx_media_ops **out, struct nx_err *err)
{
	nx_media_entry_fn *entry = NULL;
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!handle)
		return nx_err_set(
			err, NX_EUNAVAIL, "pictures and videos are not available: %s", dlerror());
	void *symbol = dlsym(handle, NX_MEDIA_SYMBOL);
	if (!symbol) {
		dlclose(handle);
		return nx_err_set(err, NX_EUNAVAIL, "'%s' is not our media library", path);
	}
	/* ISO C knows no cast from an object's address to a function's. */
	memcpy(&entry, &symbol, sizeof entry);

	const struct nx_media_ops *ops = entry(&the_host);
	if (ops->abi != NX_MEDIA_ABI || ops->size < sizeof *ops) {
		unsigned abi = ops->abi;
		dlclose(handle);
		return nx_err_set(err, NX_EUNAVAIL, "'%s' has ABI %u, this program needs %u", path,
			abi, NX_MEDIA_ABI);
	}
	*out = ops;
	return 0;
}

const struct nx_media_ops *nx_media_ops(struct nx_err *err)
{
	const struct nx_media_ops *ops = atomic_load(&loaded);

	if (ops)
		return ops;
	pthread_mutex_lock(&loading);
	ops = atomic_load(&loaded);
	if (!ops) {
		char *path = find_library();
		if (!path)
			nx_err_set(err, NX_EUNAVAIL,
				"pictures and videos are not available: there is no " LIBRARY
				" in the plugin folder");
		else if (open_library(path, &ops, err) == 0)
			atomic_store(&loaded, ops);
		free(path);
	}
	pthread_mutex_unlock(&loading);
	return ops;
}

int nx_media_load(struct nx_err *err)
{
	return nx_media_ops(err) ? 0 : -err->code;
}
