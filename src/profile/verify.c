/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/verify.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "core/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SET_PREFIX "test_data_set_"

static bool has_file(const char *dir, const char *name)
{
	char *path = nx_fs_join(dir, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int is_set(const struct dirent *e)
{
	return nx_text_has_prefix(e->d_name, SET_PREFIX);
}

static void add_folder(char ***folders, size_t *n, size_t *cap, char *path)
{
	*folders = nx_grow(*folders, cap, *n + 1, sizeof **folders);
	(*folders)[(*n)++] = path;
}

int nx_verify_find(const char *dir, char ***folders, size_t *n, struct nx_err *err)
{
	struct dirent **entry = NULL;
	size_t cap = 0;

	*folders = NULL;
	*n = 0;
	if (has_file(dir, "model.onnx")) {
		add_folder(folders, n, &cap, nx_strdup(dir));
		return 0;
	}
	int found = scandir(dir, &entry, no_dots, alphasort);
	if (found < 0)
		return nx_err_set(err, NX_ENOINPUT, "cannot read folder '%s'", dir);
	for (int i = 0; i < found; i++) {
		char *path = nx_fs_join(dir, entry[i]->d_name);
		if (has_file(path, "model.onnx"))
			add_folder(folders, n, &cap, path);
		else
			free(path);
		free(entry[i]);
	}
	free(entry);
	return *n ? 0
		  : nx_err_set(err, NX_ENOINPUT, "'%s' holds no model.onnx and no folder with one",
			    dir);
}

/* The tensors of one data set. */
struct set {
	const char *dir;
	const struct nx_graph *g;
	struct nx_graph *closed;
	struct nx_tensor *in, *out;
	const void **in_data;
	void **out_data;
};

/* Loads name_K.pb.  Older test data keep BF16 under the name of UINT16. */
static int load(const struct set *s, const char *name, size_t k, enum nx_dtype declared,
	struct nx_tensor *t, struct nx_err *err)
{
	char *path = nx_asprintf("%s/%s_%zu.pb", s->dir, name, k);
	int rc = nx_tensor_load(path, t, err);

	free(path);
	if (rc == 0 && declared == NX_BF16 && t->dtype == NX_U16)
		t->dtype = NX_BF16;
	return rc;
}

static int load_inputs(struct set *s, struct nx_err *err)
{
	char name[32];

	s->in = nx_alloc(s->g->n_in, sizeof *s->in);
	for (size_t i = 0; i < s->g->n_in; i++) {
		int rc = load(s, "input", i, s->g->values[s->g->in[i]].dtype, &s->in[i], err);
		if (rc)
			return rc;
	}
	snprintf(name, sizeof name, "input_%zu.pb", s->g->n_in);
	if (has_file(s->dir, name))
		return nx_err_set(err, NX_EDATA, "%s is one input more than the model has", name);
	return 0;
}

/* Points at the inputs that are left, and makes room for the outputs. */
static int make_buffers(struct set *s, struct nx_err *err)
{
	const struct nx_graph *c = s->closed;
	int rc = 0;

	s->in_data = nx_alloc(c->n_in, sizeof *s->in_data);
	for (size_t k = 0, i = 0; k < c->n_in; k++) {
		while (s->g->in[i] != c->in[k])
			i++;
		s->in_data[k] = s->in[i].data;
	}
	s->out = nx_alloc(c->n_out, sizeof *s->out);
	s->out_data = nx_alloc(c->n_out, sizeof *s->out_data);
	for (size_t k = 0; rc == 0 && k < c->n_out; k++) {
		const struct nx_value *v = &c->values[c->out[k]];
		rc = nx_tensor_init(&s->out[k], v->dtype, &v->shape, err);
		s->out_data[k] = s->out[k].data;
	}
	return rc;
}

static int compare_outputs(const struct set *s, struct nx_verify *v, struct nx_err *err)
{
	for (size_t k = 0; k < s->closed->n_out; k++) {
		struct nx_tensor want;
		int rc = load(s, "output", k, s->out[k].dtype, &want, err);
		if (rc == 0)
			rc = nx_verify_compare(&s->out[k], &want, v, err);
		nx_tensor_release(&want);
		if (rc)
			return rc == -NX_ENO ? nx_err_wrap(err, "output %zu", k) : rc;
	}
	return 0;
}

static void release_set(struct set *s)
{
	for (size_t i = 0; s->in && i < s->g->n_in; i++)
		nx_tensor_release(&s->in[i]);
	for (size_t k = 0; s->out && k < s->closed->n_out; k++)
		nx_tensor_release(&s->out[k]);
	nx_graph_free(&s->closed);
	free(s->in);
	free(s->out);
	free(s->in_data);
	free(s->out_data);
}

static int run_set(struct nx_engine *e, const struct nx_graph *g, const char *dir,
	const char *precision, struct nx_verify *v, struct nx_err *err)
{
	struct set s = { .dir = dir, .g = g };
	int rc = load_inputs(&s, err);

	if (rc == 0)
		rc = nx_graph_close(g, s.in, &s.closed, err);
	if (rc == 0)
		rc = make_buffers(&s, err);
	if (rc == 0)
		rc = nx_engine_run_graph(e, s.closed, precision, s.in_data, s.out_data, err);
	if (rc == 0)
		rc = compare_outputs(&s, v, err);
	release_set(&s);
	return rc;
}

static int run_sets(struct nx_engine *e, const struct nx_graph *g, const char *folder,
	const char *precision, struct nx_verify *v, struct nx_err *err)
{
	struct dirent **entry = NULL;
	int n = scandir(folder, &entry, is_set, versionsort), rc = 0;

	if (n <= 0)
		rc = nx_err_set(err, NX_EDATA, "there is no " SET_PREFIX "0");
	for (int i = 0; i < n; i++) {
		char *dir = nx_fs_join(folder, entry[i]->d_name);
		if (rc == 0 && run_set(e, g, dir, precision, v, err))
			rc = nx_err_wrap(err, "%s", entry[i]->d_name);
		free(dir);
		free(entry[i]);
	}
	free(entry);
	return rc;
}

/* The last part of a path, without slashes at its end. */
static char *folder_name(const char *path)
{
	size_t len = strlen(path), from;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (from = len; from > 0 && path[from - 1] != '/'; from--)
		;
	return nx_strndup(path + from, len - from);
}

void nx_verify_folder(
	struct nx_engine *engine, const char *folder, const char *precision, struct nx_verify *out)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_graph *g = NULL;
	char *path = nx_fs_join(folder, "model.onnx");

	*out = (struct nx_verify){ .test = folder_name(folder) };
	int rc = nx_graph_load(path, &g, &err);
	if (rc == 0)
		rc = run_sets(engine, g, folder, precision, out, &err);
	if (rc) {
		out->verdict = rc == -NX_EUNSUPP ? NX_VERIFY_UNSUPPORTED : NX_VERIFY_FAIL;
		out->reason = nx_strdup(err.msg);
	}
	nx_graph_free(&g);
	free(path);
}

void nx_verify_release(struct nx_verify *v)
{
	free(v->test);
	free(v->reason);
	*v = (struct nx_verify){ 0 };
}

static void number_or_null(struct nx_jw *w, const char *key, bool there, double x)
{
	nx_jw_key(w, key);
	if (there)
		nx_jw_number(w, x);
	else
		nx_jw_null(w);
}

void nx_verify_format(const struct nx_verify *v, struct nx_jw *w)
{
	static const char *const words[] = { "pass", "fail", "unsupported" };

	nx_jw_object_inline(w);
	nx_jw_kstring(w, "test", v->test);
	nx_jw_kstring(w, "status", words[v->verdict]);
	number_or_null(w, "max_abs", v->compared, v->max_abs);
	number_or_null(w, "max_rel", v->compared, v->max_rel);
	nx_jw_key(w, "reason");
	if (v->reason)
		nx_jw_string(w, v->reason);
	else
		nx_jw_null(w);
	nx_jw_end(w);
}
