/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program: what a closed graph becomes before any device is asked.  Steps in order over
 * buffers; a step is a convolution (cuDNN), a matrix product (cuBLASLt) or one of our kernels.
 * Programs are plain data and need no GPU, driver or toolkit.
 */
#ifndef NX_PLUGINS_CUDA_PROGRAM_H
#define NX_PLUGINS_CUDA_PROGRAM_H

#include "core/digest.h"
#include "core/err.h"
#include "model/graph.h"
#include "plugins/cuda/kernels.h"

#include <stdbool.h>
#include <stddef.h>

enum cu_buf_kind {
	CU_BUF_ARENA,  /* between two steps */
	CU_BUF_INPUT,  /* as the host gives it: dense, the model's type */
	CU_BUF_OUTPUT, /* as the host wants it */
	CU_BUF_CONST,
};

struct cu_buf {
	enum cu_buf_kind kind;
	size_t bytes;
	size_t offset;   /* in the arena */
	size_t index;    /* of the input or output */
	void *data;      /* of a constant; owned */
	char *digest;    /* of a constant, which is uploaded once for all programs; owned */
	int first, last; /* steps that use it; first > last: none */
};

/* y = act(conv(x, w) + residual + bias) on maps [N,H,W,C]; weights [K,R,S,C/groups]. */
struct cu_conv {
	struct cu_window win;
	int type, c, k, groups;
	bool residual;
	struct cu_act act;
};

/* y[m,n] = act(a[m,k] * b + bias[n]), row-major, 'batch' times; b is [n,k] if trans_b, else
 * [k,n], and stands still from one of the batch to the next if its stride is 0. */
struct cu_gemm {
	int64_t batch, m, n, k, stride_b;
	int type;
	bool trans_b, bias, relu;
};

/* max(x, 0) */
bool cu_is_relu(const struct cu_act *act);
/* What the bias of a convolution is held in: for cuDNN's precompiled kernels that of the maps,
 * for activations that only its run-time compiler fuses fp32. */
int cu_conv_bias_type(const struct cu_conv *c);

#define CU_NO_BUF    (-1)
#define CU_STEP_BUFS 6

struct cu_step {
	enum cu_step_kind kind;
	char *node, *op;       /* for messages; owned, NULL for changes of layout */
	int buf[CU_STEP_BUFS]; /* what p[] will point to, or CU_NO_BUF */
	union {
		void *p[CU_STEP_BUFS]; /* every kernel's arguments begin with its pointers */
		struct cu_copy copy;
		struct cu_map map;
		struct cu_pool pool;
		struct cu_depthwise depthwise;
		struct cu_direct direct;
		struct cu_global global;
		struct cu_rows rows;
		struct cu_lrn lrn;
		struct cu_resize resize;
		struct cu_gather gather;
		struct cu_preprocess preprocess;
		struct cu_conv conv;
		struct cu_gemm gemm;
	} u;
};

struct cu_program {
	int type; /* CU_F32, CU_F16 or CU_BF16: what maps are held in */
	size_t n_bufs, cap_bufs, n_steps, cap_steps;
	struct cu_buf *buf;
	struct cu_step *step;
	size_t arena_bytes;
};

/* Bytes of an element; 0 for a type that no kernel knows. */
size_t cu_type_size(int type);
/* "fp32", "fp16" or "bf16"; 0 if it is none of them. */
int cu_type_of_precision(const char *precision);

struct cu_program *cu_program_new(int type);
void cu_program_free(struct cu_program **p);

int cu_buf_new(struct cu_program *p, enum cu_buf_kind kind, size_t bytes);
/* Appends a step that uses n buffers. */
struct cu_step *cu_step_new(struct cu_program *p, enum cu_step_kind kind,
	const struct nx_node *node, const int *buf, int n);
/* Whether p[] of a step are pointers to buffers of its arguments (kernels). */
bool cu_step_is_kernel(const struct cu_step *s);

/* Lays the buffers that do not live at the same time over each other and names constants. */
void cu_program_finish(struct cu_program *p);

#endif
