#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of a build and sums them up: tests/run.sh build/MODE [NAME…]
#
# A test is a program of build/MODE/tests or a script tests/cli/*.t that prints TAP.  The last
# line is "N passed, N failed, N skipped"; the exit status is 1 if anything failed.  NAMEs limit
# the run to tests whose path contains one of them; NX_JOBS is how many run at once.

set -u
build=$1
shift
NX_SRC=$(cd "$(dirname "$0")/.." && pwd)
NX_BIN=$(cd "$build/bin" && pwd) || exit 66
# No tuning of an earlier run may change what is tested.
NEXUS_CACHE=$(cd "$build" && pwd)/no-cache
export NX_SRC NX_BIN NEXUS_CACHE
logs=$build/log
rm -rf "$logs" && mkdir -p "$logs" || exit 73

list_tests() {
	find "$build/tests" -type f -name 'test_*' -perm -u+x ! -name '*.d' | sort
	[ "${NX_UNIT_ONLY:-0}" = 1 ] || find "$NX_SRC/tests/cli" -name '*.t' | sort
}

wanted() {
	[ $# -eq 1 ] && return 0
	w_path=$1
	shift
	for w_name; do
		case $w_path in *"$w_name"*) return 0 ;; esac
	done
	return 1
}

tests=$(list_tests | while read -r t; do wanted "$t" "$@" && echo "$t"; done)
jobs=${NX_JOBS:-$(nproc)}
# The scripts wait more than they work, so they share the cores well.
echo "$tests" | xargs -P "$jobs" -I{} sh -c '
	logs=$1 src=$2; t=$3
	name=$(echo "${t#"$src"/}" | tr "/" "_")
	case $t in *.t) set -- sh "$t" ;; *) set -- "$t" ;; esac
	timeout -k 10 "${NX_TEST_TIMEOUT:-240}" "$@" >"$logs/$name.tap" 2>"$logs/$name.err" </dev/null
	echo $? >"$logs/$name.status"
	[ -t 2 ] && printf "\r\033[K%s" "$name" >&2
	exit 0' sh "$logs" "$NX_SRC" {}
[ -t 2 ] && printf '\r\033[K' >&2

passed=0 failed=0 skipped=0
for tap in "$logs"/*.tap; do
	name=$(basename "$tap" .tap)
	status=$(cat "$logs/$name.status" 2>/dev/null || echo 124)
	counts=$(awk '
		/^ok/ { if (/# SKIP/) s++; else p++ }
		/^not ok/ { f++ }
		/^1\.\.[0-9]/ { plan = 1; split($1, a, "\\.\\."); want = a[2]; if (/# SKIP/) s++ }
		END { if (!plan || (want != p + f + s && want > 0)) broken = 1
			print p + 0, f + 0, s + 0, broken + 0 }' "$tap")
	# shellcheck disable=SC2086
	set -- $counts
	bad=$2
	# A test that died, timed out or lost results fails even if what it printed was fine.
	if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$4" != 0 ]; }; then
		bad=1
	fi
	if [ "$bad" != 0 ]; then
		echo "FAILED $name (exit $status)"
		grep -A 12 '^not ok' "$tap" | head -n 60
		tail -n 15 "$logs/$name.err"
	fi
	grep -h '# SKIP' "$tap" | sed "s|^|$name: |"
	passed=$((passed + $1)) failed=$((failed + bad)) skipped=$((skipped + $3))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
