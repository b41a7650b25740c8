/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the planner solves: a workload and profiles, with every name resolved, every query split
 * and every session told what each device type can do for it.
 */
#ifndef NX_SCHED_PROBLEM_H
#define NX_SCHED_PROBLEM_H

#include "core/err.h"
#include "formats/profile.h"
#include "formats/workload.h"
#include "sched/index.h"
#include "sched/node.h"
#include "sched/work.h"

/* A type of device that the plan may use. */
struct nx_stype {
	const char *device;
	const struct nx_wl_device *wl; /* NULL: the workload names no devices */
	int64_t count;                 /* -1: as many as needed */
	double memory_bytes;           /* 0: not limited */
	double cost;
	char *slug; /* "h200": backends are h200-0, h200-1, … */
};

/* A demand on a device type. */
struct nx_option {
	size_t type;
	const struct nx_profile *profile;
	const struct nx_curve *curve;
	int64_t max_batch; /* by SLO and memory */
	double max_rate;   /* of a device that runs nothing else; > 0 */
	double device_ms;  /* SLO needed at least: 2 * least latency */
	double weights_bytes, row_bytes;
	size_t weights_id;
};

/* A session: of the workload, or a stage of one of its queries ("query/stage"). */
struct nx_demand {
	char *session;
	const char *model, *precision; /* precision NULL: any */
	int64_t threads;               /* 0: any */
	double slo_ms, rate;
	double widest_slo_ms; /* what a stage's budget could be in any split; slo_ms otherwise */
	struct nx_option *option; /* types that can serve it, the cheapest first */
	size_t n_options;
	char *reason;        /* why no type can, or NULL */
	size_t query, stage; /* NX_INDEX_NONE for a plain session */
};

struct nx_squery {
	const struct nx_wl_query *wl;
	size_t first;   /* its stages are demands first..first + n_stages; */
	char *reason;   /* why its SLO cannot be met; then it has no demands */
	double devices; /* least sum of rate * l(b) / b over all splits: a lower bound */
	bool exact;     /* false: 'devices' is no bound, there were too many splits */
};

struct nx_problem {
	const struct nx_workload *workload;
	const struct nx_profiles *profiles;
	struct nx_curve *curve; /* one a profile; filled when used */
	size_t *weights_id;     /* one a profile */
	struct nx_index models; /* model -> profiles */
	struct nx_stype *type;
	size_t n_types;
	struct nx_demand *demand;
	size_t n_demands;
	struct nx_squery *query;
	size_t n_queries;
	struct nx_work work; /* how to pack */
	bool one_type;       /* all of a session's rate goes to one device type */
};

/* What the split of a query makes least. */
enum nx_split_aim {
	NX_SPLIT_THROUGHPUT, /* rate * l(b) / b, summed over stages: the paper's */
	NX_SPLIT_OCCUPANCY   /* whole devices and the floor of what is left, summed over stages */
};

/* Borrows workload and profiles.  NX_EDATA, all mistakes at once ("source:line: path: …"), for a
 * model without profiles and a device type without profiles.  What cannot be met by its SLO or
 * by memory is no mistake: it has a reason. */
int nx_problem_init(struct nx_problem *p, const struct nx_workload *workload,
	const struct nx_profiles *profiles, enum nx_split_aim aim, const char *source,
	struct nx_err *err);
void nx_problem_release(struct nx_problem *p);

/* The next profile, from place *at of p->models on (start with nx_index_find), that 'd' may use
 * on device type 'type'; NULL at the end. */
const struct nx_profile *nx_problem_match(
	const struct nx_problem *p, const struct nx_demand *d, size_t type, size_t *at);

/* What a profile can do under an SLO on a type; max_batch 0 if nothing. */
struct nx_option nx_problem_option(
	struct nx_problem *p, const struct nx_profile *profile, size_t type, double slo_ms);

/* The option of a demand for a type, or NULL. */
const struct nx_option *nx_demand_option(const struct nx_demand *d, size_t type);

/* Gives a demand another SLO, and the options for that. */
void nx_demand_set_slo(struct nx_problem *p, struct nx_demand *d, double slo_ms);

/* A share of 'rate' of demand i under one of its options. */
struct nx_item nx_demand_item(
	const struct nx_problem *p, size_t i, const struct nx_option *o, double rate);

/* A session's rest may be divided between two devices if its floor is at least this. */
#define NX_DIVIDE_FLOOR 0.1

/* Devices that a rate takes at least under an option: whole ones and the floor of the rest, or of
 * its halves. */
double nx_option_devices(const struct nx_option *o, double slo_ms, double rate);

/* Whether two rates are the same but for rounding. */
bool nx_rate_equal(double a, double b);

/* How many whole devices 'rate' fills, and what is left (0 when it is a rounding error). */
double nx_whole_devices(double rate, double max_rate, double *rest);

#endif
