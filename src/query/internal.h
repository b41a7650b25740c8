/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/query only: a query's stages, a frame's run through them, and its parts. */
#ifndef NX_QUERY_INTERNAL_H
#define NX_QUERY_INTERNAL_H

#include "query/query.h"

#include "formats/event.h"
#include "model/model.h"
#include "net/oip.h"
#include "stats/window.h"
#include "vision/vision.h"

#define CROPS_MAX 256  /* requests one event may make for one stage */
#define ITEMS_MAX 4096 /* requests one frame may make: deep queries multiply */

struct stage {
	struct nx_query *query;
	const struct nx_plan_stage *plan;
	int parent;       /* index; -1 for the root */
	double budget_ms; /* from the frame's arrival to the end of this stage */
	int64_t batch;    /* rows a request may have */
	struct nx_model *model;
	struct nx_shape row_shape; /* of the image input, with the leading -1 */
	enum nx_dtype dtype;
	size_t row_bytes;
	struct nx_jq *select; /* NULL for the root */
	struct nx_session_stats *stats;
	uint64_t parents,
		requests; /* observed: answers of the stage before, requests made of them */
};

struct nx_query {
	uv_loop_t *loop;
	char *name;
	bool is_query; /* false: a single session; its events carry no query */
	double slo_ms;
	struct stage *stage;
	size_t n_stages;
	struct nx_plan_stage single; /* the stage of a single session */
	nx_infer_fn *infer;
	void *carrier;
};

/* One request row: a stage applied to the frame or a crop of it. */
struct item {
	size_t stage;
	int parent; /* index of the item whose answer asked for it; -1 for the root */
	bool has_box;
	double box[4];
	char *label; /* of the crop, or NULL */
	const char *outcome, *reason;
	double latency_ms;
	struct nx_result result;
	bool answered;
	int64_t id, parent_id; /* given when the events are printed */
};

/* One frame on its way. */
struct run {
	struct nx_query *query;
	struct nx_frame frame;
	char *source;
	uint64_t arrival_ns, last_ns;
	struct item *item;
	size_t n_items, cap_items;
	int pending; /* requests under way */
	bool warned; /* one warning a frame, however many of its requests fail */
	nx_query_done_fn *done;
	void *arg;
};

/* What the thread pool needs of an item: the run's array may move under a worker. */
struct crop {
	bool has_box;
	double box[4];
	struct nx_placement place; /* written by the worker */
};

/* One request: some items of one stage of one frame. */
struct job {
	uv_work_t work;
	struct run *run;
	size_t stage, first, n; /* its items stand together */
	struct nx_buf body;
	size_t json_len;
	struct crop *crop; /* one an item */
	struct nx_err err;
};

/* query/stage.c */
int stage_init(struct stage *s, struct nx_query *q, const struct nx_plan *plan, const char *models,
	struct nx_err *err);
void stage_release(struct stage *s);
/* What 'select' makes of an item's event: appends items for 'stage' to the run. */
int stage_select(struct run *r, size_t stage, size_t parent_item, struct nx_err *err);

/* query/job.c */
/* Sends items first … first+n of the run to their stage, cut into requests. */
void jobs_start(struct run *r, size_t first, size_t n);

/* query/run.c */
void run_job_done(struct job *j); /* its items have outcomes: goes on, or ends the frame */
void run_format_event(const struct run *r, const struct item *it, struct nx_buf *out);

#endif
