/* SPDX-License-Identifier: Apache-2.0 */
/* Memory in whole pages, and files read into it. */
#include "core/alloc.h"
#include "core/fs.h"
#include "unit.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)

START_TEST(pages_are_zero_and_aligned)
{
	static const size_t sizes[] = { 1, 4096, 4097, HUGE - 1, HUGE, HUGE + 1, 3 * HUGE + 5000 };

	for (size_t i = 0; i < NX_ARRAY_LEN(sizes); i++) {
		unsigned char *p = nx_pages_alloc(sizes[i]);
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % 64, 0);
		size_t zeros = 0;
		while (zeros < sizes[i] && p[zeros] == 0)
			zeros++;
		ck_assert_uint_eq(zeros, sizes[i]);
		memset(p, 1, sizes[i]);
		nx_pages_free(p, sizes[i]);
	}
	ck_assert_ptr_null(nx_pages_alloc(SIZE_MAX));
#ifndef NX_SANITIZE /* AddressSanitizer dies of such a wish */
	ck_assert_ptr_null(nx_pages_alloc(SIZE_MAX - HUGE));
#endif
	nx_pages_free(NULL, 5);
}
END_TEST

static void write_file(const char *path, size_t len)
{
	char *data = nx_alloc(len, 1);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 4096);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
	free(data);
}

START_TEST(files_of_all_sizes_are_read_whole)
{
	static const size_t sizes[] = { 0, 1, NX_PAGES_MIN - 1, NX_PAGES_MIN, 2 * HUGE + 77 };
	char path[] = "/tmp/nexus-test-XXXXXX";
	struct nx_err err = NX_ERR_INIT;
	struct nx_fs_bytes b;

	close(mkstemp(path));
	for (size_t i = 0; i < NX_ARRAY_LEN(sizes); i++) {
		write_file(path, sizes[i]);
		ck_assert_msg(nx_fs_read_bytes(path, HUGE * 4, &b, &err) == 0, "%s", err.msg);
		ck_assert_uint_eq(b.len, sizes[i]);
		ck_assert_ptr_nonnull(b.data);
		const char *read = b.data;
		size_t right = 0;
		while (right < b.len && read[right] == (char)(right * 7 + right / 4096))
			right++;
		ck_assert_uint_eq(right, b.len);
		nx_fs_bytes_release(&b);
		ck_assert_ptr_null(b.data);
		if (sizes[i])
			ck_assert_int_eq(nx_fs_read_bytes(path, sizes[i] - 1, &b, &err), -NX_EDATA);
	}
	unlink(path);
	ck_assert_int_eq(nx_fs_read_bytes(path, HUGE, &b, &err), -NX_ENOINPUT);
	ck_assert_int_eq(nx_fs_read_bytes("/tmp", HUGE, &b, &err), -NX_ENOINPUT);
	nx_fs_bytes_release(&b);
}
END_TEST

UNIT_MAIN("core/pages", pages_are_zero_and_aligned, files_of_all_sizes_are_read_whole)
