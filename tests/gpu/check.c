/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cuda plugin on a GPU: the graphs of its host tests, trained networks with stored outputs
 * ($NEXUS_TEST_DATA), our kernel for pictures, tuning, and a long run without growth.  tests/gpu/
 * check.sh runs it, with CK_FORK=no, since a GPU does not survive a fork.
 */
#include <stdbool.h>
#include <stddef.h>

struct nx_graph;
struct nx_tensor;
static void run_program(const char *what, const struct nx_graph *g, const struct nx_tensor *t,
	int type, double limit);

#define NX_RUN_PROGRAM
#define NX_LIMIT_FP32 1e-3 /* TF32 */
#include "../unit/cuda/test_lower.c"

#include "gpu.h"
#include "plugins/cuda/launch.h"

#include <cuda_runtime_api.h>

#define RUNS 1000 /* of the long run */

static const char *const precisions[] = {
	[CU_F32] = "fp32", [CU_F16] = "fp16", [CU_BF16] = "bf16"
};

static struct nx_plugin_device *device(void)
{
	static struct nx_plugin_device *dev;
	struct nx_device_info info;
	struct nx_err err = NX_ERR_INIT;

	if (!dev)
		ck_assert_msg(nx_plugin_entry()->open(gpu_host(), "", &dev, &info, &err) == 0, "%s",
			err.msg);
	return dev;
}

static struct nx_plugin_exec *compile(
	const char *what, const struct nx_graph *g, int type, const char *choices)
{
	const struct nx_compile_opts opts = {
		.size = sizeof opts, .precision = precisions[type], .tuning = choices
	};
	struct nx_plugin_exec *e = NULL;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_msg(nx_plugin_entry()->compile(device(), g, 1, &opts, &e, &err) == 0,
		"%s (%s): %s", what, precisions[type], err.msg);
	return e;
}

static void run_program(const char *what, const struct nx_graph *g, const struct nx_tensor *t,
	int type, double limit)
{
	struct nx_plugin_exec *e = compile(what, g, type, NULL);
	struct nx_tensor out[8];
	const void *ins[4];
	void *outs[8];
	struct nx_err err = NX_ERR_INIT;

	for (size_t i = 0; i < g->n_in; i++)
		ins[i] = t[g->in[i]].data;
	for (size_t i = 0; i < g->n_out; i++) {
		const struct nx_tensor *want = &t[g->out[i]];
		ck_assert_int_eq(nx_tensor_init(&out[i], want->dtype, &want->shape, &err), 0);
		outs[i] = out[i].data;
	}
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < g->n_out; i++)
			memset(out[i].data, 0xff, out[i].bytes);
		ck_assert_msg(
			nx_plugin_entry()->run(e, ins, outs, &err) == 0, "%s: %s", what, err.msg);
	}
	for (size_t i = 0; i < g->n_out; i++) {
		double d = distance(&out[i], &t[g->out[i]]);
		ck_assert_msg(d <= limit, "%s (%s): output %zu is off by %g", what,
			precisions[type], i, d);
		nx_tensor_release(&out[i]);
	}
	nx_plugin_entry()->exec_free(&e);
}

/* ---- trained networks ------------------------------------------------------------------------ */

static struct nx_buf read_file(const char *dir, const char *name, const char *file)
{
	struct nx_buf buf = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	char *path = nx_asprintf("%s/golden/%s/%s", dir, name, file);

	ck_assert_msg(nx_fs_read(path, (size_t)1 << 30, &buf, &err) == 0, "%s", err.msg);
	free(path);
	return buf;
}

static void check_golden(const char *dir, const char *name, int type, double limit)
{
	char *path = nx_asprintf("%s/models/%s.onnx", dir, name);
	struct nx_buf in = read_file(dir, name, "input_0.bin");
	struct nx_graph *open = NULL, *g = NULL;
	struct nx_err err = NX_ERR_INIT;
	struct nx_tensor got[8], want;
	void *outs[8];
	const void *ins[] = { in.data };

	ck_assert_msg(gpu_load(path, &open, &err) == 0, "%s", err.msg);
	ck_assert_msg(nx_graph_specialize(open, 1, &g, &err) == 0, "%s", err.msg);
	struct nx_plugin_exec *e = compile(name, g, type, NULL);
	for (size_t i = 0; i < g->n_out; i++) {
		const struct nx_value *v = &g->values[g->out[i]];
		ck_assert_int_eq(nx_tensor_init(&got[i], v->dtype, &v->shape, &err), 0);
		outs[i] = got[i].data;
	}
	ck_assert_msg(nx_plugin_entry()->run(e, ins, outs, &err) == 0, "%s: %s", name, err.msg);
	for (size_t i = 0; i < g->n_out; i++) {
		char file[32];
		snprintf(file, sizeof file, "output_%zu.bin", i);
		struct nx_buf stored = read_file(dir, name, file);
		want = got[i];
		want.data = stored.data;
		double d = distance(&got[i], &want);
		printf("# %s, %s, output %zu: %.2g of the largest\n", name, precisions[type], i, d);
		ck_assert_msg(d <= limit, "%s (%s): output %zu is off by %g", name,
			precisions[type], i, d);
		nx_buf_release(&stored);
		nx_tensor_release(&got[i]);
	}
	nx_plugin_entry()->exec_free(&e);
	nx_graph_free(&g);
	nx_graph_free(&open);
	nx_buf_release(&in);
	free(path);
}

START_TEST(trained_networks_agree)
{
	/* The detectors magnify roundings; see tests/unit/cuda/test_trained.c. */
	static const struct {
		const char *name;
		double fp32, fp16;
	} networks[] = {
		{ "mnist-cntk", 1e-3, 1e-2 },
		{ "cifar10-winml", 1e-3, 1e-2 },
		{ "face-rfb-320", 1e-3, 1e-2 },
		{ "face-rfb-320-simplified", 1e-3, 1e-2 },
		{ "conv-mobilenet-v1-0.25-224", 1e-3, 1e-2 },
		{ "conv-emotion-mini-xception", 1e-3, 1e-2 },
		{ "conv-squeezenet-fp32", 1e-3, 1e-2 },
		{ "superres-224", 1e-3, 1e-2 },
		{ "det-light-person", 1e-1, 1e-1 },
		{ "det-yolox-nano-416", 1e-1, 1e-1 },
	};
	const char *dir = getenv("NEXUS_TEST_DATA");

	for (size_t i = 0; dir && i < NX_ARRAY_LEN(networks); i++) {
		check_golden(dir, networks[i].name, CU_F32, networks[i].fp32);
		check_golden(dir, networks[i].name, CU_F16, networks[i].fp16);
	}
}
END_TEST

/* ---- the kernel for pictures ------------------------------------------------------------------ */

#define CUDA(call) ck_assert_int_eq((int)(call), (int)cudaSuccess)

static void check_pictures(int format, int type)
{
	enum { W = 37, H = 24, PITCH = 128, N = 2 };
	static uint8_t bytes[2 * PITCH * H];
	struct cu_preprocess a = { .n = N,
		.h = 19,
		.w = 23,
		.type = type,
		.padded = 4,
		.format = format,
		.swap = format == CU_BGR,
		.mean = { 100, 110, 120 },
		.scale = { 0.02f, 0.01f, 0.015f } };
	const size_t count = (size_t)(a.n * a.h * a.w * a.padded), size = cu_type_size(type);
	struct cu_picture p[N], on_device[N];
	uint8_t *picture;
	void *list, *target, *got = nx_alloc(count, size), *want = nx_alloc(count, size);

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)nx_rng_below(&rng, 256);
	CUDA(cudaMalloc((void **)&picture, sizeof bytes));
	CUDA(cudaMemcpy(picture, bytes, sizeof bytes, cudaMemcpyHostToDevice));
	for (int i = 0; i < N; i++) {
		p[i] = (struct cu_picture){ { bytes, bytes + PITCH * H }, { PITCH, PITCH }, W, H,
			{ (float)(3 * i), 1.5f, (float)(W - 5 * i), H - 2 } };
		on_device[i] = p[i];
		on_device[i].plane[0] = picture;
		on_device[i].plane[1] = picture + PITCH * H;
	}
	CUDA(cudaMalloc(&list, sizeof on_device));
	CUDA(cudaMemcpy(list, on_device, sizeof on_device, cudaMemcpyHostToDevice));
	CUDA(cudaMalloc(&target, count * size));
	a.p[0] = target;
	a.p[1] = list;
	CUDA(cu_launch(CU_STEP_PREPROCESS, &a, NULL));
	CUDA(cudaMemcpy(got, target, count * size, cudaMemcpyDeviceToHost));
	a.p[0] = want;
	a.p[1] = p;
	for (uint32_t i = 0; i < (uint32_t)(a.n * a.h * a.w); i++)
		cu_preprocess_at(&a, i);
	for (size_t i = 0; i < count; i++)
		ck_assert_float_eq_tol(cu_load(got, type, (int64_t)i),
			cu_load(want, type, (int64_t)i), type == CU_F32 ? 1e-4f : 2e-2f);
	CUDA(cudaFree(picture));
	CUDA(cudaFree(list));
	CUDA(cudaFree(target));
	free(got);
	free(want);
}

START_TEST(pictures_become_inputs)
{
	for (int format = CU_RGB; format <= CU_NV12; format++) {
		check_pictures(format, CU_F32);
		check_pictures(format, CU_F16);
	}
}
END_TEST

/* ---- tuning and time ------------------------------------------------------------------------- */

static struct nx_graph *small_network(int rows)
{
	struct nx_graph *g = graph(SHAPE(1, 3, 32, 32)), *closed = NULL;
	struct nx_err err = NX_ERR_INIT;
	int a = NODE(g, "Relu", conv(g, g->in[0], 32, 3, 3, true));
	int b = NODE(g, "Relu", NODE(g, "Add", conv(g, a, 32, 32, 3, true), a));
	int y = NODE(g, "Flatten", NODE(g, "GlobalAveragePool", b));

	y = NODE(g, "Gemm", y, weights(g, SHAPE(32, 10)), weights(g, SHAPE(10)));
	output(g, NODE(g, "Softmax", y));
	ck_assert_int_eq(nx_graph_specialize(g, rows, &closed, &err), 0);
	nx_graph_free(&g);
	return closed;
}

static void keep(void *arg, const char *text)
{
	*(char **)arg = nx_strdup(text);
}

START_TEST(a_tuned_network_says_the_same)
{
	struct nx_graph *g = small_network(4);
	const struct nx_graph *graphs[] = { g };
	const int64_t rows[] = { 4 };
	char *text = NULL;
	const struct nx_compile_opts opts = { .size = sizeof opts, .precision = "fp16" };
	const struct nx_tune_job job = { .size = sizeof job,
		.n = 1,
		.graph = graphs,
		.rows = rows,
		.time_cap_ms = 20000,
		.put = keep,
		.arg = &text };
	struct nx_err err = NX_ERR_INIT;
	float x[4 * 3 * 32 * 32], y[40], z[40];
	const void *ins[] = { x };
	void *first[] = { y }, *second[] = { z };

	for (size_t i = 0; i < NX_ARRAY_LEN(x); i++)
		x[i] = (float)nx_rng_uniform(&rng);
	ck_assert_msg(nx_plugin_entry()->tune(device(), &job, &opts, &err) == 0, "%s", err.msg);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "conv:fp16:"));
	ck_assert_ptr_nonnull(strstr(text, "gemm:fp16:"));
	struct nx_plugin_exec *e = compile("plain", g, CU_F16, NULL);
	struct nx_plugin_exec *f = compile("tuned", g, CU_F16, text);
	ck_assert_int_eq(nx_plugin_entry()->run(e, ins, first, &err), 0);
	ck_assert_int_eq(nx_plugin_entry()->run(f, ins, second, &err), 0);
	for (size_t i = 0; i < NX_ARRAY_LEN(y); i++)
		ck_assert_float_eq_tol(y[i], z[i], 1e-2f);
	nx_plugin_entry()->exec_free(&e);
	nx_plugin_entry()->exec_free(&f);
	nx_graph_free(&g);
	free(text);
}
END_TEST

START_TEST(a_long_run_does_not_grow)
{
	struct nx_graph *g = small_network(16);
	struct nx_plugin_exec *e = compile("long", g, CU_F16, NULL);
	float *x = nx_alloc(16 * 3 * 32 * 32, sizeof *x), y[160], first[160];
	const void *ins[] = { x };
	void *outs[] = { y };
	size_t before = 0, after = 0, total;
	struct nx_err err = NX_ERR_INIT;

	for (int i = 0; i < RUNS; i++) {
		ck_assert_msg(nx_plugin_entry()->run(e, ins, outs, &err) == 0, "%s", err.msg);
		if (i == 10) {
			CUDA(cudaMemGetInfo(&before, &total));
			memcpy(first, y, sizeof first);
		}
	}
	CUDA(cudaMemGetInfo(&after, &total));
	ck_assert_uint_eq(before, after);
	ck_assert_mem_eq(first, y, sizeof y);
	nx_plugin_entry()->exec_free(&e);
	nx_graph_free(&g);
	free(x);
}
END_TEST

UNIT_MAIN("cuda/gpu", convolutions, deconvolutions, activations_behind_convolutions, residual_sums,
	pools_and_norms, matrices, layouts, arithmetic_broadcasts, constants_are_told_apart,
	functions_of_elements, chains, rows_of_values, top_of_rows, moves, odd_concats, resizes,
	what_cannot_run_is_named, trained_networks_agree, pictures_become_inputs,
	a_tuned_network_says_the_same, a_long_run_does_not_grow)
