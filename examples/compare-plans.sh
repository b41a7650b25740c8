#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What differs between two plans: devices, and per session where it runs and in which batches.
#
#	examples/compare-plans.sh OLD NEW
set -eu
old=${1:?a plan} new=${2:?another plan}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

table='def short: . * 100 | round / 100;
	"devices \(.summary.devices)",
	(.backends[] | . as $b | .sessions[]
		| "\(.session) on \($b.backend): batch \(.batch) every \($b.duty_cycle_ms | short) ms for \(.rate | short)/s")'
jq -r "$table" "$old" | sort >"$dir/old"
jq -r "$table" "$new" | sort >"$dir/new"
diff -u --label "$old" --label "$new" "$dir/old" "$dir/new"
