/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines.  One table of options a tool gives parsing, --help, the OPTIONS section of its
 * man page (--help-mdoc) and shell completion (--help-complete=bash|zsh|fish); the rows all
 * tools share are added here, so that they mean the same everywhere:
 *
 *	-h --help  -V --version  -v --verbose  -q --quiet  --progress/--no-progress  --schema=KIND
 *	--color=auto|always|never  --log-format=text|json
 *
 * Rows several, but not all, tools have (-o, -p, -P, -s, -d, --models, --filter, -f, --seed) are
 * macros below, so that letter, name and wording are the same.
 */
#ifndef NX_CLI_CLI_H
#define NX_CLI_CLI_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nx_opt_kind {
	NX_OPT_FLAG,     /* bool: set to true */
	NX_OPT_STRING,   /* const char * into argv */
	NX_OPT_LIST,     /* struct nx_opt_list: may be repeated */
	NX_OPT_INT,      /* int64_t in [min, max] */
	NX_OPT_NUMBER,   /* double in [min, max] */
	NX_OPT_DURATION, /* double, milliseconds; written with a unit: 50ms, 2s */
	NX_OPT_RATE,     /* double, per second: 120, 30fps, 1.5k/s */
	NX_OPT_BYTES,    /* uint64_t */
	NX_OPT_ENUM      /* int: index into the words of 'arg' split at '|' */
};

struct nx_opt_list {
	const char **item;
	size_t n;
};

/* One option.  'key' 0: no short form.  'help' is one sentence without full stop. */
struct nx_opt {
	char key;
	const char *name;
	const char *arg; /* metavariable, or the words of an enum "a|b|c"; NULL for flags */
	const char *help;
	enum nx_opt_kind kind;
	size_t offset;   /* into the tool's configuration struct */
	double min, max; /* INT and NUMBER; both 0: not limited */
	int group;       /* options of one non-zero group exclude each other */
};

struct nx_tool {
	const char *name;        /* "nexus-plan" */
	const char *synopsis;    /* operands: "WORKLOAD" */
	const char *summary;     /* one line */
	const char *description; /* a paragraph for --help */
	const struct nx_opt *opts;
	size_t n_opts;
	int min_operands, max_operands; /* max < 0: any number */
};

/* What the common options say. */
struct nx_common {
	int verbose;   /* -v count minus -q count */
	bool progress; /* draw progress on standard error */
	bool color;    /* on standard error */
};

/* Parses argv into 'cfg' (the struct that offsets refer to, already holding the defaults) and
 * leaves operands in operands[0..n).  --help, --version and the --help-… forms print and exit 0; a
 * mistake prints one line and "Try '… --help'." and exits 64.  The only function of a library
 * that exits; it also starts the log.  Called once, first thing in main(). */
struct nx_operands {
	char **item;
	size_t n;
};
void nx_cli_parse(const struct nx_tool *tool, int argc, char **argv, void *cfg,
	struct nx_common *common, struct nx_operands *operands);

/* Prints "program: message" for the error and returns its exit status: `return
 * nx_cli_fail(&err);` in main(). */
int nx_cli_fail(const struct nx_err *err);

/* The end of every main(): closes standard output and notices a failed write (exit 74). */
int nx_cli_finish(int status);

/* Writes a JSON text (or a stream of them) where -o says (NULL or "-": standard output), through
 * a jq program when 'filter' is not NULL.  A file is replaced atomically.  Every tool that prints
 * JSON as its result ends here. */
int nx_cli_output(
	const char *path, const char *filter, const struct nx_buf *json, struct nx_err *err);

/* A progress line on standard error ("profiling lenet  [####    ] 12/30"), redrawn in place,
 * erased at the end; nothing unless c->progress. */
void nx_cli_progress(const struct nx_common *c, const char *what, double done, double total);
void nx_cli_progress_end(const struct nx_common *c);

/* Rows that mean the same in every tool that has them. */
#define NX_OPT_ROW_OUTPUT(s, f)                                                                   \
	{                                                                                         \
		'o', "output", "FILE",                                                            \
			"write the result to FILE, replaced as a whole ('-' is standard output)", \
			NX_OPT_STRING, offsetof(s, f), 0, 0, 0                                    \
	}
#define NX_OPT_ROW_PROFILES(s, f)                                                                          \
	{                                                                                                  \
		'p', "profiles", "FILE",                                                                   \
			"read nexus-profile/1 objects from FILE ('-' is standard input); may be repeated", \
			NX_OPT_LIST, offsetof(s, f), 0, 0, 0                                               \
	}
#define NX_OPT_ROW_PLAN(s, f)                                                                 \
	{                                                                                     \
		'P', "plan", "FILE", "read the nexus-plan/1 object from FILE", NX_OPT_STRING, \
			offsetof(s, f), 0, 0, 0                                               \
	}
#define NX_OPT_ROW_STATS(s, f)                                                        \
	{                                                                             \
		's', "stats", "FILE",                                                 \
			"read nexus-stats/1 lines from FILE ('-' is standard input)", \
			NX_OPT_STRING, offsetof(s, f), 0, 0, 0                        \
	}
#define NX_OPT_ROW_DEVICE(s, f)                                                          \
	{                                                                                \
		'd', "device", "DEVICE",                                                 \
			"device to use: cpu, cpu:threads=2, cuda:0, sim:alpha=1,beta=5", \
			NX_OPT_STRING, offsetof(s, f), 0, 0, 0                           \
	}
#define NX_OPT_ROW_MODELS(s, f)                                                                              \
	{                                                                                                    \
		0, "models", "DIR[:DIR]",                                                                    \
			"folders to find models in by name (default $NEXUS_MODELS, else the plan's folder)", \
			NX_OPT_STRING, offsetof(s, f), 0, 0, 0                                               \
	}
#define NX_OPT_ROW_FILTER(s, f)                                                          \
	{                                                                                \
		0, "filter", "JQ", "run the result through a jq program", NX_OPT_STRING, \
			offsetof(s, f), 0, 0, 0                                          \
	}
#define NX_OPT_ROW_FORCE(s, f)                                                        \
	{                                                                             \
		'f', "force", NULL, "overwrite an existing output file", NX_OPT_FLAG, \
			offsetof(s, f), 0, 0, 0                                       \
	}
#define NX_OPT_ROW_SEED(s, f)                                                                \
	{                                                                                    \
		0, "seed", "N", "seed of the random numbers", NX_OPT_INT, offsetof(s, f), 0, \
			9007199254740991.0, 0                                                \
	}

#endif
