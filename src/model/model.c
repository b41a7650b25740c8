/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include "model/build.h"
#include "model/bundle.h"
#include "model/hashing.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "core/text.h"

#include <fcntl.h>
#include <libgen.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_CAP ((size_t)2 << 30)
#define LARGE    ((off_t)1 << 20)

static const char *const suffixes[] = { ".onnx", ".tar.zst", ".tar.gz", ".tar", ".tgz", ".zip" };

/* "dir/name.tar.gz" to "name". */
static char *name_of(const char *source)
{
	const char *base = strrchr(source, '/') ? strrchr(source, '/') + 1 : source;

	for (size_t i = 0; i < NX_ARRAY_LEN(suffixes); i++) {
		if (nx_text_has_suffix(base, suffixes[i]) && strlen(base) > strlen(suffixes[i]))
			return nx_strndup(base, strlen(base) - strlen(suffixes[i]));
	}
	return nx_strdup(base);
}

/* One label a line; empty lines at the end are none. */
static int read_labels(struct nx_manifest *m, const struct nx_buf *text, struct nx_err *err)
{
	const char *s = text->data ? text->data : "", *end = s + text->len;
	size_t cap = 0;

	if (memchr(s, '\0', text->len) || !nx_text_is_utf8(s, text->len))
		return nx_err_set(err, NX_EDATA, "'%.120s' is not UTF-8 text", m->labels_file);
	while (end > s && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	while (s < end) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((eol ? eol : end) - s);
		m->labels = nx_grow(m->labels, &cap, m->n_labels + 1, sizeof *m->labels);
		m->labels[m->n_labels++] = nx_strndup(s, n && s[n - 1] == '\r' ? n - 1 : n);
		s = eol ? eol + 1 : end;
	}
	return 0;
}

/* The manifest and what it names; without one, the only .onnx file of the bundle. */
static int open_bundle(const struct nx_bundle *b, const char *source, struct nx_model *m,
	const struct nx_bundle_file **onnx, struct nx_err *err)
{
	const struct nx_bundle_file *text = nx_bundle_find(b, "manifest.json"), *labels;

	if (!text) {
		m->manifest = nx_manifest_new(m->name);
	} else {
		char *where = nx_asprintf("%s:manifest.json", source);
		int rc = nx_manifest_parse(text->data.data ? text->data.data : "", text->data.len,
			where, &m->manifest, err);
		free(where);
		if (rc)
			return rc;
	}
	*onnx = nx_bundle_find(b, m->manifest->file);
	if (!*onnx)
		return nx_err_set(
			err, NX_EDATA, "the bundle has no file '%.120s'", m->manifest->file);
	if (!m->manifest->labels_file)
		return 0;
	labels = nx_bundle_find(b, m->manifest->labels_file);
	if (!labels)
		return nx_err_set(
			err, NX_EDATA, "the bundle has no file '%.120s'", m->manifest->labels_file);
	return read_labels(m->manifest, &labels->data, err);
}

/* Height and width of an image input: the last two of N,C,H,W or the middle ones of N,H,W,C. */
static int64_t *spatial(struct nx_graph *g)
{
	struct nx_shape *s = g->n_in ? &g->values[g->in[0]].shape : NULL;

	if (!s || s->rank != 4)
		return NULL;
	bool channels_last = (s->dim[3] == 1 || s->dim[3] == 3 || s->dim[3] == 4) &&
			     s->dim[1] != 1 && s->dim[1] != 3 && s->dim[1] != 4;
	return &s->dim[channels_last ? 1 : 2];
}

/* Manifest and graph each may leave the size to the other; both must not contradict. */
static int agree_on_size(struct nx_model *m, struct nx_err *err)
{
	struct nx_image_input *in = &m->manifest->input;
	int64_t *hw = spatial(m->graph);

	if (!in->image)
		return 0;
	if (!hw)
		return nx_err_set(err, NX_EDATA,
			"the manifest describes a picture, but input 0 has no four dimensions");
	if (in->height > 0 && in->width > 0) {
		hw[0] = hw[0] == NX_DIM_OPEN ? in->height : hw[0];
		hw[1] = hw[1] == NX_DIM_OPEN ? in->width : hw[1];
	}
	if (hw[0] == NX_DIM_OPEN || hw[1] == NX_DIM_OPEN || hw[0] > 65536 || hw[1] > 65536)
		return nx_err_set(err, NX_EDATA,
			"the graph leaves its input size open: the manifest must give one");
	if (in->height <= 0 || in->width <= 0) {
		in->height = (int)hw[0];
		in->width = (int)hw[1];
	}
	if (in->height != hw[0] || in->width != hw[1])
		return nx_err_set(err, NX_EDATA,
			"the manifest says %dx%d, the graph's input is %lldx%lld", in->width,
			in->height, (long long)hw[1], (long long)hw[0]);
	return 0;
}

/* One row must be possible; its shapes become those of the open graph. */
static int check_one_row(struct nx_model *m, struct nx_err *err)
{
	struct nx_graph *g = m->graph, *one = NULL;

	if (g->n_in == 0)
		return nx_err_set(err, NX_EUNSUPP, "the graph has no inputs");
	for (size_t i = 0; i < g->n_in; i++) {
		const struct nx_value *v = &g->values[g->in[i]];
		if (v->shape.rank == 0 || (v->shape.dim[0] != 1 && v->shape.dim[0] != NX_DIM_OPEN))
			return nx_err_set(err, NX_EUNSUPP,
				"input '%.120s' has no leading dimension for a batch", v->name);
	}
	int rc = nx_graph_specialize(g, 1, &one, err);
	for (size_t i = 0; rc == 0 && i < g->n_out; i++) {
		struct nx_value *to = &g->values[g->out[i]];
		const struct nx_value *from = &one->values[one->out[i]];
		if (to->constant)
			continue;
		to->dtype = from->dtype;
		to->shape = from->shape;
		to->known = true;
	}
	nx_graph_free(&one);
	return rc;
}

static int load_onnx(struct nx_model *m, const struct nx_onnx_file *file, struct nx_err *err)
{
	struct nx_hashing hashing;
	struct nx_err unread = NX_ERR_INIT;

	nx_hashing_start(&hashing, file);
	int rc = nx_onnx_load(file, &m->graph, err);
	if (rc == 0)
		rc = agree_on_size(m, err);
	if (rc == 0)
		rc = check_one_row(m, err);
	int hashed = nx_hashing_finish(&hashing, &unread);
	if (rc == 0 && hashed) {
		*err = unread;
		rc = hashed;
	}
	memcpy(m->digest, hashing.digest, sizeof m->digest);
	return rc;
}

static int load_bundle(
	struct nx_model *m, const struct nx_onnx_file *file, const char *source, struct nx_err *err)
{
	const struct nx_bundle_file *onnx = NULL;
	struct nx_bundle b;
	int rc = nx_bundle_read(file->data, file->len, &b, err);

	if (rc)
		return rc;
	rc = open_bundle(&b, source, m, &onnx, err);
	if (rc == 0) {
		const char *data = onnx->data.data ? onnx->data.data : "";
		const struct nx_onnx_file inner = { (const uint8_t *)data, onnx->data.len, -1 };
		rc = load_onnx(m, &inner, err);
	}
	nx_bundle_release(&b);
	return rc;
}

/* What is not in memory is no bundle. */
static int load(const struct nx_onnx_file *file, const char *source, struct nx_model **out,
	struct nx_err *err)
{
	struct nx_model *m = nx_alloc(1, sizeof *m);
	int rc;

	m->name = name_of(source);
	m->path = nx_strdup(source);
	if (file->data && nx_bundle_is(file->data, file->len)) {
		rc = load_bundle(m, file, source, err);
	} else {
		m->manifest = nx_manifest_new(m->name);
		rc = load_onnx(m, file, err);
	}
	if (rc == 0 && m->manifest->model && *m->manifest->model) {
		free(m->name);
		m->name = nx_strdup(m->manifest->model);
	}
	if (rc) {
		nx_model_free(&m);
		nx_err_wrap(err, "%s", source);
	}
	*out = m;
	return rc;
}

int nx_model_load_bytes(
	const void *data, size_t len, const char *source, struct nx_model **out, struct nx_err *err)
{
	const struct nx_onnx_file file = { data, len, -1 };

	return load(&file, source, out, err);
}

/* Large ONNX files are not read whole: their weights go from the file to where they stay.  An
 * open file, or -1 where 'path' is small, a bundle, a pipe or cannot be opened. */
static int open_large(const char *path, struct stat *st)
{
	char start[512];
	int fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_size >= LARGE &&
		pread(fd, start, sizeof start, 0) == sizeof start &&
		!nx_bundle_is(start, sizeof start))
		return fd;
	close(fd);
	return -1;
}

/* Half an old and half a new model would not be noticed otherwise. */
static bool has_changed(int fd, const struct stat *before)
{
	struct stat st;

	return fstat(fd, &st) || st.st_size != before->st_size ||
	       st.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

int nx_model_load(const char *path, struct nx_model **out, struct nx_err *err)
{
	struct nx_fs_bytes data;
	struct stat st;
	int fd = open_large(path, &st), rc;

	*out = NULL;
	if (fd >= 0) {
		const struct nx_onnx_file file = { NULL, (size_t)st.st_size, fd };
		rc = load(&file, path, out, err);
		if (rc == 0 && has_changed(fd, &st)) {
			nx_model_free(out);
			rc = nx_err_set(err, NX_EDATA, "%s: changed while it was read", path);
		}
		close(fd);
		return rc;
	}
	rc = nx_fs_read_bytes(path, FILE_CAP, &data, err);
	if (rc == 0)
		rc = nx_model_load_bytes(data.data, data.len, path, out, err);
	nx_fs_bytes_release(&data);
	return rc;
}

int nx_graph_load(const char *path, struct nx_graph **out, struct nx_err *err)
{
	struct nx_fs_bytes data;
	int rc = nx_fs_read_bytes(path, FILE_CAP, &data, err);

	*out = NULL;
	if (rc == 0) {
		const struct nx_onnx_file file = { data.data, data.len, -1 };
		rc = nx_onnx_load(&file, out, err);
		if (rc)
			nx_err_wrap(err, "%s", path);
	}
	nx_fs_bytes_release(&data);
	return rc;
}

int nx_tensor_load(const char *path, struct nx_tensor *out, struct nx_err *err)
{
	struct nx_fs_bytes data;
	int rc = nx_fs_read_bytes(path, FILE_CAP, &data, err);

	*out = (struct nx_tensor){ 0 };
	if (rc == 0 && nx_tensor_load_bytes(data.data, data.len, out, err))
		rc = nx_err_wrap(err, "%s", path);
	nx_fs_bytes_release(&data);
	return rc;
}

char *nx_model_dirs(const char *given, const char *plan)
{
	const char *dirs = given ? given : getenv("NEXUS_MODELS");

	if (dirs && *dirs)
		return nx_strdup(dirs);
	if (!plan)
		return NULL;
	char *path = nx_strdup(plan); /* dirname(3) may write to it */
	char *dir = nx_strdup(dirname(path));
	free(path);
	return dir;
}

int nx_model_find(const char *name, const char *dirs, char **path, struct nx_err *err)
{
	static const char *const kinds[] = { ".onnx", ".tar.zst", ".tar.gz", ".zip" };

	*path = NULL;
	if (*name == '\0' || *name == '.' || strchr(name, '/'))
		return nx_err_set(err, NX_ENOTFOUND, "'%.120s' is no name of a model", name);
	for (const char *d = dirs; *d;) {
		size_t n = strcspn(d, ":");
		for (size_t k = 0; n && k < NX_ARRAY_LEN(kinds); k++) {
			char *p = nx_asprintf("%.*s/%s%s", (int)n, d, name, kinds[k]);
			if (access(p, R_OK) == 0) {
				*path = p;
				return 0;
			}
			free(p);
		}
		d += n + (d[n] == ':');
	}
	return nx_err_set(err, NX_ENOTFOUND, "model '%.120s' is not in '%.400s'", name, dirs);
}

void nx_model_drop_weights(struct nx_model *m)
{
	nx_graph_strip(m->graph);
	/* Small weights lay between what stays: without this the heap keeps their pages. */
	malloc_trim(0);
}

void nx_model_free(struct nx_model **m)
{
	struct nx_model *x = *m;

	*m = NULL;
	if (!x)
		return;
	nx_graph_free(&x->graph);
	nx_manifest_free(&x->manifest);
	free(x->name);
	free(x->path);
	free(x);
}

void nx_model_row_shape(const struct nx_model *m, bool output, size_t i, struct nx_shape *shape)
{
	const struct nx_graph *g = m->graph;

	*shape = g->values[output ? g->out[i] : g->in[i]].shape;
	if (shape->rank)
		shape->dim[0] = NX_DIM_OPEN;
}
