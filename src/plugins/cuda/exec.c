/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cuda/exec.h"

#include "core/alloc.h"
#include "plugins/cuda/choices.h"
#include "plugins/cuda/launch.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory ---------------------------------------------------------------------------------- */

static int make_ports(struct nx_plugin_exec *e, struct nx_err *err)
{
	struct cu_program *p = e->program;

	for (size_t i = 0; i < p->n_bufs; i++) {
		e->n_in += p->buf[i].kind == CU_BUF_INPUT;
		e->n_out += p->buf[i].kind == CU_BUF_OUTPUT;
	}
	e->in = nx_alloc(e->n_in + 1, sizeof *e->in);
	e->out = nx_alloc(e->n_out + 1, sizeof *e->out);
	for (size_t i = 0; i < p->n_bufs; i++) {
		const struct cu_buf *b = &p->buf[i];
		if (b->kind != CU_BUF_INPUT && b->kind != CU_BUF_OUTPUT)
			continue;
		struct cu_port *port = &(b->kind == CU_BUF_INPUT ? e->in : e->out)[b->index];
		port->bytes = b->bytes;
		if (cu_check(e->dev, cudaMalloc(&port->device, b->bytes + 16), "tensors", err) ||
			cu_check(e->dev,
				cudaHostAlloc(&port->pinned, b->bytes + 1, cudaHostAllocDefault),
				"pinned memory", err))
			return -err->code;
	}
	return 0;
}

/* Constants go to the device, and nothing of them is kept here. */
static int upload(struct nx_plugin_exec *e, struct nx_err *err)
{
	struct cu_program *p = e->program;

	e->weights = nx_alloc(p->n_bufs + 1, sizeof(struct cu_weights *));
	for (size_t i = 0; i < p->n_bufs; i++) {
		struct cu_buf *b = &p->buf[i];
		if (b->kind == CU_BUF_CONST && b->first <= b->last &&
			cu_weights_get(e->dev, b, &e->weights[i], err))
			return -err->code;
		free(b->data);
		b->data = NULL;
	}
	return 0;
}

static void *address_of(const struct nx_plugin_exec *e, int buf)
{
	const struct cu_buf *b = &e->program->buf[buf];

	switch (b->kind) {
	case CU_BUF_ARENA:
		return (char *)e->arena + b->offset;
	case CU_BUF_INPUT:
		return e->in[b->index].device;
	case CU_BUF_OUTPUT:
		return e->out[b->index].device;
	default:
		return e->weights[buf]->data;
	}
}

static int bind_step(struct nx_plugin_exec *e, size_t i, struct nx_err *err)
{
	struct cu_step *s = &e->program->step[i];
	struct cu_bound *b = &e->bound[i];

	for (int k = 0; k < CU_STEP_BUFS; k++) {
		if (s->buf[k] == CU_NO_BUF)
			continue;
		b->p[k] = address_of(e, s->buf[k]);
		if (cu_step_is_kernel(s))
			s->u.p[k] = b->p[k];
	}
	if (s->kind == CU_STEP_CONV)
		return cu_dnn_pack(&s->u.conv, b->p, e->dev->workspace, &b->pack, err);
	return s->kind == CU_STEP_GEMM ? cu_product_new(&s->u.gemm, &b->product, err) : 0;
}

int cu_exec_bind(struct nx_plugin_device *dev, struct cu_program *program,
	struct nx_plugin_exec **out, struct nx_err *err)
{
	struct nx_plugin_exec *e = nx_alloc(1, sizeof *e);

	e->dev = dev;
	e->program = program;
	e->bound = nx_alloc(program->n_steps + 1, sizeof *e->bound);
	int rc = make_ports(e, err);
	if (rc == 0)
		rc = upload(e, err);
	if (rc == 0)
		rc = cu_check(
			dev, cudaMalloc(&e->arena, program->arena_bytes + 16), "activations", err);
	for (size_t i = 0; i < program->n_steps && rc == 0; i++)
		rc = bind_step(e, i, err);
	if (rc)
		cu_exec_free(&e);
	*out = e;
	return rc;
}

/* ---- steps ----------------------------------------------------------------------------------- */

int cu_exec_choose(struct nx_plugin_exec *e, size_t i, size_t number, struct nx_err *err)
{
	const struct cu_step *s = &e->program->step[i];
	struct cu_bound *b = &e->bound[i];
	struct cu_plans plans = { 0 };

	if (s->kind == CU_STEP_GEMM) {
		int n = cu_product_algos(e->dev->lt, b->product, CU_WORKSPACE_BYTES, b->p[3], err);
		if (n <= 0)
			return n ? n
				 : nx_err_set(err, NX_EUNSUPP,
					   "cuBLASLt has no algorithm for node '%s'", s->node);
		b->algo = number < (size_t)n ? (int)number : 0;
		return 0;
	}
	if (cu_dnn_plans(e->dev->dnn, &s->u.conv, CU_WORKSPACE_BYTES, number, 1, &plans, err))
		return -err->code;
	if (plans.n == 0)
		return nx_err_set(err, NX_EUNSUPP, "cuDNN has no plan for node '%s'", s->node);
	cu_exec_take(e, i, &plans.plan[0]);
	cu_plans_release(&plans);
	return 0;
}

void cu_exec_take(struct nx_plugin_exec *e, size_t i, struct cu_plan *plan)
{
	cu_plan_free(&e->bound[i].plan);
	e->bound[i].plan = *plan;
	plan->descriptor = NULL;
}

/* What the text says, if it is still true; else the library's first. */
static int choose(struct nx_plugin_exec *e, size_t i, const char *tuning, struct nx_err *err)
{
	const struct cu_step *s = &e->program->step[i];
	char key[CU_KEY_SIZE];
	size_t number;
	int64_t engine;

	cu_choice_key(s, key);
	if (!*key)
		return 0;
	if (!cu_choice_find(tuning, key, &number, &engine))
		return cu_exec_choose(e, i, 0, err);
	if (cu_exec_choose(e, i, number, err))
		return cu_exec_choose(e, i, 0, err);
	const struct cu_plan *plan = &e->bound[i].plan;
	if (s->kind == CU_STEP_CONV && (plan->number != number || plan->engine != engine))
		return cu_exec_choose(e, i, 0, err);
	return 0;
}

int cu_exec_step(struct nx_plugin_exec *e, size_t i, struct nx_err *err)
{
	const struct cu_step *s = &e->program->step[i];
	struct nx_plugin_device *dev = e->dev;
	struct cu_bound *b = &e->bound[i];
	int rc;

	if (s->kind == CU_STEP_CONV)
		rc = cu_dnn_run(dev->dnn, &b->plan, b->pack, err);
	else if (s->kind == CU_STEP_GEMM)
		rc = cu_product_run(dev->lt, b->product, b->algo, b->p, dev->workspace,
			CU_WORKSPACE_BYTES, dev->stream, err);
	else
		rc = cu_check(dev, (cudaError_t)cu_launch(s->kind, &s->u, dev->stream),
			s->op ? s->op : "change of layout", err);
	return rc ? nx_err_wrap(err, "node '%s'", s->node ? s->node : "") : 0;
}

static int start_all(struct nx_plugin_exec *e, struct nx_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < e->program->n_steps && rc == 0; i++)
		rc = cu_exec_step(e, i, err);
	return rc;
}

/* Memory that the device reads by itself needs no copy of ours; an error means that it is not. */
static bool is_pinned(const void *p)
{
	struct cudaPointerAttributes a;

	if (cudaPointerGetAttributes(&a, p) == cudaSuccess)
		return a.type == cudaMemoryTypeHost;
	cudaGetLastError();
	return false;
}

static int copy_in(struct nx_plugin_exec *e, const void *const *in, struct nx_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < e->n_in && rc == 0; i++) {
		const struct cu_port *port = &e->in[i];
		const void *from = port->pinned;
		if (is_pinned(in[i]))
			from = in[i];
		else
			memcpy(port->pinned, in[i], port->bytes);
		rc = cu_check(e->dev,
			cudaMemcpyAsync(port->device, from, port->bytes, cudaMemcpyHostToDevice,
				e->dev->stream),
			"copying an input", err);
	}
	return rc;
}

/* Starts the copies to where the outputs are wanted, or to where they wait for copy_rest(). */
static int copy_out(struct nx_plugin_exec *e, void *const *out, struct nx_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < e->n_out && rc == 0; i++) {
		struct cu_port *port = &e->out[i];
		port->direct = is_pinned(out[i]);
		rc = cu_check(e->dev,
			cudaMemcpyAsync(port->direct ? out[i] : port->pinned, port->device,
				port->bytes, cudaMemcpyDeviceToHost, e->dev->stream),
			"copying an output", err);
	}
	return rc;
}

static void copy_rest(const struct nx_plugin_exec *e, void *const *out)
{
	for (size_t i = 0; i < e->n_out; i++)
		if (!e->out[i].direct)
			memcpy(out[i], e->out[i].pinned, e->out[i].bytes);
}

/* One run in the open loads every module; then the same is recorded. */
static int record(struct nx_plugin_exec *e, struct nx_err *err)
{
	struct nx_plugin_device *dev = e->dev;
	cudaGraph_t graph = NULL;

	for (size_t i = 0; i < e->n_in; i++)
		if (cu_check(dev, cudaMemsetAsync(e->in[i].device, 0, e->in[i].bytes, dev->stream),
			    "the first run", err))
			return -err->code;
	if (start_all(e, err) ||
		cu_check(dev, cudaStreamSynchronize(dev->stream), "the first run", err) ||
		cu_check(dev, cudaStreamBeginCapture(dev->stream, cudaStreamCaptureModeThreadLocal),
			"recording", err))
		return -err->code;
	int rc = start_all(e, err);
	cudaError_t end = cudaStreamEndCapture(dev->stream, &graph);
	if (rc == 0)
		rc = cu_check(dev, end, "recording", err);
	if (rc == 0)
		rc = cu_check(
			dev, cudaGraphInstantiate(&e->graph, graph, 0), "making the graph", err);
	if (rc == 0)
		rc = cu_check(
			dev, cudaGraphUpload(e->graph, dev->stream), "uploading the graph", err);
	if (graph)
		cudaGraphDestroy(graph);
	return rc;
}

int cu_exec_new(struct nx_plugin_device *dev, struct cu_program *program, const char *tuning,
	struct nx_plugin_exec **out, struct nx_err *err)
{
	if (cu_exec_bind(dev, program, out, err))
		return -err->code;
	int rc = 0;
	for (size_t i = 0; i < program->n_steps && rc == 0; i++)
		rc = choose(*out, i, tuning, err);
	if (rc == 0)
		rc = record(*out, err);
	if (rc)
		cu_exec_free(out);
	return rc;
}

int cu_exec_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err)
{
	struct nx_plugin_device *dev = e->dev;

	if (dev->lost)
		return nx_err_set(err, NX_EUNAVAIL, "the GPU is lost to this process");
	if (cu_check(dev, cudaSetDevice(dev->ordinal), "running", err) || copy_in(e, in, err) ||
		cu_check(dev, cudaGraphLaunch(e->graph, dev->stream), "running", err) ||
		copy_out(e, out, err) ||
		cu_check(dev, cudaStreamSynchronize(dev->stream), "running", err))
		return -err->code;
	copy_rest(e, out);
	return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void free_ports(struct cu_port *port, size_t n)
{
	for (size_t i = 0; i < n && port; i++) {
		cudaFree(port[i].device);
		cudaFreeHost(port[i].pinned);
	}
	free(port);
}

static void free_bound(struct cu_bound *b)
{
	cu_dnn_pack_free(&b->pack);
	cu_product_free(&b->product);
	cu_plan_free(&b->plan);
}

void cu_exec_free(struct nx_plugin_exec **pe)
{
	struct nx_plugin_exec *e = *pe;

	if (!e)
		return;
	cudaSetDevice(e->dev->ordinal);
	if (e->graph)
		cudaGraphExecDestroy(e->graph);
	for (size_t i = 0; i < e->program->n_steps; i++)
		free_bound(&e->bound[i]);
	for (size_t i = 0; i < e->program->n_bufs && e->weights; i++)
		if (e->weights[i])
			cu_weights_put(e->dev, e->weights[i]);
	free_ports(e->in, e->n_in);
	free_ports(e->out, e->n_out);
	cudaFree(e->arena);
	cu_program_free(&e->program);
	free(e->bound);
	free(e->weights);
	free(e);
	*pe = NULL;
}

/* Whether one of the executables before the i-th holds the same constant. */
static bool held_before(
	const struct nx_plugin_exec *const *exec, size_t i, size_t buf, const struct cu_weights *w)
{
	for (size_t k = 0; k <= i; k++)
		for (size_t b = 0; b < (k < i ? exec[k]->program->n_bufs : buf); b++)
			if (exec[k]->weights[b] == w)
				return true;
	return false;
}

void cu_exec_memory(
	const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem)
{
	memset(mem, 0, sizeof *mem);
	for (size_t i = 0; i < n; i++) {
		const struct nx_plugin_exec *e = exec[i];
		mem->activations_bytes += e->program->arena_bytes;
		for (size_t k = 0; k < e->n_in; k++)
			mem->activations_bytes += e->in[k].bytes;
		for (size_t k = 0; k < e->n_out; k++)
			mem->activations_bytes += e->out[k].bytes;
		for (size_t b = 0; b < e->program->n_bufs; b++)
			if (e->weights[b] && !held_before(exec, i, b, e->weights[b]))
				mem->weights_bytes += e->weights[b]->bytes;
	}
	mem->activations_bytes += n ? CU_WORKSPACE_BYTES : 0;
}
