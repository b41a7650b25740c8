/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs against stored ones: what counts as the same. */
#include "profile/verify.h"

#include "core/alloc.h"
#include "unit.h"

#include <math.h>
#include <string.h>

static struct nx_verify v;
static struct nx_err err;

/* Compares two lists of n elements; 0, or the error's code. */
static int compare(enum nx_dtype dtype, const void *got, const void *want, int64_t n)
{
	struct nx_shape s = { 2, { 1, n } };
	struct nx_tensor a, b;

	v = (struct nx_verify){ 0 };
	err = (struct nx_err)NX_ERR_INIT;
	ck_assert_int_eq(nx_tensor_init(&a, dtype, &s, &err), 0);
	ck_assert_int_eq(nx_tensor_init(&b, dtype, &s, &err), 0);
	memcpy(a.data, got, a.bytes);
	memcpy(b.data, want, b.bytes);
	int rc = nx_verify_compare(&a, &b, &v, &err);
	nx_tensor_release(&a);
	nx_tensor_release(&b);
	return rc;
}

START_TEST(floats_may_differ_by_a_thousandth)
{
	static const float want[3] = { 100, -100, 0 };

	ck_assert_int_eq(compare(NX_F32, (float[]){ 100.09f, -99.91f, 9e-8f }, want, 3), 0);
	ck_assert_double_eq_tol(v.max_abs, 0.09, 1e-5);
	ck_assert_double_eq_tol(v.max_rel, 0.0009, 1e-6);
	ck_assert_int_eq(compare(NX_F32, (float[]){ 100, -99.8f, 0 }, want, 3), -NX_ENO);
	ck_assert_ptr_nonnull(strstr(err.msg, "1 of 3 elements differ, first [0,1]"));
	ck_assert_int_eq(compare(NX_F32, (float[]){ 100, -100, 2e-7f }, want, 3), -NX_ENO);
}
END_TEST

START_TEST(nan_and_infinity_equal_themselves_alone)
{
	static const float want[3] = { NAN, INFINITY, 1 };

	ck_assert_int_eq(compare(NX_F32, want, want, 3), 0);
	ck_assert_int_eq(compare(NX_F32, (float[]){ 1, INFINITY, 1 }, want, 3), -NX_ENO);
	ck_assert_int_eq(compare(NX_F32, (float[]){ NAN, -INFINITY, 1 }, want, 3), -NX_ENO);
	ck_assert_int_eq(compare(NX_F32, (float[]){ NAN, 3e38f, 1 }, want, 3), -NX_ENO);
	ck_assert_int_eq(compare(NX_F32, (float[]){ NAN, INFINITY, NAN }, want, 3), -NX_ENO);
	ck_assert(isfinite(v.max_abs) && isfinite(v.max_rel));
}
END_TEST

START_TEST(integers_are_exact)
{
	static const uint8_t u8[2] = { 200, 3 };
	static const int64_t i64[2] = { INT64_MAX, 0 };

	ck_assert_int_eq(compare(NX_U8, u8, u8, 2), 0);
	ck_assert_int_eq(compare(NX_U8, (uint8_t[]){ 201, 3 }, u8, 2), -NX_ENO);
	ck_assert_double_eq(v.max_abs, 1);
	ck_assert_int_eq(compare(NX_I64, (int64_t[]){ INT64_MAX - 1, 0 }, i64, 2), -NX_ENO);
}
END_TEST

START_TEST(halves_are_looser)
{
	static const uint16_t one[1] = { 0x3c00 };

	ck_assert_int_eq(compare(NX_F16, (uint16_t[]){ 0x3c08 }, one, 1), 0);
	ck_assert_int_eq(compare(NX_F16, (uint16_t[]){ 0x3c20 }, one, 1), -NX_ENO);
}
END_TEST

START_TEST(type_and_shape_count)
{
	struct nx_shape s = { 1, { 2 } }, other = { 2, { 1, 2 } };
	struct nx_tensor a, b, c;

	ck_assert_int_eq(nx_tensor_init(&a, NX_F32, &s, &err), 0);
	ck_assert_int_eq(nx_tensor_init(&b, NX_F32, &other, &err), 0);
	ck_assert_int_eq(nx_tensor_init(&c, NX_I32, &s, &err), 0);
	ck_assert_int_eq(nx_verify_compare(&a, &b, &v, &err), -NX_ENO);
	ck_assert_str_eq(err.msg, "FP32 [2] instead of FP32 [1,2]");
	ck_assert_int_eq(nx_verify_compare(&a, &c, &v, &err), -NX_ENO);
	ck_assert_str_eq(err.msg, "FP32 [2] instead of INT32 [2]");
	nx_tensor_release(&a);
	nx_tensor_release(&b);
	nx_tensor_release(&c);
}
END_TEST

UNIT_MAIN("profile/verify", floats_may_differ_by_a_thousandth,
	nan_and_infinity_equal_themselves_alone, integers_are_exact, halves_are_looser,
	type_and_shape_count)
