/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cuda/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(int type)
{
	return type == CU_F16 ? "fp16" : type == CU_BF16 ? "bf16" : "fp32";
}

void cu_choice_key(const struct cu_step *s, char key[CU_KEY_SIZE])
{
	const struct cu_conv *c = &s->u.conv;
	const struct cu_window *w = &c->win;
	const struct cu_gemm *g = &s->u.gemm;

	key[0] = '\0';
	if (s->kind == CU_STEP_CONV)
		snprintf(key, CU_KEY_SIZE,
			"conv:%s:%d,%d,%d,%d:%d,%d,%d,%d:%d,%d:%d,%d:%d,%d,%d,%d:%d:%d:%d",
			type_name(c->type), w->n, w->h, w->w, c->c, c->k, w->r, w->s, c->groups,
			w->stride[0], w->stride[1], w->dilation[0], w->dilation[1], w->pad[0],
			w->pad[1], w->pad_end[0], w->pad_end[1], c->residual, c->act.op,
			cu_is_relu(&c->act));
	else if (s->kind == CU_STEP_GEMM)
		snprintf(key, CU_KEY_SIZE, "gemm:%s:%lld,%lld,%lld,%lld:%d:%d:%d:%d",
			type_name(g->type), (long long)g->batch, (long long)g->m, (long long)g->n,
			(long long)g->k, g->stride_b != 0, g->trans_b, g->bias, g->relu);
}

void cu_choice_add(struct nx_buf *text, const char *key, size_t number, int64_t check)
{
	nx_buf_addf(text, "%s %zu %lld\n", key, number, (long long)check);
}

bool cu_choice_find(const char *text, const char *key, size_t *number, int64_t *check)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line && len; line += strcspn(line, "\n")) {
		char *end;
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != ' ')
			continue;
		unsigned long long n = strtoull(line + len + 1, &end, 10);
		if (end == line + len + 1 || *end != ' ' || n > 10000)
			continue;
		const char *second = end + 1;
		long long c = strtoll(second, &end, 10);
		if (end == second || (*end != '\n' && *end != '\0'))
			continue;
		*number = (size_t)n;
		*check = c;
		return true;
	}
	return false;
}
