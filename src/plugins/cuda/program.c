/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena is planned "greedy by size" (Pisarchyk and Lee, Efficient Memory Management for Deep
 * Neural Net Inference, 2020): the largest buffer first, each at the lowest place that is free
 * for its whole life.
 */
#include "plugins/cuda/program.h"

#include "core/alloc.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 256u /* what cudaMalloc promises, and more than any kernel asks */

size_t cu_type_size(int type)
{
	switch (type) {
	case CU_U8:
	case CU_I8:
	case CU_BOOL:
		return 1;
	case CU_F16:
	case CU_BF16:
		return 2;
	case CU_I64:
		return 8;
	case CU_F32:
	case CU_I32:
		return 4;
	default:
		return 0;
	}
}

int cu_type_of_precision(const char *precision)
{
	if (strcmp(precision, "fp32") == 0)
		return CU_F32;
	if (strcmp(precision, "fp16") == 0)
		return CU_F16;
	return strcmp(precision, "bf16") == 0 ? CU_BF16 : 0;
}

bool cu_is_relu(const struct cu_act *act)
{
	return act->op == CU_OP_LEAKY && act->alpha == 0;
}

int cu_conv_bias_type(const struct cu_conv *c)
{
	return c->act.op == CU_OP_NONE || cu_is_relu(&c->act) ? c->type : CU_F32;
}

struct cu_program *cu_program_new(int type)
{
	struct cu_program *p = nx_alloc(1, sizeof *p);

	p->type = type;
	return p;
}

void cu_program_free(struct cu_program **pp)
{
	struct cu_program *p = *pp;

	if (!p)
		return;
	for (size_t i = 0; i < p->n_bufs; i++) {
		free(p->buf[i].data);
		free(p->buf[i].digest);
	}
	for (size_t i = 0; i < p->n_steps; i++) {
		free(p->step[i].node);
		free(p->step[i].op);
	}
	free(p->buf);
	free(p->step);
	free(p);
	*pp = NULL;
}

int cu_buf_new(struct cu_program *p, enum cu_buf_kind kind, size_t bytes)
{
	p->buf = nx_grow(p->buf, &p->cap_bufs, p->n_bufs + 1, sizeof *p->buf);
	p->buf[p->n_bufs] = (struct cu_buf){
		.kind = kind,
		.bytes = bytes,
		.first = INT_MAX,
		.last = -1,
	};
	return (int)p->n_bufs++;
}

struct cu_step *cu_step_new(struct cu_program *p, enum cu_step_kind kind,
	const struct nx_node *node, const int *buf, int n)
{
	p->step = nx_grow(p->step, &p->cap_steps, p->n_steps + 1, sizeof *p->step);
	struct cu_step *s = &p->step[p->n_steps];
	int at = (int)p->n_steps++;

	memset(s, 0, sizeof *s);
	s->kind = kind;
	if (node) {
		s->node = nx_strdup(node->name);
		s->op = nx_strdup(node->op);
	}
	for (int i = 0; i < CU_STEP_BUFS; i++) {
		s->buf[i] = i < n ? buf[i] : CU_NO_BUF;
		if (s->buf[i] == CU_NO_BUF)
			continue;
		struct cu_buf *b = &p->buf[s->buf[i]];
		b->first = at < b->first ? at : b->first;
		b->last = at;
	}
	return s;
}

bool cu_step_is_kernel(const struct cu_step *s)
{
	return s->kind != CU_STEP_CONV && s->kind != CU_STEP_GEMM;
}

static int by_size(const void *pa, const void *pb)
{
	const struct cu_buf *a = *(struct cu_buf *const *)pa, *b = *(struct cu_buf *const *)pb;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a > b) - (a < b);
}

static int by_offset(const void *pa, const void *pb)
{
	const struct cu_buf *a = *(struct cu_buf *const *)pa, *b = *(struct cu_buf *const *)pb;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

/* The lowest place for 'b' between the 'n' neighbours that live when it does. */
static size_t lowest_gap(const struct cu_buf *b, struct cu_buf **neighbour, size_t n)
{
	size_t at = 0;

	qsort(neighbour, n, sizeof(struct cu_buf *), by_offset);
	for (size_t i = 0; i < n; i++) {
		const struct cu_buf *o = neighbour[i];
		if (at + b->bytes <= o->offset)
			break;
		size_t end = (o->offset + o->bytes + ALIGN - 1) / ALIGN * ALIGN;
		at = end > at ? end : at;
	}
	return at;
}

static size_t plan_arena(struct cu_buf *buf, size_t n)
{
	struct cu_buf **order = nx_alloc(n + 1, sizeof(struct cu_buf *));
	struct cu_buf **neighbour = nx_alloc(n + 1, sizeof(struct cu_buf *));
	size_t count = 0, bytes = 0;

	for (size_t i = 0; i < n; i++)
		if (buf[i].kind == CU_BUF_ARENA && buf[i].first <= buf[i].last)
			order[count++] = &buf[i];
	qsort(order, count, sizeof(struct cu_buf *), by_size);
	for (size_t i = 0; i < count; i++) {
		size_t near = 0;
		for (size_t k = 0; k < i; k++)
			if (order[k]->first <= order[i]->last && order[i]->first <= order[k]->last)
				neighbour[near++] = order[k];
		order[i]->offset = lowest_gap(order[i], neighbour, near);
		if (order[i]->offset + order[i]->bytes > bytes)
			bytes = order[i]->offset + order[i]->bytes;
	}
	free(order);
	free(neighbour);
	return bytes;
}

void cu_program_finish(struct cu_program *p)
{
	p->arena_bytes = plan_arena(p->buf, p->n_bufs);
	for (size_t i = 0; i < p->n_bufs; i++) {
		struct cu_buf *b = &p->buf[i];
		if (b->kind != CU_BUF_CONST || b->first > b->last)
			continue;
		b->digest = nx_alloc(1, NX_DIGEST_SIZE);
		nx_digest_of(b->data, b->bytes, b->digest);
	}
}
