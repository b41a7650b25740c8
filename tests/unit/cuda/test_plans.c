/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cuDNN would run on an H200, asked without one: every convolution of the networks in
 * question has a plan on tensor cores within the workspace, and the fused pattern is matched by
 * kernels that need no run-time compiler.  Shapes of ResNet-50, VGG-19 and MobileNet are written
 * down here; trained files are taken from $NEXUS_TEST_DATA where that is set.
 */
#include "core/alloc.h"
#include "core/buf.h"
#include "core/fs.h"
#include "model/model.h"
#include "plugins/cuda/choices.h"
#include "plugins/cuda/device.h"
#include "plugins/cuda/dnn.h"
#include "plugins/cuda/lower.h"
#include "plugins/cuda/lt.h"
#include "plugins/cuda/tune.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define WORKSPACE CU_WORKSPACE_BYTES

static struct cu_dnn *open_h200(void)
{
	const char *src = getenv("NX_SRC");
	char *path = nx_asprintf("%s/tests/data/cuda/h200.json", src ? src : ".");
	struct nx_buf json = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	struct cu_dnn *dnn = NULL;

	ck_assert_msg(nx_fs_read(path, 65536, &json, &err) == 0, "%s", err.msg);
	ck_assert_msg(cu_dnn_open_described(json.data, &dnn, &err) == 0, "%s", err.msg);
	nx_buf_release(&json);
	free(path);
	return dnn;
}

/* With a driver, or a stub of one, cuDNN compiles kernels too, which takes minutes for all. */
static bool is_stub(void)
{
	return getenv("NX_CUDA_STUB") != NULL;
}

/* Asserts that a convolution is fast: returns how many precompiled plans there are. */
static size_t check_conv(struct cu_dnn *dnn, const char *what, const struct cu_conv *c)
{
	struct nx_err err = NX_ERR_INIT;
	struct cu_plans plans;
	size_t tensor = 0, ready = 0;

	ck_assert_msg(cu_dnn_plans(dnn, c, WORKSPACE, 0, SIZE_MAX, &plans, &err) == 0, "%s: %s",
		what, err.msg);
	for (size_t i = 0; i < plans.n; i++) {
		const struct cu_plan *p = &plans.plan[i];
		ck_assert_uint_le(p->workspace, WORKSPACE);
		ck_assert(i == 0 || p->number > plans.plan[i - 1].number);
		tensor += (p->notes & CU_PLAN_TENSOR_CORES) != 0;
		ready += !(p->notes & CU_PLAN_COMPILED_HERE);
	}
	size_t n = plans.n;
	cu_plans_release(&plans);
	ck_assert_msg(tensor >= 1, "%s: no plan on tensor cores among %zu", what, n);
	ck_assert_msg(ready >= 1, "%s: none of %zu plans is precompiled", what, n);
	return ready;
}

static struct cu_conv conv_of(int n, int size, int c, int k, int r, int stride, int type)
{
	int out = (size + stride - 1) / stride;
	struct cu_conv conv = { .win = { .n = n,
					.h = size,
					.w = size,
					.p = out,
					.q = out,
					.r = r,
					.s = r,
					.stride = { stride, stride },
					.dilation = { 1, 1 },
					.pad = { r / 2, r / 2 },
					.pad_end = { r / 2, r / 2 } },
		.type = type,
		.c = c,
		.k = k,
		.groups = 1,
		.act = { CU_OP_LEAKY, 0, 0 } };

	if (r == 7 || (r > 1 && stride == 2))
		conv.win.pad_end[0] = conv.win.pad_end[1] = r / 2 - (size % 2 == 0);
	return conv;
}

static const struct {
	const char *what;
	int size, c, k, r, stride;
	bool residual;
} shapes[] = {
	{ "ResNet-50, stem", 224, 4, 64, 7, 2, false },
	{ "ResNet-50, stage 1", 56, 64, 64, 1, 1, false },
	{ "ResNet-50, stage 1", 56, 64, 64, 3, 1, false },
	{ "ResNet-50, stage 1", 56, 64, 256, 1, 1, true },
	{ "ResNet-50, stage 1", 56, 256, 64, 1, 1, false },
	{ "ResNet-50, stage 2", 56, 256, 128, 1, 1, false },
	{ "ResNet-50, stage 2", 56, 128, 128, 3, 2, false },
	{ "ResNet-50, stage 2", 28, 128, 512, 1, 1, true },
	{ "ResNet-50, stage 2", 56, 256, 512, 1, 2, false },
	{ "ResNet-50, stage 2", 28, 128, 128, 3, 1, false },
	{ "ResNet-50, stage 3", 28, 512, 256, 1, 1, false },
	{ "ResNet-50, stage 3", 28, 256, 256, 3, 2, false },
	{ "ResNet-50, stage 3", 14, 256, 1024, 1, 1, true },
	{ "ResNet-50, stage 3", 14, 256, 256, 3, 1, false },
	{ "ResNet-50, stage 4", 14, 512, 512, 3, 2, false },
	{ "ResNet-50, stage 4", 7, 512, 2048, 1, 1, true },
	{ "ResNet-50, stage 4", 7, 512, 512, 3, 1, false },
	{ "VGG-19", 224, 64, 64, 3, 1, false },
	{ "VGG-19", 112, 64, 128, 3, 1, false },
	{ "VGG-19", 56, 256, 256, 3, 1, false },
	{ "VGG-19", 28, 512, 512, 3, 1, false },
	{ "VGG-19", 14, 512, 512, 3, 1, false },
	{ "MobileNet, pointwise", 112, 32, 64, 1, 1, false },
	{ "MobileNet, pointwise", 56, 64, 128, 1, 1, false },
	{ "MobileNet, pointwise", 14, 512, 512, 1, 1, false },
	{ "MobileNet, pointwise", 7, 1024, 1024, 1, 1, false },
};

START_TEST(known_shapes_run_on_tensor_cores)
{
	static const int types[] = { CU_F16, CU_BF16, CU_F32 }, batches[] = { 1, 64 };
	struct cu_dnn *dnn = open_h200();

	for (size_t i = 0; i < NX_ARRAY_LEN(shapes) && !is_stub(); i++)
		for (size_t t = 0; t < NX_ARRAY_LEN(types); t++)
			for (size_t b = 0; b < NX_ARRAY_LEN(batches); b++) {
				struct cu_conv c = conv_of(batches[b], shapes[i].size, shapes[i].c,
					shapes[i].k, shapes[i].r, shapes[i].stride, types[t]);
				c.residual = shapes[i].residual;
				size_t n = check_conv(dnn, shapes[i].what, &c);
				/* The pattern as a whole; a few generic kernels would be less. */
				if (types[t] == CU_F16)
					ck_assert_msg(
						n >= 10, "%s: %zu plans only", shapes[i].what, n);
			}
	cu_dnn_close(&dnn);
}
END_TEST

/* Every convolution of a model that goes to cuDNN, and what does not. */
static void check_model(struct cu_dnn *dnn, const char *dir, const char *file, int batch)
{
	char *path = nx_asprintf("%s/%s", dir, file);
	const struct cu_lower_opts opts = { .type = CU_F16 };
	struct nx_model *model = NULL;
	struct nx_graph *closed = NULL;
	struct cu_program *p = NULL;
	struct nx_err err = NX_ERR_INIT;
	size_t convs = 0, channels = 0;

	ck_assert_msg(nx_model_load(path, &model, &err) == 0, "%s", err.msg);
	ck_assert_msg(nx_graph_specialize(model->graph, batch, &closed, &err) == 0, "%s", err.msg);
	ck_assert_msg(cu_lower(closed, &opts, &p, &err) == 0, "%s: %s", file, err.msg);
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct cu_step *s = &p->step[i];
		channels += s->kind == CU_STEP_DEPTHWISE;
		ck_assert_msg(
			s->kind != CU_STEP_DIRECT, "%s: node '%s' runs directly", file, s->node);
		if (s->kind != CU_STEP_CONV)
			continue;
		convs++;
		check_conv(dnn, s->node, &s->u.conv);
	}
	printf("# %s, batch %d: %zu convolutions by cuDNN, %zu by channel, %zu steps, %zu MB\n",
		file, batch, convs, channels, p->n_steps, p->arena_bytes >> 20);
	ck_assert_uint_gt(convs, 0);
	cu_program_free(&p);
	nx_graph_free(&closed);
	nx_model_free(&model);
	free(path);
}

START_TEST(trained_networks_run_on_tensor_cores)
{
	static const char *const files[] = { "models-light/light_resnet50.onnx",
		"models-light/light_vgg19.onnx", "models/det-yolox-nano-416.onnx",
		"models/conv-mobilenet-v1-0.25-224.onnx", "models/face-rfb-320.onnx" };
	const char *dir = getenv("NEXUS_TEST_DATA");

	if (!dir || is_stub())
		return;
	struct cu_dnn *dnn = open_h200();
	for (size_t i = 0; i < NX_ARRAY_LEN(files); i++) {
		check_model(dnn, dir, files[i], 1);
		check_model(dnn, dir, files[i], 32);
	}
	cu_dnn_close(&dnn);
}
END_TEST

/* What a choice stands for is found again. */
START_TEST(choices_are_found_again)
{
	struct cu_dnn *dnn;
	struct cu_step s = { .kind = CU_STEP_CONV,
		.u.conv = conv_of(8, 14, 256, 256, 3, 1, CU_F16) };
	struct cu_plans all, one;
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf text = NX_BUF_INIT;
	char key[CU_KEY_SIZE];
	size_t number;
	int64_t engine;

	if (is_stub())
		return;
	dnn = open_h200();
	ck_assert_int_eq(cu_dnn_plans(dnn, &s.u.conv, WORKSPACE, 0, SIZE_MAX, &all, &err), 0);
	ck_assert_uint_gt(all.n, 3);
	ck_assert_uint_ge(all.listed, all.n);
	cu_choice_key(&s, key);
	cu_choice_add(&text, key, all.plan[3].number, all.plan[3].engine);
	ck_assert(cu_choice_find(text.data, key, &number, &engine));
	ck_assert_int_eq(cu_dnn_plans(dnn, &s.u.conv, WORKSPACE, number, 1, &one, &err), 0);
	ck_assert_uint_eq(one.n, 1);
	ck_assert_uint_eq(one.plan[0].number, all.plan[3].number);
	ck_assert_int_eq(one.plan[0].engine, engine);
	ck_assert_uint_eq(one.plan[0].workspace, all.plan[3].workspace);
	cu_plans_release(&one);
	cu_plans_release(&all);
	nx_buf_release(&text);
	cu_dnn_close(&dnn);
}
END_TEST

START_TEST(a_small_workspace_leaves_plans_out)
{
	struct cu_dnn *dnn;
	struct cu_conv c = conv_of(64, 14, 256, 256, 3, 1, CU_F16);
	struct cu_plans all, few;
	struct nx_err err = NX_ERR_INIT;

	if (is_stub())
		return;
	dnn = open_h200();
	ck_assert_int_eq(cu_dnn_plans(dnn, &c, WORKSPACE, 0, SIZE_MAX, &all, &err), 0);
	ck_assert_int_eq(cu_dnn_plans(dnn, &c, 4096, 0, SIZE_MAX, &few, &err), 0);
	for (size_t i = 0; i < few.n; i++)
		ck_assert_uint_le(few.plan[i].workspace, 4096);
	ck_assert_uint_lt(few.n, all.n);
	cu_plans_release(&few);
	cu_plans_release(&all);
	cu_dnn_close(&dnn);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct cu_dnn *dnn = NULL;
	struct cu_plans plans;
	struct nx_err err = NX_ERR_INIT;
	struct cu_conv c = conv_of(1, 14, 256, 256, 3, 1, CU_F16);

	ck_assert_int_eq(cu_dnn_open_described("{\"deviceVer\":900}", &dnn, &err), -NX_EUNAVAIL);
	ck_assert_ptr_null(dnn);
	ck_assert_ptr_nonnull(strstr(err.msg, "cuDNN"));
	dnn = open_h200();
	c.win.q = 15;
	ck_assert_int_lt(cu_dnn_plans(dnn, &c, WORKSPACE, 0, SIZE_MAX, &plans, &err), 0);
	ck_assert_uint_eq(plans.n, 0);
	c.win.q = 14;
	c.act.op = CU_OP_ERF;
	ck_assert_uint_eq(cu_dnn_count(dnn, &c), 0);
	cu_dnn_close(&dnn);
}
END_TEST

/* Other activations than ReLU are fused by kernels that cuDNN compiles, for which it wants a driver,
 * if only a stub ($NX_CUDA_STUB says that one is there); else they are steps of their own. */
START_TEST(activations_are_fused_where_a_driver_is)
{
	static const struct cu_act acts[] = { { CU_OP_LEAKY, 0.1f, 0 }, { CU_OP_CLIP, 0, 6 },
		{ CU_OP_ELU, 1, 0 }, { CU_OP_SIGMOID, 0, 0 }, { CU_OP_TANH, 0, 0 },
		{ CU_OP_SWISH, 0, 0 }, { CU_OP_SOFTPLUS, 0, 0 } };
	struct cu_dnn *dnn = open_h200();

	for (size_t i = 0; is_stub() && i < 2 * NX_ARRAY_LEN(acts); i++) {
		struct cu_conv c = conv_of(8, 14, 256, 256, 3, 1, CU_F16);
		c.act = acts[i / 2];
		c.residual = i % 2;
		ck_assert_msg(cu_dnn_count(dnn, &c) > 0, "activation %d", c.act.op);
	}
	cu_dnn_close(&dnn);
}
END_TEST

START_TEST(products_are_described)
{
	struct cu_product *p = NULL;
	struct nx_err err = NX_ERR_INIT;

	for (int bits = 0; bits < 8; bits++) {
		struct cu_gemm g = { .batch = bits & 4 ? 3 : 1,
			.m = 5,
			.n = 7,
			.k = 9,
			.stride_b = bits & 4 ? 63 : 0,
			.type = bits & 1 ? CU_F16 : CU_F32,
			.trans_b = bits & 2,
			.bias = bits & 1,
			.relu = bits & 2 };
		ck_assert_msg(cu_product_new(&g, &p, &err) == 0, "%s", err.msg);
		cu_product_free(&p);
	}
}
END_TEST

static void quiet(int level, const char *text)
{
	(void)level;
	(void)text;
}

/* On a machine with a GPU this says nothing: the tests for that are others. */
START_TEST(without_a_gpu_there_is_one_line)
{
	const struct nx_host host = { .size = sizeof host, .log = quiet };
	struct nx_device_info infos[4];
	struct nx_plugin_device *dev = NULL;
	struct nx_err err = NX_ERR_INIT;

	if (cu_device_list(&host, infos, 4, &err) > 0)
		return;
	ck_assert_int_eq(cu_device_open(&host, "", &dev, infos, &err), -NX_EUNAVAIL);
	ck_assert_ptr_null(dev);
	ck_assert_ptr_null(strchr(err.msg, '\n'));
	ck_assert_ptr_nonnull(strstr(err.msg, "device 'cuda'"));
	ck_assert_int_eq(cu_device_open(&host, "x", &dev, infos, &err), -NX_EUSAGE);
	ck_assert_int_eq(cu_device_open(&host, "0,speed=9", &dev, infos, &err), -NX_EUSAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "speed"));
}
END_TEST

UNIT_MAIN("cuda/plans", known_shapes_run_on_tensor_cores, trained_networks_run_on_tensor_cores,
	choices_are_found_again, a_small_workspace_leaves_plans_out, nonsense_is_refused,
	activations_are_fused_where_a_driver_is, products_are_described,
	without_a_gpu_there_is_one_line)

#ifdef NX_SANITIZE
/* cuDNN keeps blocks for the life of a process, in libraries that it closes before the leak
 * checker looks. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif
