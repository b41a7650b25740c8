/* SPDX-License-Identifier: Apache-2.0 */
/* The elements of Open Inference Protocol tensors: JSON text to memory and back. */
#ifndef NX_NET_OIP_DATA_H
#define NX_NET_OIP_DATA_H

#include "net/oip.h"

/* Reads the value of "data", flat or nested as the shape says, into t->owned (t->data, t->bytes);
 * dtype and shape must be set.  's' stands before the value. */
int nx_oip_data_scan(struct nx_jscan *s, struct nx_oip_tensor *t, struct nx_err *err);

/* Takes 'len' raw bytes as the tensor's data, borrowed; checks them against dtype and shape.  A
 * BYTES tensor of one element may come without its length in front (a picture as it is); it is
 * then copied behind one. */
int nx_oip_data_borrow(struct nx_oip_tensor *t, const void *raw, size_t len, struct nx_err *err);

/* Writes the data as a flat JSON array.  Floats are the shortest decimals that read back equal
 * as their type; those that JSON cannot say (NaN, infinities) are null. */
void nx_oip_data_write(struct nx_jw *w, const struct nx_oip_tensor *t);

/* Whether the type has a JSON form: FP16 and BF16 have none. */
bool nx_oip_data_has_json(enum nx_dtype t);

#endif
