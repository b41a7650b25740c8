#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole job on the video that Nexus ships: reads the overlay of three invented games, as one
# would to analyse streams.  Profiles the networks on this CPU, plans, serves, runs the video at its
# own pace through the query, compares with what was drawn, and loads the router for a while.
# Everything it makes stays in the folder given (default: build/demo).
#
#	examples/read-overlay.sh [FOLDER]
#
# DEVICE=cpu is where the networks run.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
data=$here/share/nexus/demo
out=${1:-$here/build/demo}
device=${DEVICE:-cpu}
PATH=${NX_BIN:-$here/bin}:$PATH
rm -rf "$out"
mkdir -p "$out/models"
out=$(cd "$out" && pwd)
cp "$data/clip.mp4" "$data/icon.jpg" "$out"
cd "$out"
# Backends listen in a folder of their own: sockets need short names.
run=$(mktemp -d)
export NEXUS_RUNTIME_DIR="$run"
pids=
cleanup() {
	[ -z "$pids" ] || kill $pids 2>/dev/null || :
	wait
	rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n%s\n' "$*" >&2; }

say "1. Bundles: each network with its manifest and labels"
for dir in "$data"/models/*/; do
	tar -czf "$out/models/$(basename "$dir").tar.gz" -C "$dir" model.onnx manifest.json labels.txt
done
ls "$out/models" >&2

say "2. nexus-profile: what a batch of each costs on '$device'"
nexus-profile -d "$device" -b 1,2,4,8,16,32 --time-cap 1s "$out"/models/*.tar.gz >"$out/profiles.json"
jq -r '[.model, (.latency[] | select(.batch == 1 or .batch == 16) | "batch \(.batch): \(.mean_ms * 1000 | round / 1000) ms")]
	| join("  ")' "$out/profiles.json" >&2

say "3. nexus-plan: who runs what, in which batches"
jq -n --arg device "$(jq -rs '.[0].device' "$out/profiles.json")" --arg dir "" \
	-f "$data/workload.jq" >"$out/workload.json"
nexus-plan -p "$out/profiles.json" "$out/workload.json" -o "$out/plan.json"
jq -r '.backends[] | "\(.backend): duty cycle \(.duty_cycle_ms * 100 | round / 100) ms, occupancy \(.occupancy * 1000 | round / 10) %",
	(.sessions[] | "    \(.session): \(.model), SLO \(.slo_ms * 10 | round / 10) ms, \(.rate)/s, batch \(.batch)")' "$out/plan.json" >&2

say "4. nexus-serve on each device of the plan, nexus-route in front"
for backend in $(jq -r '.backends[].backend' "$out/plan.json"); do
	nexus-serve -P "$out/plan.json" --backend "$backend" -d "$device" --models "$out/models" 2>"$out/$backend.log" &
	pids="$pids $!"
done
nexus-route -P "$out/plan.json" --listen "unix:$run/route.sock" --stats-out "$out/stats.jsonl" 2>"$out/route.log" &
pids="$pids $!"
tries=0
until curl -sf --unix-socket "$run/route.sock" http://nexus/v2/health/ready >/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 300 ] || { cat "$out"/*.log >&2; echo "the servers did not come up" >&2; exit 69; }
	sleep 0.1
done

say "5. nexus-route --query overlay: the video at its own pace (26 s), one event a frame and reading"
nexus-route -P "$out/plan.json" --query overlay --realtime --in-flight 32 --models models clip.mp4 >events.jsonl
head -c 300 "$out/events.jsonl" >&2

say "6. nexus-bench: the workload's rates, Poisson arrivals, for 10 s"
nexus-bench --url "unix:$run/route.sock" -P "$out/plan.json" --models models --input clip.mp4 \
	--duration 10s --arrivals poisson --seed 1 "$out/workload.json" >"$out/bench.json"

# What was read, against what was drawn.
jq -n --slurpfile truth "$data/truth.jsonl" --slurpfile events "$out/events.jsonl" \
	--slurpfile plan "$out/plan.json" --slurpfile bench "$out/bench.json" \
	-f "$data/report.jq" >"$out/report.json"
jq -r '.mistakes[] | [.frame, .region, .drawn, .read] | @tsv' "$out/report.json" >"$out/mistakes.tsv"
jq -r -f "$data/report-text.jq" "$out/report.json"
echo "profile, plan, events, mistakes and logs are in $out"
jq -e '.readings.accuracy >= 0.98' "$out/report.json" >/dev/null || {
	echo "read-overlay: the accuracy is under 98 %" >&2
	exit 1
}
