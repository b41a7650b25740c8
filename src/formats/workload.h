/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-workload/1: what must be served (see nexus-formats(5)). */
#ifndef NX_FORMATS_WORKLOAD_H
#define NX_FORMATS_WORKLOAD_H

#include "core/err.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

struct nx_wl_device {
	char *device;          /* type */
	int64_t count;         /* -1: as many as needed */
	uint64_t memory_bytes; /* 0: not limited */
	double cost;           /* 1 by default */
	char **addresses;      /* where backends of this type listen */
	size_t n_addresses;
	int line, index; /* of "device" in the file, of the device in its document: for messages */
};

struct nx_wl_session {
	char *session, *model;
	char *precision; /* or NULL: the fastest profile */
	int64_t threads; /* 0: any */
	double slo_ms, rate;
	int line, index; /* of "model" in the file, of the session in its document */
};

struct nx_wl_stage {
	char *stage, *model;
	char *after; /* stage it follows; NULL for the root */
	char *precision;
	int64_t threads;
	double gamma;    /* requests per output of the stage before; 1 for the root */
	char *select;    /* jq program, or NULL */
	int parent;      /* index of 'after'; -1 for the root; stages are ordered parents first */
	int line, index; /* as of a session */
};

struct nx_wl_query {
	char *query;
	double slo_ms, rate;
	struct nx_wl_stage *stage;
	size_t n_stages;
	int index; /* in its document */
};

struct nx_workload {
	struct nx_wl_device *device;
	size_t n_devices;
	struct nx_wl_session *session;
	size_t n_sessions;
	struct nx_wl_query *query;
	size_t n_queries;
};

/* Parses and checks (duplicates, cycles, several roots, unknown 'after', …); a workload may be a
 * stream of several objects that add up.  All mistakes at once, NX_EDATA, each as
 * "file:line: path: rule (got …)". */
int nx_workload_load(const char *path, struct nx_workload *w, struct nx_err *err);
int nx_workload_parse(
	const struct nx_jdoc *const *docs, size_t n, struct nx_workload *w, struct nx_err *err);
void nx_workload_release(struct nx_workload *w);
void nx_workload_format(const struct nx_workload *w, struct nx_jw *j);

#endif
