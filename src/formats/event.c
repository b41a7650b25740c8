/* SPDX-License-Identifier: Apache-2.0 */
/* Events are only written here: what reads them is a jq program, which gets their text. */
#include "formats/event.h"

#include "core/alloc.h"

#include <math.h>
#include <stdlib.h>

void nx_result_release(struct nx_result *r)
{
	free(r->detection);
	free(r->cls);
	*r = (struct nx_result){ 0 };
}

/* Numbers for people and diffs: a thousandth of a millisecond, a hundredth of a pixel. */
static double rounded(double v, double per_unit)
{
	return round(v * per_unit) / per_unit;
}

static void write_box(struct nx_jw *j, const double box[4])
{
	nx_jw_key(j, "box");
	nx_jw_array_inline(j);
	for (int i = 0; i < 4; i++)
		nx_jw_number(j, rounded(box[i], 100));
	nx_jw_end(j);
}

/* A label where there is one, else its number. */
static void write_label(struct nx_jw *j, const char *label, int index, double score)
{
	if (label)
		nx_jw_kstring(j, "label", label);
	else
		nx_jw_kint(j, "index", index);
	nx_jw_knumber(j, "score", rounded(score, 1e5));
}

void nx_result_format(const struct nx_result *r, struct nx_jw *j)
{
	if (r->has_detections) {
		nx_jw_key(j, "detections");
		nx_jw_array(j);
		for (size_t i = 0; i < r->n_detections; i++) {
			const struct nx_detection *d = &r->detection[i];

			nx_jw_object_inline(j);
			write_label(j, d->label, d->label_index, d->score);
			write_box(j, d->box);
			nx_jw_end(j);
		}
		nx_jw_end(j);
	}
	if (r->has_classes) {
		nx_jw_key(j, "classes");
		nx_jw_array(j);
		for (size_t i = 0; i < r->n_classes; i++) {
			const struct nx_class *c = &r->cls[i];

			nx_jw_object_inline(j);
			write_label(j, c->label, c->label_index, c->score);
			nx_jw_end(j);
		}
		nx_jw_end(j);
	}
}

void nx_event_format(const struct nx_event *e, struct nx_buf *out)
{
	struct nx_jw j;

	nx_jw_init(&j, out, NX_JCOMPACT);
	nx_jw_object(&j);
	nx_jw_kstring(&j, "format", "nexus-event/1");
	nx_jw_kstring(&j, "source", e->source);
	nx_jw_kint(&j, "frame", e->frame);
	nx_jw_knumber(&j, "time_ms", rounded(e->time_ms, 1000));
	nx_jw_kstring(&j, "query", e->query);
	nx_jw_kstring(&j, "stage", e->stage);
	nx_jw_kint(&j, "id", e->id);
	nx_jw_key(&j, "parent");
	if (e->parent < 0)
		nx_jw_null(&j);
	else
		nx_jw_int(&j, e->parent);
	nx_jw_kstring(&j, "outcome", e->outcome);
	nx_jw_kstring(&j, "reason", e->reason);
	nx_jw_knumber(&j, "latency_ms", rounded(e->latency_ms, 1000));
	nx_jw_kstring(&j, "of", e->of);
	if (e->box)
		write_box(&j, e->box);
	if (e->result)
		nx_result_format(e->result, &j);
	nx_jw_end(&j);
}

/* The corners of a box that has an area. */
static bool read_box(const struct nx_jv *v, double box[4])
{
	if (v->kind != NX_JARRAY || v->n != 4)
		return false;
	for (int i = 0; i < 4; i++) {
		if (v->items[i].kind != NX_JNUMBER)
			return false;
		box[i] = v->items[i].number;
	}
	return box[0] < box[2] && box[1] < box[3];
}

int nx_crop_parse(const char *json, size_t len, struct nx_crop *crop, struct nx_err *err)
{
	struct nx_jdoc *doc;
	struct nx_crop found = { .box_set = false };
	int rc = nx_jdoc_parse(json, len, "select", &doc, err);

	if (rc)
		return rc;
	const struct nx_jv *root = nx_jdoc_root(doc);
	const struct nx_jv *box = nx_jv_get(root, "box");
	if (root->kind != NX_JOBJECT)
		rc = nx_err_set(err, NX_EDATA, "select must give objects (got '%.*s')",
			(int)(len < 40 ? len : 40), json);
	else if (box && box->kind != NX_JNULL)
		found.box_set = true;
	if (found.box_set && !read_box(box, found.box))
		rc = nx_err_set(err, NX_EDATA,
			"box must be [x0, y0, x1, y1] with x0 < x1 and y0 < y1 (got '%.*s')",
			(int)(len < 80 ? len : 80), json);
	const struct nx_jv *label = nx_jv_get(root, "label");
	if (!rc && label && label->kind == NX_JSTRING)
		found.label = nx_strdup(label->string);
	nx_jdoc_free(&doc);
	if (!rc)
		*crop = found;
	return rc;
}

void nx_crop_release(struct nx_crop *crop)
{
	free(crop->label);
	crop->label = NULL;
}
