/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-model/1: reading manifest.json. */
#include "formats/manifest.h"

#include "core/alloc.h"
#include "formats/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX     65536
#define FILE_DEFAULT "model.onnx"

static void free_strings(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void nx_manifest_free(struct nx_manifest **m)
{
	struct nx_manifest *x = *m;

	*m = NULL;
	if (!x)
		return;
	for (size_t i = 0; i < x->output.n_regions; i++)
		free(x->output.regions[i].label);
	free(x->output.regions);
	free_strings(x->labels, x->n_labels);
	free(x->model);
	free(x->file);
	free(x->labels_file);
	free(x);
}

struct nx_manifest *nx_manifest_new(const char *model)
{
	struct nx_manifest *m = nx_alloc(1, sizeof *m);

	m->model = nx_strdup(model);
	m->file = nx_strdup(FILE_DEFAULT);
	for (size_t i = 0; i < NX_ARRAY_LEN(m->input.scale); i++)
		m->input.scale[i] = 1;
	m->output.top_k = 5;
	m->output.score = 0.5;
	m->output.nms = 0.45;
	return m;
}

/* An array of exactly n numbers in [min, max]; notes one mistake otherwise. */
static bool read_numbers(struct nx_jcheck *c, const struct nx_jv *v, const char *key,
	enum nx_jneed need, size_t n, double min, double max, double *out)
{
	const struct nx_jv *list;

	if (!nx_jget_array(c, v, key, need, &list))
		return false;
	bool good = list->n == n;
	for (size_t i = 0; good && i < n; i++) {
		const struct nx_jv *x = &list->items[i];
		good = x->kind == NX_JNUMBER && x->number >= min && x->number <= max;
	}
	if (!good) {
		nx_jcheck_fail(c, v, key, "must be %zu numbers from %g to %g", n, min, max);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = list->items[i].number;
	return true;
}

/* One number for all channels, or one for each. */
static void read_channels(
	struct nx_jcheck *c, const struct nx_jv *v, const char *key, size_t n, double out[4])
{
	const struct nx_jv *x = nx_jv_get(v, key);
	double one;

	if (!x || x->kind == NX_JNULL)
		return;
	if (x->kind == NX_JARRAY && x->n == n) {
		read_numbers(c, v, key, NX_OPTIONAL, n, -1e9, 1e9, out);
	} else if (x->kind == NX_JARRAY && x->n != 1) {
		nx_jcheck_fail(c, v, key, "must be a number or %zu of them (got %zu)", n, x->n);
	} else if (x->kind == NX_JARRAY ? read_numbers(c, v, key, NX_OPTIONAL, 1, -1e9, 1e9, &one)
					: nx_jget_number(c, v, key, NX_OPTIONAL, -1e9, 1e9, &one)) {
		for (size_t i = 0; i < 4; i++)
			out[i] = one;
	}
}

static void read_input(struct nx_jcheck *c, const struct nx_jv *v, struct nx_image_input *in)
{
	static const char *const known[] = { "size", "resize", "pad", "align", "color", "mean",
		"scale" };
	static const char *const resizes[] = { "stretch", "letterbox", "crop" };
	static const char *const colors[] = { "RGB", "BGR", "GRAY", "Y" };
	static const char *const aligns[] = { "center", "top-left" };
	double size[2];
	int choice;

	in->image = true;
	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	if (read_numbers(c, v, "size", NX_OPTIONAL, 2, 1, SIDE_MAX, size)) {
		if (size[0] != floor(size[0]) || size[1] != floor(size[1]))
			nx_jcheck_fail(c, v, "size", "must be whole numbers");
		in->width = (int)size[0];
		in->height = (int)size[1];
	}
	if (nx_jget_enum(c, v, "resize", NX_OPTIONAL, resizes, NX_ARRAY_LEN(resizes), &choice))
		in->resize = (enum nx_resize)choice;
	nx_jget_number(c, v, "pad", NX_OPTIONAL, 0, 255, &in->pad);
	if (nx_jget_enum(c, v, "align", NX_OPTIONAL, aligns, NX_ARRAY_LEN(aligns), &choice))
		in->pad_top_left = choice == 1;
	if (nx_jget_enum(c, v, "color", NX_OPTIONAL, colors, NX_ARRAY_LEN(colors), &choice))
		in->color = (enum nx_color)choice;
	size_t channels = in->color == NX_COLOR_RGB || in->color == NX_COLOR_BGR ? 3 : 1;
	read_channels(c, v, "mean", channels, in->mean);
	read_channels(c, v, "scale", channels, in->scale);
}

static void read_regions(struct nx_jcheck *c, const struct nx_jv *v, struct nx_image_output *out)
{
	static const char *const known[] = { "label", "box" };
	const struct nx_jv *items = NULL;
	enum nx_jneed need = out->kind == NX_OUT_REGIONS ? NX_REQUIRED : NX_OPTIONAL;

	out->regions = nx_fmt_objects(
		c, v, "regions", need, sizeof *out->regions, &items, &out->n_regions);
	for (size_t i = 0; i < out->n_regions; i++) {
		struct nx_region *r = &out->regions[i];
		const struct nx_jv *x = &items->items[i];
		nx_jcheck_keys(c, x, known, NX_ARRAY_LEN(known));
		nx_fmt_name(c, x, "label", NX_REQUIRED, &r->label);
		if (read_numbers(c, x, "box", NX_REQUIRED, 4, 0, SIDE_MAX, r->box) &&
			!(r->box[0] < r->box[2] && r->box[1] < r->box[3]))
			nx_jcheck_fail(c, x, "box", "must be x0, y0, x1, y1 with x0 < x1, y0 < y1");
	}
}

static void read_output(struct nx_jcheck *c, const struct nx_jv *v, struct nx_image_output *out)
{
	static const char *const known[] = { "kind", "decode", "softmax", "score", "nms", "top_k",
		"frame", "regions" };
	static const char *const kinds[] = { "tensor", "classes", "detections", "regions" };
	static const char *const decodes[] = { "rfb", "yolox", "ssd" };
	int64_t top_k = out->top_k;
	int choice;

	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	if (nx_jget_enum(c, v, "kind", NX_REQUIRED, kinds, NX_ARRAY_LEN(kinds), &choice))
		out->kind = (enum nx_output_kind)choice;
	if (nx_jget_enum(c, v, "decode", out->kind == NX_OUT_DETECTIONS ? NX_REQUIRED : NX_OPTIONAL,
		    decodes, NX_ARRAY_LEN(decodes), &choice))
		out->decode = (enum nx_decode)(choice + 1);
	nx_jget_bool(c, v, "softmax", NX_OPTIONAL, &out->softmax);
	nx_jget_number(c, v, "score", NX_OPTIONAL, 0, 1, &out->score);
	nx_jget_number(c, v, "nms", NX_OPTIONAL, 0, 1, &out->nms);
	nx_jget_int(c, v, "top_k", NX_OPTIONAL, 1, 1000000, &top_k);
	out->top_k = (int)top_k;
	read_numbers(c, v, "frame", NX_OPTIONAL, 2, 1, SIDE_MAX, out->frame);
	read_regions(c, v, out);
}

static void read_manifest(struct nx_jcheck *c, const struct nx_jv *v, struct nx_manifest *m)
{
	static const char *const known[] = { "format", "model", "file", "labels", "input",
		"output" };
	const struct nx_jv *part;

	nx_jcheck_format(c, v, "nexus-model", 1);
	if (v->kind != NX_JOBJECT)
		return;
	nx_jcheck_keys(c, v, known, NX_ARRAY_LEN(known));
	nx_fmt_name(c, v, "model", NX_REQUIRED, &m->model);
	nx_fmt_name(c, v, "file", NX_OPTIONAL, &m->file);
	nx_fmt_name(c, v, "labels", NX_OPTIONAL, &m->labels_file);
	if (nx_jget_object(c, v, "input", NX_OPTIONAL, &part))
		read_input(c, part, &m->input);
	if (nx_jget_object(c, v, "output", NX_OPTIONAL, &part))
		read_output(c, part, &m->output);
}

int nx_manifest_parse(const char *text, size_t len, const char *source, struct nx_manifest **out,
	struct nx_err *err)
{
	struct nx_jcheck check;
	struct nx_jdoc *doc;
	int rc = nx_jdoc_parse(text, len, source, &doc, err);

	*out = NULL;
	if (rc)
		return rc;
	struct nx_manifest *m = nx_manifest_new("");
	nx_jcheck_init(&check, doc);
	read_manifest(&check, nx_jdoc_root(doc), m);
	rc = nx_jcheck_result(&check, err);
	nx_jcheck_release(&check);
	nx_jdoc_free(&doc);
	if (rc)
		nx_manifest_free(&m);
	*out = m;
	return rc;
}
