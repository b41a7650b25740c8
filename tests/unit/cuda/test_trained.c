/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trained networks of $NEXUS_TEST_DATA as programs of the cuda plugin, run on the host, against
 * the stored outputs of another engine: in fp32, and in fp16 as a GPU would round.
 */
#include "core/fs.h"
#include "emulate.h"
#include "model/model.h"
#include "plugins/cuda/lower.h"
#include "unit.h"

#include <stdio.h>

static struct nx_buf read_file(const char *dir, const char *name, const char *file)
{
	struct nx_buf buf = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	char *path = nx_asprintf("%s/golden/%s/%s", dir, name, file);

	ck_assert_msg(nx_fs_read(path, (size_t)1 << 30, &buf, &err) == 0, "%s", err.msg);
	free(path);
	return buf;
}

/* The largest difference over the largest number. */
static double distance(const float *got, const float *want, size_t n)
{
	double whole = 1e-9, most = 0;

	for (size_t i = 0; i < n; i++)
		whole = fmax(whole, fabs((double)want[i]));
	for (size_t i = 0; i < n; i++) {
		double d = fabs((double)got[i] - (double)want[i]);
		if (!(d <= 1e30)) /* NaN, too */
			return INFINITY;
		most = fmax(most, d / whole);
	}
	return most;
}

static void check_outputs(const struct nx_graph *g, const char *dir, const char *name, int type,
	double limit, void *const *out)
{
	for (size_t i = 0; i < g->n_out; i++) {
		char file[32];
		snprintf(file, sizeof file, "output_%zu.bin", i);
		struct nx_buf want = read_file(dir, name, file);
		double d = distance(
			out[i], (const float *)(void *)want.data, want.len / sizeof(float));
		ck_assert_msg(
			d <= limit, "%s (type %d): output %zu is off by %g", name, type, i, d);
		nx_buf_release(&want);
	}
}

static void check_network(const char *dir, const char *name, int type, double limit)
{
	char *path = nx_asprintf("%s/models/%s.onnx", dir, name);
	const struct cu_lower_opts opts = { .type = type };
	struct nx_buf in = read_file(dir, name, "input_0.bin");
	struct nx_model *model = NULL;
	struct nx_graph *g = NULL;
	struct cu_program *p = NULL;
	struct nx_err err = NX_ERR_INIT;
	struct emulator e;
	void *out[8];
	const void *ins[] = { in.data };

	ck_assert_msg(nx_model_load(path, &model, &err) == 0, "%s", err.msg);
	ck_assert_msg(nx_graph_specialize(model->graph, 1, &g, &err) == 0, "%s", err.msg);
	ck_assert_msg(cu_lower(g, &opts, &p, &err) == 0, "%s: %s", name, err.msg);
	for (size_t i = 0; i < g->n_out; i++)
		out[i] = nx_alloc((size_t)nx_shape_count(&g->values[g->out[i]].shape) + 1, 8);
	emulator_init(&e, p);
	emulator_run(&e, ins, out);
	check_outputs(g, dir, name, type, limit, out);
	for (size_t i = 0; i < g->n_out; i++)
		free(out[i]);
	emulator_release(&e);
	cu_program_free(&p);
	nx_graph_free(&g);
	nx_model_free(&model);
	nx_buf_release(&in);
	free(path);
}

/* The person detector magnifies roundings a thousandfold: two orders of the same fp32 sums differ by
 * 5e-5 in its stored outputs. */
static const struct {
	const char *name;
	double fp16;
} networks[] = {
	{ "mnist-cntk", 1e-2 },
	{ "cifar10-winml", 1e-2 },
	{ "face-rfb-320", 1e-2 },
	{ "face-rfb-320-simplified", 1e-2 },
	{ "conv-mobilenet-v1-0.25-224", 1e-2 },
	{ "conv-emotion-mini-xception", 1e-2 },
	{ "conv-squeezenet-fp32", 1e-2 },
	{ "det-light-person", 1e-1 },
};

START_TEST(trained_networks_agree)
{
	const char *dir = getenv("NEXUS_TEST_DATA");

	for (size_t i = 0; dir && i < NX_ARRAY_LEN(networks); i++) {
		check_network(dir, networks[i].name, CU_F32, 1e-4);
		check_network(dir, networks[i].name, CU_F16, networks[i].fp16);
	}
}
END_TEST

UNIT_MAIN("cuda/trained", trained_networks_agree)
