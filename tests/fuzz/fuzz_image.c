/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: any bytes as a picture.  Needs $NEXUS_PLUGIN_PATH, as media.so is loaded at run
 * time.  What is decoded is scaled and encoded again, so that later steps see odd sizes too. */
#include "media/media.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_frame f;
	uint8_t small[8 * 8 * 3];
	void *bytes = NULL;
	size_t len;

	if (nx_media_decode_image(data, size, (size_t)1 << 20, &f, &err)) {
		/* A fuzzer that cannot load the library would find nothing, for ever. */
		if (err.code == NX_EUNAVAIL)
			abort();
		return 0;
	}
	if (nx_media_scale(&f, NULL, 8, 8, small, &err))
		abort();
	if (nx_media_encode_image(&f, "png", 0, &bytes, &len, &err) == 0)
		free(bytes);
	nx_frame_release(&f);
	return 0;
}
