/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executables of one row are tuned first.  Then the size of a piece is measured with what was
 * found, and if it is more than one row, executables of that size are tuned too, from there on.
 * The accuracy of every choice is checked on the convolution alone, and at the end that of the
 * whole; a choice that is off is not taken, however fast.
 */
#include "plugins/cpu/tune.h"

#include "core/alloc.h"
#include "core/log.h"
#include "model/build.h"
#include "plugins/cpu/descend.h"
#include "plugins/cpu/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a convolution's largest output, and of the model's. */
#define ERROR_ALONE  1e-4
#define ERROR_WHOLE  1e-3
#define BF16_COARSER 100 /* times as large in bf16, by its rounding alone */

#define MARGIN     0.015
#define CLEAR      0.10 /* gains that noise does not make */
#define SHARE_MIN  0.01
#define TIMED_RUNS 3

/* A larger piece must be this much faster a row, and more if it needs weights of its own. */
#define PIECE_GAIN      0.03
#define PIECE_GAIN_COPY 0.10
#define PIECE_COPY      0.25 /* of the weights */
#define PIECE_NS        5e8  /* nothing is saved any more in pieces that take longer */

struct class
{
	char name[CPU_CLASS_SIZE];
	int head; /* node of one that has it */
	double share;
};

struct tuner {
	struct nx_plugin_device *dev;
	enum cpu_precision precision;
	double start_ns, cap_ns; /* of this thread: a busy machine must not find less */
	struct cpu_tuning tuning;

	/* The descent that is going on. */
	const struct nx_graph *graph;
	int64_t rows;
	size_t n;
	struct class *class;
	struct cpu_trial now, next;

	/* The class that is looked at alone, computed as it is by itself. */
	const struct class *lone;
	struct nx_graph *lone_graph;
	struct cpu_trial direct;
};

static double allowed(const struct tuner *t, double error)
{
	return t->precision == CPU_BF16 ? BF16_COARSER * error : error;
}

static bool expired(void *arg)
{
	const struct tuner *t = arg;

	return cpu_time_ns() - t->start_ns >= t->cap_ns;
}

static int start(const struct tuner *t, struct cpu_trial *trial, const struct nx_graph *g,
	int64_t rows, const struct cpu_tuning *tuning, struct nx_err *err)
{
	const struct cpu_how how = {
		.precision = t->precision,
		.rows = rows,
		.tuning = tuning,
	};

	return cpu_trial_init(trial, t->dev, g, &how, err);
}

static struct class *find_class(struct tuner *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->class[i].name, name) == 0)
			return &t->class[i];
	return NULL;
}

/* For who wants to know where the time goes: messages of the lowest level. */
static void tell(const struct tuner *t, const double *ns)
{
	const struct nx_plugin_exec *e = t->now.exec;

	for (size_t i = 0; i < e->n_steps; i++) {
		const struct cpu_step *s = e->step[i];
		char text[256];
		snprintf(text, sizeof text, "%lld rows, step %zu: %.1f us, %s, %s '%s'",
			(long long)t->rows, i, ns[i] / TIMED_RUNS / 1e3, s->kernel,
			s->node ? s->node->op : "layout", s->node ? s->node->name : "");
		t->dev->host->log(NX_LOG_DEBUG, text);
	}
}

/* The classes of the present executable, and what they cost. */
static int find_classes(struct tuner *t, struct nx_err *err)
{
	const struct nx_plugin_exec *e = t->now.exec;
	double *ns = nx_alloc(e->n_steps + 1, sizeof *ns), total = 0;
	int rc = 0;

	t->class = nx_alloc(e->n_steps + 1, sizeof *t->class);
	t->n = 0;
	for (int i = 0; i < TIMED_RUNS && rc == 0; i++)
		rc = cpu_exec_time(
			t->now.exec, (const void *const *)t->now.in, t->now.out, ns, err);
	for (size_t i = 0; i < e->n_steps && rc == 0; i++) {
		const struct cpu_step *s = e->step[i];
		total += ns[i];
		if (!s->class || !s->class[0])
			continue;
		struct class *c = find_class(t, s->class);
		if (!c) {
			c = &t->class[t->n++];
			c->head = s->head;
			snprintf(c->name, sizeof c->name, "%s", s->class);
		}
		c->share += ns[i];
	}
	for (size_t i = 0; i < t->n; i++)
		t->class[i].share /= fmax(total, 1);
	if (rc == 0)
		tell(t, ns);
	free(ns);
	return rc;
}

static double share(void *arg, size_t class)
{
	const struct tuner *t = arg;

	return t->class[class].share;
}

/* The group alone: what it reads are the inputs, what it makes the output. */
static struct nx_graph *isolate(const struct tuner *t, const struct nx_group *group)
{
	struct nx_graph *g = nx_graph_clone(t->graph);
	const struct nx_node *head = &g->nodes[group->head];
	int src = group->pad >= 0 ? g->nodes[group->pad].in[0] : head->in[0];

	g->n_in = g->n_out = 0;
	nx_graph_add_io(&g->in, &g->n_in, src);
	if (group->residual != NX_NO_VALUE && group->residual != src)
		nx_graph_add_io(&g->in, &g->n_in, group->residual);
	nx_graph_add_io(&g->out, &g->n_out, group->out);
	for (size_t i = 0; i < g->n_nodes; i++)
		for (size_t k = 0; k < g->nodes[i].n_out; k++)
			if (g->nodes[i].out[k] == src || g->nodes[i].out[k] == group->residual)
				g->nodes[i].out[k] = NX_NO_VALUE;
	nx_graph_drop_dead(g);
	return g;
}

static struct nx_graph *isolate_class(const struct tuner *t, const struct class *c)
{
	struct nx_graph *g = NULL;
	struct nx_fusion f;

	nx_fusion_init(&f, t->graph, t->dev->off);
	int id = f.group_of[c->head];
	if (id >= 0 && f.group[id].head == c->head)
		g = isolate(t, &f.group[id]);
	nx_fusion_release(&f);
	return g;
}

/* Whether the executable does compute the class as it was told. */
static bool took(const struct cpu_trial *a, const struct cpu_trial *b)
{
	size_t n = a->exec->n_steps;

	for (size_t i = 0; i < n && n == b->exec->n_steps; i++) {
		const struct cpu_step *x = a->exec->step[i], *y = b->exec->step[i];
		if (strcmp(x->kernel, y->kernel) != 0)
			return true;
		for (size_t k = 0; k < x->n; k++)
			if (!dnnl_memory_desc_equal(&x->op[k].md, &y->op[k].md))
				return true;
	}
	return n != b->exec->n_steps;
}

static void look_away(struct tuner *t)
{
	cpu_trial_release(&t->direct);
	nx_graph_free(&t->lone_graph);
	t->lone = NULL;
}

/* Takes a class out of the graph, once for all of its choices. */
static bool look_at(struct tuner *t, const struct class *c)
{
	struct nx_err err = NX_ERR_INIT;

	if (t->lone != c) {
		look_away(t);
		t->lone = c;
		t->lone_graph = isolate_class(t, c);
		if (t->lone_graph)
			start(t, &t->direct, t->lone_graph, t->rows, NULL, &err);
	}
	return t->direct.exec != NULL;
}

static bool alone(void *arg, size_t class, uint8_t choice, double *cost, double *error)
{
	struct tuner *t = arg;
	const struct class *c = &t->class[class];
	struct cpu_tuning tuning = { 0 };
	struct cpu_trial other = { 0 };
	struct nx_err err = NX_ERR_INIT;
	bool can = false;

	cpu_tuning_set(&tuning, t->rows, c->name, (enum cpu_algo)choice);
	if (look_at(t, c) && start(t, &other, t->lone_graph, t->rows, &tuning, &err) == 0 &&
		took(&t->direct, &other)) {
		*error = cpu_trial_error(&t->direct, &other);
		*cost = *error > allowed(t, ERROR_ALONE) ? INFINITY
							 : cpu_trial_ratio(&t->direct, &other);
		can = true;
	}
	cpu_trial_release(&other);
	cpu_tuning_release(&tuning);
	return can;
}

static void apply(struct tuner *t, const uint8_t *choice)
{
	for (size_t i = 0; i < t->n; i++)
		cpu_tuning_set(&t->tuning, t->rows, t->class[i].name, (enum cpu_algo)choice[i]);
}

static double ratio(void *arg, const uint8_t *choice)
{
	struct tuner *t = arg;
	struct nx_err err = NX_ERR_INIT;

	cpu_trial_release(&t->next);
	apply(t, choice);
	if (start(t, &t->next, t->graph, t->rows, &t->tuning, &err))
		return INFINITY;
	double r = cpu_trial_ratio(&t->now, &t->next);
	/* What looks like a small gain must do so twice. */
	return r < 1 - MARGIN && r > 1 - CLEAR ? fmax(r, cpu_trial_ratio(&t->now, &t->next)) : r;
}

static void accept(void *arg)
{
	struct tuner *t = arg;
	struct cpu_trial swap = t->now;

	t->now = t->next;
	t->next = swap;
}

/* Forgets the choices of this descent if the model's outputs suffer. */
static int check_whole(struct tuner *t, uint8_t *choice, struct nx_err *err)
{
	struct cpu_trial direct;

	if (start(t, &direct, t->graph, t->rows, NULL, err))
		return -err->code;
	if (!(cpu_trial_error(&direct, &t->now) <= allowed(t, ERROR_WHOLE)))
		memset(choice, CPU_ALGO_FOLLOW, t->n);
	cpu_trial_release(&direct);
	return 0;
}

static void search(struct tuner *t, uint8_t *choice)
{
	const struct cpu_descent d = {
		.n_classes = t->n,
		.n_choices = CPU_ALGO_COUNT,
		.error_max = allowed(t, ERROR_ALONE),
		.margin = MARGIN,
		.share_min = SHARE_MIN,
		.arg = t,
		.share = share,
		.alone = alone,
		.ratio = ratio,
		.accept = accept,
		.expired = expired,
	};

	for (size_t i = 0; i < t->n; i++)
		choice[i] = (uint8_t)cpu_tuning_algo(&t->tuning, t->rows, t->class[i].name);
	cpu_descend(&d, choice);
}

/* Tunes the executables of 'rows' rows, from what the tuning says so far. */
static int descend(struct tuner *t, const struct nx_graph *g, int64_t rows, struct nx_err *err)
{
	t->graph = g;
	t->rows = rows;
	if (start(t, &t->now, g, rows, &t->tuning, err))
		return -err->code;
	int rc = find_classes(t, err);
	if (rc == 0) {
		uint8_t *choice = nx_alloc(t->n + 1, 1);
		search(t, choice);
		rc = check_whole(t, choice, err);
		apply(t, choice);
		free(choice);
	}
	look_away(t);
	cpu_trial_release(&t->next);
	cpu_trial_release(&t->now);
	free(t->class);
	return rc;
}

/* Bytes of packed weights that 'b' has and 'a' has not, over those of 'a'. */
static double copied(const struct cpu_trial *a, const struct cpu_trial *b)
{
	const struct nx_plugin_exec *x = a->exec, *y = b->exec;
	double own = 0, all = 1;

	for (size_t i = 0; i < x->n_weights; i++)
		all += (double)x->weights[i]->bytes;
	for (size_t i = 0; i < y->n_weights; i++) {
		size_t k = 0;
		while (k < x->n_weights && x->weights[k] != y->weights[i])
			k++;
		own += k == x->n_weights ? (double)y->weights[i]->bytes : 0;
	}
	return own / all;
}

/* What is good for one row is taken for more until that has been measured. */
static void copy_choices(struct cpu_tuning *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->conv[i].algo[1] = t->conv[i].algo[0];
}

/* Index of the graph whose rows run fastest as a piece. */
static size_t best_piece(struct tuner *t, const struct nx_tune_job *job)
{
	struct cpu_trial one, many;
	struct nx_err err = NX_ERR_INIT;
	double best = 1;
	size_t piece = 0;

	if (start(t, &one, job->graph[0], 1, &t->tuning, &err))
		return 0;
	for (size_t i = 1; i < job->n && job->rows[i] <= CPU_PIECE_MAX && !expired(t); i++) {
		t->tuning.piece = (int)job->rows[i];
		if (start(t, &many, job->graph[i], job->rows[i], &t->tuning, &err))
			break;
		double gain = copied(&one, &many) > PIECE_COPY ? PIECE_GAIN_COPY : PIECE_GAIN;
		double row = cpu_trial_ratio(&one, &many) / (double)job->rows[i];
		/* The gain over one row pays for the memory; a larger piece must pay again. */
		if (row < 1 - gain && row < best * (1 - PIECE_GAIN)) {
			best = row;
			piece = i;
		}
		cpu_trial_release(&many);
		if (2 * one.best_ns * (double)job->rows[i] > PIECE_NS)
			break;
	}
	cpu_trial_release(&one);
	return piece;
}

static int tune(struct tuner *t, const struct nx_tune_job *job, struct nx_err *err)
{
	double cap_ns = t->cap_ns;

	/* Pieces of more rows get what is left. */
	t->cap_ns = job->n > 1 ? cap_ns * 2 / 3 : cap_ns;
	if (descend(t, job->graph[0], 1, err))
		return -err->code;
	copy_choices(&t->tuning);
	t->cap_ns = cap_ns;
	size_t piece = best_piece(t, job);
	t->tuning.piece = (int)job->rows[piece];
	return piece ? descend(t, job->graph[piece], job->rows[piece], err) : 0;
}

int cpu_tune(struct nx_plugin_device *dev, const struct nx_tune_job *job,
	enum cpu_precision precision, struct nx_err *err)
{
	struct nx_buf text = NX_BUF_INIT;
	struct tuner t = {
		.dev = dev,
		.precision = precision,
		.start_ns = cpu_time_ns(),
		.cap_ns = job->time_cap_ms * 1e6,
	};
	int rc = tune(&t, job, err);

	if (rc == 0) {
		cpu_tuning_format(&t.tuning, &text);
		job->put(job->arg, text.data);
	}
	nx_buf_release(&text);
	cpu_tuning_release(&t.tuning);
	return rc;
}
