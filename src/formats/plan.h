/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-plan/1: who runs what, where, in which batches (see nexus-formats(5)). */
#ifndef NX_FORMATS_PLAN_H
#define NX_FORMATS_PLAN_H

#include "core/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nx_plan_session {
	char *session, *model;
	char *digest, *precision; /* or NULL */
	int64_t threads;          /* 0: not given */
	double slo_ms, rate;
	int64_t batch;
	double exec_ms;
};

struct nx_plan_group {
	char *prefix;
	int64_t batch;
	double exec_ms;
	char **session;
	size_t n_sessions;
};

struct nx_plan_backend {
	char *backend;
	char *device;   /* type */
	char *address;  /* or NULL: nx_plan_address() */
	char *dispatch; /* "pooled" or NULL */
	double duty_cycle_ms, occupancy;
	uint64_t memory_bytes;
	struct nx_plan_session *session;
	size_t n_sessions;
	struct nx_plan_group *group;
	size_t n_groups;
};

struct nx_plan_route {
	char *session;
	struct nx_plan_target {
		char *backend;
		double rate;
	} * to;
	size_t n_to;
};

struct nx_plan_stage {
	char *stage, *session, *model;
	char *after, *select; /* or NULL */
	double slo_ms, gamma;
	int parent; /* index, -1 for the root; parents first */
};

struct nx_plan_query {
	char *query;
	double slo_ms, rate;
	struct nx_plan_stage *stage;
	size_t n_stages;
};

struct nx_plan_unserved {
	char *session, *query; /* one of them */
	double rate;
	char *reason;
};

/* Lower bounds on the devices of any plan. */
struct nx_plan_bounds {
	double fractional, occupancy, conflicts;
	double search; /* < 0: not searched */
	double cost;   /* on the cost of the devices */
};

struct nx_plan {
	int64_t epoch;
	char *created; /* RFC 3339 */
	struct nx_plan_backend *backend;
	size_t n_backends;
	struct nx_plan_route *route;
	size_t n_routes;
	struct nx_plan_query *query;
	size_t n_queries;
	struct nx_plan_unserved *unserved;
	size_t n_unserved;
	double lower_bound, gap;
	double cost; /* of the devices; < 0: all cost the same */
	char *bound; /* what kind lower_bound is; NULL: not known, nor are the bounds */
	struct nx_plan_bounds bounds;
	int64_t moved;
};

int nx_plan_load(const char *path, struct nx_plan *p, struct nx_err *err);
int nx_plan_parse(const struct nx_jdoc *doc, struct nx_plan *p, struct nx_err *err);
void nx_plan_release(struct nx_plan *p);
void nx_plan_format(const struct nx_plan *p, struct nx_jw *j);

const struct nx_plan_backend *nx_plan_find_backend(const struct nx_plan *p, const char *name);
const struct nx_plan_query *nx_plan_find_query(const struct nx_plan *p, const char *name);
const struct nx_plan_route *nx_plan_find_route(const struct nx_plan *p, const char *session);
/* The model and SLO of a session, from any backend that runs it; NULL if none does. */
const struct nx_plan_session *nx_plan_find_session(const struct nx_plan *p, const char *session);

/* Where a backend listens: its address, else "unix:<runtime dir>/<backend>.sock". A new string. */
char *nx_plan_address(const struct nx_plan_backend *b);

#endif
