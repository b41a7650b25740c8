/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges, and samples of plain tensors; pictures and the whole of it are in tests/cli/calibrate.t. */
#include "core/alloc.h"
#include "core/fs.h"
#include "profile/calibrate.h"
#include "profile/ranges.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void observe(struct nx_observed *o, const float *x, size_t n)
{
	ck_assert_int_eq(nx_observed_add(o, x, n), 0);
	nx_observed_bin(o, x, n);
}

START_TEST(even_values_keep_their_range)
{
	struct nx_observed o = { 0 };
	float x[4096];

	for (size_t i = 0; i < NX_ARRAY_LEN(x); i++)
		x[i] = -1 + 4 * (float)i / (float)(NX_ARRAY_LEN(x) - 1);
	observe(&o, x, NX_ARRAY_LEN(x));
	struct nx_range r = nx_observed_range(&o);
	ck_assert_float_eq_tol(o.all.min, -1, 1e-6f);
	ck_assert_float_eq_tol(o.all.max, 3, 1e-6f);
	ck_assert_float_eq_tol(r.min, -1, 0.05f);
	ck_assert_float_eq_tol(r.max, 3, 0.1f);
	nx_observed_release(&o);
}
END_TEST

START_TEST(a_lonely_value_is_clipped)
{
	struct nx_observed o = { 0 };
	static float x[200000];

	for (size_t i = 0; i < NX_ARRAY_LEN(x); i++)
		x[i] = (float)(i % 1000) / 1000;
	x[17] = 2;
	observe(&o, x, NX_ARRAY_LEN(x));
	struct nx_range r = nx_observed_range(&o);
	ck_assert_float_eq_tol(o.all.max, 2, 1e-6f);
	/* One squared distance against 200,000 roundings: least at 1.6. */
	ck_assert_float_eq_tol(r.max, 1.6f, 0.1f);
	nx_observed_release(&o);
}
END_TEST

START_TEST(zero_is_in_range_and_nan_is_refused)
{
	struct nx_observed o = { 0 };
	const float x[2] = { 2, 3 }, bad[2] = { 1, NAN }, worse[1] = { -INFINITY };

	observe(&o, x, 2);
	ck_assert_float_eq(nx_observed_range(&o).min, 0);
	ck_assert_int_eq(nx_observed_add(&o, bad, 2), -1);
	ck_assert_int_eq(nx_observed_add(&o, worse, 1), -1);
	nx_observed_release(&o);
}
END_TEST

/* A model of two floats a row, as far as reading its samples needs one. */
static void fake_model(struct nx_model *m, struct nx_graph *g, struct nx_value *v, int *in)
{
	memset(g, 0, sizeof *g);
	memset(v, 0, sizeof *v);
	v->name = "x";
	v->dtype = NX_F32;
	v->shape = (struct nx_shape){ 2, { NX_DIM_OPEN, 2 } };
	*in = 0;
	g->values = v;
	g->n_values = g->n_in = 1;
	g->in = in;
	*m = (struct nx_model){ .name = "fake", .graph = g, .manifest = nx_manifest_new("fake") };
}

START_TEST(tensors_are_spread_evenly)
{
	char dir[] = "/tmp/nexus-rows.XXXXXX", path[64];
	struct nx_err err = NX_ERR_INIT;
	struct nx_rows_set set;
	struct nx_model m;
	struct nx_graph g;
	struct nx_value v;
	int in;

	fake_model(&m, &g, &v, &in);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(nx_rows_read(&m, dir, 4, &set, &err), -NX_ENOINPUT);
	nx_rows_release(&set);
	for (int i = 0; i < 8; i++) {
		float row[2] = { (float)i, 0 };
		snprintf(path, sizeof path, "%s/%d.bin", dir, i);
		ck_assert_int_eq(nx_fs_write(path, row, sizeof row, &err), 0);
	}
	ck_assert_int_eq(nx_rows_read(&m, dir, 4, &set, &err), 0);
	ck_assert_uint_eq(set.n, 4);
	for (size_t i = 0; i < set.n; i++)
		ck_assert_int_eq((int)*(float *)set.row[i], 2 * (int)i + 1);
	nx_rows_release(&set);
	ck_assert_int_eq(nx_fs_write(path, "short", 5, &err), 0);
	ck_assert_int_eq(nx_rows_read(&m, dir, 100, &set, &err), -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "has 8"));
	nx_rows_release(&set);
	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof path, "%s/%d.bin", dir, i);
		unlink(path);
	}
	rmdir(dir);
	nx_manifest_free(&m.manifest);
}
END_TEST

UNIT_MAIN("profile/calibrate", even_values_keep_their_range, a_lonely_value_is_clipped,
	zero_is_in_range_and_nan_is_refused, tensors_are_spread_evenly)
