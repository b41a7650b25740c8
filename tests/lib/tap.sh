# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# TAP for command-line tests.  A test file starts with
#
#	. "$NX_SRC/tests/lib/tap.sh"
#
# and ends with done_testing.  It runs in a folder of its own, kept if something failed.
# NX_BIN is the folder of the programs, NX_SRC the source tree.

: "${NX_BIN:?}" "${NX_SRC:?}"
PATH=$NX_BIN:$PATH
export PATH LC_ALL=C TZ=UTC
unset NEXUS_MODELS NEXUS_PLUGIN_PATH NO_COLOR 2>/dev/null || :
tap_n=0
tap_failed=0
tap_pids=
TAP_DIR=$(mktemp -d "${TMPDIR:-/tmp}/nexus-test.XXXXXX") || exit 71
export NEXUS_RUNTIME_DIR="$TAP_DIR/run" NEXUS_CACHE="$TAP_DIR/cache"
cd "$TAP_DIR" || exit 71

# Kills what background started, and waits for it.
tap_cleanup() {
	for tap_p in $tap_pids; do kill "$tap_p" 2>/dev/null; done
	for tap_p in $tap_pids; do wait "$tap_p" 2>/dev/null; done
	if [ "$tap_failed" = 0 ]; then
		cd / && rm -rf "$TAP_DIR"
	else
		echo "# kept: $TAP_DIR"
	fi
}
trap tap_cleanup EXIT
trap 'exit 143' TERM INT HUP

# report STATUS DESCRIPTION: prints one result line.
report() {
	tap_n=$((tap_n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_n - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_n - $2"
	fi
}

diag() { sed 's/^/# /'; }

# status WANT DESCRIPTION COMMAND…: runs it with stdout in ./out and stderr in ./err, checks the
# exit status.
status() {
	tap_want=$1 tap_desc=$2
	shift 2
	"$@" >out 2>err
	tap_got=$?
	[ "$tap_got" = "$tap_want" ]
	tap_rc=$?
	report $tap_rc "$tap_desc"
	if [ $tap_rc != 0 ]; then
		echo "# exit $tap_got, wanted $tap_want: $*"
		tail -n 20 err | diag
	fi
	return $tap_rc
}

# is DESCRIPTION GOT WANT: equal strings.
is() {
	[ "$2" = "$3" ]
	tap_rc=$?
	report $tap_rc "$1"
	[ $tap_rc = 0 ] || printf 'got:    %s\nwanted: %s\n' "$2" "$3" | diag
	return $tap_rc
}

# like DESCRIPTION FILE REGEX: some line of FILE matches the extended regular expression.
like() {
	grep -Eq -- "$3" "$2"
	tap_rc=$?
	report $tap_rc "$1"
	[ $tap_rc = 0 ] || { echo "# no match for: $3" && head -n 20 "$2" | diag; }
	return $tap_rc
}

# empty DESCRIPTION FILE: the file has no bytes.
empty() {
	[ ! -s "$2" ]
	tap_rc=$?
	report $tap_rc "$1"
	[ $tap_rc = 0 ] || head -n 20 "$2" | diag
	return $tap_rc
}

# true_that DESCRIPTION COMMAND…: the command succeeds.
true_that() {
	tap_desc=$1
	shift
	"$@" >tap.log 2>&1
	tap_rc=$?
	report $tap_rc "$tap_desc"
	[ $tap_rc = 0 ] || tail -n 20 tap.log | diag
	return $tap_rc
}

# golden DESCRIPTION FILE GOLDEN: same bytes as tests/cli/GOLDEN; NX_UPDATE=1 rewrites it.
golden() {
	if [ "${NX_UPDATE:-0}" = 1 ]; then
		cp "$2" "$NX_SRC/tests/cli/$3"
	fi
	diff -u "$NX_SRC/tests/cli/$3" "$2" >tap.diff 2>&1
	tap_rc=$?
	report $tap_rc "$1"
	[ $tap_rc = 0 ] || head -n 40 tap.diff | diag
	return $tap_rc
}

# skip COUNT REASON: counts tests that cannot run here.
skip() {
	tap_i=0
	while [ $tap_i -lt "$1" ]; do
		tap_n=$((tap_n + 1)) tap_i=$((tap_i + 1))
		echo "ok $tap_n # SKIP $2"
	done
}

# skip_all REASON: the whole file is skipped, in one line.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# background LOG COMMAND…: starts it, its output in LOG; its process is in $bg; it is killed at
# the end.
background() {
	tap_log=$1
	shift
	"$@" >"$tap_log" 2>&1 &
	bg=$!
	tap_pids="$tap_pids $bg"
}

# wait_for SECONDS COMMAND…: until it succeeds; fails after the time.
wait_for() {
	tap_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$tap_end" ] || return 1
		sleep 0.05
	done
}

done_testing() {
	echo "1..$tap_n"
	[ "$tap_failed" = 0 ]
	exit
}
