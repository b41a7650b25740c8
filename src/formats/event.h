/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-event/1: one line per frame and stage result (see nexus-formats(5)). */
#ifndef NX_FORMATS_EVENT_H
#define NX_FORMATS_EVENT_H

#include "core/err.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

struct nx_detection {
	const char *label; /* borrowed from the manifest */
	int label_index;
	double score;
	double box[4]; /* x0, y0, x1, y1 in pixels of the source frame */
};

struct nx_class {
	const char *label; /* borrowed; NULL: only the index is known */
	int label_index;
	double score;
};

/* What a model said of one picture; arrays owned, labels borrowed. */
struct nx_result {
	struct nx_detection *detection;
	size_t n_detections;
	struct nx_class *cls;
	size_t n_classes;
	bool has_detections, has_classes; /* an empty list is printed when there could be one */
};
void nx_result_release(struct nx_result *r);
/* Members "detections" and "classes" into the object that is open. */
void nx_result_format(const struct nx_result *r, struct nx_jw *j);

struct nx_event {
	const char *source;
	int64_t frame;
	double time_ms;
	const char *query, *stage; /* NULL: left out */
	int64_t id, parent;        /* parent < 0: null */
	const char *outcome;       /* in_slo, late, dropped, rejected, failed */
	const char *reason;        /* why it was not answered, or NULL */
	double latency_ms;
	const double *box;              /* the crop this result is of, or NULL: the whole frame */
	const char *of;                 /* the label the stage's select gave the crop, or NULL */
	const struct nx_result *result; /* NULL: none */
};

/* One object, compact, ending in a newline. */
void nx_event_format(const struct nx_event *e, struct nx_buf *out);

/* A crop request made by a stage's select: its "box" if it has one (box_set), clipped by nobody. */
struct nx_crop {
	double box[4];
	bool box_set;
	char *label; /* its "label", or NULL; nx_crop_release() */
};
void nx_crop_release(struct nx_crop *crop);
/* Reads one result of a select program; NX_EDATA when it is no object or its box is no box. */
int nx_crop_parse(const char *json, size_t len, struct nx_crop *crop, struct nx_err *err);

#endif
