/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a query: their models and budgets, and how one stage's answer becomes requests. */
#include "query/internal.h"

#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The image input of a stage's model. */
static int find_input(struct stage *s, struct nx_err *err)
{
	const struct nx_graph *g = s->model->graph;

	if (!s->model->manifest->input.image)
		return nx_err_set(err, NX_EDATA,
			"model '%s' takes tensors: its manifest declares no picture as input",
			s->model->name);
	nx_model_row_shape(s->model, false, 0, &s->row_shape);
	s->dtype = g->values[g->in[0]].dtype;
	struct nx_shape row = s->row_shape;
	row.dim[0] = 1;
	int64_t count = nx_shape_count(&row);
	if (g->n_in != 1 || count <= 0)
		return nx_err_set(err, NX_EDATA, "model '%s' has no single input of known size",
			s->model->name);
	s->row_bytes = (size_t)count * nx_dtype_size(s->dtype);
	return 0;
}

/* The smallest batch any backend plans for the session: a request may go to each of them. */
static int64_t session_batch(const struct nx_plan *plan, const char *session)
{
	int64_t batch = 0;

	for (size_t i = 0; i < plan->n_backends; i++) {
		const struct nx_plan_backend *b = &plan->backend[i];
		for (size_t k = 0; k < b->n_sessions; k++) {
			if (strcmp(b->session[k].session, session) == 0 &&
				(batch == 0 || b->session[k].batch < batch))
				batch = b->session[k].batch;
		}
	}
	return batch > 0 ? batch : 1;
}

int stage_init(struct stage *s, struct nx_query *q, const struct nx_plan *plan, const char *models,
	struct nx_err *err)
{
	char *path = NULL;

	s->query = q;
	s->batch = session_batch(plan, s->plan->session);
	s->stats = nx_session_stats_new(s->plan->session);
	s->budget_ms = s->plan->slo_ms;
	if (s->parent >= 0)
		s->budget_ms += q->stage[s->parent].budget_ms;
	int rc = nx_model_find(s->plan->model, models, &path, err);
	if (rc == 0)
		rc = nx_model_load(path, &s->model, err);
	free(path);
	if (rc == 0) {
		nx_model_drop_weights(s->model);
		rc = find_input(s, err);
	}
	if (rc == 0 && s->plan->select)
		rc = nx_jq_compile(s->plan->select, &s->select, err);
	return rc ? nx_err_wrap(err, "stage '%s'", s->plan->stage) : 0;
}

void stage_release(struct stage *s)
{
	nx_model_free(&s->model);
	nx_jq_free(&s->select);
	nx_session_stats_free(&s->stats);
}

struct selection {
	struct run *run;
	size_t stage, parent, made;
};

static double clamp(double v, double max)
{
	return v < 0 ? 0 : v > max ? max : v;
}

/* A crop is cut at the frame's edges; one of which nothing is left asks for nothing. */
static int add_crop(void *arg, const char *json, size_t len, struct nx_err *err)
{
	struct selection *sel = arg;
	struct run *r = sel->run;
	struct nx_crop crop;
	struct item it = { .stage = sel->stage, .parent = (int)sel->parent };

	int rc = nx_crop_parse(json, len, &crop, err);
	if (rc)
		return rc;
	it.label = crop.label;
	if (sel->made == CROPS_MAX) {
		nx_crop_release(&crop);
		return nx_err_set(err, NX_EDATA, "more than %d requests for one event", CROPS_MAX);
	}
	if (r->n_items == ITEMS_MAX) {
		nx_crop_release(&crop);
		return nx_err_set(err, NX_EDATA, "more than %d requests for one frame", ITEMS_MAX);
	}
	const struct item *parent = &r->item[sel->parent];
	it.has_box = crop.box_set || parent->has_box;
	for (int i = 0; i < 4 && it.has_box; i++) {
		double edge = i % 2 ? r->frame.height : r->frame.width;
		it.box[i] = crop.box_set ? clamp(crop.box[i], edge) : parent->box[i];
	}
	if (it.has_box && (it.box[2] - it.box[0] < 1 || it.box[3] - it.box[1] < 1)) {
		nx_crop_release(&crop);
		return 0;
	}
	r->item = nx_grow(r->item, &r->cap_items, r->n_items + 1, sizeof *r->item);
	r->item[r->n_items++] = it;
	sel->made++;
	return 0;
}

/* Without a program: every detection there is, else the same picture once more. */
static int select_all(struct selection *sel, struct nx_err *err)
{
	/* Items move when the array grows, so the parent is looked up anew. */
	size_t n = sel->run->item[sel->parent].result.n_detections;

	if (!sel->run->item[sel->parent].result.has_detections)
		return add_crop(sel, "{}", 2, err);
	for (size_t i = 0; i < n; i++) {
		const struct nx_detection *d = &sel->run->item[sel->parent].result.detection[i];
		struct nx_buf json = NX_BUF_INIT;
		struct nx_jw w;
		nx_jw_init(&w, &json, NX_JCOMPACT);
		nx_jw_object(&w);
		nx_jw_kstring(&w, "label", d->label);
		nx_jw_key(&w, "box");
		nx_jw_array(&w);
		for (int k = 0; k < 4; k++)
			nx_jw_number(&w, d->box[k]);
		nx_jw_end(&w);
		nx_jw_end(&w);
		int rc = add_crop(sel, json.data, json.len, err);
		nx_buf_release(&json);
		if (rc)
			return rc;
	}
	return 0;
}

int stage_select(struct run *r, size_t stage, size_t parent_item, struct nx_err *err)
{
	struct stage *s = &r->query->stage[stage];
	struct selection sel = { r, stage, parent_item, 0 };
	int rc;

	if (s->select) {
		struct nx_buf event = NX_BUF_INIT;
		run_format_event(r, &r->item[parent_item], &event);
		rc = nx_jq_run(s->select, event.data, event.len, add_crop, &sel, err);
		nx_buf_release(&event);
	} else {
		rc = select_all(&sel, err);
	}
	if (rc)
		return nx_err_wrap(err, "select");
	s->parents++;
	s->requests += sel.made;
	return 0;
}
