/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: one name on the command line, frames one by one.  A source is a list of items (a file
 * is a list of one) that are opened in turn.  In a directory the name's ending says what belongs
 * to the list, so that a README beside the pictures does no harm; what an item is, picture or
 * video, its bytes decide.
 */
#include "media/media.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "media/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MAX_BYTES  ((size_t)1 << 28)
#define IMAGE_MAX_PIXELS NX_VIDEO_MAX_PIXELS

struct nx_source {
	const struct nx_media_ops *ops;
	char **item; /* paths, in the order in which they are read */
	size_t n_items, cap, at;
	struct nx_video *video; /* the open item when it is a video */
	struct nx_frame first;  /* read ahead by nx_source_open when the item is a picture */
	const char *name;       /* of the last frame's file, borrowed from item[] */
	int64_t index;
};

static bool is_media_name(const char *name)
{
	static const char *const endings[] = { "jpg", "jpeg", "png", "bmp", "webp", "gif", "mp4",
		"m4v", "mov", "3gp", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg",
		"flv", "ogv", "ivf", "h264", "264", "h265", "265", "hevc", "mjpeg", "mjpg", "y4m",
		"nut" };
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name)
		return false;
	for (size_t i = 0; i < NX_ARRAY_LEN(endings); i++)
		if (strcasecmp(dot + 1, endings[i]) == 0)
			return true;
	return false;
}

static int wanted_entry(const struct dirent *e)
{
	return e->d_name[0] != '.' && e->d_type != DT_DIR && is_media_name(e->d_name);
}

/* Takes 'path'. */
static void add_item(struct nx_source *s, char *path)
{
	s->item = nx_grow(s->item, &s->cap, s->n_items + 1, sizeof *s->item);
	s->item[s->n_items++] = path;
}

/* Name order as people count: frame2 comes before frame10. */
static int list_directory(struct nx_source *s, const char *path, struct nx_err *err)
{
	struct dirent **entry = NULL;
	int n = scandir(path, &entry, wanted_entry, versionsort);

	if (n < 0)
		return nx_err_set(
			err, NX_ENOINPUT, "cannot read directory '%s': %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		add_item(s, nx_fs_join(path, entry[i]->d_name));
		free(entry[i]);
	}
	free(entry);
	if (n == 0)
		return nx_err_set(err, NX_ENOINPUT, "no pictures or videos in '%s'", path);
	return 0;
}

/* A file that starts as a picture is one, unless its name says that it is many (motion JPEG). */
static bool is_picture(int fd, const char *path)
{
	uint8_t head[NX_IMAGE_SNIFF];
	struct stat st;
	const char *dot = strrchr(path, '.');

	if (dot && (strcasecmp(dot, ".mjpeg") == 0 || strcasecmp(dot, ".mjpg") == 0))
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	ssize_t n = pread(fd, head, sizeof head, 0);
	return n == (ssize_t)sizeof head && nx_image_kind(head, sizeof head) != NX_IMAGE_NONE;
}

static int read_picture(const char *path, struct nx_frame *f, struct nx_err *err)
{
	struct nx_buf bytes = NX_BUF_INIT;
	int rc = nx_fs_read(path, IMAGE_MAX_BYTES, &bytes, err);

	if (rc == 0) {
		rc = nx_media_decode_image(bytes.data, bytes.len, IMAGE_MAX_PIXELS, f, err);
		if (rc)
			nx_err_wrap(err, "'%s'", path);
	}
	nx_buf_release(&bytes);
	return rc ? rc : 1;
}

/* Opens the next item: 1 and a frame if it is a picture, 0 and s->video if it is a video. */
static int open_item(struct nx_source *s, struct nx_frame *f, struct nx_err *err)
{
	const char *path = s->item[s->at++];
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			  : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	s->name = path;
	if (fd < 0)
		return nx_err_set(err, NX_ENOINPUT, "cannot open '%s': %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return nx_err_set(err, NX_ENOINPUT, "cannot read '%s': is a directory", path);
	}
	if (!is_stdin && is_picture(fd, path)) {
		close(fd);
		return read_picture(path, f, err);
	}
	return s->ops->video_open(fd, is_stdin ? "standard input" : path, &s->video, err);
}

int nx_source_open(const char *path, struct nx_source **out, struct nx_err *err)
{
	struct nx_source *s = nx_alloc(1, sizeof *s);
	struct stat st;
	int rc = 0;

	s->ops = nx_media_ops(err);
	if (!s->ops)
		rc = -err->code;
	else if (strcmp(path, "-") == 0)
		add_item(s, nx_strdup(path));
	else if (stat(path, &st))
		rc = nx_err_set(err, NX_ENOINPUT, "cannot open '%s': %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		rc = list_directory(s, path, err);
	else
		add_item(s, nx_strdup(path));
	if (rc == 0 && (s->n_items == 1 && strcmp(s->item[0], path) == 0))
		rc = open_item(s, &s->first, err);
	if (rc < 0) {
		nx_source_close(&s);
		return rc;
	}
	s->name = s->item[0];
	*out = s;
	return 0;
}

int nx_source_next(struct nx_source *s, struct nx_frame *f, struct nx_err *err)
{
	for (;;) {
		int rc;
		if (s->first.rgb) {
			*f = s->first;
			memset(&s->first, 0, sizeof s->first);
			rc = 1;
		} else if (s->video) {
			rc = s->ops->video_next(s->video, f, err);
			if (rc <= 0)
				s->ops->video_close(&s->video);
		} else if (s->at == s->n_items) {
			return 0;
		} else {
			rc = open_item(s, f, err);
		}
		if (rc > 0)
			f->index = s->index++;
		if (rc != 0)
			return rc;
	}
}

double nx_source_fps(const struct nx_source *s)
{
	return s->video ? s->ops->video_fps(s->video) : 0;
}

const char *nx_source_name(const struct nx_source *s)
{
	return s->name;
}

void nx_source_close(struct nx_source **source)
{
	struct nx_source *s = *source;

	if (!s)
		return;
	if (s->video)
		s->ops->video_close(&s->video);
	for (size_t i = 0; i < s->n_items; i++)
		free(s->item[i]);
	free(s->item);
	nx_frame_release(&s->first);
	free(s);
	*source = NULL;
}
