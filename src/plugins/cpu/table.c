/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cpu/table.h"

#include "core/alloc.h"

#include <math.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

struct job {
	struct cpu_table table;
	size_t n;
	bool vbmi;
};

uint8_t cpu_code_of(dnnl_data_type_t type, float x, const struct cpu_codes *codes)
{
	float low = type == dnnl_u8 ? 0 : -128, high = low + 255;
	float v = nearbyintf(x / codes->scale) + (float)codes->zero;

	v = v > low ? (v < high ? v : high) : low;
	return type == dnnl_u8 ? (uint8_t)v : (uint8_t)(int8_t)v;
}

float cpu_real_of(dnnl_data_type_t type, uint8_t byte, const struct cpu_codes *codes)
{
	int code = type == dnnl_u8 ? byte : (int8_t)byte;

	return codes->scale * (float)(code - codes->zero);
}

void cpu_table_recode(struct cpu_table *t, const struct cpu_rep *from, const struct cpu_rep *to)
{
	for (int i = 0; i < 256; i++)
		t->to[i] = cpu_code_of(to->md.data_type,
			cpu_real_of(from->md.data_type, (uint8_t)i, &from->codes), &to->codes);
}

bool cpu_table_is_identity(const struct cpu_table *t)
{
	for (int i = 0; i < 256; i++)
		if (t->to[i] != i)
			return false;
	return true;
}

#ifdef __x86_64__
/* 64 codes at once: the table is in four registers, the two upper bits say in which. */
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) static size_t run_vbmi(
	const uint8_t *table, const uint8_t *from, uint8_t *to, size_t n)
{
	const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64),
		      t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
	size_t i = 0;

	for (; i + 64 <= n; i += 64) {
		__m512i x = _mm512_loadu_si512(from + i);
		__m512i low = _mm512_permutex2var_epi8(t0, x, t1);
		__m512i high = _mm512_permutex2var_epi8(t2, x, t3);
		_mm512_storeu_si512(
			to + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
	}
	return i;
}

static bool has_vbmi(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
}
#else
static size_t run_vbmi(const uint8_t *table, const uint8_t *from, uint8_t *to, size_t n)
{
	(void)table;
	(void)from;
	(void)to;
	(void)n;
	return 0;
}

static bool has_vbmi(void)
{
	return false;
}
#endif

static int run_table(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	const struct job *job = s->own;
	const uint8_t *from = s->op[0].ptr;
	uint8_t *to = s->op[1].ptr;

	(void)e;
	(void)err;
	for (size_t i = job->vbmi ? run_vbmi(job->table.to, from, to, job->n) : 0; i < job->n; i++)
		to[i] = job->table.to[from[i]];
	return 0;
}

void cpu_emit_table(struct cpu_build *b, const struct nx_node *node, const struct cpu_table *t,
	int from, int to, size_t bytes)
{
	struct job *job = nx_alloc(1, sizeof *job);

	*job = (struct job){ *t, bytes, has_vbmi() };
	struct cpu_step *s = cpu_step_new(b->e, run_table, "table", node);
	s->own = job;
	cpu_step_use(b->e, 0, from, NULL);
	cpu_step_use(b->e, 0, to, NULL);
}
