/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins found by measuring, kept on disk: one file for each identity (model, device,
 * plugin and its version, precision), in $NEXUS_CACHE, else $XDG_CACHE_HOME/nexus, else
 * ~/.cache/nexus, else /var/cache/nexus.  A file that is damaged, or that somebody else could
 * have written, is passed over with a warning; its text still goes through the plugin's own
 * checks, so that the worst a tuning can do is to be slow.
 */
#ifndef NX_ENGINE_TUNING_H
#define NX_ENGINE_TUNING_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>

#define NX_TUNING_CAP ((size_t)1 << 20) /* bytes of a file */

/* The folder; the caller frees.  Relative paths in the environment are passed over. */
char *nx_tuning_dir(void);
/* The file of an identity; the caller frees. */
char *nx_tuning_path(const char *identity);

/* Appends the text kept for 'identity'; false where there is none that can be used. */
bool nx_tuning_load(const char *identity, struct nx_buf *text);

/* Keeps 'text' for 'identity' in place of what was there.  NX_ECREATE or NX_EIO. */
int nx_tuning_store(const char *identity, const char *text, struct nx_err *err);

#endif
