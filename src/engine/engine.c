/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/text.h"
#include "engine/internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 64 /* devices of one plugin that are listed */

static int open_device(struct nx_engine *e, const char *args, struct nx_err *err)
{
	if (e->lib.ops->open(nx_plugin_host(), args, &e->dev, &e->info, err))
		return -err->code;
	return nx_workers_new(e->info.threads > 1 ? e->info.threads : 1, &e->workers, err);
}

int nx_engine_open(
	const char *spec, const char *plugin_dir, struct nx_engine **out, struct nx_err *err)
{
	size_t len = strcspn(spec, ":");
	char *name = nx_strndup(spec, len);
	struct nx_engine *e = nx_alloc(1, sizeof *e);
	struct nx_plugin_dirs dirs;

	pthread_mutex_init(&e->compiling, NULL);
	pthread_mutex_init(&e->running, NULL);
	nx_plugin_dirs_init(&dirs, plugin_dir);
	int rc = nx_plugin_load(&dirs, name, &e->lib, err);
	if (rc == 0)
		rc = open_device(e, spec[len] ? spec + len + 1 : "", err);
	nx_plugin_dirs_release(&dirs);
	free(name);
	if (rc)
		nx_engine_close(&e);
	else
		*out = e;
	return rc;
}

void nx_engine_close(struct nx_engine **pe)
{
	struct nx_engine *e = *pe;

	if (!e)
		return;
	nx_workers_free(&e->workers);
	if (e->dev)
		e->lib.ops->close(&e->dev);
	nx_plugin_unload(&e->lib);
	pthread_mutex_destroy(&e->running);
	pthread_mutex_destroy(&e->compiling);
	free(e);
	*pe = NULL;
}

const struct nx_device_info *nx_engine_info(const struct nx_engine *e)
{
	return &e->info;
}

const char *nx_engine_plugin(const struct nx_engine *e)
{
	return e->lib.ops->name;
}

int nx_engine_threads(const struct nx_engine *e)
{
	return nx_workers_count(e->workers);
}

struct listing {
	struct nx_plugin_dirs dirs;
	char **name; /* plugins found, sorted, each once */
	size_t n, cap;
};

/* Every .so of a plugin folder is a device plugin but for the media library beside them. */
static void add_name(struct listing *l, const char *file)
{
	if (!nx_text_has_suffix(file, ".so") || strcmp(file, "media.so") == 0)
		return;
	char *name = nx_strndup(file, strlen(file) - 3);
	size_t at = 0;
	while (at < l->n && strcmp(l->name[at], name) < 0)
		at++;
	if (at < l->n && strcmp(l->name[at], name) == 0) {
		free(name);
		return;
	}
	l->name = nx_grow(l->name, &l->cap, l->n + 1, sizeof *l->name);
	memmove(l->name + at + 1, l->name + at, (l->n - at) * sizeof *l->name);
	l->name[at] = name;
	l->n++;
}

static void find_names(struct listing *l)
{
	for (size_t i = 0; i < l->dirs.n; i++) {
		DIR *d = opendir(l->dirs.dir[i]);
		const struct dirent *entry;
		while (d && (entry = readdir(d)))
			add_name(l, entry->d_name);
		if (d)
			closedir(d);
	}
}

/* Returns how many devices the plugin has, or the error. */
static int list_plugin(const struct nx_plugin_dirs *dirs, const char *name,
	void (*fn)(void *, const char *, const struct nx_device_info *, const char *), void *arg,
	struct nx_err *err)
{
	struct nx_device_info infos[LIST_MAX];
	struct nx_plugin_lib lib;

	if (nx_plugin_load(dirs, name, &lib, err))
		return -err->code;
	int n = lib.ops->list(nx_plugin_host(), infos, LIST_MAX, err);
	for (int i = 0; i < n && i < LIST_MAX; i++)
		fn(arg, name, &infos[i], NULL);
	nx_plugin_unload(&lib);
	return n;
}

int nx_engine_list(const char *plugin_dir,
	void (*fn)(
		void *arg, const char *plugin, const struct nx_device_info *info, const char *why),
	void *arg, struct nx_err *err)
{
	struct listing l = { 0 };
	int total = 0;

	nx_plugin_dirs_init(&l.dirs, plugin_dir);
	find_names(&l);
	if (l.n == 0)
		total = nx_err_set(err, NX_EUNAVAIL, "there is no device plugin%s%s",
			l.dirs.n ? " in " : "", l.dirs.n ? l.dirs.dir[l.dirs.n - 1] : "");
	for (size_t i = 0; i < l.n; i++) {
		struct nx_err why = NX_ERR_INIT;
		int n = list_plugin(&l.dirs, l.name[i], fn, arg, &why);
		if (n < 0)
			fn(arg, l.name[i], NULL, why.msg);
		else
			total += n;
		free(l.name[i]);
	}
	free(l.name);
	nx_plugin_dirs_release(&l.dirs);
	return total;
}
