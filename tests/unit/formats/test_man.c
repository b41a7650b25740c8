/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of nexus-formats(5) are read without complaint. */
#include "formats/plan.h"
#include "formats/profile.h"
#include "formats/stats.h"
#include "formats/workload.h"

#include "core/alloc.h"
#include "core/fs.h"

#include "unit.h"

#include <string.h>

/* The literal block behind '.\" example KIND', with the backslashes of roff undone. */
static struct nx_jdoc *example(const char *kind)
{
	const char *src = getenv("NX_SRC");
	char *path = nx_fs_join(src ? src : ".", "man/nexus-formats.5");
	char *mark = nx_asprintf("\n.\\\" example %s\n.Bd -literal -offset indent\n", kind);
	struct nx_buf page = NX_BUF_INIT, text = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc;

	ck_assert_msg(nx_fs_read(path, 1 << 20, &page, &err) == 0, "%s", err.msg);
	const char *p = strstr(page.data, mark);
	ck_assert_ptr_nonnull(p);
	p += strlen(mark);
	const char *end = strstr(p, "\n.Ed\n");
	for (; p < end; p++) {
		nx_buf_addc(&text, *p);
		if (p[0] == '\\' && p[1] == 'e')
			p++;
	}
	ck_assert_msg(nx_jdoc_parse(text.data, text.len, kind, &doc, &err) == 0, "%s", err.msg);
	nx_buf_release(&page);
	nx_buf_release(&text);
	free(path);
	free(mark);
	return doc;
}

START_TEST(examples_are_read)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_profiles profiles = { 0 };
	struct nx_workload workload;
	struct nx_plan plan;
	struct nx_stats stats;
	struct nx_bench bench;

	struct nx_jdoc *doc = example("profile");
	ck_assert_msg(nx_profile_parse(doc, &profiles, &err) == 0, "%s", err.msg);
	nx_profiles_release(&profiles);
	nx_jdoc_free(&doc);

	doc = example("workload");
	ck_assert_msg(
		nx_workload_parse((const struct nx_jdoc *const *)&doc, 1, &workload, &err) == 0,
		"%s", err.msg);
	ck_assert_str_eq(
		workload.query[0].stage[1].select, ".detections[] | select(.label==\"car\")");
	nx_workload_release(&workload);
	nx_jdoc_free(&doc);

	doc = example("plan");
	ck_assert_msg(nx_plan_parse(doc, &plan, &err) == 0, "%s", err.msg);
	nx_plan_release(&plan);
	nx_jdoc_free(&doc);

	doc = example("stats");
	ck_assert_msg(nx_stats_parse(doc, &stats, &err) == 0, "%s", err.msg);
	nx_stats_release(&stats);
	nx_jdoc_free(&doc);

	doc = example("bench");
	ck_assert_msg(nx_bench_parse(doc, &bench, &err) == 0, "%s", err.msg);
	nx_bench_release(&bench);
	nx_jdoc_free(&doc);
}
END_TEST

UNIT_MAIN("formats/man", examples_are_read)
