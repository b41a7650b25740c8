#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tests of a sanitizer build: tests/san.sh asan|tsan
set -u
cd "$(dirname "$0")/.." || exit 71
mode=$1
export CK_FORK=no
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lib/lsan.supp:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:suppressions=$PWD/tests/lib/tsan.supp
export NX_TEST_TIMEOUT=900 NX_SAN=$mode
case $mode in
asan) sh tests/run.sh build/asan ;;
tsan) sh tests/run.sh build/tsan core/ stats/ dispatch/ net/ serve/ cli/serve cli/route cli/bench ;;
esac
