#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh BUILD_DIR [ROUNDS [NETWORK…]]     (make bench-load ARGS='…')
# Medians over ROUNDS processes (7), network by network in turns: time from the start of the
# program to the first answer, file in the page cache, and the memory that stays.
# Exit 77 if no python can make the networks.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
rounds=${2:-7}
shift "$(($# < 2 ? $# : 2))"
[ $# -gt 0 ] || set -- resnet50 vgg19 squeezenet
work=${BENCH_DIR:-build/bench}
mkdir -p "$work/models"

for p in python3 /usr/bin/python3 "${ORT_PYTHON:-python3}"; do
	"$p" -c 'import onnx, numpy' 2>/dev/null && python=$p && break
done
if [ -z "${python-}" ]; then
	echo "bench-load: skipped: no python can import onnx (Debian: python3-onnx)" >&2
	exit 77
fi
for n; do
	[ -f "$work/models/$n.onnx" ] || "$python" "$here/../engine/networks.py" --models "$n" "$work/models" >&2
	cat "$work/models/$n.onnx" > /dev/null
done
result=$work/load.txt
: > "$result"
for device in cpu cpu:threads=2; do
	i=0
	while [ $i -lt "$rounds" ]; do
		for n; do
			printf '%s %s ' "$n" "$device"
			"$build/bench/load" "$build/lib/nexus" "$device" "$work/models/$n.onnx" 16
		done
		i=$((i + 1))
	done >> "$result"
done
awk -v rounds="$rounds" '
	{ key = $1 " " $2; if (!(key in count)) order[++keys] = key
	  count[key]++; for (f = 3; f <= NF; f++) v[key, f, count[key]] = $f }
	function median(key, f,    i, j, t, n, a) {
		n = count[key]
		for (i = 1; i <= n; i++) a[i] = v[key, f, i] + 0
		for (i = 2; i <= n; i++) { t = a[i]; for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]; a[j + 1] = t }
		return a[int((n + 1) / 2)]
	}
	END {
		print "| network | device | read ms (CPU) | compiled | first answer | weights MiB | working | anonymous | peak |"
		print "|---|---|---|---|---|--:|--:|--:|--:|"
		for (k = 1; k <= keys; k++) {
			split(order[k], name, " ")
			printf "| %s | %s |", name[1], name[2]
			for (f = 5; f <= 9; f += 2) printf " %.0f (%.0f) |", median(order[k], f), median(order[k], f + 1)
			for (f = 11; f <= 14; f++) printf " %.1f |", median(order[k], f)
			print ""
		}
	}' "$result"
