/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"
#include "core/err.h"
#include "core/rng.h"
#include "core/text.h"
#include "core/units.h"

#include "unit.h"

#include <string.h>

START_TEST(err_wrap_keeps_code)
{
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(nx_err_set(&err, NX_EDATA, "bad %d", 7), -NX_EDATA);
	ck_assert_int_eq(nx_err_wrap(&err, "loading '%s'", "x"), -NX_EDATA);
	ck_assert_str_eq(err.msg, "loading 'x': bad 7");
	ck_assert_int_eq(nx_err_exit_status(-NX_EDATA), 65);
	ck_assert_int_eq(nx_err_http_status(NX_ELATE), 503);
}
END_TEST

START_TEST(units_parse)
{
	struct nx_err err = NX_ERR_INIT;
	double v;

	ck_assert_int_eq(nx_units_parse_ms("1.5s", &v, &err), 0);
	ck_assert_double_eq(v, 1500);
	ck_assert_int_eq(nx_units_parse_rate("1.5k/s", &v, &err), 0);
	ck_assert_double_eq(v, 1500);
	ck_assert_int_lt(nx_units_parse_ms("50", &v, &err), 0);
	ck_assert_int_lt(nx_units_parse_ms("-50ms", &v, &err), 0);
	ck_assert_int_lt(nx_units_parse_ms("nanms", &v, &err), 0);
	ck_assert_int_lt(nx_units_parse_rate("1e999", &v, &err), 0);
}
END_TEST

START_TEST(text_closest)
{
	const char *const words[] = { "slo_ms", "rate", "model" };

	ck_assert_str_eq(nx_text_closest("slo_sm", words, 3), "slo_ms");
	ck_assert_ptr_null(nx_text_closest("colour", words, 3));
	ck_assert(nx_text_is_utf8("caf\xc3\xa9", 5));
	ck_assert(!nx_text_is_utf8("\xc0\x80", 2));
	ck_assert(!nx_text_is_utf8("\xed\xa0\x80", 3));
}
END_TEST

START_TEST(digest_of_abc)
{
	char d[NX_DIGEST_SIZE];

	nx_digest_of("abc", 3, d);
	ck_assert_str_eq(d, "sha256:ba7816bf8f01cfea414140de5dae2223"
			    "b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(rng_repeats)
{
	struct nx_rng a, b;
	double sum = 0;

	nx_rng_init(&a, 42);
	nx_rng_init(&b, 42);
	for (int i = 0; i < 10000; i++) {
		double x = nx_rng_exp(&a);
		ck_assert_double_eq(x, nx_rng_exp(&b));
		sum += x;
	}
	ck_assert_double_eq_tol(sum / 10000, 1.0, 0.05);
}
END_TEST

UNIT_MAIN("core", err_wrap_keeps_code, units_parse, text_closest, digest_of_abc, rng_repeats)
