/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: the first byte chooses the kind of archive, so that its reader is reached. */
#include "model/model.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const magics[] = { "PK\003\004", "\037\213\010", "\050\265\057\375" };
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;

	if (size < 5)
		return 0;
	uint8_t *copy = malloc(size - 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] % 4 < 3)
		memcpy(copy, magics[data[0] % 4], strlen(magics[data[0] % 4]));
	else if (size - 1 > 262)
		memcpy(copy + 257, "ustar", 5);
	if (nx_model_load_bytes(copy, size - 1, "fuzz.bundle", &m, &err) == 0)
		nx_model_free(&m);
	free(copy);
	return 0;
}
