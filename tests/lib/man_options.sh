#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints a man page with its OPTIONS block made anew from the program's option table:
# man_options.sh PROGRAM PAGE
set -eu
"$1" --help-mdoc | awk -v page="$2" '
	{ table = table $0 "\n" }
	END {
		while ((getline line < page) > 0) {
			if (line ~ /^\.\\" END OPTIONS/) inside = 0
			if (!inside) print line
			if (line ~ /^\.\\" BEGIN OPTIONS/) { inside = 1; printf "%s", table }
		}
	}'
