/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x * sigmoid(x) over the result of a convolution.  oneDNN's own, inside the convolution, takes
 * three times as long: as much as the whole of a small 1x1 convolution.
 */
#include "plugins/cpu/linear.h"
#include "plugins/cpu/simd.h"

#include "core/alloc.h"

#include <stdint.h>
#include <string.h>

#define LOG2_E 1.44269504088896341f
#define LARGE  126.0f      /* 2 to the power of it and of its negative are normal */
#define ROUND  12582912.0f /* 1.5 * 2^23: added and taken away, it leaves a whole number */

/* 2^t by its whole part, in the exponent, and a polynomial of the rest, at most half, fitted to an
 * error of 2e-7. */
CPU_SIMD static void swish(float *y, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float x = y[i], t = -LOG2_E * x;
		/* A NaN becomes large, and x brings it back below. */
		t = t < LARGE ? t : LARGE;
		t = t > -LARGE ? t : -LARGE;
		float whole = (t + ROUND) - ROUND, f = t - whole;
		float p = 1.32669704e-3f;
		p = p * f + 9.67545975e-3f;
		p = p * f + 5.55074262e-2f;
		p = p * f + 2.40221218e-1f;
		p = p * f + 6.93146949e-1f;
		p = p * f + 1.00000007f;
		int32_t bits = ((int32_t)whole + 127) * (1 << 23);
		float power;
		memcpy(&power, &bits, sizeof power);
		y[i] = x / (1.0f + p * power);
	}
}

static int run_swish(struct cpu_step *s, struct nx_plugin_exec *e, struct nx_err *err)
{
	const size_t *n = s->own;

	(void)e;
	(void)err;
	swish(s->op[0].ptr, *n);
	return 0;
}

bool cpu_swish_behind(const struct cpu_linear *l)
{
	return !l->coded && l->group->act.kind == NX_ACT_SWISH && l->dst_type == dnnl_f32;
}

void cpu_emit_swish(struct cpu_build *b, const struct nx_node *n, int buf, size_t floats)
{
	struct cpu_step *s = cpu_step_new(b->e, run_swish, "swish", n);
	size_t *own = nx_alloc(1, sizeof *own);

	*own = floats;
	s->own = own;
	cpu_step_use(b->e, 0, buf, NULL);
}
