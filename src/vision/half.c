/* SPDX-License-Identifier: Apache-2.0 */
#include "vision/half.h"

#include <math.h>
#include <string.h>

#define EXP_BIAS    15
#define MANT_BITS   10
#define HALF_INF    0x7c00u
#define HALF_NAN    0x7e00u
#define HALF_MAX_UP 65520.0f /* from here on rounding leads to infinity */

uint16_t nx_half_from_float(float f)
{
	uint16_t sign = signbit(f) ? 0x8000 : 0;
	int exponent;

	f = fabsf(f);
	if (isnan(f))
		return HALF_NAN;
	if (f >= HALF_MAX_UP)
		return (uint16_t)(sign | HALF_INF);
	/* f in units of its last place; below the normal range that unit stays at 2^-24. */
	frexpf(f, &exponent);
	exponent = exponent < 1 - EXP_BIAS + 1 ? 1 - EXP_BIAS + 1 : exponent;
	/* nearbyint rounds to even as long as nobody has changed the rounding mode.  A mantissa
	 * that rounds up to the next power of two carries into the exponent, as it should. */
	unsigned units = (unsigned)nearbyintf(ldexpf(f, MANT_BITS + 1 - exponent));
	unsigned biased = (unsigned)(exponent + EXP_BIAS - 2);
	return (uint16_t)(sign | ((biased << MANT_BITS) + units));
}

float nx_half_to_float(uint16_t h)
{
	unsigned exponent = h >> MANT_BITS & 0x1f, mantissa = h & 0x3ffu;
	float f;

	if (exponent == 0x1f)
		f = mantissa ? NAN : INFINITY;
	else if (exponent == 0)
		f = ldexpf((float)mantissa, 1 - EXP_BIAS - MANT_BITS);
	else
		f = ldexpf((float)(mantissa + 0x400u), (int)exponent - EXP_BIAS - MANT_BITS);
	return h & 0x8000 ? -f : f;
}
