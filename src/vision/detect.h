/* SPDX-License-Identifier: Apache-2.0 */
/* Detector outputs to boxes, and the suppression of boxes that mean the same thing. */
#ifndef NX_VISION_DETECT_H
#define NX_VISION_DETECT_H

#include "vision/vision.h"

/* A box before it is an answer, in pixels of the network's input. */
struct nx_candidate {
	double box[4];
	double score;
	int label;
	size_t order; /* breaks ties: position in the output */
};

struct nx_candidates {
	struct nx_candidate *at;
	size_t n, cap;
};

/* Adds the boxes whose score is at least 'min_score', by the manifest's decode, for a network
 * input of width x height.  NX_EDATA, NX_EUNSUPP.  Free c->at, also on failure. */
int nx_detect_decode(enum nx_decode decode, double min_score, const struct nx_vision_output *out,
	size_t n_out, int width, int height, struct nx_candidates *c, struct nx_err *err);

/* Sorts by descending score and keeps, for each label, a box unless it overlaps a better one by
 * more than 'iou' (greedy non-maximum suppression).  Of more than 4096 boxes the best are taken.
 * O(n²). */
void nx_detect_suppress(struct nx_candidates *c, double iou);

#endif
