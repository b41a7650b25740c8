#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cuda plugin on a GPU.  Needs the programs of `make gpu-programs` and nothing else; the
# models are those of $NEXUS_TEST_DATA, or what `make gpu-data` put beside the programs.
set -u
cd "$(dirname "$0")/../.." || exit 71
. tests/gpu/env.sh
need_gpu check-gpu

[ -n "${NEXUS_TEST_DATA:-}" ] || NEXUS_TEST_DATA=$PWD/$programs/data
[ -d "$NEXUS_TEST_DATA/golden" ] || unset NEXUS_TEST_DATA
export NEXUS_TEST_DATA CK_FORK=no CK_DEFAULT_TIMEOUT=0
[ -n "${NEXUS_TEST_DATA:-}" ] || unset NEXUS_TEST_DATA

out=$programs/check.tap
timeout 420 "$programs/check" >"$out" 2>"$out.err"
status=$?
cat "$out"
tail -n 20 "$out.err" >&2
failed=$(grep -c '^not ok' "$out")
passed=$(grep -c '^ok' "$out")
# Every test has its line, or the program died on the way.
planned=$(sed -n 's/^1\.\.//p' "$out")
[ "$((passed + failed))" = "${planned:-none}" ] || failed=$((failed + 1))
[ $status = 0 ] || [ "$failed" != 0 ] || failed=1

# Bad accesses of our kernels: without the trained networks, whose kernels are the library's.
skipped=0
if command -v compute-sanitizer >/dev/null 2>&1; then
	(
		unset NEXUS_TEST_DATA
		timeout 420 compute-sanitizer --error-exitcode 99 --leak-check no \
			"$programs/check" >"$programs/sanitizer.txt" 2>&1
	)
	if [ $? = 99 ]; then
		echo "not ok - compute-sanitizer"
		grep '^=====' "$programs/sanitizer.txt" | head -n 30
		failed=$((failed + 1))
	elif grep -q 'ERROR SUMMARY: 0 errors' "$programs/sanitizer.txt"; then
		echo "ok - compute-sanitizer"
		passed=$((passed + 1))
	else
		echo "# compute-sanitizer did not finish: $(tail -n 1 "$programs/sanitizer.txt")"
		skipped=1
	fi
else
	skipped=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
