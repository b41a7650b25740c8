/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept on disk about how a model runs fastest on an engine; see tuning.h for the files. */
#ifndef NX_ENGINE_TUNED_H
#define NX_ENGINE_TUNED_H

#include "engine/engine.h"

/* Appends what nx_engine_tune() once found; false where there is nothing.  'model' may be NULL. */
bool nx_tuned_find(const struct nx_engine *e, const struct nx_model *model, const char *precision,
	struct nx_buf *tuning);

#endif
