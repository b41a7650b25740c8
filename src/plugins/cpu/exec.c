/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/exec.h"

#include "core/alloc.h"
#include "plugins/cpu/arena.h"
#include "plugins/cpu/lane.h"
#include "plugins/cpu/weights.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int cpu_buf_new(struct nx_plugin_exec *e, enum cpu_buf_kind kind, size_t bytes)
{
	e->buf = nx_grow(e->buf, &e->cap_bufs, e->n_bufs + 1, sizeof *e->buf);
	e->buf[e->n_bufs] = (struct cpu_buf){
		.kind = kind,
		.bytes = bytes,
		.first = INT_MAX,
		.last = -1,
	};
	return (int)e->n_bufs++;
}

int cpu_buf_const(struct nx_plugin_exec *e, struct nx_tensor *constant)
{
	int buf = cpu_buf_new(e, CPU_CONST, constant->bytes);

	e->buf[buf].constant = nx_const_ref(constant);
	return buf;
}

struct cpu_step *cpu_step_new(
	struct nx_plugin_exec *e, cpu_step_fn *run, const char *kernel, const struct nx_node *node)
{
	struct cpu_step *s = nx_alloc(1, sizeof *s);

	s->run = run;
	snprintf(s->kernel, sizeof s->kernel, "%s", kernel);
	s->node = node ? nx_node_dup(node) : NULL;
	e->step = nx_grow(e->step, &e->cap_steps, e->n_steps + 1, sizeof(struct cpu_step *));
	e->step[e->n_steps++] = s;
	return s;
}

static struct cpu_operand *add_operand(struct nx_plugin_exec *e)
{
	struct cpu_step *s = e->step[e->n_steps - 1];

	s->op = nx_grow(s->op, &s->cap, s->n + 1, sizeof *s->op);
	memset(&s->op[s->n], 0, sizeof *s->op);
	return &s->op[s->n++];
}

void cpu_step_use(struct nx_plugin_exec *e, int arg, int buf, const dnnl_memory_desc_t *md)
{
	struct cpu_operand *op = add_operand(e);
	struct cpu_buf *b = &e->buf[buf];
	int at = (int)e->n_steps - 1;

	op->arg = arg;
	op->buf = buf;
	if (md)
		op->md = *md;
	if (at < b->first)
		b->first = at;
	if (at > b->last)
		b->last = at;
}

void cpu_step_use_memory(struct nx_plugin_exec *e, int arg, dnnl_memory_t memory)
{
	struct cpu_operand *op = add_operand(e);

	op->arg = arg;
	op->buf = -1;
	op->memory = memory;
}

static int run_primitive(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	dnnl_status_t st = dnnl_primitive_execute(
		s->prim, e->stream, (int)s->n + (s->scratch != NULL), s->args);

	return st == dnnl_success ? 0 : dnn_check(st, s->node ? s->node->name : "reorder", err);
}

int cpu_step_primitive(struct nx_plugin_exec *e, dnnl_primitive_desc_t pd,
	const struct nx_node *node, struct nx_err *err)
{
	struct cpu_step *s = cpu_step_new(e, run_primitive, dnn_pd_name(pd), node);
	const dnnl_memory_desc_t *scratch = dnn_pd_md(pd, dnnl_query_scratchpad_md);
	dnnl_status_t st = dnnl_primitive_create(&s->prim, pd);

	s->is_dnn = true;
	if (scratch && scratch->ndims) {
		s->scratch_bytes = dnnl_memory_desc_get_size(scratch);
		if (st == dnnl_success && s->scratch_bytes)
			st = dnnl_memory_create(
				&s->scratch, scratch, e->dev->engine, DNNL_MEMORY_NONE);
	}
	if (s->scratch_bytes > e->scratch_bytes)
		e->scratch_bytes = s->scratch_bytes;
	dnnl_primitive_desc_destroy(pd);
	return dnn_check(st, node ? node->name : "reorder", err);
}

static int run_join(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	size_t sources = s->n - 1;
	char *to = s->op[sources].ptr;

	(void)e;
	(void)err;
	for (size_t o = 0; o < s->outer; o++) {
		for (size_t i = 0; i < sources; i++) {
			memcpy(to, (const char *)s->op[i].ptr + o * s->chunk[i], s->chunk[i]);
			to += s->chunk[i];
		}
	}
	return 0;
}

void cpu_step_join(struct nx_plugin_exec *e, const struct nx_node *node, size_t outer,
	const size_t *chunk, size_t sources)
{
	struct cpu_step *s = cpu_step_new(e, run_join, "join", node);

	s->outer = outer;
	s->chunk = nx_alloc(sources, sizeof *s->chunk);
	memcpy(s->chunk, chunk, sources * sizeof *s->chunk);
}

/* Gives an operand what address it has already, or notes that each run brings it one. */
static void place(struct nx_plugin_exec *e, struct cpu_operand *op)
{
	const struct cpu_buf *b = &e->buf[op->buf];

	if (b->kind == CPU_CONST)
		op->ptr = b->constant->data; /* only ever read */
	else if (b->kind == CPU_PACKED)
		op->ptr = (void *)(uintptr_t)b->packed; /* likewise */
	else if (b->kind != CPU_ARENA)
		e->binding[e->n_bindings++] = (struct cpu_binding){ op, b };
}

static int bind_step(struct nx_plugin_exec *e, struct cpu_step *s, struct nx_err *err)
{
	dnnl_status_t st = dnnl_success;

	for (size_t i = 0; i < s->n; i++) {
		struct cpu_operand *op = &s->op[i];
		if (op->buf >= 0)
			place(e, op);
		if (op->buf >= 0 && s->is_dnn && st == dnnl_success)
			st = dnnl_memory_create(&op->memory, &op->md, e->dev->engine,
				op->ptr ? op->ptr : DNNL_MEMORY_NONE);
	}
	if (!s->is_dnn)
		return 0;
	s->args = nx_alloc(s->n + 1, sizeof *s->args);
	for (size_t i = 0; i < s->n; i++)
		s->args[i] = (dnnl_exec_arg_t){ s->op[i].arg, s->op[i].memory };
	if (s->scratch)
		s->args[s->n] = (dnnl_exec_arg_t){ DNNL_ARG_SCRATCHPAD, s->scratch };
	return dnn_check(st, "memory", err);
}

static int set_address(dnnl_memory_t memory, void *p, struct nx_err *err)
{
	if (memory && dnnl_memory_set_data_handle(memory, p) != dnnl_success)
		return nx_err_set(err, NX_ESOFTWARE, "oneDNN refused an address");
	return 0;
}

/* The lane's memory has moved (or is new): all that lies in it gets its address there. */
static int rebase(struct nx_plugin_exec *e, char *base, struct nx_err *err)
{
	char *scratch = base + e->need - e->scratch_bytes;

	e->base = NULL;
	for (size_t i = 0; i < e->n_steps; i++) {
		struct cpu_step *s = e->step[i];
		for (size_t k = 0; k < s->n; k++) {
			struct cpu_operand *op = &s->op[k];
			if (op->buf < 0 || e->buf[op->buf].kind != CPU_ARENA)
				continue;
			op->ptr = base + e->buf[op->buf].offset;
			if (set_address(op->memory, op->ptr, err))
				return -err->code;
		}
		if (set_address(s->scratch, scratch, err))
			return -err->code;
	}
	e->base = base;
	return 0;
}

int cpu_exec_finish(struct nx_plugin_exec *e, struct nx_err *err)
{
	size_t operands = 0;

	e->arena_bytes = cpu_arena_plan(e->buf, e->n_bufs);
	e->need = (e->arena_bytes + 63) / 64 * 64 + e->scratch_bytes;
	/* A base of NULL means that there is none yet. */
	e->need = e->need ? e->need : 1;
	for (size_t i = 0; i < e->n_steps; i++)
		operands += e->step[i]->n;
	e->binding = nx_alloc(operands, sizeof *e->binding);
	for (size_t i = 0; i < e->n_steps; i++)
		if (bind_step(e, e->step[i], err))
			return -err->code;
	return cpu_lane_join(&e->dev->lane[e->worker], e, err);
}

static int bind_io(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err)
{
	if (e->base != e->lane->data && rebase(e, e->lane->data, err))
		return -err->code;
	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct cpu_binding *b = &e->binding[i];
		/* Inputs are only read; oneDNN has no const for it. */
		b->op->ptr = b->buf->kind == CPU_INPUT ? (void *)(uintptr_t)in[b->buf->index]
						       : out[b->buf->index];
		if (set_address(b->op->memory, b->op->ptr, err))
			return -err->code;
	}
	return 0;
}

static int run_steps(struct nx_plugin_exec *e, struct nx_err *err)
{
	for (size_t i = 0; i < e->n_steps; i++)
		if (e->step[i]->run(e->step[i], e, err))
			return -err->code;
	return 0;
}

double cpu_time_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int time_steps(struct nx_plugin_exec *e, double *ns, struct nx_err *err)
{
	for (size_t i = 0; i < e->n_steps; i++) {
		double start = cpu_time_ns();
		if (e->step[i]->run(e->step[i], e, err))
			return -err->code;
		ns[i] += cpu_time_ns() - start;
	}
	return 0;
}

int cpu_exec_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err)
{
	pthread_mutex_lock(&e->lane->lock);
	int rc = bind_io(e, in, out, err);
	if (rc == 0)
		rc = run_steps(e, err);
	pthread_mutex_unlock(&e->lane->lock);
	return rc;
}

int cpu_exec_time(struct nx_plugin_exec *e, const void *const *in, void *const *out, double *ns,
	struct nx_err *err)
{
	pthread_mutex_lock(&e->lane->lock);
	int rc = bind_io(e, in, out, err);
	if (rc == 0)
		rc = time_steps(e, ns, err);
	pthread_mutex_unlock(&e->lane->lock);
	return rc;
}

void cpu_exec_steps(const struct nx_plugin_exec *e, nx_plugin_step_fn *fn, void *arg)
{
	for (size_t i = 0; i < e->n_steps; i++) {
		const struct cpu_step *s = e->step[i];
		const struct nx_plugin_step step = {
			.node = s->node ? s->node->name : "",
			.op = s->node ? s->node->op : "",
			.kernel = s->kernel,
		};
		fn(arg, &step);
	}
}

static void step_free(struct cpu_step *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->op[i].buf >= 0 && s->op[i].memory)
			dnnl_memory_destroy(s->op[i].memory);
	if (s->scratch)
		dnnl_memory_destroy(s->scratch);
	if (s->prim)
		dnnl_primitive_destroy(s->prim);
	nx_node_free(&s->node);
	free(s->op);
	free(s->args);
	free(s->chunk);
	free(s->own);
	free(s->tensor);
	free(s->in);
	free(s->out);
	free(s->class);
	free(s);
}

void cpu_exec_free(struct nx_plugin_exec **pe)
{
	struct nx_plugin_exec *e = *pe;

	if (!e)
		return;
	if (e->lane)
		cpu_lane_leave(e->lane, e);
	for (size_t i = 0; i < e->n_steps; i++)
		step_free(e->step[i]);
	for (size_t i = 0; i < e->n_bufs; i++)
		nx_const_unref(&e->buf[i].constant);
	for (size_t i = 0; i < e->n_weights; i++)
		cpu_weights_unref(e->dev, e->weights[i]);
	if (e->stream)
		dnnl_stream_destroy(e->stream);
	free(e->buf);
	free(e->step);
	free(e->weights);
	free(e->binding);
	free(e);
	*pe = NULL;
}
