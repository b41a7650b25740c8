/* SPDX-License-Identifier: Apache-2.0 */
/* cuBLASLt: matrix products with bias and ReLU in their epilogue. */
#ifndef NX_PLUGINS_CUDA_LT_H
#define NX_PLUGINS_CUDA_LT_H

#include "core/err.h"
#include "plugins/cuda/program.h"

struct cu_lt;                                           /* the library's handle */
int cu_lt_open(struct cu_lt **out, struct nx_err *err); /* for the current device */
void cu_lt_close(struct cu_lt **lt);

/* A product as the library sees it; describing one needs no GPU. */
struct cu_product;
int cu_product_new(const struct cu_gemm *gemm, struct cu_product **out, struct nx_err *err);
void cu_product_free(struct cu_product **product);

/* Asks for algorithms within 'workspace' bytes: how many there are, best first, or an error.
 * 'bias' is where it will be (NULL if there is none). */
#define CU_PRODUCT_ALGOS 16
int cu_product_algos(struct cu_lt *lt, struct cu_product *product, size_t workspace, void *bias,
	struct nx_err *err);
/* Runs with algorithm 'number' (below what cu_product_algos said).  p: y, a, b; device memory. */
int cu_product_run(struct cu_lt *lt, struct cu_product *product, int number, void *const *p,
	void *workspace, size_t bytes, void *stream, struct nx_err *err);

#endif
