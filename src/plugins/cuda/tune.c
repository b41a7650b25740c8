/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing kernels by measuring: every plan cuDNN names for every shape of convolution, and every
 * algorithm cuBLASLt names for every product, on the data the network itself has made up to that
 * step (zeros would be faster than life).
 */
#include "plugins/cuda/tune.h"

#include "core/alloc.h"
#include "core/rng.h"
#include "plugins/cuda/choices.h"
#include "plugins/cuda/exec.h"

#include <float.h>
#include <stdint.h>

#define ROUNDS 5

struct tuning {
	struct nx_plugin_device *dev;
	struct nx_buf text;
	cudaEvent_t begin, end;
	uint64_t until_ns;
};

static bool over(const struct tuning *t)
{
	return t->dev->host->now_ns() >= t->until_ns;
}

/* Milliseconds a run of step i takes, after one that loads it; the best of some. */
static int measure(
	struct tuning *t, struct nx_plugin_exec *e, size_t i, float *ms, struct nx_err *err)
{
	*ms = FLT_MAX;
	for (int round = 0; round <= ROUNDS; round++) {
		float took = 0;
		if (cu_check(t->dev, cudaEventRecord(t->begin, t->dev->stream), "timing", err) ||
			cu_exec_step(e, i, err) ||
			cu_check(t->dev, cudaEventRecord(t->end, t->dev->stream), "timing", err) ||
			cu_check(t->dev, cudaEventSynchronize(t->end), "timing", err) ||
			cu_check(t->dev, cudaEventElapsedTime(&took, t->begin, t->end), "timing",
				err))
			return -err->code;
		if (round && took < *ms)
			*ms = took;
	}
	return 0;
}

/* The fastest so far of one step. */
struct best {
	float ms;
	size_t number;
	int64_t engine;
};

/* Measures the kernel in place; errors of a kernel that cannot run are no errors of the step. */
static int try_kernel(struct tuning *t, struct nx_plugin_exec *e, size_t i, size_t number,
	int64_t engine, struct best *best, struct nx_err *err)
{
	struct nx_err failed = NX_ERR_INIT;
	float ms;

	if (measure(t, e, i, &ms, &failed)) {
		if (t->dev->lost)
			*err = failed;
		return t->dev->lost ? -err->code : 0;
	}
	if (ms < best->ms)
		*best = (struct best){ ms, number, engine };
	return 0;
}

static int try_plans(
	struct tuning *t, struct nx_plugin_exec *e, size_t i, struct best *best, struct nx_err *err)
{
	struct cu_plans plans;
	int rc = 0;

	if (cu_dnn_plans(t->dev->dnn, &e->program->step[i].u.conv, CU_WORKSPACE_BYTES, 0, SIZE_MAX,
		    &plans, err))
		return -err->code;
	for (size_t k = 0; k < plans.n && rc == 0 && !over(t); k++) {
		size_t number = plans.plan[k].number;
		int64_t engine = plans.plan[k].engine;
		cu_exec_take(e, i, &plans.plan[k]);
		rc = try_kernel(t, e, i, number, engine, best, err);
	}
	cu_plans_release(&plans);
	return rc;
}

static int try_algos(
	struct tuning *t, struct nx_plugin_exec *e, size_t i, struct best *best, struct nx_err *err)
{
	int n = cu_product_algos(
		    t->dev->lt, e->bound[i].product, CU_WORKSPACE_BYTES, e->bound[i].p[3], err),
	    rc = 0;

	for (int k = 0; k < n && rc == 0 && !over(t); k++) {
		e->bound[i].algo = k;
		rc = try_kernel(t, e, i, (size_t)k, 0, best, err);
	}
	return n < 0 ? n : rc;
}

/* Measures the kernels of one step and leaves the best in place. */
static int tune_step(struct tuning *t, struct nx_plugin_exec *e, size_t i, struct nx_err *err)
{
	struct best best = { FLT_MAX, 0, 0 };
	char key[CU_KEY_SIZE];

	cu_choice_key(&e->program->step[i], key);
	if (!*key)
		return 0;
	if (cu_choice_find(t->text.data, key, &best.number, &best.engine))
		return cu_exec_choose(e, i, best.number, err);
	int rc = e->program->step[i].kind == CU_STEP_CONV ? try_plans(t, e, i, &best, err)
							  : try_algos(t, e, i, &best, err);
	if (rc)
		return rc;
	if (best.ms < FLT_MAX)
		cu_choice_add(&t->text, key, best.number, best.engine);
	return cu_exec_choose(e, i, best.number, err);
}

/* Random numbers in the inputs: values from -1 to 1, where they are floats. */
static int fill_inputs(struct nx_plugin_exec *e, struct nx_err *err)
{
	struct nx_rng rng;

	nx_rng_init(&rng, 1);
	for (size_t k = 0; k < e->program->n_bufs; k++) {
		const struct cu_buf *b = &e->program->buf[k];
		if (b->kind != CU_BUF_INPUT)
			continue;
		float *x = e->in[b->index].pinned;
		for (size_t i = 0; i < b->bytes / sizeof *x; i++)
			x[i] = (float)(2 * nx_rng_uniform(&rng) - 1);
		if (cu_check(e->dev,
			    cudaMemcpy(e->in[b->index].device, x, b->bytes, cudaMemcpyHostToDevice),
			    "tuning", err))
			return -err->code;
	}
	return 0;
}

static int tune_program(struct tuning *t, struct cu_program *program, struct nx_err *err)
{
	struct nx_plugin_exec *e;

	if (cu_exec_bind(t->dev, program, &e, err))
		return -err->code;
	int rc = fill_inputs(e, err);
	for (size_t i = 0; i < program->n_steps && rc == 0; i++) {
		rc = tune_step(t, e, i, err);
		if (rc == 0)
			rc = cu_exec_step(e, i, err);
	}
	if (rc == 0)
		rc = cu_check(t->dev, cudaStreamSynchronize(t->dev->stream), "tuning", err);
	cu_exec_free(&e);
	return rc;
}

int cu_tune(struct nx_plugin_device *dev, const struct nx_tune_job *job,
	const struct nx_compile_opts *opts, struct nx_err *err)
{
	struct tuning t = { .dev = dev, .text = NX_BUF_INIT };
	int rc;

	t.until_ns = dev->host->now_ns() + (uint64_t)(job->time_cap_ms * 1e6);
	rc = cu_check(dev, cudaSetDevice(dev->ordinal), "tuning", err);
	if (rc == 0)
		rc = cu_check(dev, cudaEventCreate(&t.begin), "tuning", err);
	if (rc == 0)
		rc = cu_check(dev, cudaEventCreate(&t.end), "tuning", err);
	/* The largest batch first: it has most to gain. */
	for (size_t i = job->n; i-- > 0 && rc == 0 && !over(&t);) {
		struct cu_program *program;
		rc = cu_lower_for(dev, job->graph[i], opts, &program, err);
		if (rc == 0)
			rc = tune_program(&t, program, err);
	}
	if (rc == 0)
		job->put(job->arg, t.text.data ? t.text.data : "");
	if (t.begin)
		cudaEventDestroy(t.begin);
	if (t.end)
		cudaEventDestroy(t.end);
	nx_buf_release(&t.text);
	return rc;
}
