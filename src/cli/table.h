/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/cli only: the option table's printed forms. */
#ifndef NX_CLI_TABLE_H
#define NX_CLI_TABLE_H

#include "cli/cli.h"

#include <stdio.h>

const struct nx_opt *nx_cli_common_rows(size_t *n);

void nx_cli_print_help(const struct nx_tool *tool, FILE *to);
void nx_cli_print_mdoc(const struct nx_tool *tool, FILE *to);
/* 0, or -1 for a shell we do not know. */
int nx_cli_print_completion(const struct nx_tool *tool, const char *shell, FILE *to);

#endif
