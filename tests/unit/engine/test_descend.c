/* SPDX-License-Identifier: Apache-2.0 */
/* The search for a tuning on made-up costs, and the text it is kept as. */
#include "core/rng.h"
#include "plugins/cpu/descend.c"
#include "plugins/cpu/tuning.c"
#include "unit.h"

#include <math.h>

/* ---- a world in which everything about an executable is known --------------------------------- */

#define CLASSES 4
#define CHOICES 3

struct world {
	double cost[CLASSES][CHOICES];
	double error[CLASSES][CHOICES];
	double change; /* of layout, between neighbours with different choices */
	uint8_t now[CLASSES], last[CLASSES];
	int measured, allowed; /* whole executables; after 'allowed' the time is up */
};

static double total(const struct world *w, const uint8_t *choice)
{
	double sum = 0;

	for (size_t i = 0; i < CLASSES; i++) {
		sum += w->cost[i][choice[i]];
		sum += i && choice[i] != choice[i - 1] ? w->change : 0;
	}
	return sum;
}

static double share(void *arg, size_t class)
{
	const struct world *w = arg;

	return w->cost[class][w->now[class]] / total(w, w->now);
}

static bool alone(void *arg, size_t class, uint8_t choice, double *cost, double *error)
{
	const struct world *w = arg;

	*cost = w->cost[class][choice] / w->cost[class][0];
	*error = w->error[class][choice];
	return w->cost[class][choice] > 0;
}

static double ratio(void *arg, const uint8_t *choice)
{
	struct world *w = arg;

	w->measured++;
	memcpy(w->last, choice, CLASSES);
	return total(w, choice) / total(w, w->now);
}

static void accept(void *arg)
{
	struct world *w = arg;

	memcpy(w->now, w->last, CLASSES);
}

static bool expired(void *arg)
{
	const struct world *w = arg;

	return w->measured >= w->allowed;
}

static void search(struct world *w, uint8_t *choice)
{
	const struct cpu_descent d = {
		.n_classes = CLASSES,
		.n_choices = CHOICES,
		.error_max = 1e-4,
		.margin = 0.01,
		.share_min = 0.05,
		.arg = w,
		.share = share,
		.alone = alone,
		.ratio = ratio,
		.accept = accept,
		.expired = expired,
	};

	memset(choice, 0, CLASSES);
	cpu_descend(&d, choice);
	ck_assert_mem_eq(choice, w->now, CLASSES);
}

static struct world even(void)
{
	struct world w = { .allowed = 1000 };

	for (size_t i = 0; i < CLASSES; i++)
		for (size_t k = 0; k < CHOICES; k++)
			w.cost[i][k] = k ? 12 : 10;
	return w;
}

START_TEST(the_faster_choice_is_taken)
{
	struct world w = even();
	uint8_t choice[CLASSES];

	w.cost[1][2] = 4;
	w.cost[3][1] = 9.99; /* less than the margin of the whole */
	search(&w, choice);
	ck_assert_mem_eq(choice, ((uint8_t[]){ 0, 2, 0, 0 }), CLASSES);
}
END_TEST

START_TEST(a_broken_choice_is_never_taken)
{
	struct world w = even();
	uint8_t choice[CLASSES];

	for (size_t i = 0; i < CLASSES; i++) {
		w.cost[i][1] = 1; /* fast, and wrong */
		w.error[i][1] = i % 2 ? 2e-4 : NAN;
		w.cost[i][2] = 8;
		w.error[i][2] = 9e-5;
	}
	search(&w, choice);
	ck_assert_mem_eq(choice, ((uint8_t[]){ 2, 2, 2, 2 }), CLASSES);
}
END_TEST

START_TEST(what_changes_of_layout_cost_decides)
{
	struct world w = even();
	uint8_t choice[CLASSES];

	/* Faster alone, but not with the reorders around it. */
	w.cost[2][1] = 8;
	w.change = 2;
	search(&w, choice);
	ck_assert_mem_eq(choice, ((uint8_t[]){ 0, 0, 0, 0 }), CLASSES);
	/* One at a time none of them pays, all together they do. */
	w = even();
	w.change = 5;
	for (size_t i = 0; i < CLASSES; i++)
		w.cost[i][1] = 8;
	search(&w, choice);
	ck_assert_mem_eq(choice, ((uint8_t[]){ 1, 1, 1, 1 }), CLASSES);
}
END_TEST

START_TEST(the_unimportant_and_impossible_is_left_alone)
{
	struct world w = even();
	uint8_t choice[CLASSES];

	w.cost[0][0] = 1; /* a small share */
	w.cost[0][1] = w.cost[0][2] = 0.1;
	w.cost[1][1] = -1; /* no such form */
	w.cost[2][1] = -1;
	w.cost[3][1] = -1;
	search(&w, choice);
	ck_assert_mem_eq(choice, ((uint8_t[]){ 0, 0, 0, 0 }), CLASSES);
}
END_TEST

START_TEST(the_search_ends_when_its_time_is_up)
{
	struct world w = even();
	uint8_t choice[CLASSES];

	for (size_t i = 0; i < CLASSES; i++)
		w.cost[i][1] = 5;
	w.allowed = 0;
	search(&w, choice);
	ck_assert_mem_eq(choice, ((uint8_t[]){ 0, 0, 0, 0 }), CLASSES);
	ck_assert_int_eq(w.measured, 0);
}
END_TEST

/* ---- the text ---------------------------------------------------------------------------------- */

START_TEST(a_text_says_what_was_chosen)
{
	struct cpu_tuning t = { .piece = 4 }, back;
	struct nx_buf text = NX_BUF_INIT;

	cpu_tuning_set(&t, 1, "c1x2", CPU_ALGO_WINOGRAD);
	cpu_tuning_set(&t, 4, "c1x2", CPU_ALGO_BLOCKED);
	cpu_tuning_set(&t, 8, "c3", CPU_ALGO_LAST);
	cpu_tuning_format(&t, &text);
	cpu_tuning_parse(text.data, &back);
	ck_assert_int_eq(back.piece, 4);
	ck_assert_int_eq(cpu_tuning_algo(&back, 1, "c1x2"), CPU_ALGO_WINOGRAD);
	ck_assert_int_eq(cpu_tuning_algo(&back, 2, "c1x2"), CPU_ALGO_BLOCKED);
	ck_assert_int_eq(cpu_tuning_algo(&back, 1, "c3"), CPU_ALGO_FOLLOW);
	ck_assert_int_eq(cpu_tuning_algo(&back, 16, "c3"), CPU_ALGO_LAST);
	ck_assert_int_eq(cpu_tuning_algo(&back, 1, "c"), CPU_ALGO_FOLLOW);
	ck_assert_int_eq(cpu_tuning_algo(NULL, 1, "c3"), CPU_ALGO_FOLLOW);
	cpu_tuning_release(&t);
	cpu_tuning_release(&back);
	nx_buf_release(&text);
}
END_TEST

START_TEST(what_is_not_understood_is_left_out)
{
	static const char *const lines[] = { "piece 17", "piece 0", "piece -1", "piece 4x",
		"piece 99999999999999999999", "conv 1 a", "conv 2 a last", "conv 1 a lasting",
		"conv 1 a last x", "conv  n", "", "\t", "conv 1 a best" };
	struct cpu_tuning t;
	struct nx_buf text = NX_BUF_INIT;

	nx_buf_adds(&text, HEAD "\n");
	for (size_t i = 0; i < NX_ARRAY_LEN(lines); i++)
		nx_buf_addf(&text, "%s\n", lines[i]);
	for (int width = 1; width < 1000; width++)
		nx_buf_addf(&text, "conv 1 %0*d last\n", width, 7);
	cpu_tuning_parse(text.data, &t);
	ck_assert_int_eq(t.piece, 0);
	for (size_t i = 0; i < t.n; i++)
		ck_assert(strlen(t.conv[i].class) < CPU_CLASS_SIZE &&
			  strchr("07", t.conv[i].class[0]));
	cpu_tuning_release(&t);
	nx_buf_clear(&text);
	nx_buf_adds(&text, HEAD "\npiece 3\n");
	for (int i = 0; i < 2 * CPU_TUNED_MAX; i++)
		nx_buf_addf(&text, "conv 1 c%d last\n", i);
	cpu_tuning_parse(text.data, &t);
	ck_assert_uint_eq(t.n, CPU_TUNED_MAX);
	cpu_tuning_release(&t);
	cpu_tuning_parse("cpu-tuning 2\npiece 3\n", &t);
	ck_assert_int_eq(t.piece, 0);
	cpu_tuning_parse(NULL, &t);
	ck_assert_int_eq(t.piece, 0);
	nx_buf_release(&text);
}
END_TEST

UNIT_MAIN("engine/descend", the_faster_choice_is_taken, a_broken_choice_is_never_taken,
	what_changes_of_layout_cost_decides, the_unimportant_and_impossible_is_left_alone,
	the_search_ends_when_its_time_is_up, a_text_says_what_was_chosen,
	what_is_not_understood_is_left_out)
