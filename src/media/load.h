/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NX_MEDIA_LOAD_H
#define NX_MEDIA_LOAD_H

#include "media/av/av.h"

/* The table of media.so, loaded if it is not yet; NULL and *err (NX_EUNAVAIL) when it cannot be.
 * Thread-safe. */
const struct nx_media_ops *nx_media_ops(struct nx_err *err);

#endif
