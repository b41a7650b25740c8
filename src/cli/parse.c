/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing by getopt_long(3), whose two tables are made from the tool's one.  Long options are
 * numbered behind the characters, so that rows without a short form need no letter.
 */
#include "cli/cli.h"

#include "cli/table.h"
#include "core/alloc.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/text.h"
#include "core/units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_LONG 256
#define SCHEMA_MAX (1 << 20) /* bytes */

/* The common rows' values while parsing. */
struct common_cfg {
	bool help, help_mdoc, version, verbose, quiet, progress, no_progress;
	const char *help_complete, *schema;
	int color, log_format;
	int verbosity;
};

static const struct nx_opt common_opts[] = {
	{ 'h', "help", NULL, "print this help and exit", NX_OPT_FLAG,
		offsetof(struct common_cfg, help), 0, 0, 0 },
	{ 'V', "version", NULL, "print the version and exit", NX_OPT_FLAG,
		offsetof(struct common_cfg, version), 0, 0, 0 },
	{ 'v', "verbose", NULL, "say more on standard error; twice for debugging", NX_OPT_FLAG,
		offsetof(struct common_cfg, verbose), 0, 0, 0 },
	{ 'q', "quiet", NULL, "say nothing but errors", NX_OPT_FLAG,
		offsetof(struct common_cfg, quiet), 0, 0, 0 },
	{ 0, "progress", NULL, "draw progress even if standard error is no terminal", NX_OPT_FLAG,
		offsetof(struct common_cfg, progress), 0, 0, 0 },
	{ 0, "no-progress", NULL, "draw no progress", NX_OPT_FLAG,
		offsetof(struct common_cfg, no_progress), 0, 0, 0 },
	{ 0, "schema", "KIND",
		"print the JSON Schema of a format and exit: profile, workload, plan, stats, bench, "
		"event or model",
		NX_OPT_STRING, offsetof(struct common_cfg, schema), 0, 0, 0 },
	{ 0, "color", "auto|always|never", "colour messages; auto honours NO_COLOR and TERM",
		NX_OPT_ENUM, offsetof(struct common_cfg, color), 0, 0, 0 },
	{ 0, "log-format", "text|json", "form of the messages on standard error", NX_OPT_ENUM,
		offsetof(struct common_cfg, log_format), 0, 0, 0 },
};

/* Rows that work and are in no help: they write the help's other forms. */
static const struct nx_opt hidden_opts[] = {
	{ 0, "help-mdoc", NULL, "", NX_OPT_FLAG, offsetof(struct common_cfg, help_mdoc), 0, 0, 0 },
	{ 0, "help-complete", "SHELL", "", NX_OPT_STRING,
		offsetof(struct common_cfg, help_complete), 0, 0, 0 },
};

const struct nx_opt *nx_cli_common_rows(size_t *n)
{
	*n = NX_ARRAY_LEN(common_opts);
	return common_opts;
}

struct row {
	const struct nx_opt *opt;
	void *cfg;
};

struct parser {
	const struct nx_tool *tool;
	struct row *rows;
	size_t n;
	struct option *longs;
	struct nx_buf shorts;
	const struct nx_opt **seen; /* rows used, for groups */
	size_t n_seen;
};

static void add_rows(struct parser *p, const struct nx_opt *opts, size_t n, void *cfg)
{
	for (size_t i = 0; i < n; i++) {
		const struct nx_opt *o = &opts[i];
		p->rows[p->n] = (struct row){ o, cfg };
		p->longs[p->n] = (struct option){ o->name, o->arg ? required_argument : no_argument,
			NULL, FIRST_LONG + (int)p->n };
		if (o->key) {
			nx_buf_addc(&p->shorts, o->key);
			if (o->arg)
				nx_buf_addc(&p->shorts, ':');
		}
		p->n++;
	}
}

static void parser_init(
	struct parser *p, const struct nx_tool *tool, void *cfg, struct common_cfg *common)
{
	size_t max = tool->n_opts + NX_ARRAY_LEN(common_opts) + NX_ARRAY_LEN(hidden_opts) + 1;

	memset(p, 0, sizeof *p);
	p->tool = tool;
	p->rows = nx_alloc(max, sizeof *p->rows);
	p->longs = nx_alloc(max, sizeof *p->longs);
	nx_buf_addc(&p->shorts, ':');
	add_rows(p, tool->opts, tool->n_opts, cfg);
	add_rows(p, common_opts, NX_ARRAY_LEN(common_opts), common);
	add_rows(p, hidden_opts, NX_ARRAY_LEN(hidden_opts), common);
}

static void parser_release(struct parser *p)
{
	free(p->rows);
	free(p->longs);
	free(p->seen);
	nx_buf_release(&p->shorts);
}

static _Noreturn void usage_error(const struct nx_tool *tool, const char *message)
{
	nx_error("%s", message);
	fprintf(stderr, "Try '%s --help'.\n", tool->name);
	exit(nx_err_exit_status(NX_EUSAGE));
}

static _Noreturn void usage_errorf(const struct nx_tool *tool, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static _Noreturn void usage_errorf(const struct nx_tool *tool, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	usage_error(tool, text);
}

static int store_int(const struct nx_opt *o, int64_t *out, const char *arg, struct nx_err *err)
{
	char *end;

	errno = 0;
	long long v = strtoll(arg, &end, 10);
	if (end == arg || *end || errno)
		return nx_err_set(err, NX_EUSAGE, "'%s' is no whole number", arg);
	if ((o->min != 0 || o->max != 0) && ((double)v < o->min || (double)v > o->max))
		return nx_err_set(
			err, NX_EUSAGE, "%lld is not within %.15g and %.15g", v, o->min, o->max);
	*out = v;
	return 0;
}

static int store_number(const struct nx_opt *o, double *out, const char *arg, struct nx_err *err)
{
	double v;

	if (nx_parse_double(arg, &v))
		return nx_err_set(err, NX_EUSAGE, "'%s' is no number", arg);
	if ((o->min != 0 || o->max != 0) && (v < o->min || v > o->max))
		return nx_err_set(
			err, NX_EUSAGE, "%g is not within %.15g and %.15g", v, o->min, o->max);
	*out = v;
	return 0;
}

static int store_enum(const struct nx_opt *o, int *out, const char *arg, struct nx_err *err)
{
	const char *words = o->arg;

	for (int i = 0; words; i++) {
		const char *bar = strchr(words, '|');
		size_t len = bar ? (size_t)(bar - words) : strlen(words);
		if (strlen(arg) == len && strncmp(arg, words, len) == 0) {
			*out = i;
			return 0;
		}
		words = bar ? bar + 1 : NULL;
	}
	return nx_err_set(err, NX_EUSAGE, "'%s' is none of %s", arg, o->arg);
}

static void store_list(struct nx_opt_list *list, const char *arg)
{
	list->item = nx_realloc(list->item, list->n + 1, sizeof *list->item);
	list->item[list->n++] = arg;
}

static int store(const struct row *row, const char *arg, struct nx_err *err)
{
	const struct nx_opt *o = row->opt;
	void *at = (char *)row->cfg + o->offset;

	switch (o->kind) {
	case NX_OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case NX_OPT_STRING:
		*(const char **)at = arg;
		return 0;
	case NX_OPT_LIST:
		store_list(at, arg);
		return 0;
	case NX_OPT_INT:
		return store_int(o, at, arg, err);
	case NX_OPT_NUMBER:
		return store_number(o, at, arg, err);
	case NX_OPT_DURATION:
		return nx_units_parse_ms(arg, at, err);
	case NX_OPT_RATE:
		return nx_units_parse_rate(arg, at, err);
	case NX_OPT_BYTES:
		return nx_units_parse_bytes(arg, at, err);
	case NX_OPT_ENUM:
		return store_enum(o, at, arg, err);
	}
	NX_BUG("unknown kind of option");
}

static void check_group(struct parser *p, const struct nx_opt *o)
{
	for (size_t i = 0; o->group && i < p->n_seen; i++) {
		if (p->seen[i] != o && p->seen[i]->group == o->group)
			usage_errorf(p->tool, "--%s and --%s exclude each other", p->seen[i]->name,
				o->name);
	}
	p->seen = nx_realloc(p->seen, p->n_seen + 1, sizeof *p->seen);
	p->seen[p->n_seen++] = o;
}

static const struct row *find_row(const struct parser *p, int c)
{
	if (c >= FIRST_LONG)
		return &p->rows[c - FIRST_LONG];
	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].opt->key == c)
			return &p->rows[i];
	}
	return NULL;
}

static _Noreturn void unknown_option(const struct parser *p, const char *word)
{
	if (optopt && optopt < FIRST_LONG)
		usage_errorf(p->tool, "unknown option -%c", optopt);
	if (optopt)
		usage_errorf(p->tool, "--%s takes no argument", find_row(p, optopt)->opt->name);

	const char **names = nx_alloc(p->n, sizeof *names);
	for (size_t i = 0; i < p->n; i++)
		names[i] = p->rows[i].opt->name;
	char *typed = nx_strndup(word + 2, strcspn(word + 2, "="));
	const char *close = nx_text_closest(typed, names, p->n);
	free(typed);
	free(names);
	if (close)
		usage_errorf(p->tool, "unknown option %s (did you mean --%s?)", word, close);
	usage_errorf(p->tool, "unknown or ambiguous option %s", word);
}

static void parse_options(struct parser *p, int argc, char **argv, struct common_cfg *common)
{
	struct nx_err err = NX_ERR_INIT;
	int c;

	opterr = 0;
	optind = 0; /* getopt_long(3): a fresh scan, also in a process that has parsed before */
	while ((c = getopt_long(argc, argv, p->shorts.data, p->longs, NULL)) != -1) {
		const struct row *row = c == '?' || c == ':' ? NULL : find_row(p, c);
		if (c == ':')
			usage_errorf(p->tool, "--%s needs an argument (%s)",
				find_row(p, optopt)->opt->name, find_row(p, optopt)->opt->arg);
		if (!row)
			unknown_option(p, argv[optind - 1]);
		check_group(p, row->opt);
		if (store(row, optarg, &err))
			usage_errorf(p->tool, "--%s: %s", row->opt->name, err.msg);
		common->verbosity += row->opt->key == 'v';
		common->verbosity -= row->opt->key == 'q';
	}
}

static bool want_color(int when)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (when != 0)
		return when == 1;
	return isatty(STDERR_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static void start_log(const struct nx_tool *tool, const struct common_cfg *c)
{
	int level = NX_LOG_INFO + c->verbosity;

	if (c->verbosity < 0)
		level = NX_LOG_ERROR;
	if (level > NX_LOG_DEBUG)
		level = NX_LOG_DEBUG;
	nx_log_init(tool->name, (enum nx_log_level)level, (enum nx_log_format)c->log_format);
	nx_log_set_color(want_color(c->color));
}

/* The schemas are files beside the program's other data. */
static int print_schema(const char *kind)
{
	char *dir = nx_fs_share_dir();
	char *path = nx_asprintf("%s/schemas/nexus-%s-1.schema.json", dir ? dir : "", kind);
	struct nx_buf text = NX_BUF_INIT;
	struct nx_err err = NX_ERR_INIT;

	int rc = strchr(kind, '/') ? nx_err_set(&err, NX_EUSAGE, "--schema: no format '%s'", kind)
				   : nx_fs_read(path, SCHEMA_MAX, &text, &err);
	if (rc == 0)
		fwrite(text.data, 1, text.len, stdout);
	nx_buf_release(&text);
	free(path);
	free(dir);
	return rc ? nx_cli_fail(&err) : nx_cli_finish(0);
}

static void print_and_exit(const struct nx_tool *tool, const struct common_cfg *c)
{
	if (c->schema)
		exit(print_schema(c->schema));
	if (c->help_mdoc)
		nx_cli_print_mdoc(tool, stdout);
	else if (c->help_complete && nx_cli_print_completion(tool, c->help_complete, stdout))
		usage_errorf(
			tool, "--help-complete: '%s' is none of bash|zsh|fish", c->help_complete);
	else if (c->version)
		printf("%s (Nexus) %s\n", tool->name, NX_VERSION);
	else if (c->help)
		nx_cli_print_help(tool, stdout);
	else if (!c->help_complete)
		return;
	exit(nx_cli_finish(0));
}

void nx_cli_parse(const struct nx_tool *tool, int argc, char **argv, void *cfg,
	struct nx_common *common, struct nx_operands *operands)
{
	struct common_cfg c = { 0 };
	struct parser p;

	nx_log_init(tool->name, NX_LOG_INFO, NX_LOG_TEXT);
	parser_init(&p, tool, cfg, &c);
	parse_options(&p, argc, argv, &c);
	parser_release(&p);
	start_log(tool, &c);
	print_and_exit(tool, &c);

	int n = argc - optind;
	if (n < tool->min_operands)
		usage_errorf(tool, "missing operand (%s)", tool->synopsis);
	if (tool->max_operands >= 0 && n > tool->max_operands)
		usage_errorf(tool, "unexpected operand '%s'", argv[optind + tool->max_operands]);
	*operands = (struct nx_operands){ argv + optind, (size_t)n };
	common->verbose = c.verbosity;
	common->color = want_color(c.color);
	common->progress = c.progress || (!c.no_progress && c.verbosity >= 0 && c.log_format == 0 &&
						 isatty(STDERR_FILENO));
}
