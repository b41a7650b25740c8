/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 half precision in software: compilers do not all have the type yet. */
#ifndef NX_VISION_HALF_H
#define NX_VISION_HALF_H

#include <stdint.h>

/* Rounds to nearest, ties to even; too large becomes infinite. */
uint16_t nx_half_from_float(float f);
float nx_half_to_float(uint16_t h);

#endif
