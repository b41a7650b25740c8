/* SPDX-License-Identifier: Apache-2.0 */
/* The option table as --help, as the OPTIONS section of a man page, and as shell completion. */
#include "cli/table.h"

#include "core/text.h"

#include <ctype.h>
#include <string.h>

#define HELP_WIDTH 96

typedef void row_fn(const struct nx_opt *o, const struct nx_tool *tool, FILE *to);

static void each_row(const struct nx_tool *tool, row_fn *fn, FILE *to)
{
	size_t n;
	const struct nx_opt *common = nx_cli_common_rows(&n);

	for (size_t i = 0; i < tool->n_opts; i++)
		fn(&tool->opts[i], tool, to);
	for (size_t i = 0; i < n; i++)
		fn(&common[i], tool, to);
}

/* Prints text broken at spaces, every line behind 'indent' spaces. */
static void print_wrapped(const char *text, int indent, FILE *to)
{
	int column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		if (column && column + 1 + (int)len > HELP_WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		if (column == 0)
			column = fprintf(to, "%*s%.*s", indent, "", (int)len, text);
		else
			column += fprintf(to, " %.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

static void help_row(const struct nx_opt *o, const struct nx_tool *tool, FILE *to)
{
	(void)tool;
	if (o->key)
		fprintf(to, "  -%c, --%s", o->key, o->name);
	else
		fprintf(to, "      --%s", o->name);
	if (o->arg)
		fprintf(to, "=%s", o->arg);
	fputc('\n', to);
	print_wrapped(o->help, 10, to);
}

void nx_cli_print_help(const struct nx_tool *tool, FILE *to)
{
	fprintf(to, "usage: %s [OPTION]...%s%s\n%s\n\n", tool->name, *tool->synopsis ? " " : "",
		tool->synopsis, tool->summary);
	if (tool->description) {
		print_wrapped(tool->description, 0, to);
		fputc('\n', to);
	}
	fputs("options:\n", to);
	each_row(tool, help_row, to);
	fprintf(to,
		"\nExit status: 0 done, 1 the answer is no, 64 usage, 65 bad data, 66 no input,\n"
		"69 no device or server, 70 internal, 71 system, 73 cannot create, 74 input or output,\n"
		"75 try again, 78 configuration.  See %s(1) and nexus(7).\n",
		tool->name);
}

/* mdoc text: a leading dot or quote is protected, hyphens and backslashes are escaped. */
static void mdoc_text(const char *s, FILE *to)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", to);
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", to);
		else if (*s == '-')
			fputs("\\-", to);
		else
			fputc(*s, to);
	}
}

static void mdoc_arg(const struct nx_opt *o, FILE *to)
{
	if (!o->arg)
		return;
	fputs(" Ns = Ns Ar ", to);
	mdoc_text(o->arg, to);
}

static void mdoc_row(const struct nx_opt *o, const struct nx_tool *tool, FILE *to)
{
	(void)tool;
	fputs(".It ", to);
	if (o->key)
		fprintf(to, "Fl %c , ", o->key);
	fputs("Fl \\-", to);
	mdoc_text(o->name, to);
	mdoc_arg(o, to);
	fputc('\n', to);
	if (islower((unsigned char)*o->help)) {
		fputc(toupper((unsigned char)*o->help), to);
		mdoc_text(o->help + 1, to);
	} else {
		mdoc_text(o->help, to);
	}
	fputs(".\n", to);
}

void nx_cli_print_mdoc(const struct nx_tool *tool, FILE *to)
{
	fputs(".Bl -tag -width Ds\n", to);
	each_row(tool, mdoc_row, to);
	fputs(".El\n", to);
}

static bool takes_file(const struct nx_opt *o)
{
	return o->arg && (strcmp(o->arg, "FILE") == 0 || nx_text_has_prefix(o->arg, "DIR"));
}

static void bash_word(const struct nx_opt *o, const struct nx_tool *tool, FILE *to)
{
	(void)tool;
	fprintf(to, " --%s%s", o->name, o->arg ? "=" : "");
	if (o->key)
		fprintf(to, " -%c", o->key);
}

static void bash_case(const struct nx_opt *o, const struct nx_tool *tool, FILE *to)
{
	(void)tool;
	if (o->kind != NX_OPT_ENUM)
		return;
	fprintf(to, "\t--%s) COMPREPLY=($(compgen -W '", o->name);
	for (const char *s = o->arg; *s; s++)
		fputc(*s == '|' ? ' ' : *s, to);
	fputs("' -- \"$cur\")); return ;;\n", to);
}

static void print_bash(const struct nx_tool *tool, FILE *to)
{
	fprintf(to, "# bash completion for %s\n_%s() {\n", tool->name, tool->name + 6);
	fputs("\tlocal cur prev words cword split\n\t_init_completion -s || return\n"
	      "\tcase $prev in\n",
		to);
	each_row(tool, bash_case, to);
	fputs("\tesac\n\t[[ $split == true ]] && { _filedir; return; }\n"
	      "\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '",
		to);
	each_row(tool, bash_word, to);
	fputs("' -- \"$cur\"))\n\t\t[[ ${COMPREPLY-} == *= ]] && compopt -o nospace\n\telse\n"
	      "\t\t_filedir\n\tfi\n}\n",
		to);
	fprintf(to, "complete -F _%s %s\n", tool->name + 6, tool->name);
}

/* Help text inside single quotes; zsh's specs also give [ ] and : a meaning. */
static void quoted(const char *s, const char *escape, FILE *to)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", to);
		else if (strchr(escape, *s))
			fprintf(to, "\\%c", *s);
		else
			fputc(*s, to);
	}
}

static void zsh_row(const struct nx_opt *o, const struct nx_tool *tool, FILE *to)
{
	(void)tool;
	fprintf(to, "\t'%s--%s%s[", o->kind == NX_OPT_LIST ? "*" : "", o->name, o->arg ? "=" : "");
	quoted(o->help, "[]:", to);
	fputc(']', to);
	if (o->kind == NX_OPT_ENUM) {
		fputs(":word:(", to);
		for (const char *s = o->arg; *s; s++)
			fputc(*s == '|' ? ' ' : *s, to);
		fputc(')', to);
	} else if (takes_file(o)) {
		fputs(":file:_files", to);
	} else if (o->arg) {
		fputs(":value:", to);
	}
	fputs("' \\\n", to);
	if (o->key) {
		fprintf(to, "\t'%s-%c%s[", o->kind == NX_OPT_LIST ? "*" : "", o->key,
			o->arg ? "+" : "");
		quoted(o->help, "[]:", to);
		fprintf(to, "]%s' \\\n", takes_file(o) ? ":file:_files" : o->arg ? ":value:" : "");
	}
}

static void print_zsh(const struct nx_tool *tool, FILE *to)
{
	fprintf(to, "#compdef %s\n_arguments -s -S \\\n", tool->name);
	each_row(tool, zsh_row, to);
	fputs("\t'*:file:_files'\n", to);
}

static void fish_row(const struct nx_opt *o, const struct nx_tool *tool, FILE *to)
{
	fprintf(to, "complete -c %s -l %s", tool->name, o->name);
	if (o->key)
		fprintf(to, " -s %c", o->key);
	if (o->kind == NX_OPT_ENUM) {
		fputs(" -x -a '", to);
		for (const char *s = o->arg; *s; s++)
			fputc(*s == '|' ? ' ' : *s, to);
		fputc('\'', to);
	} else if (takes_file(o)) {
		fputs(" -r -F", to);
	} else if (o->arg) {
		fputs(" -x", to);
	}
	fputs(" -d '", to);
	for (const char *s = o->help; *s; s++) {
		if (*s == '\'' || *s == '\\')
			fputc('\\', to);
		fputc(*s, to);
	}
	fputs("'\n", to);
}

int nx_cli_print_completion(const struct nx_tool *tool, const char *shell, FILE *to)
{
	if (strcmp(shell, "bash") == 0)
		print_bash(tool, to);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(tool, to);
	else if (strcmp(shell, "fish") == 0)
		each_row(tool, fish_row, to);
	else
		return -1;
	return 0;
}
