/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and bodies made before a load; what a server says of its inputs is not trusted. */
#include "bench/payload.h"
#include "core/fs.h"
#include "net/oip.h"

#include "unit.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define FIXTURES "tests/data/media/"

/* media.so is beside the tests: BUILD/tests/bench/test_payload. */
static void find_media(void)
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

static int make(struct nx_payload *p, const char *metadata, size_t max_bytes, struct nx_err *err)
{
	return nx_payload_random(p, metadata, strlen(metadata), "server", 7, max_bytes, err);
}

START_TEST(random_tensors_have_the_server_s_shape)
{
	static const char metadata[] =
		"{\"name\":\"m\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,3,4]},"
		"{\"name\":\"k\",\"datatype\":\"INT64\",\"shape\":[-1]}]}";
	struct nx_payload p, q;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(make(&p, metadata, 1 << 20, &err), 0);
	ck_assert_int_eq(make(&q, metadata, 1 << 20, &err), 0);
	ck_assert_uint_gt(p.n, 1);
	for (size_t i = 0; i < p.n; i++) {
		struct nx_oip_request req;
		ck_assert_int_eq(nx_oip_parse_request(p.body[i].data, p.body[i].len, p.json_len[i],
					 NULL, &req, &err),
			0);
		ck_assert_uint_eq(req.n_inputs, 2);
		ck_assert_str_eq(req.input[0].name, "x");
		ck_assert_int_eq(req.input[0].dtype, NX_F32);
		ck_assert_int_eq(req.input[0].shape.rank, 3);
		ck_assert_int_eq(req.input[0].shape.dim[0], 1);
		ck_assert_uint_eq(req.input[0].bytes, 48);
		for (int k = 0; k < 12; k++) {
			float f;
			memcpy(&f, (const char *)req.input[0].data + 4 * k, 4);
			ck_assert(f >= 0 && f < 1);
		}
		ck_assert_uint_eq(req.input[1].bytes, 8);
		nx_oip_request_release(&req);
		ck_assert_uint_eq(p.body[i].len, q.body[i].len);
		ck_assert_mem_eq(p.body[i].data, q.body[i].data, p.body[i].len);
	}
	ck_assert_mem_ne(p.body[0].data, p.body[1].data, p.body[0].len);
	nx_payload_release(&p);
	nx_payload_release(&q);
}
END_TEST

START_TEST(bodies_fit_their_memory)
{
	static const char metadata[] =
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP16\",\"shape\":[1,1000]}]}";
	struct nx_payload p;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(make(&p, metadata, 5000, &err), 0);
	ck_assert_uint_eq(p.n, 2);
	nx_payload_release(&p);
	ck_assert_int_eq(make(&p, metadata, 10, &err), 0);
	ck_assert_uint_eq(p.n, 1);
	nx_payload_release(&p);
}
END_TEST

START_TEST(bad_metadata_is_refused)
{
	static const char *const bad[] = { "", "{", "[]", "{}", "{\"inputs\":[]}",
		"{\"inputs\":[1]}", "{\"inputs\":[{\"name\":\"x\"}]}",
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,\"a\"]}]}",
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,1,1,1,1,1,1,1,1]}]}",
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1000000000,1000000000]}]}",
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[4e9,4e9,4e9,4e9]}]}",
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[1]}]}",
		"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"NONE\",\"shape\":[1]}]}" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct nx_payload p;
		struct nx_err err = NX_ERR_INIT;
		ck_assert_int_eq(make(&p, bad[i], 1 << 20, &err), -NX_EDATA);
		ck_assert_ptr_nonnull(strstr(err.msg, "server"));
		nx_payload_release(&p);
	}
}
END_TEST

START_TEST(frames_are_spread_over_the_source)
{
	struct nx_frames f;
	struct nx_frame copy;
	struct nx_err err = NX_ERR_INIT;

	find_media();
	ck_assert_int_eq(nx_frames_load(&f, FIXTURES "three.mjpeg", &err), 0);
	ck_assert_uint_eq(f.n, 3);
	nx_frames_copy(&f, 1, &copy);
	ck_assert_ptr_ne(copy.rgb, f.frame[1].rgb);
	ck_assert_mem_eq(copy.rgb, f.frame[1].rgb, (size_t)copy.width * (size_t)copy.height * 3);
	nx_frame_release(&copy);
	nx_frames_release(&f);
	ck_assert_int_eq(nx_frames_load(&f, "share/nexus/demo/clip.mp4", &err), 0);
	ck_assert_uint_gt(f.n, NX_FRAMES_MAX / 2);
	int64_t stride = f.frame[1].index;
	ck_assert_int_gt(stride, 1);
	for (size_t i = 0; i < f.n; i++)
		ck_assert_int_eq(f.frame[i].index, (int64_t)i * stride);
	nx_frames_release(&f);
	ck_assert_int_eq(nx_frames_load(&f, FIXTURES "nosuch.mp4", &err), -NX_ENOINPUT);
	ck_assert_int_eq(nx_frames_load(&f, FIXTURES "README", &err), -NX_EDATA);
}
END_TEST

START_TEST(noise_is_seeded)
{
	struct nx_frames a, b;

	nx_frames_noise(&a, 3);
	nx_frames_noise(&b, 3);
	size_t bytes = (size_t)a.frame[0].width * (size_t)a.frame[0].height * 3;
	ck_assert_mem_eq(a.frame[0].rgb, b.frame[0].rgb, bytes);
	ck_assert_mem_ne(a.frame[0].rgb, a.frame[1].rgb, bytes);
	nx_frames_release(&b);
	nx_frames_release(&a);
}
END_TEST

START_TEST(pictures_become_rows)
{
	struct nx_model *m = NULL;
	struct nx_frames f;
	struct nx_payload p;
	struct nx_oip_request req;
	struct nx_err err = NX_ERR_INIT;

	ck_assert_int_eq(nx_model_load("share/nexus/demo/models/icons/model.onnx", &m, &err), 0);
	ck_assert(!nx_payload_takes_pictures(m));
	m->manifest->input.image = true;
	ck_assert(nx_payload_takes_pictures(m));
	nx_frames_noise(&f, 1);
	ck_assert_int_eq(nx_payload_pictures(&p, m, &f, 3 * 3072 * 4, &err), 0);
	ck_assert_uint_eq(p.n, 3);
	ck_assert_int_eq(nx_oip_parse_request(
				 p.body[2].data, p.body[2].len, p.json_len[2], NULL, &req, &err),
		0);
	ck_assert_uint_eq(req.input[0].bytes, 3072 * 4);
	nx_oip_request_release(&req);
	nx_payload_release(&p);
	nx_frames_release(&f);
	nx_model_free(&m);
}
END_TEST

UNIT_MAIN("bench/payload", random_tensors_have_the_server_s_shape, bodies_fit_their_memory,
	bad_metadata_is_refused, frames_are_spread_over_the_source, noise_is_seeded,
	pictures_become_rows)
