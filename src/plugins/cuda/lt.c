/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library counts columns first, so row-major y = a * b is asked for as y' = b' * a': what is
 * row-major [m,k] for us is column-major [k,m] for it.
 */
#include "plugins/cuda/lt.h"

#include "core/alloc.h"

#include <cublasLt.h>
#include <stdlib.h>

struct cu_lt {
	cublasLtHandle_t handle;
};

struct cu_product {
	struct cu_gemm gemm;
	cublasLtMatmulDesc_t desc;
	cublasLtMatrixLayout_t left, right, out; /* b', a', y' */
	int n_algos;
	cublasLtMatmulAlgo_t algo[CU_PRODUCT_ALGOS];
};

static int check(cublasStatus_t st, const char *what, struct nx_err *err)
{
	if (st == CUBLAS_STATUS_SUCCESS)
		return 0;
	return nx_err_set(err, st == CUBLAS_STATUS_ALLOC_FAILED ? NX_EOS : NX_EUNAVAIL,
		"cuBLASLt, %s: %s", what, cublasLtGetStatusString(st));
}

int cu_lt_open(struct cu_lt **out, struct nx_err *err)
{
	struct cu_lt *lt = nx_alloc(1, sizeof *lt);
	int rc = check(cublasLtCreate(&lt->handle), "opening", err);

	if (rc)
		cu_lt_close(&lt);
	*out = lt;
	return rc;
}

void cu_lt_close(struct cu_lt **plt)
{
	struct cu_lt *lt = *plt;

	if (!lt)
		return;
	if (lt->handle)
		cublasLtDestroy(lt->handle);
	free(lt);
	*plt = NULL;
}

static cudaDataType_t data_type(int type)
{
	return type == CU_F16 ? CUDA_R_16F : type == CU_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static cublasStatus_t layout(cublasLtMatrixLayout_t *l, const struct cu_gemm *g, int64_t rows,
	int64_t columns, int64_t stride)
{
	const int32_t batch = (int32_t)g->batch;
	cublasStatus_t st = cublasLtMatrixLayoutCreate(
		l, data_type(g->type), (uint64_t)rows, (uint64_t)columns, rows);

	if (st == CUBLAS_STATUS_SUCCESS)
		st = cublasLtMatrixLayoutSetAttribute(
			*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = cublasLtMatrixLayoutSetAttribute(
			*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride);
	return st;
}

static cublasStatus_t describe(struct cu_product *p)
{
	const struct cu_gemm *g = &p->gemm;
	const cublasOperation_t turned = CUBLAS_OP_T;
	const cublasLtEpilogue_t epilogue =
		g->bias   ? g->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS
		: g->relu ? CUBLASLT_EPILOGUE_RELU
			  : CUBLASLT_EPILOGUE_DEFAULT;
	const cublasComputeType_t compute =
		g->type == CU_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
	cublasStatus_t st = cublasLtMatmulDescCreate(&p->desc, compute, CUDA_R_32F);

	if (st == CUBLAS_STATUS_SUCCESS && g->trans_b)
		st = cublasLtMatmulDescSetAttribute(
			p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = cublasLtMatmulDescSetAttribute(
			p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = layout(&p->left, g, g->trans_b ? g->k : g->n, g->trans_b ? g->n : g->k,
			g->stride_b);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = layout(&p->right, g, g->k, g->m, g->m * g->k);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = layout(&p->out, g, g->n, g->m, g->m * g->n);
	return st;
}

int cu_product_new(const struct cu_gemm *gemm, struct cu_product **out, struct nx_err *err)
{
	struct cu_product *p = nx_alloc(1, sizeof *p);

	p->gemm = *gemm;
	int rc = check(describe(p), "describing a product", err);
	if (rc)
		cu_product_free(&p);
	*out = p;
	return rc;
}

void cu_product_free(struct cu_product **pp)
{
	struct cu_product *p = *pp;

	if (!p)
		return;
	if (p->desc)
		cublasLtMatmulDescDestroy(p->desc);
	if (p->left)
		cublasLtMatrixLayoutDestroy(p->left);
	if (p->right)
		cublasLtMatrixLayoutDestroy(p->right);
	if (p->out)
		cublasLtMatrixLayoutDestroy(p->out);
	free(p);
	*pp = NULL;
}

int cu_product_algos(
	struct cu_lt *lt, struct cu_product *p, size_t workspace, void *bias, struct nx_err *err)
{
	cublasLtMatmulHeuristicResult_t found[CU_PRODUCT_ALGOS];
	cublasLtMatmulPreference_t preference = NULL;
	int n = 0;
	cublasStatus_t st = cublasLtMatmulPreferenceCreate(&preference);

	if (st == CUBLAS_STATUS_SUCCESS && p->gemm.bias)
		st = cublasLtMatmulDescSetAttribute(
			p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = cublasLtMatmulPreferenceSetAttribute(preference,
			CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
	if (st == CUBLAS_STATUS_SUCCESS)
		st = cublasLtMatmulAlgoGetHeuristic(lt->handle, p->desc, p->left, p->right, p->out,
			p->out, preference, CU_PRODUCT_ALGOS, found, &n);
	if (preference)
		cublasLtMatmulPreferenceDestroy(preference);
	if (st != CUBLAS_STATUS_SUCCESS)
		return check(st, "asking for algorithms", err);
	p->n_algos = 0;
	for (int i = 0; i < n; i++)
		if (found[i].state == CUBLAS_STATUS_SUCCESS)
			p->algo[p->n_algos++] = found[i].algo;
	return p->n_algos;
}

int cu_product_run(struct cu_lt *lt, struct cu_product *p, int number, void *const *at,
	void *workspace, size_t bytes, void *stream, struct nx_err *err)
{
	const float one = 1, zero = 0;
	cublasStatus_t st = cublasLtMatmul(lt->handle, p->desc, &one, at[2], p->left, at[1],
		p->right, &zero, at[0], p->out, at[0], p->out, &p->algo[number], workspace, bytes,
		(cudaStream_t)stream);

	return check(st, "running", err);
}
