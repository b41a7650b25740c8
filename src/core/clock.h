/* SPDX-License-Identifier: Apache-2.0 */
/* Time.  Inside the program time is uint64_t nanoseconds of CLOCK_MONOTONIC (`_ns`); only text
 * that people read carries wall-clock time.  sched and dispatch never call this. */
#ifndef NX_CORE_CLOCK_H
#define NX_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NX_NS_PER_MS 1000000ull
#define NX_NS_PER_S  1000000000ull

uint64_t nx_now_ns(void);           /* CLOCK_MONOTONIC */
void nx_sleep_until_ns(uint64_t t); /* returns at t or at once if t has passed */

/* Now as RFC 3339 UTC ("2026-11-22T17:00:00Z", 20 characters and a NUL).  $SOURCE_DATE_EPOCH
 * pins it, so that output can be compared byte for byte. */
#define NX_RFC3339_SIZE 32
void nx_now_rfc3339(char out[NX_RFC3339_SIZE]);

static inline double nx_ns_to_ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static inline uint64_t nx_ms_to_ns(double ms)
{
	return ms <= 0 ? 0 : (uint64_t)(ms * 1e6 + 0.5);
}

#endif
