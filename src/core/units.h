/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities with units as people write them: "50ms", "2s", "30/s", "1.5k/s", "64MiB". */
#ifndef NX_CORE_UNITS_H
#define NX_CORE_UNITS_H

#include "core/err.h"

#include <stdint.h>

/* A duration in milliseconds: us, ms, s, min or h must be given ("0" needs none). NX_EUSAGE. */
int nx_units_parse_ms(const char *text, double *ms, struct nx_err *err);

/* A rate in requests per second: "120", "120/s", "30fps", "1.5k/s", "600/min". NX_EUSAGE. */
int nx_units_parse_rate(const char *text, double *per_s, struct nx_err *err);

/* A size in bytes: "4096", "64K"/"64KiB", "1.5G", "100MB" (decimal with B alone). NX_EUSAGE. */
int nx_units_parse_bytes(const char *text, uint64_t *bytes, struct nx_err *err);

/* A plain finite decimal number, all of the text; 0 or -1. */
int nx_parse_double(const char *text, double *out);

#endif
