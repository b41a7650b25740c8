/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines are parsed in a child process, because a mistake exits. */
#include "cli/cli.h"

#include "core/alloc.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct cfg {
	bool flag;
	const char *out;
	struct nx_opt_list files;
	int64_t count;
	double slo_ms;
	int mode;
	bool a, b;
};

static const struct nx_opt opts[] = {
	{ 'f', "flag", NULL, "a flag", NX_OPT_FLAG, offsetof(struct cfg, flag), 0, 0, 0 },
	NX_OPT_ROW_OUTPUT(struct cfg, out),
	NX_OPT_ROW_PROFILES(struct cfg, files),
	{ 'n', "count", "N", "a count", NX_OPT_INT, offsetof(struct cfg, count), 1, 10, 0 },
	{ 0, "slo", "TIME", "a time", NX_OPT_DURATION, offsetof(struct cfg, slo_ms), 0, 0, 0 },
	{ 0, "mode", "one|two", "a word", NX_OPT_ENUM, offsetof(struct cfg, mode), 0, 0, 0 },
	{ 0, "this", NULL, "one of two", NX_OPT_FLAG, offsetof(struct cfg, a), 0, 0, 1 },
	{ 0, "that", NULL, "one of two", NX_OPT_FLAG, offsetof(struct cfg, b), 0, 0, 1 },
};

static const struct nx_tool tool = { "nexus-test", "FILE", "tests", NULL, opts, NX_ARRAY_LEN(opts),
	1, 2 };

struct result {
	struct cfg cfg;
	struct nx_operands operands;
};

/* Parses in this process: the tests below that expect an exit run it in a child. */
static struct result parse(int argc, char **argv)
{
	struct result r = { .cfg = { .count = 3 } };
	struct nx_common common;

	nx_cli_parse(&tool, argc, argv, &r.cfg, &common, &r.operands);
	return r;
}

#define ARGV(...)                                                       \
	char *argv[] = { (char[]){ "nexus-test" }, __VA_ARGS__, NULL }; \
	int argc = (int)NX_ARRAY_LEN(argv) - 1
#define S(s) ((char[]){ s })

static int exit_status(int argc, char **argv)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(99);
		parse(argc, argv);
		_exit(42);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(parses_every_kind)
{
	ARGV(S("in"), S("-f"), S("-o"), S("x"), S("-pa"), S("--profiles=b"), S("--count"), S("7"),
		S("--slo=1.5s"), S("--mode=two"), S("--"), S("-n"));
	struct result r = parse(argc, argv);

	ck_assert(r.cfg.flag);
	ck_assert_str_eq(r.cfg.out, "x");
	ck_assert_uint_eq(r.cfg.files.n, 2);
	ck_assert_str_eq(r.cfg.files.item[1], "b");
	ck_assert_int_eq(r.cfg.count, 7);
	ck_assert_double_eq(r.cfg.slo_ms, 1500);
	ck_assert_int_eq(r.cfg.mode, 1);
	ck_assert_uint_eq(r.operands.n, 2);
	ck_assert_str_eq(r.operands.item[1], "-n");
	free(r.cfg.files.item);
}
END_TEST

START_TEST(keeps_defaults)
{
	ARGV(S("in"));

	ck_assert_int_eq(parse(argc, argv).cfg.count, 3);
}
END_TEST

#define EXITS(name, want, ...)                                   \
	START_TEST(name)                                         \
	{                                                        \
		ARGV(__VA_ARGS__);                               \
		ck_assert_int_eq(exit_status(argc, argv), want); \
	}                                                        \
	END_TEST

EXITS(unknown_option, 64, S("in"), S("--flga"))
EXITS(unknown_letter, 64, S("in"), S("-z"))
EXITS(missing_argument, 64, S("in"), S("--count"))
EXITS(unwanted_argument, 64, S("in"), S("--flag=1"))
EXITS(out_of_range, 64, S("in"), S("--count=11"))
EXITS(no_number, 64, S("in"), S("--count=3x"))
EXITS(time_without_unit, 64, S("in"), S("--slo=50"))
EXITS(unknown_word, 64, S("in"), S("--mode=three"))
EXITS(exclusive, 64, S("in"), S("--this"), S("--that"))
EXITS(too_few_operands, 64, S("-f"))
EXITS(too_many_operands, 64, S("a"), S("b"), S("c"))
EXITS(help, 0, S("--help"))
EXITS(version, 0, S("-V"))
EXITS(mdoc, 0, S("--help-mdoc"))
EXITS(complete, 0, S("--help-complete=fish"))
EXITS(complete_unknown, 64, S("--help-complete=tcsh"))
EXITS(parsed, 42, S("in"))

UNIT_MAIN("cli", parses_every_kind, keeps_defaults, unknown_option, unknown_letter,
	missing_argument, unwanted_argument, out_of_range, no_number, time_without_unit,
	unknown_word, exclusive, too_few_operands, too_many_operands, help, version, mdoc, complete,
	complete_unknown, parsed)
