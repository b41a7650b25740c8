/* SPDX-License-Identifier: Apache-2.0 */
/* Without media.so, with one that is none, and with the right one at last. */
#include "media_test.h"

START_TEST(not_there_and_not_ours)
{
	char *dir = make_temp(), *path = nx_fs_join(dir, "media.so");
	char *right = nx_strdup(getenv("NEXUS_PLUGIN_PATH"));
	struct nx_err err = NX_ERR_INIT;
	struct nx_source *s;

	/* A relative folder would mean the current directory and is left out. */
	char *list = nx_asprintf("%s::build:.", dir);
	setenv("NEXUS_PLUGIN_PATH", list, 1);
	ck_assert_int_eq(nx_media_load(&err), -NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(err.msg, "media.so"));
	ck_assert_int_eq(nx_source_open("tests", &s, &err), -NX_EUNAVAIL);

	spill(path, "no library", 10);
	ck_assert_int_eq(nx_media_load(&err), -NX_EUNAVAIL);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	unlink(path);

	/* The first folder that has one counts. */
	free(list);
	list = nx_asprintf("%s:%s", dir, right);
	setenv("NEXUS_PLUGIN_PATH", list, 1);
	ck_assert_msg(nx_media_load(&err) == 0, "%s", err.msg);
	ck_assert_int_eq(nx_media_load(&err), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	free(list);
	free(right);
	free(path);
	free(dir);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { not_there_and_not_ours };

	find_media();
	return unit_run("media/load", tests, NX_ARRAY_LEN(tests));
}
