/* SPDX-License-Identifier: Apache-2.0 */
/* What an executable computes in: what was asked for, the model and the processor decide. */
#include "plugins/cpu/precision.h"

#include "core/alloc.h"

#include <string.h>

/* Sets of instructions are sets of bits. */
static bool has_isa(dnnl_cpu_isa_t isa)
{
	return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) == (unsigned)isa;
}

/* oneDNN emulates bf16 elsewhere, at a third of the speed of fp32. */
static bool has_bf16(void)
{
	return has_isa(dnnl_cpu_isa_avx512_core_bf16);
}

/* Without it sums of products of codes saturate. */
static bool has_int8(void)
{
	return has_isa(dnnl_cpu_isa_avx512_core_vnni) || has_isa(dnnl_cpu_isa_avx2_vnni);
}

/* Whether a graph says how its tensors are coded. */
static bool is_quantised(const struct nx_graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++)
		if (nx_node_is(&g->nodes[i], "QuantizeLinear") ||
			nx_node_is(&g->nodes[i], "DequantizeLinear"))
			return true;
	return false;
}

static const char *const names[] = { "fp32", "bf16", "int8" };

const char *cpu_precision_name(enum cpu_precision p)
{
	return names[p];
}

int cpu_precision_choose(const char *asked, const struct nx_graph *g, bool part,
	enum cpu_precision *out, struct nx_err *err)
{
	size_t i = 0;

	if (!asked)
		asked = names[is_quantised(g) && has_int8() ? CPU_INT8 : CPU_FP32];
	while (i < NX_ARRAY_LEN(names) && strcmp(asked, names[i]) != 0)
		i++;
	if (i == NX_ARRAY_LEN(names))
		return nx_err_set(err, NX_EUSAGE,
			"the cpu device computes in fp32, bf16 or int8, not in '%s'", asked);
	if (i == CPU_BF16 && !has_bf16())
		return nx_err_set(err, NX_EUNSUPP,
			"this processor has no bf16 arithmetic (AVX-512 BF16 or AMX)");
	if (i == CPU_INT8 && !has_int8())
		return nx_err_set(err, NX_EUNSUPP,
			"this processor has no int8 arithmetic (AVX-512 VNNI or AVX-VNNI)");
	if (i == CPU_INT8 && !part && !is_quantised(g))
		return nx_err_set(err, NX_EUNSUPP,
			"the model has no QuantizeLinear and DequantizeLinear: nexus-profile "
			"--calibrate makes one that has");
	*out = (enum cpu_precision)i;
	return 0;
}
