/* SPDX-License-Identifier: Apache-2.0 */
/* The passes by name. */
#include "core/alloc.h"
#include "core/buf.h"
#include "fuse/fuse.h"

#include <string.h>

static const struct nx_pass passes[] = {
	{ "affine", NX_FUSE_AFFINE },
	{ "residual", NX_FUSE_RESIDUAL },
	{ "gate", NX_FUSE_GATE },
	{ "activation", NX_FUSE_ACTIVATION },
	{ "pad", NX_FUSE_PAD },
};

static unsigned bit_of(const struct nx_pass *known, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			return known[i].bit;
	return 0;
}

static int unknown(const char *name, size_t len, const char *device, const struct nx_pass *own,
	size_t n_own, struct nx_err *err)
{
	struct nx_buf known = NX_BUF_INIT;

	for (size_t i = 0; i < NX_ARRAY_LEN(passes) + n_own; i++)
		nx_buf_addf(&known, "%s%s", i ? ", " : "",
			i < NX_ARRAY_LEN(passes) ? passes[i].name
						 : own[i - NX_ARRAY_LEN(passes)].name);
	nx_err_set(err, NX_EUSAGE, "device '%s': unknown pass '%.*s' (known: %s)", device, (int)len,
		name, known.data);
	nx_buf_release(&known);
	return -err->code;
}

int nx_passes_parse(const char *list, const char *device, const struct nx_pass *own, size_t n_own,
	unsigned *bits, struct nx_err *err)
{
	for (const char *s = list;; s++) {
		size_t len = strcspn(s, "+");
		unsigned bit = bit_of(passes, NX_ARRAY_LEN(passes), s, len);
		if (!bit)
			bit = bit_of(own, n_own, s, len);
		if (!bit)
			return unknown(s, len, device, own, n_own, err);
		*bits |= bit;
		s += len;
		if (!*s)
			return 0;
	}
}
