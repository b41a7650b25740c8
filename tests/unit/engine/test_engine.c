/* SPDX-License-Identifier: Apache-2.0 */
/* The engine on the simulated device: specs, ladders, rows that keep to themselves, threads. */
#include "core/clock.h"
#include "engine/engine.h"
#include "engine/ladder.h"
#include "engine/workers.h"
#include "engine_dir.h"
#include "unit.h"

#include <stdatomic.h>

static int try_open(const char *spec, struct nx_err *err)
{
	struct nx_engine *e = NULL;
	char *dir = plugin_dir();
	int rc = nx_engine_open(spec, dir, &e, err);

	nx_engine_close(&e);
	free(dir);
	return rc;
}

static void check_refused(const char *spec, int code, const char *word)
{
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(try_open(spec, &err), -code);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.msg, word) != NULL, "%s: '%s' lacks '%s'", spec, err.msg, word);
}

START_TEST(bad_specs_are_named)
{
	check_refused("", NX_EUSAGE, "device");
	check_refused("../sim", NX_EUSAGE, "../sim");
	check_refused("nosuch", NX_EUNAVAIL, "nosuch.so");
	check_refused("sim:alfa=1", NX_EUSAGE, "alfa");
	check_refused("sim:alpha", NX_EUSAGE, "alpha");
	check_refused("sim:alpha=x", NX_EUSAGE, "'x'");
	check_refused("sim:alpha=-1", NX_EUSAGE, "alpha");
	check_refused("sim:noise=2", NX_EUSAGE, "noise");
	check_refused("sim:name=", NX_EUSAGE, "name");
}
END_TEST

static struct nx_engine *open_sim(const char *spec)
{
	struct nx_engine *e = NULL;
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();

	ck_assert_msg(nx_engine_open(spec, dir, &e, &err) == 0, "%s", err.msg);
	free(dir);
	return e;
}

START_TEST(info_comes_from_the_spec)
{
	struct nx_engine *e = open_sim("sim:name=Toy 1,alpha=0,beta=0");

	ck_assert_str_eq(nx_engine_info(e)->name, "Toy 1");
	ck_assert_str_eq(nx_engine_plugin(e), "sim");
	ck_assert_int_eq(nx_engine_threads(e), 1);
	nx_engine_close(&e);
	ck_assert_ptr_null(e);
}
END_TEST

START_TEST(rows_come_back_in_their_places)
{
	struct nx_engine *e = open_sim("sim:alpha=0,beta=0");
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;
	const struct nx_load_opts opts = { .max_batch = 7 };
	float in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8] = { 0 };
	const void *ins[] = { in };
	void *outs[] = { out };
	const struct nx_io *io;

	ck_assert_int_eq(nx_engine_load(e, NULL, &opts, &l, &err), 0);
	ck_assert_uint_eq(nx_loaded_inputs(l, &io), 1);
	ck_assert_uint_eq(io->row_bytes, sizeof(float));
	ck_assert_int_eq((int)io->shape.dim[0], NX_DIM_OPEN);
	ck_assert_int_eq(nx_loaded_run(l, 7, ins, outs, &err), 0);
	for (int i = 0; i < 7; i++)
		ck_assert_float_eq(out[i], in[i]);
	ck_assert_float_eq(out[7], 0);
	ck_assert_int_eq(nx_loaded_run(l, 0, ins, outs, &err), -NX_EDATA);
	ck_assert_int_eq(nx_loaded_run(l, 8, ins, outs, &err), -NX_EDATA);
	nx_loaded_free(&l);
	nx_engine_close(&e);
}
END_TEST

/* Only lower bounds: the machine may be busy, but the device never answers early. */
START_TEST(time_is_the_line_or_the_table)
{
	struct nx_engine *e = open_sim("sim:alpha=2,beta=5");
	const double cost_ms[] = { 1, 30 };
	struct nx_err err = NX_ERR_INIT;
	float row[3] = { 0 };
	const void *ins[] = { row };
	void *outs[] = { row };

	for (int table = 0; table < 2; table++) {
		struct nx_load_opts opts = { .max_batch = table ? 2 : 3 };
		struct nx_loaded *l = NULL;
		if (table) {
			opts.cost_ms = cost_ms;
			opts.n_cost = 2;
		}
		ck_assert_int_eq(nx_engine_load(e, NULL, &opts, &l, &err), 0);
		uint64_t start = nx_now_ns();
		ck_assert_int_eq(nx_loaded_run(l, (size_t)opts.max_batch, ins, outs, &err), 0);
		ck_assert_double_ge(nx_ns_to_ms(nx_now_ns() - start), table ? 30 : 11);
		nx_loaded_free(&l);
	}

	struct nx_loaded *l = NULL;
	const struct nx_load_opts short_table = { .max_batch = 3, .cost_ms = cost_ms, .n_cost = 2 };
	ck_assert_int_eq(nx_engine_load(e, NULL, &short_table, &l, &err), -NX_EDATA);
	ck_assert_ptr_null(l);
	nx_engine_close(&e);
}
END_TEST

START_TEST(failures_are_reported)
{
	struct nx_engine *e = open_sim("sim:alpha=0,beta=0,fail=1");
	struct nx_loaded *l = NULL;
	struct nx_err err = NX_ERR_INIT;
	const struct nx_load_opts opts = { .max_batch = 1 };
	float row = 0;
	const void *ins[] = { &row };
	void *outs[] = { &row };

	ck_assert_int_eq(nx_engine_load(e, NULL, &opts, &l, &err), 0);
	ck_assert_int_eq(nx_loaded_run(l, 1, ins, outs, &err), -NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(err.msg, "simulated"));
	nx_loaded_free(&l);
	nx_engine_close(&e);
}
END_TEST

static void note_device(
	void *arg, const char *plugin, const struct nx_device_info *info, const char *why)
{
	if (strcmp(plugin, "sim") == 0 && info && !why)
		++*(int *)arg;
}

START_TEST(list_has_the_simulator)
{
	struct nx_err err = NX_ERR_INIT;
	char *dir = plugin_dir();
	int seen = 0;

	ck_assert_int_ge(nx_engine_list(dir, note_device, &seen, &err), 1);
	ck_assert_int_eq(seen, 1);
	ck_assert_int_eq(nx_engine_list("/nonexistent", note_device, &seen, &err), -NX_EUNAVAIL);
	free(dir);
}
END_TEST

/* Every batch is covered once, in order, and nothing is larger than it may be. */
static size_t check_cut(enum nx_ladder_kind kind, size_t top, size_t rows, size_t workers)
{
	struct nx_ladder l;
	struct nx_piece pieces[64];
	size_t at = 0, held = 0;

	nx_ladder_init(&l, kind, top);
	size_t n = nx_ladder_cut(&l, rows, workers, pieces);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(pieces[i].first, at);
		ck_assert_uint_ge(pieces[i].rows, 1);
		ck_assert_uint_le(pieces[i].rows, l.rows[pieces[i].rung]);
		if (kind == NX_LADDER_CUT)
			ck_assert_uint_le(pieces[i].rows, (rows + workers - 1) / workers);
		at += pieces[i].rows;
		held += l.rows[pieces[i].rung];
	}
	ck_assert_uint_eq(at, rows);
	if (kind != NX_LADDER_PAD)
		ck_assert_uint_eq(held, rows);
	ck_assert_uint_lt(held, 2 * rows + (kind == NX_LADDER_PAD));
	nx_ladder_release(&l);
	return n;
}

START_TEST(ladders_cover_every_batch)
{
	for (size_t rows = 1; rows <= 64; rows++) {
		for (size_t workers = 1; workers <= 4; workers++)
			check_cut(NX_LADDER_CUT, 8, rows, workers);
		ck_assert_uint_eq(check_cut(NX_LADDER_PAD, 64, rows, 1), 1);
		ck_assert_uint_eq(check_cut(NX_LADDER_DENSE, 64, rows, 1), 1);
	}
	ck_assert_uint_eq(check_cut(NX_LADDER_CUT, 4, 7, 1), 3);
	ck_assert_uint_eq(check_cut(NX_LADDER_CUT, 4, 8, 2), 2);
}
END_TEST

static void count_worker(void *arg, int worker)
{
	atomic_fetch_add(&((atomic_int *)arg)[worker], 1);
}

START_TEST(workers_take_part_once_a_job)
{
	struct nx_workers *w = NULL;
	struct nx_err err = NX_ERR_INIT;
	atomic_int seen[4] = { 0 };

	ck_assert_int_eq(nx_workers_new(4, &w, &err), 0);
	for (int i = 0; i < 1000; i++)
		nx_workers_run(w, 1 + i % 4, count_worker, seen);
	nx_workers_free(&w);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(atomic_load(&seen[i]), 1000 - 250 * i);
}
END_TEST

UNIT_MAIN("engine", bad_specs_are_named, info_comes_from_the_spec, rows_come_back_in_their_places,
	time_is_the_line_or_the_table, failures_are_reported, list_has_the_simulator,
	ladders_cover_every_batch, workers_take_part_once_a_job)
