/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of a folder as rows of a model's input. */
#include "core/alloc.h"
#include "core/fs.h"
#include "core/log.h"
#include "media/media.h"
#include "profile/calibrate.h"
#include "vision/vision.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROW_CAP ((size_t)1 << 30)

static void *add_row(struct nx_rows_set *set, struct nx_err *err)
{
	void *row = nx_try_alloc(1, set->row_bytes);

	if (!row) {
		nx_err_set(err, NX_EOS, "no memory for %zu samples", set->n + 1);
		return NULL;
	}
	set->row = nx_grow(set->row, &set->cap, set->n + 1, sizeof *set->row);
	set->row[set->n++] = row;
	return row;
}

/* Of 'total' samples the 'max' that lie evenly: whether number i is one. */
static bool is_chosen(size_t i, size_t total, size_t max)
{
	return total <= max || i * max / total != (i + 1) * max / total;
}

/* The next frame that can be read: 1, 0 at the end, <0; damaged ones are counted in *bad. */
static int next_frame(struct nx_source *s, struct nx_frame *f, size_t *bad)
{
	for (;;) {
		struct nx_err why = NX_ERR_INIT;
		int rc = nx_source_next(s, f, &why);
		if (rc >= 0)
			return rc;
		if (bad && (*bad)++ == 0)
			nx_warn("left out: %s", why.msg);
	}
}

static int count_frames(const char *dir, size_t *n, struct nx_err *err)
{
	struct nx_source *s = NULL;
	struct nx_frame f;
	size_t bad = 0;
	int rc = nx_source_open(dir, &s, err);

	*n = 0;
	while (rc == 0 && next_frame(s, &f, &bad) > 0) {
		nx_frame_release(&f);
		++*n;
	}
	nx_source_close(&s);
	if (rc == 0 && *n == 0)
		rc = nx_err_set(err, NX_ENOINPUT, "no picture in '%s' can be read", dir);
	return rc;
}

static int read_frames(const struct nx_model *m, const struct nx_shape *shape, enum nx_dtype dtype,
	const char *dir, size_t max, struct nx_rows_set *set, struct nx_err *err)
{
	struct nx_source *s = NULL;
	struct nx_placement place;
	struct nx_frame f;
	size_t total;
	int rc = count_frames(dir, &total, err);

	if (rc == 0)
		rc = nx_source_open(dir, &s, err);
	for (size_t i = 0; rc == 0 && next_frame(s, &f, NULL) > 0; i++) {
		if (is_chosen(i, total, max)) {
			void *row = add_row(set, err);
			rc = row ? nx_vision_preprocess(&f, NULL, &m->manifest->input, shape, dtype,
					   row, &place, err)
				 : -err->code;
		}
		nx_frame_release(&f);
	}
	nx_source_close(&s);
	return rc;
}

static int is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int read_tensor(const char *path, struct nx_rows_set *set, struct nx_err *err)
{
	struct nx_buf data = NX_BUF_INIT;
	int rc = nx_fs_read(path, ROW_CAP, &data, err);

	if (rc == 0 && data.len != set->row_bytes)
		rc = nx_err_set(err, NX_EDATA,
			"'%.300s' has %zu bytes; the model takes no pictures, and a row of its "
			"input has %zu",
			path, data.len, set->row_bytes);
	void *row = rc ? NULL : add_row(set, err);
	if (row)
		memcpy(row, data.data, data.len);
	nx_buf_release(&data);
	return row ? 0 : -err->code;
}

static int read_tensors(const char *dir, size_t max, struct nx_rows_set *set, struct nx_err *err)
{
	struct dirent **entry = NULL;
	int n = scandir(dir, &entry, is_visible, versionsort), rc = 0;

	if (n < 0)
		return nx_err_set(
			err, NX_ENOINPUT, "cannot read directory '%s': %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == 0 && is_chosen((size_t)i, (size_t)n, max)) {
			char *path = nx_fs_join(dir, entry[i]->d_name);
			rc = read_tensor(path, set, err);
			free(path);
		}
		free(entry[i]);
	}
	free(entry);
	if (rc == 0 && set->n == 0)
		rc = nx_err_set(err, NX_ENOINPUT, "no samples in '%s'", dir);
	return rc;
}

int nx_rows_read(const struct nx_model *model, const char *dir, size_t max, struct nx_rows_set *set,
	struct nx_err *err)
{
	const struct nx_graph *g = model->graph;
	struct nx_shape shape, row;

	memset(set, 0, sizeof *set);
	if (g->n_in != 1)
		return nx_err_set(
			err, NX_EUNSUPP, "a model of %zu inputs cannot be calibrated", g->n_in);
	enum nx_dtype dtype = g->values[g->in[0]].dtype;
	nx_model_row_shape(model, false, 0, &shape);
	row = shape;
	row.dim[0] = 1;
	int64_t count = nx_shape_count(&row);
	if (count < 1 || (uint64_t)count > ROW_CAP / nx_dtype_size(dtype))
		return nx_err_set(err, NX_EUNSUPP, "the model's input is too large or open");
	set->row_bytes = (size_t)count * nx_dtype_size(dtype);
	if (model->manifest->input.image)
		return read_frames(model, &shape, dtype, dir, max, set, err);
	return read_tensors(dir, max, set, err);
}

void nx_rows_release(struct nx_rows_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->row[i]);
	free(set->row);
	memset(set, 0, sizeof *set);
}
