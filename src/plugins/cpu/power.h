/* SPDX-License-Identifier: Apache-2.0 */
/* e^x for loops of vector code (simd.h). */
#ifndef NX_PLUGINS_CPU_POWER_H
#define NX_PLUGINS_CPU_POWER_H

#include <stdint.h>
#include <string.h>

#define CPU_POWER_LARGE 126.0f      /* 2 to the power of it and of its negative are normal */
#define CPU_POWER_ROUND 12582912.0f /* 1.5 * 2^23: added and taken away, it leaves a whole number */

/*
 * e^x within 2e-7 near 0 and 1e-5 at the ends, beyond which (about 87) it stays what it is there,
 * as for NaN: 2^t by its whole part, in the exponent, and a polynomial of the rest, at most half,
 * fitted to an error of 2e-7.
 */
__attribute__((always_inline)) static inline float cpu_power(float x)
{
	float t = 1.44269504088896341f * x, power;

	t = t < CPU_POWER_LARGE ? t : CPU_POWER_LARGE;
	t = t > -CPU_POWER_LARGE ? t : -CPU_POWER_LARGE;
	float whole = (t + CPU_POWER_ROUND) - CPU_POWER_ROUND, f = t - whole;
	float p = 1.32669704e-3f;
	p = p * f + 9.67545975e-3f;
	p = p * f + 5.55074262e-2f;
	p = p * f + 2.40221218e-1f;
	p = p * f + 6.93146949e-1f;
	p = p * f + 1.00000007f;
	int32_t bits = ((int32_t)whole + 127) * (1 << 23);
	memcpy(&power, &bits, sizeof power);
	return p * power;
}

#endif
