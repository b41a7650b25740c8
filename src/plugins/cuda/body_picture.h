/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures to the input of a network, a thread a pixel. */
#ifndef NX_PLUGINS_CUDA_BODY_PICTURE_H
#define NX_PLUGINS_CUDA_BODY_PICTURE_H

#include "plugins/cuda/body_element.h"

CU_FN int cu_clamp(int v, int n)
{
	return v < 0 ? 0 : v >= n ? n - 1 : v;
}

CU_FN float cu_unit(float v)
{
	return v < 0 ? 0.0f : v > 255.0f ? 255.0f : v;
}

/* Red, green and blue of a pixel; BT.601, limited range, for NV12. */
CU_FN void cu_pixel_rgb(const struct cu_picture *p, int format, int x, int y, float *rgb)
{
	x = cu_clamp(x, p->width);
	y = cu_clamp(y, p->height);
	if (format != CU_NV12) {
		const uint8_t *at = p->plane[0] + (int64_t)y * p->pitch[0] + 3 * (int64_t)x;
		rgb[0] = at[format == CU_BGR ? 2 : 0];
		rgb[1] = at[1];
		rgb[2] = at[format == CU_BGR ? 0 : 2];
		return;
	}
	const uint8_t *chroma = p->plane[1] + (int64_t)(y / 2) * p->pitch[1] + x / 2 * 2;
	float l = 1.164383f * ((float)p->plane[0][(int64_t)y * p->pitch[0] + x] - 16.0f);
	float u = (float)chroma[0] - 128.0f, v = (float)chroma[1] - 128.0f;
	rgb[0] = cu_unit(l + 1.596027f * v);
	rgb[1] = cu_unit(l - 0.391762f * u - 0.812968f * v);
	rgb[2] = cu_unit(l + 2.017232f * u);
}

/* One output pixel with all its channels. */
CU_FN void cu_preprocess_at(const struct cu_preprocess *a, uint32_t i)
{
	const uint32_t w = (uint32_t)a->w, h = (uint32_t)a->h;
	int x = (int)(i % w), y = (int)(i / w % h), n = (int)(i / w / h);
	const struct cu_picture *p = (const struct cu_picture *)a->p[1] + n;
	float fx = p->box[0] + ((float)x + 0.5f) * p->box[2] / (float)a->w - 0.5f;
	float fy = p->box[1] + ((float)y + 0.5f) * p->box[3] / (float)a->h - 0.5f;
	int x0 = (int)floorf(fx), y0 = (int)floorf(fy);
	float dx = fx - (float)x0, dy = fy - (float)y0, sum[3] = { 0, 0, 0 }, rgb[3];

	for (int k = 0; k < 4; k++) {
		float weight = (k % 2 ? dx : 1 - dx) * (k / 2 ? dy : 1 - dy);
		cu_pixel_rgb(p, a->format, x0 + k % 2, y0 + k / 2, rgb);
		for (int c = 0; c < 3; c++)
			sum[c] += weight * rgb[c];
	}
	for (int c = 0; c < a->padded; c++) {
		float v = c < 3 ? (sum[a->swap ? 2 - c : c] - a->mean[c]) * a->scale[c] : 0.0f;
		cu_store(a->p[0], a->type, (int64_t)i * a->padded + c, v);
	}
}

#endif
