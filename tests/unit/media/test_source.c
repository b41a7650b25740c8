/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"

#include "media_test.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#define SEGMENT_LENGTH 44 /* where full-range.mkv says how long it is */

/* What reading a source to its end gave. */
struct reading {
	int frames, rc; /* rc: 0 or the error behind the last frame */
	int worst;      /* largest difference from 'color' in any frame */
	double first_ms, last_ms;
	bool ordered; /* indices count from 0, times grow */
	struct nx_err err;
};

static struct reading read_all(const char *path, unsigned color)
{
	struct reading r = { .ordered = true };
	struct nx_source *s = NULL;
	struct nx_frame f;

	r.rc = nx_source_open(path, &s, &r.err);
	while (s && (r.rc = nx_source_next(s, &f, &r.err)) > 0) {
		int e = color_error(&f, color);
		r.worst = e > r.worst ? e : r.worst;
		r.ordered = r.ordered && f.index == r.frames &&
			    (r.frames == 0 || f.time_ms > r.last_ms);
		r.first_ms = r.frames ? r.first_ms : f.time_ms;
		r.last_ms = f.time_ms;
		r.frames++;
		nx_frame_release(&f);
	}
	nx_source_close(&s);
	ck_assert_ptr_null(s);
	return r;
}

#define read_file(name, color) read_all(FIXTURES name, color)

START_TEST(video_behind_audio)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_source *s;
	struct nx_frame f;
	int last = -1, n = 0, rc;

	ck_assert_int_eq(nx_source_open(FIXTURES "audio-first.mp4", &s, &err), 0);
	ck_assert_double_eq(nx_source_fps(s), 25);
	while ((rc = nx_source_next(s, &f, &err)) > 0) {
		/* Grey grows with the frame number, B frames or not. */
		int grey = f.rgb[(24 * 64 + 32) * 3];
		ck_assert_int_gt(grey, last);
		ck_assert_int_eq(f.index, n);
		ck_assert_double_eq_tol(f.time_ms, 40 * n, 1e-9);
		/* Limited range: luma 20 + 8 n is (4 + 8 n) * 255 / 219. */
		ck_assert_int_le(abs(grey - (4 + 8 * n) * 255 / 219), 3);
		last = grey;
		n++;
		nx_frame_release(&f);
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(n, 25);
	ck_assert_int_eq(nx_source_next(s, &f, &err), 0);
	nx_source_close(&s);
}
END_TEST

START_TEST(late_start_keeps_its_time)
{
	struct reading r = read_file("late-start.mp4", 0xc03020);

	ck_assert_int_eq(r.frames, 10);
	ck_assert(r.ordered);
	ck_assert_double_eq_tol(r.first_ms, 1720, 1e-6);
	ck_assert_double_eq_tol(r.last_ms, 2080, 1e-6);
	ck_assert_int_le(r.worst, 4);
}
END_TEST

START_TEST(full_range_and_matrix)
{
	struct reading full = read_file("full-range.mkv", 0xc03020);
	struct reading hd = read_file("hd.mp4", 0xc03020);

	ck_assert_int_eq(full.frames, 10);
	ck_assert_int_le(full.worst, 4);
	ck_assert_int_eq(hd.frames, 2);
	ck_assert_int_le(hd.worst, 4);
}
END_TEST

START_TEST(sequence_of_jpegs)
{
	struct reading r = read_file("three.mjpeg", 0x3050a0);

	ck_assert_int_eq(r.frames, 3);
	ck_assert_int_eq(r.rc, 0);
	ck_assert_int_le(r.worst, 4);
}
END_TEST

START_TEST(no_video_in_it)
{
	struct reading r = read_file("sound-and-cover.m4a", 0);

	ck_assert_int_eq(r.rc, -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "sound-and-cover.m4a"));
	ck_assert_ptr_nonnull(strstr(r.err.msg, "no video stream"));
}
END_TEST

static void remove_temp(char *dir, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *path = nx_fs_join(dir, names[i]);
		unlink(path);
		free(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	free(dir);
}

/* Puts bytes on standard input, through a pipe or as a file. */
static void set_stdin(const char *path, bool by_pipe)
{
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	if (by_pipe) {
		struct nx_buf b = slurp(path);
		int p[2];
		ck_assert_int_eq(pipe(p), 0);
		/* All of it fits the pipe's buffer, so that no second process is needed. */
		ck_assert_int_ge(fcntl(p[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
		ck_assert_int_eq(write(p[1], b.data, b.len), b.len);
		close(p[1]);
		close(fd);
		fd = p[0];
		nx_buf_release(&b);
	}
	ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
}

START_TEST(standard_input)
{
	set_stdin(FIXTURES "full-range.mkv", true);
	ck_assert_int_eq(read_all("-", 0xc03020).frames, 10);
	set_stdin(FIXTURES "three.mjpeg", true);
	ck_assert_int_eq(read_all("-", 0x3050a0).frames, 3);
	set_stdin(FIXTURES "late-start.mp4", false);
	ck_assert_int_eq(read_all("-", 0xc03020).frames, 10);

	/* An MP4 with its index at the end, farther away than what is buffered, cannot be read
	 * from a pipe.  The box "free" is padding that readers skip. */
	static const char padding[400000] = { 0, 0x06, 0x1a, (char)0x80, 'f', 'r', 'e', 'e' };
	struct nx_buf b = slurp(FIXTURES "late-start.mp4");
	char *index = memmem(b.data, b.len, "moov", 4), *dir = make_temp();
	size_t at = (size_t)(index - b.data) - 4;
	struct nx_buf far = NX_BUF_INIT;
	nx_buf_add(&far, b.data, at);
	nx_buf_add(&far, padding, sizeof padding);
	nx_buf_add(&far, b.data + at, b.len - at);
	char *path = nx_fs_join(dir, "far.mp4");
	spill(path, far.data, far.len);
	set_stdin(path, false);
	ck_assert_int_eq(read_all("-", 0xc03020).frames, 10);
	set_stdin(path, true);
	struct reading r = read_all("-", 0);
	ck_assert_int_eq(r.rc, -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "standard input"));
	ck_assert_ptr_nonnull(strstr(r.err.msg, "pipe"));
	set_stdin("/dev/null", true);
	ck_assert_int_eq(read_all("-", 0).rc, -NX_EDATA);
	free(path);
	nx_buf_release(&b);
	nx_buf_release(&far);
	remove_temp(dir, (const char *const[]){ "far.mp4" }, 1);
}
END_TEST

static void put_picture(const char *dir, const char *name, unsigned color)
{
	struct nx_frame f = flat(8, 8, color);
	struct nx_err err = NX_ERR_INIT;
	char *path = nx_fs_join(dir, name);
	void *bytes;
	size_t len;

	ck_assert_int_eq(nx_media_encode_image(&f, "png", 0, &bytes, &len, &err), 0);
	spill(path, bytes, len);
	free(bytes);
	free(path);
	nx_frame_release(&f);
}

static void put_bytes(const char *dir, const char *name, const void *data, size_t len)
{
	char *path = nx_fs_join(dir, name);

	spill(path, data, len);
	free(path);
}

/* Names in the order people count, a video among pictures, other files left alone, a file that
 * cannot be read named and passed over. */
START_TEST(directory)
{
	static const char *const names[] = { "f1.png", "f2.png", "f3.mjpeg", "f5.png", "f10.png",
		"notes.txt", ".hidden.png" };
	static const char *const expect[] = { "f1.png", "f2.png", "f3.mjpeg", "f3.mjpeg",
		"f3.mjpeg", NULL, "f10.png" };
	char *dir = make_temp();
	struct nx_buf b = slurp(FIXTURES "three.mjpeg");
	struct nx_err err = NX_ERR_INIT;
	struct nx_source *s;
	struct nx_frame f;

	put_picture(dir, "f10.png", 0x0a0000);
	put_picture(dir, "f2.png", 0x020000);
	put_picture(dir, "f1.png", 0x010000);
	put_picture(dir, ".hidden.png", 0);
	put_bytes(dir, "f3.mjpeg", b.data, b.len);
	put_bytes(dir, "f5.png", "no picture", 10);
	put_bytes(dir, "notes.txt", "hello", 5);
	ck_assert_int_eq(nx_source_open(dir, &s, &err), 0);
	int64_t index = 0;
	for (size_t i = 0; i < NX_ARRAY_LEN(expect); i++) {
		int rc = nx_source_next(s, &f, &err);
		if (!expect[i]) {
			ck_assert_int_eq(rc, -NX_EDATA);
			ck_assert_ptr_nonnull(strstr(err.msg, "f5.png"));
			continue;
		}
		ck_assert_int_eq(rc, 1);
		ck_assert_str_eq(strrchr(nx_source_name(s), '/') + 1, expect[i]);
		ck_assert_int_eq(f.index, index++);
		nx_frame_release(&f);
	}
	ck_assert_int_eq(nx_source_next(s, &f, &err), 0);
	nx_source_close(&s);
	nx_buf_release(&b);
	remove_temp(dir, names, NX_ARRAY_LEN(names));
}
END_TEST

START_TEST(missing_and_empty)
{
	static const char *const names[] = { "empty.mp4", "gone.png", "notes.txt" };
	char *dir = make_temp();
	struct reading r = read_all("/nonexistent/x.mp4", 0);

	ck_assert_int_eq(r.rc, -NX_ENOINPUT);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "/nonexistent/x.mp4"));
	put_bytes(dir, "notes.txt", "hello", 5);
	ck_assert_int_eq(read_all(dir, 0).rc, -NX_ENOINPUT);

	/* A link to nothing stands for a file that cannot be opened (root reads all others). */
	char *link = nx_fs_join(dir, "gone.png");
	ck_assert_int_eq(symlink("/nonexistent", link), 0);
	r = read_all(dir, 0);
	ck_assert_int_eq(r.rc, -NX_ENOINPUT);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "gone.png"));
	free(link);

	char *path = nx_fs_join(dir, "empty.mp4");
	spill(path, "", 0);
	r = read_all(path, 0);
	ck_assert_int_eq(r.rc, -NX_EDATA);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "empty.mp4"));
	free(path);
	remove_temp(dir, names, NX_ARRAY_LEN(names));
}
END_TEST

/* Playlists and formats that name other files must not open them. */
START_TEST(playlists_are_refused)
{
	static const char *const names[] = { "a.mp4", "secret.mkv" };
	static const char *const texts[] = {
		"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mkv\n#EXT-X-ENDLIST\n",
		"ffconcat version 1.0\nfile secret.mkv\n",
		"<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"></MPD>\n",
		"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
		"This is only a text.\n",
	};
	struct nx_buf b = slurp(FIXTURES "full-range.mkv");
	char *dir = make_temp(), *path = nx_fs_join(dir, "a.mp4");

	put_bytes(dir, "secret.mkv", b.data, b.len);
	for (size_t i = 0; i < NX_ARRAY_LEN(texts); i++) {
		spill(path, texts[i], strlen(texts[i]));
		struct reading r = read_all(path, 0);
		ck_assert_msg(r.rc < 0 && r.frames == 0, "text %zu: %d frames", i, r.frames);
		ck_assert_ptr_nonnull(strstr(r.err.msg, "a.mp4"));
	}
	free(path);
	nx_buf_release(&b);
	remove_temp(dir, names, NX_ARRAY_LEN(names));
}
END_TEST

/* A video cut anywhere gives at most its frames, in order, and never all of them in silence. */
START_TEST(truncated_video)
{
	static const char *const names[] = { "cut.mp4" };
	/* With the index in front, as for the web, what is left can be read. */
	struct nx_buf b = slurp(FIXTURES "index-first.mp4");
	char *dir = make_temp(), *path = nx_fs_join(dir, "cut.mp4");
	int most = 0;

	for (size_t n = 1; n < b.len; n += 97) {
		spill(path, b.data, n);
		struct reading r = read_all(path, 0);
		ck_assert_msg(r.rc == -NX_EDATA, "cut to %zu: %d frames, %d %s", n, r.frames, r.rc,
			r.rc ? r.err.msg : "no error");
		ck_assert_ptr_nonnull(strstr(r.err.msg, "cut.mp4"));
		ck_assert(r.ordered);
		ck_assert_int_lt(r.frames, 26);
		most = r.frames > most ? r.frames : most;
	}
	ck_assert_int_gt(most, 15);
	free(path);
	nx_buf_release(&b);
	remove_temp(dir, names, NX_ARRAY_LEN(names));
}
END_TEST

/* Matroska has no index to miss; its segment says how long it is. */
START_TEST(truncated_matroska)
{
	static const char *const names[] = { "cut.mkv" };
	struct nx_buf b = slurp(FIXTURES "full-range.mkv");
	char *dir = make_temp(), *path = nx_fs_join(dir, "cut.mkv");

	for (size_t n = 1; n < b.len; n++) {
		spill(path, b.data, n);
		struct reading r = read_all(path, 0);
		ck_assert_msg(r.rc == -NX_EDATA, "cut to %zu: %d frames, %d %s", n, r.frames, r.rc,
			r.rc ? r.err.msg : "no error");
		ck_assert(r.ordered);
	}
	/* Of a recording that was never finished nothing is known to be missing: all bits of the
	 * length are set then. */
	memset(b.data + SEGMENT_LENGTH + 1, 0xff, 7);
	spill(path, b.data, b.len);
	ck_assert_int_eq(read_all(path, 0).rc, 0);
	free(path);
	nx_buf_release(&b);
	remove_temp(dir, names, NX_ARRAY_LEN(names));
}
END_TEST

START_TEST(damaged_videos_never_crash)
{
	static const char *const files[] = { "audio-first.mp4", "full-range.mkv", "three.mjpeg",
		"late-start.mp4", "index-first.mp4" };
	static const char *const names[] = { "bad.mp4" };
	char *dir = make_temp(), *path = nx_fs_join(dir, "bad.mp4");
	struct nx_rng rng;

	nx_rng_init(&rng, 5);
	for (size_t k = 0; k < NX_ARRAY_LEN(files); k++) {
		char *good = nx_fs_join(FIXTURES, files[k]);
		for (int i = 0; i < 40; i++) {
			struct nx_buf b = slurp(good);
			for (int flips = 1 + i % 8; flips > 0; flips--) {
				size_t at = nx_rng_below(&rng, b.len);
				b.data[at] = (char)(b.data[at] ^ (1 << nx_rng_below(&rng, 8)));
			}
			spill(path, b.data, b.len);
			struct reading r = read_all(path, 0);
			ck_assert_int_le(r.rc, 0);
			nx_buf_release(&b);
		}
		free(good);
	}
	free(path);
	remove_temp(dir, names, NX_ARRAY_LEN(names));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { video_behind_audio, late_start_keeps_its_time,
		full_range_and_matrix, sequence_of_jpegs, no_video_in_it, standard_input, directory,
		missing_and_empty, playlists_are_refused, truncated_video, truncated_matroska,
		damaged_videos_never_crash };

	find_media();
	return unit_run("media/source", tests, NX_ARRAY_LEN(tests));
}
