/* SPDX-License-Identifier: Apache-2.0 */
/* Videos that nobody made for this test: every one in $NEXUS_TEST_DATA/video. */
#include "core/clock.h"

#include "media_test.h"

#include <dirent.h>
#include <stdio.h>

static char *videos;

/* Frames come in order, with times that grow, to an end without an error. */
static void read_video(const char *path)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_source *s;
	struct nx_frame f;
	double last_ms = -1;
	int64_t n = 0;
	int rc;
	uint64_t start_ns = nx_now_ns();

	ck_assert_msg(nx_source_open(path, &s, &err) == 0, "%s", err.msg);
	while ((rc = nx_source_next(s, &f, &err)) > 0) {
		ck_assert_int_eq(f.index, n);
		ck_assert_msg(f.time_ms > last_ms, "'%s': frame %lld", path, (long long)n);
		last_ms = f.time_ms;
		n++;
		nx_frame_release(&f);
	}
	ck_assert_msg(rc == 0, "%s", err.msg);
	ck_assert_int_gt(n, 0);
	double ms = nx_ns_to_ms(nx_now_ns() - start_ns);
	printf("# %s: %lld frames to %.0f ms, %.0f frames/s\n", strrchr(path, '/') + 1,
		(long long)n, last_ms, (double)n * 1000 / ms);
	nx_source_close(&s);
}

START_TEST(all_videos)
{
	struct dirent **entry = NULL;
	int n = scandir(videos, &entry, NULL, alphasort), read = 0;

	for (int i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.') {
			char *path = nx_fs_join(videos, entry[i]->d_name);
			read_video(path);
			read++;
			free(path);
		}
		free(entry[i]);
	}
	free(entry);
	ck_assert_int_gt(read, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { all_videos };
	const char *data = getenv("NEXUS_TEST_DATA");

	videos = data ? nx_fs_join(data, "video") : NULL;
	if (!videos || access(videos, R_OK)) {
		printf("1..0 # SKIP $NEXUS_TEST_DATA/video is not there\n");
		return 0;
	}
	find_media();
	return unit_run("media/real", tests, NX_ARRAY_LEN(tests));
}
