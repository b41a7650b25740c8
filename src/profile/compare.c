/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs against stored ones. */
#include "profile/verify.h"

#include <math.h>
#include <string.h>

/* What ONNX's runner allows; half precision rounds to three digits. */
struct tolerance {
	double rel, abs;
};

static struct tolerance tolerance_of(enum nx_dtype t)
{
	switch (t) {
	case NX_F32:
	case NX_F64:
		return (struct tolerance){ 1e-3, 1e-7 };
	case NX_F16:
	case NX_BF16:
		return (struct tolerance){ 1e-2, 1e-3 };
	default:
		return (struct tolerance){ 0, 0 };
	}
}

/* Takes one element's difference up; whether it is allowed. */
static bool near(double got, double want, struct tolerance tol, struct nx_verify *v)
{
	if (got == want || (isnan(got) && isnan(want)))
		return true;
	double diff = fabs(got - want), rel = diff / fabs(want);
	if (isfinite(diff))
		v->max_abs = fmax(v->max_abs, diff);
	if (isfinite(rel))
		v->max_rel = fmax(v->max_rel, rel);
	return isfinite(want) && diff <= tol.abs + tol.rel * fabs(want);
}

/* Element i as "[0,2,5]". */
static const char *place(const struct nx_shape *s, int64_t i, char *out, size_t size)
{
	struct nx_shape at = { .rank = s->rank };

	for (int d = s->rank - 1; d >= 0; d--) {
		at.dim[d] = i % s->dim[d];
		i /= s->dim[d];
	}
	return nx_shape_format(&at, out, size);
}

int nx_verify_compare(const struct nx_tensor *got, const struct nx_tensor *want,
	struct nx_verify *v, struct nx_err *err)
{
	int64_t n = nx_shape_count(&want->shape), bad = 0, first = 0;
	struct tolerance tol = tolerance_of(want->dtype);
	size_t size = nx_dtype_size(want->dtype);
	char a[128], b[128];

	if (got->dtype != want->dtype || !nx_shape_equal(&got->shape, &want->shape))
		return nx_err_set(err, NX_ENO, "%s %s instead of %s %s",
			nx_dtype_oip_name(got->dtype), nx_shape_format(&got->shape, a, sizeof a),
			nx_dtype_oip_name(want->dtype), nx_shape_format(&want->shape, b, sizeof b));
	v->compared = true;
	for (int64_t i = 0; i < n; i++) {
		bool same = near(nx_tensor_real(got, i), nx_tensor_real(want, i), tol, v);
		/* A double cannot tell all integers apart. */
		if (tol.rel == 0)
			same = memcmp((const char *)got->data + (size_t)i * size,
				       (const char *)want->data + (size_t)i * size, size) == 0;
		if (same)
			continue;
		first = bad++ ? first : i;
	}
	if (bad == 0)
		return 0;
	return nx_err_set(err, NX_ENO,
		"%lld of %lld elements differ, first %s: %.9g instead of %.9g", (long long)bad,
		(long long)n, place(&want->shape, first, a, sizeof a), nx_tensor_real(got, first),
		nx_tensor_real(want, first));
}
