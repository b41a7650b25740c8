/* SPDX-License-Identifier: Apache-2.0 */
#include "vision/tensor_view.h"

#include "core/alloc.h"
#include "model/ops.h"

#include <string.h>

bool nx_matrix_fits(const struct nx_vision_output *out, size_t *rows, size_t *cols)
{
	const struct nx_shape *s = &out->shape;

	if (s->rank < 2 || nx_shape_count(s) < 1)
		return false;
	for (int i = 0; i < s->rank - 2; i++)
		if (s->dim[i] != 1)
			return false;
	*rows = (size_t)s->dim[s->rank - 2];
	*cols = (size_t)s->dim[s->rank - 1];
	return true;
}

/* The data may be anywhere in a message, so that elements are not aligned. */
static void copy(const struct nx_vision_output *out, float *to, size_t n)
{
	const uint8_t *from = out->data;

	if (out->dtype == NX_F32) {
		memcpy(to, from, n * sizeof *to);
	} else if (out->dtype == NX_F16) {
		for (size_t i = 0; i < n; i++) {
			uint16_t h;
			memcpy(&h, from + i * sizeof h, sizeof h);
			to[i] = nx_half_to_float(h);
		}
	} else {
		for (size_t i = 0; i < n; i++) {
			double d;
			memcpy(&d, from + i * sizeof d, sizeof d);
			to[i] = (float)d;
		}
	}
}

int nx_matrix_load(const struct nx_vision_output *out, struct nx_matrix *m, struct nx_err *err)
{
	int64_t n = nx_shape_count(&out->shape);
	char text[128];

	memset(m, 0, sizeof *m);
	if (n < 1)
		return nx_err_set(err, NX_EDATA, "output '%s' of shape %s holds nothing", out->name,
			nx_shape_format(&out->shape, text, sizeof text));
	if (out->dtype != NX_F32 && out->dtype != NX_F16 && out->dtype != NX_F64)
		return nx_err_set(err, NX_EUNSUPP,
			"output '%s' is of type %s, which has no meaning as scores or boxes",
			out->name, nx_dtype_oip_name(out->dtype));
	m->at = nx_try_alloc((size_t)n, sizeof *m->at);
	if (!m->at)
		return nx_err_set(err, NX_EOS, "no memory for output '%s'", out->name);
	copy(out, m->at, (size_t)n);
	if (!nx_matrix_fits(out, &m->rows, &m->cols)) {
		m->rows = 1;
		m->cols = (size_t)n;
	}
	return 0;
}
