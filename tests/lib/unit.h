/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests are small programs made with check that print TAP:
 *
 *	START_TEST(adds) { ck_assert_int_eq(1 + 1, 2); } END_TEST
 *	UNIT_MAIN("core/units", adds, …)
 */
#ifndef NX_TESTS_UNIT_H
#define NX_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Runs the tests and prints TAP on standard output. */
static inline int unit_run(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN(name, ...)                                                \
	int main(void)                                                      \
	{                                                                   \
		const TTest *const tests[] = { __VA_ARGS__ };               \
		return unit_run(name, tests, sizeof tests / sizeof *tests); \
	}

#endif
