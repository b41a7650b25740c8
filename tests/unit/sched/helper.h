/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles and workloads for the tests of the planner, written as JSON. */
#ifndef NX_TESTS_SCHED_HELPER_H
#define NX_TESTS_SCHED_HELPER_H

#include "sched/sched.h"

#include "core/alloc.h"

#include "unit.h"

#include <string.h>

static inline void parse_profiles(const char *text, struct nx_profiles *set)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc **docs;
	size_t n;

	ck_assert_int_eq(nx_jdocs_parse(text, strlen(text), "profiles", &docs, &n, &err), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(nx_profile_parse(docs[i], set, &err) == 0, "%s", err.msg);
	nx_jdocs_free(&docs, n);
}

static inline void parse_workload(const char *text, struct nx_workload *w)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc **docs;
	size_t n;

	ck_assert_int_eq(nx_jdocs_parse(text, strlen(text), "workload", &docs, &n, &err), 0);
	ck_assert_msg(nx_workload_parse((const struct nx_jdoc *const *)docs, n, w, &err) == 0, "%s",
		err.msg);
	nx_jdocs_free(&docs, n);
}

/* A profile l(b) = alpha b + beta for batches 1..max. */
static inline char *affine(const char *model, double alpha, double beta, int max)
{
	return nx_asprintf("{\"format\":\"nexus-profile/1\",\"model\":\"%s\",\"device\":\"d\","
			   "\"latency\":[{\"batch\":1,\"mean_ms\":%.17g},"
			   "{\"batch\":%d,\"mean_ms\":%.17g}]}\n",
		model, alpha + beta, max, alpha * max + beta);
}

/* Plans; both texts may be streams. */
static inline void make_plan(const char *profiles, const char *workload,
	const struct nx_plan *previous, struct nx_plan *plan)
{
	struct nx_profiles set = { 0 };
	struct nx_workload w = { 0 };
	struct nx_err err = NX_ERR_INIT;

	parse_profiles(profiles, &set);
	parse_workload(workload, &w);
	struct nx_sched_request request = { .workload = &w,
		.profiles = &set,
		.previous = previous,
		.source = "workload",
		.created = "2026-01-01T00:00:00Z",
		.epoch = -1 };
	ck_assert_msg(nx_sched_plan(&request, plan, &err) == 0, "%s", err.msg);
	nx_profiles_release(&set);
	nx_workload_release(&w);
}

static inline const struct nx_plan_session *hosted(
	const struct nx_plan *p, size_t backend, const char *session)
{
	for (size_t i = 0; i < p->backend[backend].n_sessions; i++)
		if (strcmp(p->backend[backend].session[i].session, session) == 0)
			return &p->backend[backend].session[i];
	return NULL;
}

#endif
