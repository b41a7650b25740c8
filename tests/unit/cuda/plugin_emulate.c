/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device plugin for tests alone: the programs of the cuda plugin, run on the host thread by
 * thread.  So the tools themselves say which operators the GPU computes, and whether rightly.
 */
#include "core/alloc.h"
#include "core/units.h"
#include "emulate.h"
#include "plugins/args.h"
#include "plugins/cuda/lower.h"
#include "plugins/plugin.h"

struct nx_plugin_device {
	int unused;
};

struct nx_plugin_exec {
	struct cu_program *program;
	struct emulator emulator;
};

static int emu_list(
	const struct nx_host *host, struct nx_device_info *infos, int max, struct nx_err *err)
{
	(void)host;
	(void)err;
	if (max > 0)
		infos[0] = (struct nx_device_info){ .name = "emulated GPU",
			.spec = "emulate",
			.precision = "fp32",
			.threads_max = 1,
			.threads = 1 };
	return 1;
}

static int emu_open(const struct nx_host *host, const char *args, struct nx_plugin_device **out,
	struct nx_device_info *info, struct nx_err *err)
{
	(void)args;
	emu_list(host, info, 1, err);
	*out = nx_alloc(1, sizeof **out);
	return 0;
}

static void emu_close(struct nx_plugin_device **dev)
{
	free(*dev);
	*dev = NULL;
}

static int emu_compile(struct nx_plugin_device *dev, const struct nx_graph *graph, int64_t batch,
	const struct nx_compile_opts *opts, struct nx_plugin_exec **out, struct nx_err *err)
{
	struct cu_lower_opts lower = { .type = CU_F32 };
	struct cu_program *program = NULL;

	(void)dev;
	(void)batch;
	if (opts->precision)
		lower.type = cu_type_of_precision(opts->precision);
	if (!lower.type)
		return nx_err_set(err, NX_EUSAGE, "no precision '%s'", opts->precision);
	if (cu_lower(graph, &lower, &program, err))
		return -err->code;
	*out = nx_alloc(1, sizeof **out);
	(*out)->program = program;
	emulator_init(&(*out)->emulator, program);
	return 0;
}

static void emu_free(struct nx_plugin_exec **exec)
{
	if (!*exec)
		return;
	emulator_release(&(*exec)->emulator);
	cu_program_free(&(*exec)->program);
	free(*exec);
	*exec = NULL;
}

static int emu_run(
	struct nx_plugin_exec *e, const void *const *in, void *const *out, struct nx_err *err)
{
	(void)err;
	emulator_run(&e->emulator, in, out);
	return 0;
}

static void emu_memory(
	const struct nx_plugin_exec *const *exec, size_t n, struct nx_plugin_memory *mem)
{
	memset(mem, 0, sizeof *mem);
	for (size_t i = 0; i < n; i++)
		mem->activations_bytes += exec[i]->program->arena_bytes;
}

static const char *emu_precision(const struct nx_plugin_exec *e)
{
	int type = e->program->type;

	return type == CU_F16 ? "fp16" : type == CU_BF16 ? "bf16" : "fp32";
}

static const struct nx_plugin plugin = {
	.abi = NX_PLUGIN_ABI,
	.size = sizeof(struct nx_plugin),
	.name = "emulate",
	.list = emu_list,
	.open = emu_open,
	.close = emu_close,
	.compile = emu_compile,
	.exec_free = emu_free,
	.run = emu_run,
	.memory = emu_memory,
	.precision = emu_precision,
};

NX_PLUGIN_EXPORT const struct nx_plugin *nx_plugin_entry(void);
const struct nx_plugin *nx_plugin_entry(void)
{
	return &plugin;
}
