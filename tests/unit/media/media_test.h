/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of media share: where media.so and the fixtures are, flat pictures, files. */
#ifndef NX_TESTS_MEDIA_TEST_H
#define NX_TESTS_MEDIA_TEST_H

#include "core/alloc.h"
#include "core/fs.h"
#include "media/media.h"

#include "unit.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define FIXTURES   "tests/data/media/"
#define MAX_PIXELS ((size_t)1 << 24)

/* Tests are run from the top folder; media.so is beside them: BUILD/tests/media/test_x. */
static inline void find_media(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (getenv("NEXUS_PLUGIN_PATH") || n <= 0)
		return;
	exe[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(exe, '/') = '\0';
	char *dir = nx_fs_join(exe, "lib/nexus");
	setenv("NEXUS_PLUGIN_PATH", dir, 1);
	free(dir);
}

/* A picture of one colour, 0xRRGGBB. */
static inline struct nx_frame flat(int width, int height, unsigned color)
{
	struct nx_frame f = { .width = width, .height = height };

	f.rgb = nx_alloc((size_t)width * (size_t)height, 3);
	for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
		f.rgb[3 * i] = (uint8_t)(color >> 16);
		f.rgb[3 * i + 1] = (uint8_t)(color >> 8);
		f.rgb[3 * i + 2] = (uint8_t)color;
	}
	return f;
}

/* The largest difference of any byte of the picture from a colour. */
static inline int color_error(const struct nx_frame *f, unsigned color)
{
	int worst = 0;

	for (size_t i = 0; i < (size_t)f->width * (size_t)f->height * 3; i++) {
		int d = f->rgb[i] - (int)(color >> (16 - 8 * (i % 3)) & 0xff);
		worst = abs(d) > worst ? abs(d) : worst;
	}
	return worst;
}

static inline struct nx_buf slurp(const char *path)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_buf b = NX_BUF_INIT;

	ck_assert_msg(nx_fs_read(path, (size_t)1 << 24, &b, &err) == 0, "%s", err.msg);
	return b;
}

static inline void spill(const char *path, const void *data, size_t len)
{
	struct nx_err err = NX_ERR_INIT;

	ck_assert_msg(nx_fs_write(path, data, len, &err) == 0, "%s", err.msg);
}

/* A folder of this test's own, removed by remove_temp. */
static inline char *make_temp(void)
{
	char name[] = "/tmp/nexus-media-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	return nx_strdup(name);
}

#endif
