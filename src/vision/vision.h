/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures to tensors and tensors to answers, as a bundle's manifest declares.  Pure functions.
 */
#ifndef NX_VISION_VISION_H
#define NX_VISION_VISION_H

#include "core/err.h"
#include "formats/event.h"
#include "formats/manifest.h"
#include "media/media.h"
#include "model/graph.h"

#include <stddef.h>
#include <stdint.h>

/* How a picture was laid into the network's input: boxes come back through it. */
struct nx_placement {
	double box[4];           /* the part of the source frame that was used */
	double scale_x, scale_y; /* input pixels per source pixel */
	double off_x, off_y;     /* where that part's corner is in the input */
	int width, height;       /* of the network's input */
};

/* Fills one row of a model's image input.  'io_shape' is the input's shape with its leading batch
 * dimension (NCHW or NHWC: where the channel count of manifest.input.color is; NCHW if both;
 * open sides are those of the manifest), dtype NX_F32 or NX_F16 (value = (pixel - mean) * scale)
 * or NX_U8 (raw pixels).  'box' NULL is the whole frame; it is clipped to the frame.  'row' holds
 * the row's bytes.  GRAY and Y are the luma of BT.601.  NX_EDATA when the box has no area or the
 * shape does not fit the manifest, NX_EUNSUPP for other types. */
int nx_vision_preprocess(const struct nx_frame *f, const double box[4],
	const struct nx_image_input *in, const struct nx_shape *io_shape, enum nx_dtype dtype,
	void *row, struct nx_placement *place, struct nx_err *err);

/* One output tensor of one row. */
struct nx_vision_output {
	const char *name;
	enum nx_dtype dtype;
	struct nx_shape shape; /* of the row, without the batch dimension */
	const void *data;
};

/*
 * What the outputs of one row mean: classes (first output), detections (decode + score + NMS for
 * each class; boxes mapped back to the source frame through 'place' and clipped), regions (the
 * declared boxes, scaled to the frame, and classes when an output has one value a label).
 * 'frame_w/h': size of the source frame.  Sorted by descending score, equal ones by index.
 * Fills *result, which the caller releases; labels are borrowed from 'm'.  NX_EDATA when shapes
 * do not fit the declared decoding, naming both; NX_EUNSUPP for a decoding that is not there.
 */
int nx_vision_postprocess(const struct nx_manifest *m, const struct nx_vision_output *out,
	size_t n_out, const struct nx_placement *place, int frame_w, int frame_h,
	struct nx_result *result, struct nx_err *err);

#endif
