#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gives every fuzz target a short run: tests/fuzz/run.sh SECONDS
set -eu
cd "$(dirname "$0")/../.."
for f in build/fuzz/fuzz_*; do
	case $f in *.d) continue ;; esac
	name=$(basename "$f")
	mkdir -p "build/fuzz/corpus/$name"
	seeds=
	[ -d "tests/fuzz/corpus/$name" ] && seeds=tests/fuzz/corpus/$name
	# The ONNX project's node tests have a model for each operator and a tensor for each type.
	suite=/usr/share/libonnx-testdata/data/node
	case $name in *operators | *tensor) [ ! -d $suite ] || seeds=$suite ;; esac
	echo "$name"
	# shellcheck disable=SC2086
	NEXUS_PLUGIN_PATH="$PWD/build/fuzz/lib/nexus" "$f" -max_total_time="$1" -rss_limit_mb=4096 -malloc_limit_mb=4096 \
		-timeout=25 -verbosity=0 -print_final_stats=0 -artifact_prefix=build/fuzz/ \
		"build/fuzz/corpus/$name" $seeds
done
