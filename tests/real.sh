#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole pipeline on models, pictures and videos that the project does not ship:
#
#	NEXUS_TEST_DATA=DIR tests/real.sh build/MODE
#
# DIR has models/*.onnx, images/, video/ and golden/MODEL/{meta.json,input_0.bin,output_K.bin}.
# First the unit tests that use it, then tests/real/*.t one after the other, so that their figures
# (comment lines) mean something.  The last line is "N passed, N failed, N skipped".

set -u
build=$1
if [ -z "${NEXUS_TEST_DATA:-}" ] || [ ! -d "$NEXUS_TEST_DATA/models" ]; then
	echo "check-real: skipped: no DATA folder (make check-real DATA=DIR, or \$NEXUS_TEST_DATA)"
	exit 0
fi
NEXUS_TEST_DATA=$(cd "$NEXUS_TEST_DATA" && pwd) || exit 66
NX_SRC=$(cd "$(dirname "$0")/.." && pwd) || exit 66
NX_BIN=$(cd "$build/bin" && pwd) || exit 66
export NEXUS_TEST_DATA NX_SRC NX_BIN
logs=$build/log-real
rm -rf "$logs" && mkdir -p "$logs" || exit 73

NX_UNIT_ONLY=1 sh "$NX_SRC/tests/run.sh" "$build" /test_real /test_golden >"$logs/unit"
sed '$d' "$logs/unit"
units=$(tail -n 1 "$logs/unit")
echo "# unit tests: $units"
# shellcheck disable=SC2086
set -- $units
passed=$1 failed=$3 skipped=$5

for t in "$NX_SRC"/tests/real/*.t; do
	name=$(basename "$t" .t)
	echo "# $name"
	# tee would hide the status.
	{
		timeout -k 10 300 sh "$t" 2>"$logs/$name.err" </dev/null
		echo $? >"$logs/$name.status"
	} | tee "$logs/$name.tap"
	p=$(grep -v '# SKIP' "$logs/$name.tap" | grep -c '^ok')
	f=$(grep -c '^not ok' "$logs/$name.tap")
	# One that died or timed out failed, whatever it had printed.
	if [ "$(cat "$logs/$name.status")" != 0 ] && [ "$f" = 0 ]; then
		f=1
	fi
	[ "$f" = 0 ] || tail -n 15 "$logs/$name.err"
	passed=$((passed + p)) failed=$((failed + f))
	skipped=$((skipped + $(grep -c '# SKIP' "$logs/$name.tap")))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
