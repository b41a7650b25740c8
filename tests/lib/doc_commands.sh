#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the command lines of a man page or of README.md: lines that start with "$ ", with their
# continuation lines joined, as a shell would read them.  doc_commands.sh FILE
set -eu
case $1 in
*.[0-9]) sed 's/\\e/\\/g; s/\\-/-/g; s/\\&//g' "$1" ;;
*) cat "$1" ;;
esac | awk '
	/^\$ / { line = substr($0, 3); open = 1 }
	!/^\$ / && open { line = line $0 }
	open { if (line ~ /\\$/) { sub(/\\$/, "", line) } else { print line; open = 0; line = "" } }'
