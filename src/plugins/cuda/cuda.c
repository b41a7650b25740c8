/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA GPUs through cuDNN, cuBLASLt and kernels of our own.  A graph is lowered to a program
 * (lower.h), the program bound to the device and recorded as one CUDA graph (exec.h).  The driver
 * is never linked: without one the plugin loads, and says that no GPU is there.
 */
#include "core/log.h"
#include "plugins/cuda/exec.h"
#include "plugins/cuda/lower.h"
#include "plugins/cuda/tune.h"

#include <stdio.h>
#include <string.h>

static bool fuses(void *arg, const struct cu_conv *conv)
{
	const struct nx_plugin_device *dev = arg;

	return !dev->precompiled_only && cu_dnn_count(dev->dnn, conv) > 0;
}

int cu_lower_for(struct nx_plugin_device *dev, const struct nx_graph *graph,
	const struct nx_compile_opts *opts, struct cu_program **out, struct nx_err *err)
{
	struct cu_lower_opts lower = {
		.type = CU_F16, .off = dev->off, .fuses = fuses, .arg = dev
	};

	if (opts->precision)
		lower.type = cu_type_of_precision(opts->precision);
	if (!lower.type)
		return nx_err_set(err, NX_EUSAGE,
			"the cuda device computes in fp32, fp16 or bf16, not '%s'",
			opts->precision);
	return cu_lower(graph, &lower, out, err);
}

static int cuda_compile(struct nx_plugin_device *dev, const struct nx_graph *graph, int64_t batch,
	const struct nx_compile_opts *opts, struct nx_plugin_exec **out, struct nx_err *err)
{
	struct cu_program *program;
	int rc;

	(void)batch;
	if (dev->lost)
		return nx_err_set(err, NX_EUNAVAIL, "the GPU is lost to this process");
	if (cu_check(dev, cudaSetDevice(dev->ordinal), "compiling", err) ||
		cu_lower_for(dev, graph, opts, &program, err))
		return -err->code;
	rc = cu_exec_new(dev, program, opts->tuning, out, err);
	if (rc != -NX_EUNSUPP || dev->precompiled_only)
		return rc;
	/* Kernels that are compiled here need NVRTC, which may not be there. */
	dev->host->log(NX_LOG_WARN, err->msg);
	dev->precompiled_only = true;
	rc = cu_lower_for(dev, graph, opts, &program, err);
	return rc ? rc : cu_exec_new(dev, program, opts->tuning, out, err);
}

static const char *cuda_precision(const struct nx_plugin_exec *e)
{
	int type = e->program->type;

	return type == CU_F16 ? "fp16" : type == CU_BF16 ? "bf16" : "fp32";
}

static const char *const kernels[] = {
	[CU_STEP_CONV] = "cudnn",
	[CU_STEP_GEMM] = "cublaslt",
	[CU_STEP_COPY] = "own:copy",
	[CU_STEP_MAP] = "own:chain",
	[CU_STEP_POOL] = "own:pool",
	[CU_STEP_DEPTHWISE] = "own:depthwise",
	[CU_STEP_DIRECT] = "own:direct",
	[CU_STEP_GLOBAL] = "own:global",
	[CU_STEP_ROWS] = "own:rows",
	[CU_STEP_LRN] = "own:lrn",
	[CU_STEP_RESIZE] = "own:resize",
	[CU_STEP_GATHER] = "own:gather",
};

static void cuda_steps(const struct nx_plugin_exec *e, nx_plugin_step_fn *fn, void *arg)
{
	char text[64];

	for (size_t i = 0; i < e->program->n_steps; i++) {
		const struct cu_step *s = &e->program->step[i];
		const struct nx_plugin_step step = { s->node ? s->node : "", s->op ? s->op : "",
			text };
		if (s->kind == CU_STEP_CONV)
			snprintf(text, sizeof text, "cudnn:%lld:%zu",
				(long long)e->bound[i].plan.engine, e->bound[i].plan.number);
		else
			snprintf(text, sizeof text, "%s", kernels[s->kind]);
		fn(arg, &step);
	}
}

/* Choices are places in the library's lists. */
static const char *cuda_version(void)
{
	static char text[48];

	snprintf(text, sizeof text, "1 cudnn %zu", cu_dnn_version());
	return text;
}

static const struct nx_plugin plugin = {
	.abi = NX_PLUGIN_ABI,
	.size = sizeof(struct nx_plugin),
	.name = "cuda",
	.options_help = "N, which GPU (default 0), and off=PASS+…, fusions left out",
	.list = cu_device_list,
	.open = cu_device_open,
	.close = cu_device_close,
	.compile = cuda_compile,
	.exec_free = cu_exec_free,
	.run = cu_exec_run,
	.memory = cu_exec_memory,
	.precision = cuda_precision,
	.steps = cuda_steps,
	.tune = cu_tune,
	.version = cuda_version,
};

NX_PLUGIN_EXPORT const struct nx_plugin *nx_plugin_entry(void);
const struct nx_plugin *nx_plugin_entry(void)
{
	return &plugin;
}
