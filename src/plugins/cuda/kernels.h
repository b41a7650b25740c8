/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own kernels: what each is given.  C and CUDA see the same structs.  p[0] is the target, the
 * rest are the sources; pointers are device memory when a kernel runs there.  Types are the
 * numbers of enum nx_dtype.  Maps of rank 4 lie channels innermost, [N,H,W,C], C padded to a
 * multiple of the width (4 or 8 elements a thread); what is in padded channels is finite.
 */
#ifndef NX_PLUGINS_CUDA_KERNELS_H
#define NX_PLUGINS_CUDA_KERNELS_H

#include "plugins/cuda/numbers.h"

#include <stdint.h>

#define CU_DIMS        8
#define CU_MAP_SOURCES 5
#define CU_MAP_OPS     12
#define CU_VEC         8 /* elements a thread holds at most */
#define CU_ROW_THREADS 128

/* Moves elements by strides, with a change of type if 'from' and 'to' differ, else as 'size'
 * bytes.  Where 'bounded', a source coordinate is the target's less 'low' and what lies outside
 * [0, from_dim) is made up as 'mode' says. */
enum cu_pad_mode { CU_PAD_FILL, CU_PAD_REFLECT, CU_PAD_EDGE, CU_PAD_WRAP };
struct cu_copy {
	void *p[2];
	int64_t count, to_base, from_base; /* elements */
	int from, to, size, rank, bounded, mode;
	float fill;
	int64_t dim[CU_DIMS], low[CU_DIMS], from_dim[CU_DIMS];
	int64_t to_stride[CU_DIMS], from_stride[CU_DIMS]; /* elements */
};

/* A chain of functions on elements; 'count' vectors of 'width' elements.  The target is dense;
 * stride[k] are those of source k, whose last dimension is dense or stands still. */
struct cu_map {
	void *p[1 + CU_MAP_SOURCES];
	int64_t count;
	int width, rank, n_ops;
	int type[1 + CU_MAP_SOURCES];
	int channels, padded; /* elements whose index in 'padded' is over 'channels' become 0 */
	int64_t dim[CU_DIMS]; /* the last one counts vectors */
	int64_t stride[CU_MAP_SOURCES][CU_DIMS];
	struct {
		struct cu_act f;
		int source; /* of x */
	} op[CU_MAP_OPS];
};

/* A window over a map: input h x w, output p x q. */
struct cu_window {
	int n, h, w, p, q, r, s;
	int stride[2], dilation[2], pad[2], pad_end[2];
};

struct cu_pool {
	void *p[2];
	struct cu_window win;
	int type, width, channels; /* channels: padded */
	int max, with_pad;
};

/* Convolution of each channel by itself: weights [r,s,channels], bias [channels]. */
struct cu_depthwise {
	void *p[4]; /* y, x, weights, bias */
	struct cu_window win;
	int type, width, channels;
	struct cu_act act;
};

/* Any convolution, one thread an output: weights [k,r,s,c/groups], bias [k_padded].  For shapes
 * that nothing else takes. */
struct cu_direct {
	void *p[4];
	struct cu_window win;
	int type, c, c_padded, k, k_padded, groups, transposed;
	struct cu_act act;
};

/* One number a channel. */
struct cu_global {
	void *p[2];
	int n, pixels, channels, type, width, max;
};

/* One block a row: element j of row (o, i) is at (o * len + j) * inner + i. */
enum cu_row_kind {
	CU_ROW_SOFTMAX,
	CU_ROW_LOG_SOFTMAX,
	CU_ROW_SUM,
	CU_ROW_MEAN,
	CU_ROW_MAX,
	CU_ROW_MIN,
	CU_ROW_PROD,
	CU_ROW_L1,
	CU_ROW_L2,
	CU_ROW_SUM_SQUARE,
	CU_ROW_ARG, /* p[0]: i64 */
	CU_ROW_TOP, /* p[0]: values, p[1]: source, p[2]: i64 indices; k of them, in order */
	CU_ROW_NORM /* p[2], p[3]: scale and shift */
};
struct cu_rows {
	void *p[4];
	int64_t outer, len, inner;
	int kind, type;
	int smallest;   /* ARG, TOP: the other end */
	int last;       /* ARG: the last of equals */
	int k;          /* TOP */
	int64_t by_row; /* NORM: scale and shift belong to (row % by_row); 0: to elements */
	float epsilon;  /* NORM */
};

struct cu_lrn {
	void *p[2];
	int64_t pixels;
	int type, c, c_padded, size;
	float alpha, beta, bias; /* alpha is divided by size already */
};

/* Up to four neighbours on an axis. */
struct cu_tap {
	int at[4];
	float w[4];
};
struct cu_resize {
	void *p[4]; /* y, x, taps of the rows, taps of the columns */
	int n, h, w, p_out, q_out, type, width, channels, taps_h, taps_w;
};

/* Rows of 'inner' elements of 'size' bytes by an index: the rows of a session out of a batch,
 * too.  An index counts from the end if negative; one outside is taken as the nearest inside. */
struct cu_gather {
	void *p[3]; /* target, source, indices */
	int64_t outer, n, len, inner;
	int size, index_type;
};

/* Pictures to the network's input: bilinear resize of a box of each picture (half-pixel centres),
 * then (x - mean) / std by channel. */
enum cu_picture_format { CU_RGB, CU_BGR, CU_NV12 };
struct cu_picture {
	const uint8_t *plane[2]; /* NV12: luma, chroma */
	int pitch[2], width, height;
	float box[4]; /* left, top, width, height in pixels */
};
struct cu_preprocess {
	void *p[2]; /* target [n,h,w,padded]; array of struct cu_picture on the device */
	int n, h, w, type, padded, format, swap; /* swap: the network wants BGR */
	float mean[3], scale[3];                 /* (x - mean) * scale */
};

#endif
