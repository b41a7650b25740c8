/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-model/1: the manifest of a bundle (FORMATS: nexus-formats(5)). */
#ifndef NX_FORMATS_MANIFEST_H
#define NX_FORMATS_MANIFEST_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

enum nx_resize { NX_RESIZE_STRETCH, NX_RESIZE_LETTERBOX, NX_RESIZE_CROP };
enum nx_color { NX_COLOR_RGB, NX_COLOR_BGR, NX_COLOR_GRAY, NX_COLOR_Y };
enum nx_output_kind { NX_OUT_TENSOR, NX_OUT_CLASSES, NX_OUT_DETECTIONS, NX_OUT_REGIONS };
enum nx_decode { NX_DECODE_NONE, NX_DECODE_RFB, NX_DECODE_YOLOX, NX_DECODE_SSD };

/* How an image becomes a row: value = (pixel - mean[c]) * scale[c], pixel 0..255. */
struct nx_image_input {
	bool image;        /* false: the model takes tensors, not pictures */
	int width, height; /* 0,0: taken from the graph's input shape */
	enum nx_resize resize;
	double pad;        /* letterbox filling, 0..255 */
	bool pad_top_left; /* letterbox: picture in the top left corner instead of the centre */
	enum nx_color color;
	double mean[4];
	double scale[4];
};

struct nx_region {
	char *label;
	double box[4]; /* x0, y0, x1, y1 in pixels of 'frame' */
};

struct nx_image_output {
	enum nx_output_kind kind;
	enum nx_decode decode;
	bool softmax;    /* classes: logits that still need a softmax */
	double score;    /* detections below are left out */
	double nms;      /* IoU above which the weaker of two boxes goes */
	int top_k;       /* classes to report, default 5 */
	double frame[2]; /* regions: the frame's size the boxes are for; 0,0: the source frame's */
	struct nx_region *regions;
	size_t n_regions;
};

struct nx_manifest {
	char *model;
	char *file;        /* "model.onnx" */
	char *labels_file; /* or NULL */
	struct nx_image_input input;
	struct nx_image_output output;
	char **labels; /* read from labels_file by the bundle loader */
	size_t n_labels;
};

/* Parses JSON text; 'source' names it in messages.  All mistakes at once, NX_EDATA. */
int nx_manifest_parse(const char *text, size_t len, const char *source, struct nx_manifest **out,
	struct nx_err *err);
/* A manifest for a bare ONNX file: kind tensor, no image input. */
struct nx_manifest *nx_manifest_new(const char *model);
void nx_manifest_free(struct nx_manifest **m);

#endif
