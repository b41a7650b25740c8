/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolution is described as conv -> add(residual) -> add(bias) -> activation, virtual tensors
 * in fp32: with the bias in the maps' type and a ReLU that is the pattern cuDNN has precompiled
 * fused kernels for (61 engines in 9.19); the bias before the residual, or in fp32, would leave
 * only what it compiles at run time.  For other activations the bias is fp32 on purpose, since
 * cuDNN offers nothing fast for them otherwise.
 */
#include "plugins/cuda/dnn.h"

#include "core/alloc.h"

#include <cudnn.h>
#include <stdlib.h>
#include <string.h>

struct cu_dnn {
	cudnnHandle_t handle;            /* NULL for a described device */
	cudnnBackendDescriptor_t device; /* its properties; NULL where there is a handle */
};

/* Identifiers of tensors within a graph; packs use them. */
enum { ID_Y = 1, ID_X, ID_W, ID_BIAS, ID_RESIDUAL, ID_VIRTUAL };

static int check(cudnnStatus_t st, const char *what, struct nx_err *err)
{
	char more[256] = "";

	if (st == CUDNN_STATUS_SUCCESS)
		return 0;
	cudnnGetLastErrorString(more, sizeof more);
	return nx_err_set(err, NX_EUNAVAIL, "cuDNN, %s: %s%s%s", what, cudnnGetErrorString(st),
		*more ? ": " : "", more);
}

size_t cu_dnn_version(void)
{
	return cudnnGetVersion();
}

int cu_dnn_open(void *stream, struct cu_dnn **out, struct nx_err *err)
{
	struct cu_dnn *d = nx_alloc(1, sizeof *d);
	int rc = check(cudnnCreate(&d->handle), "opening", err);

	if (rc == 0)
		rc = check(cudnnSetStream(d->handle, stream), "stream", err);
	if (rc)
		cu_dnn_close(&d);
	*out = d;
	return rc;
}

int cu_dnn_open_described(const char *json, struct cu_dnn **out, struct nx_err *err)
{
	struct cu_dnn *d = nx_alloc(1, sizeof *d);
	cudnnStatus_t st =
		cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d->device);

	if (st == CUDNN_STATUS_SUCCESS)
		st = cudnnBackendSetAttribute(d->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
			CUDNN_TYPE_CHAR, (int64_t)strlen(json), json);
	if (st == CUDNN_STATUS_SUCCESS)
		st = cudnnBackendFinalize(d->device);
	int rc = check(st, "device description", err);
	if (rc)
		cu_dnn_close(&d);
	*out = d;
	return rc;
}

void cu_dnn_close(struct cu_dnn **pd)
{
	struct cu_dnn *d = *pd;

	if (!d)
		return;
	if (d->handle)
		cudnnDestroy(d->handle);
	if (d->device)
		cudnnBackendDestroyDescriptor(d->device);
	free(d);
	*pd = NULL;
}

/* ---- descriptors: created, filled and finalised; the first failure sticks --------------------- */

#define MADE_MAX 32

struct maker {
	cudnnStatus_t st;
	int n;
	cudnnBackendDescriptor_t made[MADE_MAX];
};

static cudnnBackendDescriptor_t make(struct maker *m, cudnnBackendDescriptorType_t type)
{
	cudnnBackendDescriptor_t d = NULL;

	if (m->st == CUDNN_STATUS_SUCCESS && m->n == MADE_MAX)
		m->st = CUDNN_STATUS_INTERNAL_ERROR;
	if (m->st == CUDNN_STATUS_SUCCESS)
		m->st = cudnnBackendCreateDescriptor(type, &d);
	if (m->st == CUDNN_STATUS_SUCCESS)
		m->made[m->n++] = d;
	return d;
}

static void set(struct maker *m, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
	cudnnBackendAttributeType_t type, int64_t n, const void *v)
{
	if (m->st == CUDNN_STATUS_SUCCESS)
		m->st = cudnnBackendSetAttribute(d, name, type, n, v);
}

static void set_descriptor(struct maker *m, cudnnBackendDescriptor_t d,
	cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t v)
{
	set(m, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v);
}

static void finish(struct maker *m, cudnnBackendDescriptor_t d)
{
	if (m->st == CUDNN_STATUS_SUCCESS)
		m->st = cudnnBackendFinalize(d);
}

static void release(struct maker *m)
{
	while (m->n)
		cudnnBackendDestroyDescriptor(m->made[--m->n]);
}

/* ---- the graph of a convolution ---------------------------------------------------------------- */

static cudnnDataType_t data_type(int type)
{
	return type == CU_F16    ? CUDNN_DATA_HALF
	       : type == CU_BF16 ? CUDNN_DATA_BFLOAT16
				 : CUDNN_DATA_FLOAT;
}

/* A tensor of dimensions n, c, h, w whose channels lie innermost. */
static cudnnBackendDescriptor_t tensor(
	struct maker *m, int64_t id, cudnnDataType_t type, const int64_t dim[4], bool is_virtual)
{
	const int64_t stride[4] = { dim[1] * dim[2] * dim[3], 1, dim[1] * dim[3], dim[1] };
	const int64_t alignment = 16;
	cudnnBackendDescriptor_t t = make(m, CUDNN_BACKEND_TENSOR_DESCRIPTOR);

	set(m, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
	set(m, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
	set(m, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dim);
	set(m, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
	set(m, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
	set(m, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
	finish(m, t);
	return t;
}

static cudnnBackendDescriptor_t convolution(struct maker *m, const struct cu_conv *c,
	cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t w, cudnnBackendDescriptor_t y)
{
	const struct cu_window *win = &c->win;
	const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
	const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
	const int64_t two = 2, pad[2] = { win->pad[0], win->pad[1] },
		      pad_end[2] = { win->pad_end[0], win->pad_end[1] },
		      dilation[2] = { win->dilation[0], win->dilation[1] },
		      stride[2] = { win->stride[0], win->stride[1] };
	const float one = 1, zero = 0;
	cudnnBackendDescriptor_t d = make(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);

	set(m, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
	set(m, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
	set(m, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
	set(m, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
	set(m, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad_end);
	set(m, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
	set(m, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
	finish(m, d);

	cudnnBackendDescriptor_t op =
		make(m, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
	set_descriptor(m, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
	set_descriptor(m, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
	set_descriptor(m, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
	set_descriptor(m, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, d);
	set(m, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
	set(m, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
	finish(m, op);
	return op;
}

/* y = x + b, or y = mode(x) where b is NULL. */
static cudnnBackendDescriptor_t pointwise(struct maker *m, cudnnBackendDescriptor_t function,
	cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y)
{
	cudnnBackendDescriptor_t op = make(m, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);

	set_descriptor(m, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function);
	set_descriptor(m, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
	if (b)
		set_descriptor(m, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
	set_descriptor(m, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
	finish(m, op);
	return op;
}

static cudnnBackendDescriptor_t function(struct maker *m, cudnnPointwiseMode_t mode)
{
	const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
	cudnnBackendDescriptor_t d = make(m, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);

	set(m, d, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
	set(m, d, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute);
	return d;
}

/* The activation as cuDNN names it; false if it has none. */
static bool activation(struct maker *m, const struct cu_act *act, cudnnBackendDescriptor_t *out)
{
	static const struct {
		int op;
		cudnnPointwiseMode_t mode;
	} known[] = {
		{ CU_OP_LEAKY, CUDNN_POINTWISE_RELU_FWD },
		{ CU_OP_CLIP, CUDNN_POINTWISE_RELU_FWD },
		{ CU_OP_ELU, CUDNN_POINTWISE_ELU_FWD },
		{ CU_OP_SIGMOID, CUDNN_POINTWISE_SIGMOID_FWD },
		{ CU_OP_TANH, CUDNN_POINTWISE_TANH_FWD },
		{ CU_OP_SWISH, CUDNN_POINTWISE_SWISH_FWD },
		{ CU_OP_SOFTPLUS, CUDNN_POINTWISE_SOFTPLUS_FWD },
	};
	const double alpha = act->alpha, beta = act->beta, one = 1;
	size_t i = 0;

	while (i < NX_ARRAY_LEN(known) && known[i].op != act->op)
		i++;
	if (i == NX_ARRAY_LEN(known))
		return false;
	*out = function(m, known[i].mode);
	if (act->op == CU_OP_LEAKY && act->alpha != 0)
		set(m, *out, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, CUDNN_TYPE_DOUBLE, 1,
			&alpha);
	if (act->op == CU_OP_CLIP) {
		set(m, *out, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, CUDNN_TYPE_DOUBLE, 1, &alpha);
		set(m, *out, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, 1, &beta);
	}
	if (act->op == CU_OP_ELU)
		set(m, *out, CUDNN_ATTR_POINTWISE_ELU_ALPHA, CUDNN_TYPE_DOUBLE, 1, &alpha);
	if (act->op == CU_OP_SWISH)
		set(m, *out, CUDNN_ATTR_POINTWISE_SWISH_BETA, CUDNN_TYPE_DOUBLE, 1, &one);
	finish(m, *out);
	return true;
}

/* NULL where cuDNN has no word for the activation. */
static cudnnBackendDescriptor_t conv_graph(
	struct maker *m, const struct cu_dnn *dnn, const struct cu_conv *c)
{
	const struct cu_window *w = &c->win;
	const cudnnDataType_t type = data_type(c->type), wide = CUDNN_DATA_FLOAT;
	const int64_t dx[4] = { w->n, c->c, w->h, w->w }, dy[4] = { w->n, c->k, w->p, w->q };
	const int64_t dw[4] = { c->k, c->c / c->groups, w->r, w->s }, db[4] = { 1, c->k, 1, 1 };
	bool act = c->act.op != CU_OP_NONE;
	cudnnBackendDescriptor_t op[4], last, f = NULL, y = tensor(m, ID_Y, type, dy, false);
	int64_t n = 0, id = ID_VIRTUAL;

	cudnnBackendDescriptor_t at = tensor(m, id++, wide, dy, true);
	op[n++] = convolution(
		m, c, tensor(m, ID_X, type, dx, false), tensor(m, ID_W, type, dw, false), at);
	cudnnBackendDescriptor_t add = function(m, CUDNN_POINTWISE_ADD);
	finish(m, add);
	if (c->residual) {
		cudnnBackendDescriptor_t sum = tensor(m, id++, wide, dy, true);
		op[n++] = pointwise(m, add, at, tensor(m, ID_RESIDUAL, type, dy, false), sum);
		at = sum;
	}
	last = act ? tensor(m, id++, wide, dy, true) : y;
	op[n++] = pointwise(
		m, add, at, tensor(m, ID_BIAS, data_type(cu_conv_bias_type(c)), db, false), last);
	if (act) {
		if (!activation(m, &c->act, &f))
			return NULL;
		op[n++] = pointwise(m, f, last, NULL, y);
	}
	cudnnBackendDescriptor_t g = make(m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
	if (dnn->handle)
		set(m, g, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn->handle);
	set(m, g, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, op);
	finish(m, g);
	return g;
}

/* ---- plans ------------------------------------------------------------------------------------- */

static void set_device(
	struct maker *m, const struct cu_dnn *dnn, cudnnBackendDescriptor_t d, bool heuristics)
{
	if (dnn->device)
		set_descriptor(m, d,
			heuristics ? CUDNN_ATTR_ENGINEHEUR_DEVICEPROP
				   : CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
			dnn->device);
	else if (!heuristics)
		set(m, d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn->handle);
}

/* The number and the notes of the engine of a configuration. */
static void read_engine(cudnnBackendDescriptor_t config, struct cu_plan *p)
{
	cudnnBackendNumericalNote_t numeric[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
	cudnnBackendBehaviorNote_t behavior[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
	cudnnBackendDescriptor_t engine = NULL;
	int64_t n = 0;

	if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
		CUDNN_STATUS_SUCCESS)
		return;
	cudnnBackendGetAttribute(
		config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine);
	cudnnBackendGetAttribute(
		engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n, &p->engine);
	if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
		    CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n,
		    numeric) == CUDNN_STATUS_SUCCESS)
		for (int64_t i = 0; i < n; i++)
			if (numeric[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE)
				p->notes |= CU_PLAN_TENSOR_CORES;
	if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
		    CUDNN_TYPE_BEHAVIOR_NOTE, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &n,
		    behavior) == CUDNN_STATUS_SUCCESS)
		for (int64_t i = 0; i < n; i++)
			if (behavior[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
				p->notes |= CU_PLAN_COMPILED_HERE;
	cudnnBackendDestroyDescriptor(engine);
}

/* Finalises the plan of a configuration and keeps it if it is within the workspace. */
static void add_plan(struct cu_dnn *dnn, cudnnBackendDescriptor_t config, size_t number,
	size_t workspace, struct cu_plans *out)
{
	struct cu_plan p = { .engine = -1, .number = number };
	struct maker m = { .st = CUDNN_STATUS_SUCCESS };
	int64_t bytes = -1, n = 0;
	cudnnBackendDescriptor_t d = make(&m, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);

	set_descriptor(&m, d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
	set_device(&m, dnn, d, false);
	finish(&m, d);
	if (m.st == CUDNN_STATUS_SUCCESS)
		m.st = cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
			CUDNN_TYPE_INT64, 1, &n, &bytes);
	if (m.st != CUDNN_STATUS_SUCCESS || bytes < 0 || (uint64_t)bytes > workspace) {
		release(&m);
		return;
	}
	p.descriptor = d;
	p.workspace = (size_t)bytes;
	read_engine(config, &p);
	out->plan = nx_grow(out->plan, &out->cap, out->n + 1, sizeof *out->plan);
	out->plan[out->n++] = p;
}

/* The configurations one kind of heuristics names; the caller destroys them.  The first count is
 * an upper bound only. */
static cudnnBackendDescriptor_t *configs_of(struct cu_dnn *dnn, cudnnBackendDescriptor_t graph,
	cudnnBackendHeurMode_t mode, size_t *count)
{
	struct maker m = { .st = CUDNN_STATUS_SUCCESS };
	cudnnBackendDescriptor_t h = make(&m, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), *list = NULL;
	int64_t bound = 0, n = 0;

	*count = 0;
	set_descriptor(&m, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
	set(&m, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
	set_device(&m, dnn, h, true);
	finish(&m, h);
	if (m.st == CUDNN_STATUS_SUCCESS)
		m.st = cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS,
			CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &bound, NULL);
	if (m.st != CUDNN_STATUS_SUCCESS || bound <= 0) {
		release(&m);
		return NULL;
	}
	list = nx_alloc((size_t)bound, sizeof *list);
	for (int64_t i = 0; i < bound && m.st == CUDNN_STATUS_SUCCESS; i++)
		m.st = cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &list[i]);
	if (m.st == CUDNN_STATUS_SUCCESS)
		m.st = cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS,
			CUDNN_TYPE_BACKEND_DESCRIPTOR, bound, &n, list);
	size_t good = m.st == CUDNN_STATUS_SUCCESS && n > 0 ? (size_t)n : 0;
	for (size_t i = good; i < (size_t)bound; i++)
		if (list[i])
			cudnnBackendDestroyDescriptor(list[i]);
	*count = good;
	release(&m);
	return list;
}

static const cudnnBackendHeurMode_t modes[] = { CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK };

int cu_dnn_plans(struct cu_dnn *dnn, const struct cu_conv *conv, size_t workspace, size_t first,
	size_t max, struct cu_plans *out, struct nx_err *err)
{
	struct maker m = { .st = CUDNN_STATUS_SUCCESS };
	cudnnBackendDescriptor_t graph = conv_graph(&m, dnn, conv);

	memset(out, 0, sizeof *out);
	if (m.st != CUDNN_STATUS_SUCCESS) {
		check(m.st, "describing a convolution", err);
		release(&m);
		return -err->code;
	}
	for (size_t i = 0; graph && i < NX_ARRAY_LEN(modes); i++) {
		size_t n;
		cudnnBackendDescriptor_t *config = configs_of(dnn, graph, modes[i], &n);
		for (size_t k = 0; k < n; k++) {
			if (out->n < max && out->listed >= first)
				add_plan(dnn, config[k], out->listed, workspace, out);
			cudnnBackendDestroyDescriptor(config[k]);
			out->listed++;
		}
		free(config);
	}
	release(&m);
	return 0;
}

size_t cu_dnn_count(struct cu_dnn *dnn, const struct cu_conv *conv)
{
	struct cu_plans plans;
	struct nx_err err = NX_ERR_INIT;

	if (cu_dnn_plans(dnn, conv, 0, 0, 0, &plans, &err))
		return 0;
	cu_plans_release(&plans);
	return plans.listed;
}

void cu_plan_free(struct cu_plan *plan)
{
	if (plan->descriptor)
		cudnnBackendDestroyDescriptor(plan->descriptor);
	plan->descriptor = NULL;
}

void cu_plans_release(struct cu_plans *plans)
{
	for (size_t i = 0; i < plans->n; i++)
		cu_plan_free(&plans->plan[i]);
	free(plans->plan);
	plans->plan = NULL;
	plans->n = plans->cap = 0;
}

/* ---- running ----------------------------------------------------------------------------------- */

int cu_dnn_pack(const struct cu_conv *conv, void *const *p, void *workspace, void **pack,
	struct nx_err *err)
{
	static const int64_t ids[] = { ID_Y, ID_X, ID_W, ID_BIAS, ID_RESIDUAL };
	struct maker m = { .st = CUDNN_STATUS_SUCCESS };
	cudnnBackendDescriptor_t d = make(&m, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
	int64_t n = conv->residual ? 5 : 4;

	set(&m, d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, ids);
	set(&m, d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, p);
	set(&m, d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
	finish(&m, d);
	if (m.st != CUDNN_STATUS_SUCCESS) {
		check(m.st, "binding tensors", err);
		release(&m);
		return -err->code;
	}
	*pack = d;
	return 0;
}

void cu_dnn_pack_free(void **pack)
{
	if (*pack)
		cudnnBackendDestroyDescriptor(*pack);
	*pack = NULL;
}

int cu_dnn_run(struct cu_dnn *dnn, const struct cu_plan *plan, void *pack, struct nx_err *err)
{
	return check(cudnnBackendExecute(dnn->handle, plan->descriptor, pack), "running", err);
}
