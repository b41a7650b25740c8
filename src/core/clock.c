/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

uint64_t nx_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

void nx_sleep_until_ns(uint64_t t)
{
	struct timespec ts = { (time_t)(t / NX_NS_PER_S), (long)(t % NX_NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void nx_now_rfc3339(char out[NX_RFC3339_SIZE])
{
	const char *pinned = getenv("SOURCE_DATE_EPOCH");
	time_t t = pinned && *pinned ? (time_t)strtoll(pinned, NULL, 10) : time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, NX_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
