#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that can be said of the sources without running them.  Prints what is wrong; exit 1
# if anything is.
set -u
cd "$(dirname "$0")/../.." || exit 71
bad=0
fail() {
	echo "lint: $1" >&2
	bad=1
}
c_files=$(git ls-files 'src/*.[ch]' 'tests/*.[ch]')
sh_files=$(git ls-files 'examples/*.sh' 'share/nexus/*.sh' share/nexus/nexus-replan 'tests/*.sh' 'tests/*.t' .ci/run)

# shellcheck disable=SC2086
clang-format --dry-run -Werror $c_files || fail "run 'make format'"

# Lower never includes higher: each module's allowed includes are its DEPS line in the Makefile.
for dir in src/*/; do
	module=$(basename "$dir")
	allowed=$(sed -n "s/^DEPS_$module *:= *//p" Makefile)
	case $module in
	plugins) allowed="core model fuse formats json" ;;
	nexus-*) allowed=$(sed -n "s/^TOOL_DEPS_${module#nexus-} *:= *//p" Makefile)
		allowed=$(echo "$allowed" | sed "s/\$(DEPS_${module#nexus-})/$(sed -n "s/^DEPS_${module#nexus-} *:= *//p" Makefile)/") ;;
	esac
	case " $allowed " in *" engine "*) allowed="$allowed plugins" ;; esac
	[ "$module" = engine ] && allowed="$allowed plugins"
	find "$dir" -name '*.[ch]' -exec grep -Ho '^#include "[a-z-]*/' {} + | sort -u |
		sed 's/:#include "/ /; s,/$,,' | while read -r file used; do
		case " $allowed $module " in
		*" $used "*) ;;
		*) echo "lint: $file includes $used/, which $module may not use" >&2 && echo bad ;;
		esac
	done | grep -q bad && bad=1
done

# Foreign libraries stay behind their wrapper.
only() { # only HEADER FOLDER…
	header=$1
	shift
	found=$(grep -lE "^#include <$header" $c_files)
	for f in $found; do
		ok=0
		for folder; do case $f in "$folder"*) ok=1 ;; esac; done
		[ $ok = 1 ] || fail "$f: <$header> belongs to $*"
	done
}
only 'j[qv]\.h' src/json/
only 'dnnl' src/plugins/cpu/ tests/bench/engine/
only 'libav|^libsw' src/media/av/
only 'archive' src/model/ tests/unit/model/
only 'protobuf-c' src/model/
only 'llhttp' src/net/
only 'openssl' src/core/ src/net/

# Sizes: files, and functions by a plain count of the lines between braces at column 0.
for f in $c_files; do
	lines=$(wc -l <"$f")
	case $f in
	src/nexus-*/main.c) max=120 ;;
	src/*.h) max=220 ;;
	src/*) max=600 ;;
	*) max=900 ;;
	esac
	[ "$lines" -le $max ] || fail "$f: $lines lines (at most $max)"
	case $f in src/*) ;; *) continue ;; esac
	awk -v f="$f" '/^{/ { start = NR } /^}/ && start { if (NR - start > 62) { print "lint: " f ":" start ": function of " NR - start " lines (at most 62)"; n = 1 } start = 0 } END { exit n }' "$f" >&2 || bad=1
	head -n 1 "$f" | grep -q SPDX-License-Identifier || fail "$f: no SPDX line"
done

# Calls we do without.
# shellcheck disable=SC2086
grep -nwE '(strcpy|strcat|sprintf|strtok|gmtime|localtime|atoi|rand|system|popen) *\(' $c_files |
	grep -v '^[^:]*:[0-9]*: \*' && fail "banned calls"

# shellcheck disable=SC2086
shellcheck -s sh -S warning -x -e SC1090,SC1091,SC2154,SC2034 $sh_files || fail "shellcheck"
mandoc -T lint -W warning man/*.[0-9] || fail "man pages"
# shellcheck disable=SC2086
cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -Isrc --suppress=missingInclude \
	--suppress=unusedFunction --suppress=preprocessorErrorDirective -j2 src || fail "cppcheck"

# Commit subjects: "area: imperative", at most 72 characters.
git log --format=%s | awk 'length > 72 || !/^[a-z0-9,\/._ -]+: / { print "lint: commit subject: " $0; n = 1 } END { exit n }' >&2 || bad=1
exit $bad
