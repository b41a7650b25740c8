/* SPDX-License-Identifier: Apache-2.0 */
/* What nexus-plan prints for people. */
#ifndef NX_NEXUS_PLAN_PLAN_H
#define NX_NEXUS_PLAN_PLAN_H

#include "core/buf.h"
#include "formats/plan.h"
#include "formats/profile.h"

/* The backends and their sessions as a table (--format table). */
void nx_show_table(const struct nx_plan *plan, struct nx_buf *out);

/* Why each number is what it is (--explain). */
void nx_show_reasons(
	const struct nx_plan *plan, const struct nx_profiles *profiles, struct nx_buf *out);

/* "devices=7 lower_bound=5.8 gap=17% (occupancy floor)", or "… optimal (…)". */
void nx_show_summary(const struct nx_plan *plan, struct nx_buf *out);

#endif
