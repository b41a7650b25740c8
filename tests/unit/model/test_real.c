/* SPDX-License-Identifier: Apache-2.0 */
/* Real models, where $NEXUS_TEST_DATA has them: all load, and run in batches. */
#include "model/model.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "core/text.h"
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Built from operators of a vendor's own. */
static const char *const refused[] = { "style-candy-winml.onnx" };

static void try_model(const char *path, const char *name)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	int rc = nx_model_load(path, &m, &err);

	for (size_t i = 0; i < NX_ARRAY_LEN(refused); i++) {
		if (strcmp(refused[i], name) == 0) {
			ck_assert_int_eq(rc, -NX_EUNSUPP);
			return;
		}
	}
	ck_assert_msg(rc == 0, "%s", err.msg);
	for (int64_t batch = 1; batch <= 3; batch += 2) {
		struct nx_graph *g;
		struct nx_shape row;
		rc = nx_graph_specialize(m->graph, batch, &g, &err);
		ck_assert_msg(rc == 0, "%s: %s", name, err.msg);
		for (size_t i = 0; i < g->n_out; i++) {
			const struct nx_shape *s = &g->values[g->out[i]].shape;
			nx_model_row_shape(m, true, i, &row);
			ck_assert_int_eq(s->rank, row.rank);
			ck_assert_int_eq(s->dim[0] % batch, 0);
		}
		nx_graph_free(&g);
	}
	nx_model_free(&m);
}

static void try_folder(const char *data, const char *folder)
{
	char *dir = nx_fs_join(data, folder);
	DIR *d = opendir(dir);

	ck_assert_msg(d != NULL, "cannot open %s", dir);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!nx_text_has_suffix(e->d_name, ".onnx"))
			continue;
		char *path = nx_fs_join(dir, e->d_name);
		try_model(path, e->d_name);
		free(path);
	}
	closedir(d);
	free(dir);
}

START_TEST(real_models_specialize)
{
	const char *data = getenv("NEXUS_TEST_DATA");

	if (!data) {
		printf("# SKIP NEXUS_TEST_DATA is not set\n");
		return;
	}
	try_folder(data, "models");
	try_folder(data, "models-light");
}
END_TEST

UNIT_MAIN("model/real", real_models_specialize)
